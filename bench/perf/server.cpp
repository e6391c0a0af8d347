// The answering side of qpeer-perf.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "bench/perf/perf.hpp"
#include "crypto/identity.hpp"
#include "p2p/cli/common/arguments.hpp"
#include "p2p/cli/common/program.hpp"
#include "qpeer/transport.hpp"

namespace qpeer::perf {
namespace {

using async::AsyncConnection;
using async::AsyncEndpoint;
using async::AsyncStream;
using async::Task;
using async::TaskGroup;

/// What every response consists of.
const std::vector<u8>& zeros() {
  static const std::vector<u8> bytes(kChunk);
  return bytes;
}

Task<void> respond(AsyncStream stream) {
  std::array<u8, kRequestHeader> header{};
  const auto size = co_await stream.read_full(header);
  if (!size || *size != header.size()) co_return;
  for (;;) {  // The rest of the request is only counted by its end.
    const auto view = co_await stream.peek();
    if (!view) co_return;
    const bool ended = view->fin;
    stream.consume(view->data.size());
    if (ended) break;
  }
  for (std::uint64_t left = Reader(header).u64(); left > 0;) {
    const Bytes part = Bytes(zeros()).first(std::min<std::uint64_t>(left, kChunk));
    const auto written = co_await stream.write(part);
    if (!written) co_return;
    left -= part.size();
  }
  (void)stream.finish();
  (void)co_await stream.finished();
}

Task<void> serve_connection(AsyncConnection connection) {
  TaskGroup streams;
  for (;;) {
    auto stream = co_await connection.accept_stream();
    if (!stream) break;
    streams.spawn(respond(std::move(*stream)));
  }
}

Task<int> serve(AsyncEndpoint endpoint) {
  TaskGroup connections;
  for (;;) {
    auto connection = co_await endpoint.accept();
    if (!connection) break;
    connections.spawn(serve_connection(std::move(*connection)));
  }
  co_return cli::kSuccess;
}

}  // namespace

int run_server(io::EventLoop& loop, const Options& options) {
  const auto address = SocketAddress::parse(options.address + ":" + std::to_string(options.port));
  if (!address) {
    cli::complain("qpeer-perf: '{}' is no IP address", options.address);
    return cli::kMisuse;
  }
  crypto::TlsConfig tls = options.transport.tls(std::string(kAlpn));
  tls.credentials = crypto::generate_credentials(crypto::KeyType::p256, "qpeer-perf");
  tls.mutual = false;
  auto context = crypto::make_tls_context(std::move(tls));
  if (!context) {
    cli::complain("qpeer-perf: {}", context.error());
    return cli::kFailure;
  }
  AsyncEndpoint::Options settings{.bind = *address, .socket = options.transport.socket()};
  settings.endpoint.server_tls = *context;
  settings.endpoint.connection = connection_config(options);
  settings.endpoint.retry = transport::RetryPolicy::never;
  auto endpoint = AsyncEndpoint::open(loop, std::move(settings));
  if (!endpoint) {
    cli::complain("qpeer-perf: cannot listen on {}: {}", address->to_string(),
                  endpoint.error().message());
    return cli::kFailure;
  }
  cli::say("listening on {} ({})", endpoint->local_address().to_string(),
           offloads(endpoint->capabilities()));
  const double before = cpu_seconds();
  const int status = cli::run_program(loop, serve(std::move(*endpoint)), cli::kSuccess);
  cli::say("server: {:.2f} s of CPU", cpu_seconds() - before);
  return status;
}

}  // namespace qpeer::perf
