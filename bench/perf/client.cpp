// The measuring side of qpeer-perf.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "bench/perf/perf.hpp"
#include "p2p/cli/common/arguments.hpp"
#include "p2p/cli/common/program.hpp"
#include "qpeer/transport.hpp"
#include "transport/io/system_clock.hpp"

namespace qpeer::perf {
namespace {

using async::AsyncConnection;
using async::AsyncEndpoint;
using async::AsyncStream;
using async::ConnectFailure;
using async::Task;
using async::TaskGroup;

constexpr std::uint64_t kEndless = std::uint64_t{1} << 60;

/// One measurement and what it needs.
struct Run {
  const Options& options;
  AsyncEndpoint endpoint;
  SocketAddress server;
  transport::ConnectOptions dial;
  Instant end = kNever;
  std::uint64_t bytes = 0;  ///< Received, or acknowledged when uploading.
  std::uint64_t done = 0;   ///< Requests or handshakes.
  std::string error{};

  [[nodiscard]] bool over() const { return !error.empty() || io::now() >= end; }
};

std::array<u8, kRequestHeader> header(std::uint64_t response_size) {
  std::array<u8, kRequestHeader> out{};
  Writer(out).u64(response_size);
  return out;
}

/// Reads to the end of the stream, or of the time.
Task<void> drain(Run& run, AsyncStream& stream) {
  for (;;) {
    const auto view = co_await stream.peek();
    if (!view) {
      if (run.error.empty()) run.error = to_string(view.error());
      co_return;
    }
    const bool ended = view->fin;
    run.bytes += view->data.size();
    stream.consume(view->data.size());
    if (ended || run.over()) co_return;
  }
}

Task<void> fill(Run& run, AsyncStream& stream, std::uint64_t size) {
  const std::vector<u8> chunk(kChunk);
  while (size > 0 && !run.over()) {
    const Bytes part = Bytes(chunk).first(std::min<std::uint64_t>(size, kChunk));
    const auto written = co_await stream.write(part);
    if (!written) {
      run.error = to_string(written.error());
      co_return;
    }
    size -= part.size();
    run.bytes += part.size();
  }
}

Task<void> bulk_stream(Run& run, AsyncConnection connection) {
  auto opened = co_await connection.open_stream();
  if (!opened) co_return;
  AsyncStream stream = std::move(*opened);
  const std::uint64_t size = run.options.duration > Duration{} ? kEndless : run.options.bytes;
  const auto request = header(run.options.upload ? 0 : size);
  (void)co_await stream.write(request);
  if (run.options.upload) co_await fill(run, stream, size);
  (void)stream.finish();
  if (run.options.upload) {
    (void)co_await stream.finished();
  } else {
    co_await drain(run, stream);
  }
}

Task<void> request_loop(Run& run, AsyncConnection connection) {
  std::vector<u8> request(run.options.request_size);
  copy(header(run.options.response_size), request);
  while (!run.over()) {
    auto stream = co_await connection.open_stream();
    if (!stream) co_return;
    (void)co_await stream->write(request);
    (void)stream->finish();
    co_await drain(run, *stream);
    ++run.done;
  }
}

Task<void> handshake_loop(Run& run) {
  while (!run.over()) {
    auto connection = co_await run.endpoint.connect(run.server, run.dial);
    if (!connection) {
      run.error = to_string(connection.error());
      co_return;
    }
    connection->close();
    ++run.done;
  }
}

void report(const Run& run, double seconds, double cpu, std::string_view cipher) {
  const Options& options = run.options;
  const double gbits = static_cast<double>(run.bytes) * 8e-9 / seconds;
  const double rate = static_cast<double>(run.done) / seconds;
  const std::string how = offloads(run.endpoint.capabilities());
  if (options.json) {
    return cli::say(
        R"({{"mode":"{}","seconds":{:.3f},"bytes":{},"gbit_per_s":{:.3f},"count":{},"per_s":{:.1f},)"
        R"("client_cpu_s":{:.3f},"cipher":"{}","controller":"{}","mtu":{},"offloads":"{}"}})",
        to_string(options.mode), seconds, run.bytes, gbits, run.done, rate, cpu, cipher,
        options.controller, options.transport.mtu, how);
  }
  if (options.mode == Mode::bulk) {
    cli::say("bulk: {:.2f} Gbit/s ({} bytes in {:.2f} s)", gbits, run.bytes, seconds);
  } else {
    cli::say("{}: {:.0f} a second ({} in {:.2f} s)", to_string(options.mode), rate, run.done,
             seconds);
  }
  cli::say("client: {:.2f} s of CPU; {}, {}, datagrams of {}, {}", cpu, cipher, options.controller,
           options.transport.mtu, how);
}

Task<int> measure(Run& run) {
  const Options& options = run.options;
  std::optional<AsyncConnection> connection;
  // One connection beforehand also when handshakes are what counts: is there a server at all?
  auto first = co_await run.endpoint.connect(run.server, run.dial);
  if (!first) {
    cli::complain("qpeer-perf: cannot connect to {}: {}", run.server.to_string(),
                  to_string(first.error()));
    co_return cli::kFailure;
  }
  connection = std::move(*first);
  const std::string cipher(cli::to_string(connection->info().cipher_suite));
  const double cpu_before = cpu_seconds();
  const Instant begin = io::now();
  if (options.duration > Duration{}) run.end = begin + options.duration;
  if (options.mode != Mode::bulk && options.duration <= Duration{}) run.end = begin + 5s;
  TaskGroup tasks;
  const std::uint64_t count = options.mode == Mode::bulk ? options.streams : options.parallel;
  for (std::uint64_t i = 0; i < count; ++i) {
    switch (options.mode) {
      case Mode::bulk:
        tasks.spawn(bulk_stream(run, *connection));
        break;
      case Mode::requests:
        tasks.spawn(request_loop(run, *connection));
        break;
      case Mode::handshakes:
        tasks.spawn(handshake_loop(run));
        break;
    }
  }
  co_await tasks.join();
  const double seconds = std::chrono::duration<double>(io::now() - begin).count();
  if (!run.error.empty()) {
    cli::complain("qpeer-perf: {}", run.error);
    co_return cli::kFailure;
  }
  report(run, seconds, cpu_seconds() - cpu_before, cipher);
  connection->close();
  co_await run.endpoint.shut_down();
  co_return cli::kSuccess;
}

}  // namespace

int run_client(io::EventLoop& loop, const Options& options) {
  const auto server = SocketAddress::parse(options.address + ":" + std::to_string(options.port));
  if (!server || server->port() == 0) {
    cli::complain("qpeer-perf: '{}' port {} is no address to connect to", options.address,
                  options.port);
    return cli::kMisuse;
  }
  crypto::TlsConfig tls = options.transport.tls(std::string(kAlpn));
  auto context = crypto::make_tls_context(std::move(tls));
  if (!context) {
    cli::complain("qpeer-perf: {}", context.error());
    return cli::kFailure;
  }
  AsyncEndpoint::Options settings{.bind = {}, .socket = options.transport.socket()};
  auto endpoint = AsyncEndpoint::open(loop, std::move(settings));
  if (!endpoint) {
    cli::complain("qpeer-perf: cannot open a socket: {}", endpoint.error().message());
    return cli::kFailure;
  }
  Run run{.options = options,
          .endpoint = std::move(*endpoint),
          .server = *server,
          .dial = {.tls = *context, .connection = connection_config(options)}};
  return cli::run_program(loop, measure(run), cli::kFailure);
}

}  // namespace qpeer::perf
