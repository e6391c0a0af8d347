// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer-hq get: downloads files. Those of one host share a connection, each on a stream of its own,
// all at once as far as the server's limit allows; or each has a connection of its own.
#include <sys/stat.h>
#include "qpeer/transport.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/files.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/common/transport_options.hpp"
#include "qpeer/tests/interop/hq/commands.hpp"
#include "qpeer/tests/interop/hq/url.hpp"

namespace qpeer::hq {
namespace {

using cli::AtomicFile;

struct GetOptions {
  std::string folder = ".";
  std::vector<std::string> urls;
  std::string ca;
  std::string groups;
  Duration timeout = 10s;
  Duration idle_timeout = 30s;
  std::uint64_t window = 0;
  SocketAddress migrate{};
  bool each = false;
  bool upgrade = false;
  bool resume = false;
  bool early = false;
  bool key_update = false;
  bool quiet = false;
  cli::TransportOptions transport;
};

struct Host {
  std::string authority;
  std::vector<Url> urls;
};

/// No server speaks it.
constexpr Version kReserved{0x1a2a3a4a};

using Outcome = std::expected<std::uint64_t, std::string>;
using Error = std::unexpected<std::string>;

Task<Outcome> save(AsyncStream& stream, const GetOptions& options, const std::string& name) {
  auto file = AtomicFile::create(options.folder);
  if (!file) co_return Error(file.error());
  std::uint64_t size = 0;
  for (;;) {
    const auto view = co_await stream.peek();
    if (!view) {
      std::string why{to_string(view.error())};
      if (view.error() == StreamError::reset)
        why += ", code " + std::to_string(stream.reset_code());
      co_return Error(why);
    }
    size += view->data.size();
    if (const auto written = file->write(view->data); !written) co_return Error(written.error());
    const bool ended = view->fin;
    stream.consume(view->data.size());
    if (ended) break;
  }
  const auto saved = file->commit(name, AtomicFile::Collision::replace);
  if (!saved) co_return Error(saved.error());
  co_return size;
}

Task<std::expected<AsyncStream, StreamError>> open(AsyncConnection& connection, bool early) {
  if (early) {
    auto stream = co_await connection.open_early_stream();
    co_return std::move(stream);
  }
  auto stream = co_await connection.open_stream();
  co_return std::move(stream);
}

Task<Outcome> request(AsyncConnection& connection, const GetOptions& options, const Url& url,
                      bool early) {
  const std::string name = url.file_name();
  if (const auto bad = cli::why_bad_name(name); !bad.empty()) {
    co_return Error("no name for a file: " + std::string(bad));
  }
  auto stream = co_await open(connection, early);
  if (!stream) co_return Error(std::string(to_string(stream.error())));
  const std::string line = "GET " + url.path + "\r\n";
  const auto written = co_await stream->write(as_bytes(line));
  if (!written) co_return Error(std::string(to_string(written.error())));
  (void)stream->finish();
  const Outcome outcome = co_await save(*stream, options, name);
  co_return outcome;
}

Task<void> fetch(AsyncConnection connection, const GetOptions& options, const Url& url, bool early,
                 std::size_t& failures) {
  const Outcome outcome = co_await request(connection, options, url, early);
  if (outcome) {
    if (!options.quiet) cli::say("https://{}{}: {} bytes", url.authority, url.path, *outcome);
    co_return;
  }
  ++failures;
  std::string why = outcome.error();
  if (connection.is_closed()) {
    const CloseReason reason = co_await connection.closed();
    why += " (" + to_string(reason) + ")";
  }
  cli::complain("qpeer-hq: https://{}{}: {}", url.authority, url.path, why);
}

Task<std::expected<AsyncConnection, std::string>> connect(AsyncEndpoint& endpoint, const Url& url,
                                                          const ConnectOptions& options,
                                                          const SocketAddress& before) {
  const auto peer = cli::resolve_peer(url.authority, url.port);
  if (!peer) co_return Error(peer.error());
  std::vector<SocketAddress> addresses = peer->addresses;
  if (before.valid()) addresses = {before};
  if (options.early_data != transport::EarlyDataPolicy::none) {
    auto connection = endpoint.connect_early(addresses.front(), options);
    if (!connection) co_return Error(std::string(transport::to_string(connection.error())));
    co_return std::move(*connection);
  }
  auto connection = co_await endpoint.connect_any(addresses, options);
  if (connection) co_return std::move(*connection);
  std::string tried;
  for (const ConnectFailure& failure : connection.error()) {
    if (!tried.empty()) tried += "; ";
    tried += failure.remote.to_string() + ": " + to_string(failure);
  }
  co_return Error(tried);
}

// To the endpoint's second socket, in the midst of things.
Task<void> migrate(AsyncEndpoint& endpoint, AsyncConnection connection) {
  const auto confirmed = co_await connection.confirmed();
  if (!confirmed) co_return;
  co_await sleep_for(endpoint.loop(), 100ms);
  const auto moved = co_await connection.migrate(endpoint.local_addresses().back());
  if (!moved) cli::complain("qpeer-hq: no migration: {}", transport::to_string(moved.error()));
}

// What a connection leaves for the next one, to the same of the server's addresses.
struct Memory {
  SocketAddress server{};
  std::vector<u8> ticket;
  std::vector<u8> token;
};

Task<void> take_ticket(AsyncConnection connection, Memory& memory) {
  auto ticket = co_await connection.session_ticket();
  if (ticket) memory.ticket = std::move(*ticket);
}

// Servers send tickets soon after the handshake, if at all.
Task<void> remember(EventLoop& loop, AsyncConnection connection, Memory& memory) {
  TaskGroup waiting;
  waiting.spawn(take_ticket(connection, memory));
  for (int i = 0; i < 40 && memory.ticket.empty(); ++i) co_await sleep_for(loop, 50ms);
  waiting.cancel();
  memory.server = connection.info().remote;
  const Bytes token = connection.address_token();
  memory.token.assign(token.begin(), token.end());
}

// One connection for all these, to where `memory` says, if it does; gives how many failed.
Task<std::size_t> fetch_all(AsyncEndpoint& endpoint, const GetOptions& options,
                            std::span<const Url> urls, const ConnectOptions& connect_options,
                            Memory* memory = nullptr) {
  const SocketAddress before = memory == nullptr ? SocketAddress{} : memory->server;
  auto connection = co_await connect(endpoint, urls.front(), connect_options, before);
  std::size_t failures = 0;
  if (!connection) {
    cli::complain("qpeer-hq: cannot connect to {}: {}", urls.front().authority, connection.error());
    co_return urls.size();
  }
  const bool early = connect_options.early_data != transport::EarlyDataPolicy::none;
  TaskGroup tasks;
  if (!options.quiet) tasks.spawn(tell_connected(*connection, urls.front().authority));
  if (options.key_update) tasks.spawn(update_keys(*connection));
  if (options.migrate.valid()) tasks.spawn(migrate(endpoint, *connection));
  for (const Url& url : urls) tasks.spawn(fetch(*connection, options, url, early, failures));
  co_await tasks.join();
  if (memory != nullptr && !before.valid()) {
    co_await remember(endpoint.loop(), *connection, *memory);
  }
  if (!options.quiet) tell_figures(*connection, urls.front().authority);
  co_return failures;
}

// The first on one connection, the others on a second that builds on it.
Task<std::size_t> fetch_twice(AsyncEndpoint& endpoint, const GetOptions& options,
                              std::span<const Url> urls, ConnectOptions connect_options) {
  Memory memory;
  const auto first = urls.first(1);
  const auto others = urls.subspan(1);
  const std::size_t failures =
      co_await fetch_all(endpoint, options, first, connect_options, &memory);
  if (memory.ticket.empty()) {
    cli::complain("qpeer-hq: {} gave no session ticket", urls.front().authority);
    co_return urls.size();
  }
  connect_options.session_ticket = std::move(memory.ticket);
  connect_options.address_token = std::move(memory.token);
  if (options.early) connect_options.early_data = transport::EarlyDataPolicy::resend;
  const std::size_t failed =
      co_await fetch_all(endpoint, options, others, connect_options, &memory);
  co_return failures + failed;
}

// From a socket of its own, so that it is on its own on the line as well.
Task<void> fetch_one(EventLoop& loop, const GetOptions& options, const Url& url,
                     const ConnectOptions& connect_options, std::size_t& failures) {
  auto endpoint = AsyncEndpoint::open(loop, {.socket = options.transport.socket()});
  if (!endpoint) {
    cli::complain("qpeer-hq: cannot open a socket: {}", endpoint.error().message());
    ++failures;
    co_return;
  }
  const std::span<const Url> one(&url, 1);
  const std::size_t failed = co_await fetch_all(*endpoint, options, one, connect_options);
  failures += failed;
  co_await endpoint->shut_down(0, {}, 100ms);
}

Task<std::size_t> fetch_host(AsyncEndpoint& endpoint, const GetOptions& options, const Host& host,
                             std::shared_ptr<crypto::TlsContext> tls) {
  ConnectOptions connect_options{.tls = std::move(tls),
                                 .server_name = host.urls.front().host,
                                 .connection = options.transport.connection()};
  connect_options.connection.handshake_timeout = options.timeout;
  connect_options.connection.max_idle_timeout = options.idle_timeout;
  // A server of a test may start after its client.
  connect_options.ends_at_closed_port = false;
  if (options.upgrade) connect_options.connection.preferred_version = Version::v2;
  if (options.window != 0) {
    connect_options.connection.streams.stream_receive_window = options.window;
    connect_options.connection.streams.receive_window = options.window + options.window / 2;
  }
  std::size_t failures = 0;
  if (options.each) {
    TaskGroup tasks;
    for (const Url& url : host.urls) {
      tasks.spawn(fetch_one(endpoint.loop(), options, url, connect_options, failures));
    }
    co_await tasks.join();
  } else if ((options.resume || options.early) && host.urls.size() > 1) {
    failures = co_await fetch_twice(endpoint, options, host.urls, connect_options);
  } else {
    failures = co_await fetch_all(endpoint, options, host.urls, connect_options);
  }
  co_return failures;
}

Task<int> get(EventLoop& loop, const GetOptions& options, const std::vector<Host>& hosts,
              std::shared_ptr<crypto::TlsContext> tls) {
  AsyncEndpointOptions endpoint_options{.socket = options.transport.socket()};
  if (options.migrate.valid()) endpoint_options.more_binds.push_back(options.migrate);
  auto endpoint = AsyncEndpoint::open(loop, endpoint_options);
  if (!endpoint) {
    cli::complain("qpeer-hq: cannot open a socket: {}", endpoint.error().message());
    co_return cli::kFailure;
  }
  std::size_t failures = 0;
  for (const Host& host : hosts) {
    const std::size_t failed = co_await fetch_host(*endpoint, options, host, tls);
    failures += failed;
  }
  co_await endpoint->shut_down(0, {}, 100ms);
  co_return failures == 0 ? cli::kSuccess : cli::kFailure;
}

std::expected<std::shared_ptr<crypto::TlsContext>, std::string> make_tls(
    const GetOptions& options) {
  crypto::TlsConfig tls = options.transport.tls(std::string(kAlpn));
  tls.groups = options.groups;
  if (!options.ca.empty()) {
    auto authorities = read_file(options.ca);
    if (!authorities) return Error(authorities.error());
    tls.trust = crypto::Trust::private_authority;
    tls.authorities_pem = std::move(*authorities);
  }
  auto context = crypto::make_tls_context(std::move(tls));
  if (!context) return Error(to_string(context.error()));
  return std::move(*context);
}

}  // namespace

int get_command(std::span<char* const> words) {
  GetOptions options;
  cli::Arguments arguments{
      "qpeer-hq get", "[-o DIR] URL... [OPTION...]",
      "Downloads files from hq-interop servers; https://host:port/path. A file "
      "appears whole or not\nat all; the exit status is 0 only when all did."};
  arguments.positionals("URL", options.urls);
  arguments.text("--output", "DIR", options.folder, "where to put the files (default: here)");
  arguments.alias("-o", "--output");
  arguments.text("--ca", "FILE", options.ca,
                 "trust only these authorities (default: trust anyone)");
  arguments.seconds("--timeout", "S", options.timeout,
                    "give up a handshake after this long (default: 10)");
  arguments.seconds("--idle-timeout", "S", options.idle_timeout,
                    "and a connection after so long a silence (default: 30)");
  arguments.toggle("--each", options.each, "a connection for each file, all at once");
  arguments.toggle("--resume", options.resume,
                   "the first file on one connection, the others on a second that resumes it");
  arguments.toggle("--early", options.early, "the same, and the later requests in 0-RTT");
  arguments.toggle("--key-update", options.key_update, "update the keys as soon as possible");
  arguments.custom("--migrate", "ADDR", "move to a second socket, of this address, in the midst",
                   [&](std::string_view text) -> std::expected<void, std::string> {
                     const auto address = cli::parse_listen(text, 0);
                     if (!address) return Error(address.error());
                     options.migrate = *address;
                     return {};
                   });
  arguments.size("--window", "BYTES", options.window,
                 "flow control window of each stream, and two thirds of the connection's");
  arguments.text("--groups", "LIST", options.groups, "key exchange groups, as OpenSSL names them");
  arguments.choice<Version>(
      "--version", {{"v1", Version::v1}, {"v2", Version::v2}, {"reserved", kReserved}},
      options.transport.version,
      "QUIC version to start with (default: v1); a reserved one is negotiated");
  arguments.toggle("--upgrade", options.upgrade, "say that v2 would be better than that");
  options.transport.declare_cipher(arguments);
  options.transport.declare_mtu(arguments);
  options.transport.declare_congestion(arguments);
  arguments.toggle("--quiet", options.quiet, "print nothing but failures");
  if (const auto status = arguments.parse(words)) return *status;

  std::vector<Host> hosts;
  for (const std::string& text : options.urls) {
    auto url = parse_url(text);
    if (!url) return arguments.misuse("URL '" + text + "' " + url.error());
    auto at = std::ranges::find(hosts, url->authority, &Host::authority);
    if (at == hosts.end()) at = hosts.insert(at, Host{.authority = url->authority, .urls = {}});
    at->urls.push_back(std::move(*url));
  }
  if (::mkdir(options.folder.c_str(), 0755) != 0 && errno != EEXIST) {
    cli::complain("qpeer-hq: {}: {}", options.folder, std::strerror(errno));
    return cli::kFailure;
  }
  auto tls = make_tls(options);
  if (!tls) {
    cli::complain("qpeer-hq: {}", tls.error());
    return cli::kFailure;
  }
  EventLoop loop;
  return cli::run_program(loop, get(loop, options, hosts, *tls));
}

}  // namespace qpeer::hq
