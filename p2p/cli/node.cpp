// qpeer node: listens, and stores the files that are sent.
#include <sys/stat.h>
#include <qpeer/transport.hpp>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "crypto/tls_session.hpp"
#include "p2p/cli/commands.hpp"
#include "p2p/cli/common/arguments.hpp"
#include "p2p/cli/common/files.hpp"
#include "p2p/cli/common/identity_option.hpp"
#include "p2p/cli/common/program.hpp"
#include "p2p/cli/common/protocol.hpp"
#include "p2p/cli/common/receiver.hpp"
#include "p2p/cli/common/transport_options.hpp"

namespace qpeer::cli {
namespace {

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
  Node(NodeOptions settings, AsyncEndpoint opened)
      : options(std::move(settings)),
        endpoint(std::move(opened)),
        receiver({.store = options.store, .max_size = options.max_size},
                 [this](const Received& received) { on_received(received); }) {}
  void on_received(const Received& received);

  NodeOptions options;
  AsyncEndpoint endpoint;
  Receiver receiver;
  std::optional<bool> first_stored;
};

void Node::on_received(const Received& received) {
  const bool stored = received.failure.empty();
  if (!stored) {
    complain("{}: {}: {}; nothing of it was kept", received.from, received.name, received.failure);
  } else if (!options.quiet) {
    say("stored {} {} sha256={}", received.name, received.size, hex(received.sha256));
  }
  if (!first_stored) first_stored = stored;
  if (options.once) auto closing = endpoint.shut_down();
}

Task<int> serve(Node& node) {
  TaskGroup connections;
  for (;;) {
    auto connection = co_await node.endpoint.accept();
    if (!connection) break;
    connections.spawn(node.receiver.serve(std::move(*connection)));
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
  const std::size_t stale = TemporaryFile::remove_stale(options.store);
  if (stale > 0 && !options.quiet) say("removed {} unfinished from {}", stale, options.store);
  return {};
}

int run_node(NodeOptions options) {
  if (const auto ready = prepare_store(options); !ready) {
    complain("qpeer node: cannot store in {}: {}", options.store, ready.error());
    return kFailure;
  }
  auto identity = identity_of(options.key);
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
  auto opened = AsyncEndpoint::open(loop, endpoint);
  if (!opened) {
    complain("qpeer node: cannot listen on {}: {}", options.listen.to_string(),
             opened.error().message());
    return kFailure;
  }
  Node node{std::move(options), std::move(*opened)};
  if (!node.options.quiet) {
    say("listening on {} id {}", node.endpoint.local_address().to_string(),
        identity->id.to_string());
  }
  return run_program(loop, serve(node), node.options.once ? -1 : kSuccess);
}

}  // namespace

int node_command(std::span<char* const> words) {
  NodeOptions options;
  Arguments arguments{
      "qpeer node", "--store DIR [--listen ADDR:PORT] [OPTION...]",
      "Listens, and stores the files that are sent. Prints 'listening on ADDR:PORT "
      "id ID', then\n'stored NAME SIZE sha256=HEX' for each file. SIGINT or SIGTERM "
      "ends it."};
  arguments.required("--store", "DIR", options.store, "where to put files; made if it is missing");
  arguments.custom("--listen", "ADDR:PORT", "where to listen (default: any address, port 4477)",
                   [&](std::string_view text) -> std::expected<void, std::string> {
                     const auto address = parse_listen(text, kDefaultPort);
                     if (!address) {
                       return std::unexpected("is no address to listen on: " + address.error());
                     }
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
