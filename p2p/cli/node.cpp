// qpeer node: listens, and stores the files that are sent.
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "crypto/identity.hpp"
#include "p2p/cli/commands.hpp"
#include "p2p/cli/common/arguments.hpp"
#include "p2p/cli/common/files.hpp"
#include "p2p/cli/common/key_file.hpp"
#include "p2p/cli/common/program.hpp"
#include "p2p/cli/common/transport_options.hpp"
#include "p2p/cli/protocol.hpp"
#include "qpeer/transport.hpp"

namespace qpeer::cli {
namespace {

constexpr std::size_t kMostTransfers = 256;

struct NodeOptions {
  SocketAddress listen = SocketAddress::ipv6({}, kDefaultPort);
  std::string store;
  std::string key;
  std::uint64_t max_size = std::uint64_t{64} << 30;
  bool once = false;
  bool quiet = false;
  TransportOptions transport;
};

struct Node {
  NodeOptions options;
  std::size_t transfers = 0;
  std::optional<bool> first_stored{};
  AsyncEndpoint endpoint;
};

/// Counts a transfer as long as it lives.
class Slot {
 public:
  explicit Slot(Node& node) : node_(node) { ++node_.transfers; }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() { --node_.transfers; }

 private:
  Node& node_;
};

PutAnswer refusal(std::string why) { return {.stored = false, .text = std::move(why)}; }

// The body, into a file; the answer then says what became of it. Nullopt: the sender broke off.
Task<std::optional<PutAnswer>> store_body(Node& node, AsyncStream& stream,
                                          const PutRequest& request) {
  auto file = AtomicFile::create(node.options.store);
  if (!file) co_return refusal("the node cannot make a file");
  crypto::Sha256 hash;
  std::uint64_t received = 0;
  for (;;) {
    const auto view = co_await stream.peek();
    if (!view) co_return std::nullopt;
    received += view->data.size();
    if (received > request.size) co_return refusal("more came than was announced");
    hash.update(view->data);
    if (const auto written = file->write(view->data); !written) co_return refusal(written.error());
    const bool ended = view->fin;
    stream.consume(view->data.size());
    if (ended) break;
  }
  if (received != request.size) co_return refusal("less came than was announced");
  const auto name = file->commit(request.name, AtomicFile::Collision::number);
  if (!name) co_return refusal(name.error());
  co_return PutAnswer{.stored = true, .text = *name, .sha256 = hash.finish()};
}

Task<void> answer(AsyncStream& stream, const PutAnswer& result) {
  const std::vector<u8> bytes = result.encode();
  const auto written = co_await stream.write(bytes);
  if (!written) co_return;
  (void)stream.finish();
  if (!result.stored) (void)stream.stop_sending(static_cast<std::uint64_t>(ErrorCode::refused));
  (void)co_await stream.finished();
}

Task<void> serve_put(Node& node, AsyncStream& stream, const std::string& from) {
  const auto request = co_await read_put(stream);
  if (!request) {
    complain("{}: not a request", from);
    (void)stream.stop_sending(static_cast<std::uint64_t>(ErrorCode::bad_request));
    co_return;
  }
  const std::string_view bad_name = why_bad_name(request->name);
  std::optional<PutAnswer> result;
  if (!bad_name.empty()) {
    result = refusal("the name is refused: " + std::string(bad_name));
  } else if (request->size > node.options.max_size) {
    result = refusal("the file is too large; the limit is " + human_size(node.options.max_size));
  } else if (node.transfers >= kMostTransfers) {
    result = refusal("the node is busy");
  } else {
    const Slot slot{node};
    result = co_await store_body(node, stream, *request);
  }
  const std::string shown = bad_name.empty() ? request->name : std::string("(a bad name)");
  if (!result) {
    complain("{}: {} broke off; nothing of it was kept", from, shown);
  } else if (!result->stored) {
    complain("{}: {} refused: {}", from, shown, result->text);
  } else if (!node.options.quiet) {
    say("stored {} {} sha256={}", result->text, request->size, hex(result->sha256));
  }
  if (result) co_await answer(stream, *result);
  if (!node.first_stored) node.first_stored = result && result->stored;
  if (node.options.once) auto closing = node.endpoint.shut_down();
}

Task<void> serve_ping(AsyncStream& stream) {
  std::array<u8, kPingSize> ping{};
  for (;;) {
    const auto size = co_await stream.read_full(ping);
    if (!size || *size < ping.size()) break;
    const auto written = co_await stream.write(ping);
    if (!written) break;
  }
  (void)stream.finish();
}

Task<void> serve_stream(Node& node, AsyncStream stream, std::string from) {
  const auto type = co_await read_type(stream);
  if (type == RequestType::put) {
    co_await serve_put(node, stream, from);
  } else if (type == RequestType::ping) {
    co_await serve_ping(stream);
  } else {
    (void)stream.stop_sending(static_cast<std::uint64_t>(ErrorCode::bad_request));
  }
}

Task<void> serve_connection(Node& node, AsyncConnection connection) {
  const std::string from = connection.info().remote.to_string();
  TaskGroup streams;
  for (;;) {
    auto stream = co_await connection.accept_stream();
    if (!stream) break;
    streams.spawn(serve_stream(node, std::move(*stream), from));
  }
  co_await streams.join();
}

Task<int> serve(Node& node) {
  TaskGroup connections;
  for (;;) {
    auto connection = co_await node.endpoint.accept();
    if (!connection) break;
    connections.spawn(serve_connection(node, std::move(*connection)));
  }
  if (const auto error = node.endpoint.error()) {
    complain("qpeer node: the socket failed: {}", error.message());
    co_return kFailure;
  }
  co_await connections.join();
  co_await node.endpoint.shut_down();
  co_return node.first_stored.value_or(false) ? kSuccess : kFailure;
}

// What can be known to fail is told before anybody is asked to send.
std::expected<void, std::string> prepare_store(const NodeOptions& options) {
  if (::mkdir(options.store.c_str(), 0755) != 0 && errno != EEXIST) {
    return std::unexpected(std::string(std::strerror(errno)));
  }
  const auto probe = AtomicFile::create(options.store);
  if (!probe) return std::unexpected(probe.error());
  const std::size_t stale = AtomicFile::remove_stale(options.store);
  if (stale > 0 && !options.quiet) say("removed {} unfinished from {}", stale, options.store);
  return {};
}

int run_node(NodeOptions options) {
  if (const auto ready = prepare_store(options); !ready) {
    complain("qpeer node: cannot store in {}: {}", options.store, ready.error());
    return kFailure;
  }
  auto identity = load_identity(options.key);
  if (!identity) {
    complain("qpeer node: {}", identity.error());
    return kFailure;
  }
  crypto::TlsConfig tls = options.transport.tls(std::string(kAlpn));
  tls.credentials = std::move(identity->credentials);
  auto context = crypto::make_tls_context(std::move(tls));
  if (!context) {
    complain("qpeer node: {}", context.error());
    return kFailure;
  }
  EventLoop loop;
  AsyncEndpointOptions endpoint{.bind = options.listen, .socket = options.transport.socket()};
  endpoint.endpoint.server_tls = std::move(*context);
  endpoint.endpoint.retry = options.transport.retry;
  endpoint.endpoint.connection = options.transport.connection();
  auto opened = AsyncEndpoint::open(loop, std::move(endpoint));
  if (!opened) {
    complain("qpeer node: cannot listen on {}: {}", options.listen.to_string(),
             opened.error().message());
    return kFailure;
  }
  Node node{.options = std::move(options), .endpoint = std::move(*opened)};
  if (!node.options.quiet) {
    say("listening on {} id {}", node.endpoint.local_address().to_string(), id_text(identity->id));
  }
  return run_program(loop, serve(node), node.options.once ? -1 : kSuccess);
}

}  // namespace

int node_command(std::span<char* const> words) {
  NodeOptions options;
  Arguments arguments{"qpeer node", "--store DIR [--listen ADDR:PORT] [OPTION...]",
                      "Listens, and stores the files that are sent. Prints 'listening on ADDR:PORT "
                      "id ID', then\n'stored NAME SIZE sha256=HEX' for each file. SIGINT or SIGTERM "
                      "ends it."};
  arguments.required("--store", "DIR", options.store, "where to put files; made if it is missing");
  arguments.custom("--listen", "ADDR:PORT", "where to listen (default: any address, port 4477)",
                   [&](std::string_view text) -> std::expected<void, std::string> {
                     const auto address = parse_listen(text, kDefaultPort);
                     if (!address) return std::unexpected(address.error());
                     options.listen = *address;
                     return {};
                   });
  arguments.text("--key", "FILE", options.key,
                 "this node's key, made if missing (default: one for this run)");
  arguments.size("--max-size", "SIZE", options.max_size, "largest file taken (default: 64GiB)");
  options.transport.declare_retry(arguments);
  options.transport.declare_cipher(arguments);
  options.transport.declare_mtu(arguments);
  arguments.toggle("--once", options.once, "end after one transfer; status 0 if it was stored");
  arguments.toggle("--quiet", options.quiet, "tell only of failures");
  if (const auto status = arguments.parse(words)) return *status;
  return run_node(std::move(options));
}

}  // namespace qpeer::cli
