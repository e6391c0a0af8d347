// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer-hq serve: the files of a folder.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "qpeer/transport.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/files.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/common/transport_options.hpp"
#include "qpeer/tests/interop/hq/commands.hpp"

namespace qpeer::hq {
namespace {

constexpr std::uint64_t kNotFound = 0x10;
constexpr std::uint64_t kBadRequest = 0x11;

struct ServeOptions {
  std::string www;
  std::string certificate;
  std::string key;
  std::string address = "::";
  std::uint16_t port = 443;
  std::string groups;
  Duration timeout = 10s;
  Duration idle_timeout = 30s;
  bool retry = false;
  bool key_update = false;
  bool early_data = false;
  bool upgrade = false;
  SocketAddress preferred{};
  Version only_version = Version::negotiation;
  bool quiet = false;
  cli::TransportOptions transport;
};

// "GET /path" with CR LF, LF or nothing behind; empty when it is something else.
std::string_view path_of(std::string_view request) {
  request = request.substr(0, request.find_first_of("\r\n"));
  if (!request.starts_with("GET /")) return {};
  return request.substr(4);
}

// A file of the folder: no part of its path may lead out of it, or be a link.
Descriptor open_below(int folder, std::string_view path) {
  Descriptor at{::dup(folder)};
  if (path.ends_with('/')) return {};
  while (at && !path.empty()) {
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    const std::string part(path.substr(0, path.find('/')));
    path.remove_prefix(part.size());
    if (part.empty() || part.starts_with('.') || part.find('\0') != std::string::npos) return {};
    const int kind = path.empty() ? O_NONBLOCK : O_DIRECTORY;
    at = Descriptor{::openat(at.get(), part.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | kind)};
  }
  struct stat status{};
  if (!at || ::fstat(at.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return at;
}

// Whether all of it was taken by the stream.
Task<bool> send_file(AsyncStream& stream, const Descriptor& file) {
  constexpr std::size_t kBufferSize = 256 << 10;
  const auto buffer = std::make_unique_for_overwrite<u8[]>(kBufferSize);
  for (;;) {
    const ssize_t size = ::read(file.get(), buffer.get(), kBufferSize);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) co_return false;
    if (size == 0) co_return true;
    const auto written = co_await stream.write({buffer.get(), static_cast<std::size_t>(size)});
    if (!written) co_return false;
  }
}

Task<void> answer(int folder, AsyncStream stream, bool quiet) {
  constexpr std::size_t kLongestRequest = 4096;
  const auto request = co_await stream.read_all(kLongestRequest);
  if (!request) co_return;
  const std::string_view path = path_of(as_text(*request));
  if (path.empty()) {
    (void)stream.reset(kBadRequest);
    co_return;
  }
  const Descriptor file = open_below(folder, path);
  if (!quiet) cli::complain("GET {}{}", path, file ? "" : " (not found)");
  bool sent = false;
  if (file) sent = co_await send_file(stream, file);
  if (!sent) {
    (void)stream.reset(kNotFound);
    co_return;
  }
  (void)stream.finish();
  (void)co_await stream.finished();
}

Task<void> serve_connection(int folder, AsyncConnection connection, const ServeOptions& options) {
  const bool quiet = options.quiet;
  TaskGroup streams;
  if (!quiet) streams.spawn(tell_connected(connection, {}));
  if (options.key_update) streams.spawn(update_keys(connection));
  for (;;) {
    auto stream = co_await connection.accept_stream();
    if (!stream) break;
    streams.spawn(answer(folder, std::move(*stream), quiet));
  }
  co_await streams.join();
  if (!quiet) {
    const CloseReason reason = co_await connection.closed();
    const std::string client = connection.info().remote.to_string();
    tell_figures(connection, client);
    cli::complain("{}: {}", client, to_string(reason));
  }
}

Task<int> serve(int folder, AsyncEndpoint& endpoint, const ServeOptions& options) {
  TaskGroup connections;
  for (;;) {
    auto connection = co_await endpoint.accept();
    if (!connection) break;
    connections.spawn(serve_connection(folder, std::move(*connection), options));
  }
  cli::complain("qpeer-hq: the socket failed: {}", endpoint.error().message());
  co_return cli::kFailure;
}

std::expected<AsyncEndpointOptions, std::string> endpoint_options(const ServeOptions& options) {
  const auto certificate = read_file(options.certificate);
  if (!certificate) return std::unexpected(certificate.error());
  const auto key = read_file(options.key);
  if (!key) return std::unexpected(key.error());
  crypto::TlsConfig tls = options.transport.tls(std::string(kAlpn));
  tls.credentials = {.certificate_pem = *certificate, .private_key_pem = *key};
  tls.mutual = false;
  tls.groups = options.groups;
  tls.tickets.early_data = options.early_data;  // Requests change nothing here.
  auto context = crypto::make_tls_context(std::move(tls));
  if (!context) return std::unexpected(to_string(context.error()));
  const auto bind = cli::parse_listen(options.address, options.port);
  if (!bind) return std::unexpected(options.address + ": " + bind.error());
  AsyncEndpointOptions out{.bind = bind->with_port(options.port),
                           .socket = options.transport.socket()};
  out.endpoint.server_tls = std::move(*context);
  out.endpoint.retry = options.retry ? RetryPolicy::always : RetryPolicy::under_load;
  out.endpoint.connection = options.transport.connection();
  out.endpoint.connection.handshake_timeout = options.timeout;
  out.endpoint.connection.max_idle_timeout = options.idle_timeout;
  if (options.preferred.valid()) out.more_binds.push_back(options.preferred);
  (options.preferred.is_ipv4() ? out.endpoint.connection.preferred_ipv4
                               : out.endpoint.connection.preferred_ipv6) = options.preferred;
  if (options.only_version != Version::negotiation) {
    out.endpoint.connection.versions = {};
    out.endpoint.connection.versions.push_back(options.only_version);
  }
  if (options.upgrade) out.endpoint.connection.preferred_version = Version::v2;
  return out;
}

int run_server(const ServeOptions& options) {
  const Descriptor folder{::open(options.www.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!folder) {
    cli::complain("qpeer-hq: {} is not a folder that can be read", options.www);
    return cli::kFailure;
  }
  auto settings = endpoint_options(options);
  if (!settings) {
    cli::complain("qpeer-hq: {}", settings.error());
    return cli::kFailure;
  }
  EventLoop loop;
  const std::string where = settings->bind.to_string();
  auto endpoint = AsyncEndpoint::open(loop, *settings);
  if (!endpoint) {
    cli::complain("qpeer-hq: cannot listen on {}: {}", where, endpoint.error().message());
    return cli::kFailure;
  }
  cli::say("listening on {}", endpoint->local_address().to_string());
  return cli::run_program(loop, serve(folder.get(), *endpoint, options), cli::kSuccess);
}

}  // namespace

int serve_command(std::span<char* const> words) {
  ServeOptions options;
  cli::Arguments arguments{"qpeer-hq serve", "--www DIR --cert FILE --key FILE [OPTION...]",
                           "Serves the files of a folder to hq-interop clients. SIGINT or SIGTERM "
                           "ends it."};
  arguments.required("--www", "DIR", options.www, "the folder");
  arguments.required("--cert", "FILE", options.certificate, "the certificate chain, PEM");
  arguments.required("--key", "FILE", options.key, "its private key, PEM");
  arguments.text("--address", "ADDR", options.address, "where to listen (default: any address)");
  arguments.number("--port", "N", options.port, 0, 65'535, "the port (default: 443)");
  arguments.toggle("--retry", options.retry, "answer each first Initial with Retry");
  arguments.custom("--preferred", "ADDR:PORT", "where clients are asked to move to",
                   [&](std::string_view text) -> std::expected<void, std::string> {
                     const auto address = SocketAddress::parse(text);
                     if (!address) return std::unexpected("is not ADDR:PORT");
                     options.preferred = *address;
                     return {};
                   });
  arguments.toggle("--early-data", options.early_data, "take requests in 0-RTT");
  arguments.toggle("--key-update", options.key_update, "update the keys as soon as possible");
  arguments.seconds("--timeout", "S", options.timeout,
                    "give up a handshake after this long (default: 10)");
  arguments.seconds("--idle-timeout", "S", options.idle_timeout,
                    "and a connection after so long a silence (default: 30)");
  arguments.text("--groups", "LIST", options.groups, "key exchange groups, as OpenSSL names them");
  arguments.toggle("--upgrade", options.upgrade,
                   "move clients that speak v2 as well from v1 to v2");
  arguments.choice<Version>("--only-version", {{"v1", Version::v1}, {"v2", Version::v2}},
                            options.only_version, "speak no other QUIC version");
  options.transport.declare_cipher(arguments);
  options.transport.declare_mtu(arguments);
  options.transport.declare_congestion(arguments);
  arguments.toggle("--quiet", options.quiet, "do not tell what is asked for");
  if (const auto status = arguments.parse(words)) return *status;
  return run_server(options);
}

}  // namespace qpeer::hq
