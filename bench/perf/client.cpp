// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer-perf client: its flags, and bulk transfer.
#include <utility>

#include "qpeer/bench/perf/perf.hpp"
#include "qpeer/p2p/cli/common/program.hpp"

namespace qpeer::perf {
namespace {

struct Transfer {
  const ClientOptions& options;
  Instant deadline = kNever;
  std::uint64_t bytes = 0;
  bool failed = false;
};

// One stream's download: `size` bytes, or as many as come until the deadline.
Task<void> download(Transfer& transfer, AsyncConnection connection, std::uint64_t size) {
  auto stream = co_await connection.open_stream();
  transfer.failed = !stream;
  if (!stream) co_return;
  std::array<u8, kHeaderSize> header{};
  Writer{header}.u64(size);
  (void)co_await stream->write(header);
  (void)stream->finish();
  std::uint64_t got = 0;
  for (;;) {
    const auto view = co_await stream->peek();
    if (!view) {
      transfer.failed = true;
      break;
    }
    const bool ended = view->fin;
    got += view->data.size();
    stream->consume(view->data.size());
    if (ended || io::now() >= transfer.deadline) break;
  }
  if (size != kEndless && got != size) transfer.failed = true;
  transfer.bytes += got;
}

Task<void> upload(Transfer& transfer, AsyncConnection connection, std::uint64_t size) {
  auto stream = co_await connection.open_stream();
  transfer.failed = !stream;
  if (!stream) co_return;
  std::array<u8, kHeaderSize> header{};
  (void)co_await stream->write(header);
  std::uint64_t sent = 0;
  while (sent < size && io::now() < transfer.deadline) {
    const Bytes piece = filler(std::min<std::uint64_t>(size - sent, kFillerSize));
    const auto written = co_await stream->write(piece);
    if (!written) break;
    sent += piece.size();
  }
  (void)stream->finish();
  const auto finished = co_await stream->finished();
  if (!finished) transfer.failed = true;
  transfer.bytes += sent;
}

}  // namespace

Task<int> run_bulk(AsyncEndpoint& endpoint, const ClientOptions& options, ConnectOptions connect) {
  const auto there = cli::parse_listen(options.address, options.port);
  auto connection = co_await endpoint.connect(there->with_port(options.port), connect);
  if (!connection) {
    cli::complain("qpeer-perf: {}: {}", there->to_string(), to_string(connection.error()));
    co_return cli::kFailure;
  }
  Transfer transfer{.options = options};
  const Instant begin = io::now();
  const double cpu_begin = cpu_seconds();
  const std::uint64_t size = options.bytes == 0 ? kEndless : options.bytes / options.streams;
  if (options.bytes == 0) transfer.deadline = begin + options.duration;
  TaskGroup streams;
  for (std::uint64_t i = 0; i < options.streams; ++i) {
    streams.spawn(options.upload ? upload(transfer, *connection, size)
                                 : download(transfer, *connection, size));
  }
  co_await streams.join();
  const double time = seconds(io::now() - begin);
  const double cpu = cpu_seconds() - cpu_begin;
  Result result{options.upload ? "upload" : "bulk"};
  result.add("gbit_per_second", 8e-9 * static_cast<double>(transfer.bytes) / time, 3);
  result.add("bytes", static_cast<double>(transfer.bytes), 0);
  result.add("seconds", time, 3);
  result.add("cpu_seconds", cpu, 3);
  result.add("streams", static_cast<double>(options.streams), 0);
  result.add_transport(endpoint, *connection, options);
  result.print(options.json);
  if (transfer.failed) {
    std::string why = "a stream broke off";
    if (connection->is_closed()) {
      const CloseReason reason = co_await connection->closed();
      why = to_string(reason);
    }
    cli::complain("qpeer-perf: {}", why);
  }
  connection->close();
  co_await endpoint.shut_down(0, {}, 50ms);
  co_return transfer.failed ? cli::kFailure : cli::kSuccess;
}

int client_command(std::span<char* const> words) {
  ClientOptions options;
  cli::Arguments arguments{"qpeer-perf client", "[--mode bulk|requests|handshakes] [OPTION...]",
                           "Measures against a qpeer-perf server, and prints one result."};
  options.declare(arguments);
  arguments.choice<Mode>(
      "--mode",
      {{"bulk", Mode::bulk}, {"requests", Mode::requests}, {"handshakes", Mode::handshakes}},
      options.mode, "what to measure (default: bulk)");
  arguments.seconds("--duration", "S", options.duration, "how long (default: 10)");
  arguments.size("--bytes", "SIZE", options.bytes, "bulk: this much instead of --duration");
  arguments.number("--streams", "N", options.streams, 1, 10'000, "bulk: on so many streams");
  arguments.toggle("--upload", options.upload, "bulk: from client to server");
  arguments.number("--request-size", "N", options.request_size, kHeaderSize, kEndless,
                   "bytes of each request (default: 100)");
  arguments.number("--response-size", "N", options.response_size, 0, kEndless,
                   "bytes of each response (default: 100)");
  arguments.number("--parallel", "N", options.parallel, 1, 10'000,
                   "in flight (default: 100 requests, 1 handshake)");
  if (const auto status = arguments.parse(words)) return *status;

  const auto there = cli::parse_listen(options.address, options.port);
  if (!there) return arguments.misuse("--addr: " + there.error());
  auto tls = options.tls(false);
  if (!tls) return arguments.misuse(to_string(tls.error()));
  EventLoop loop;
  auto endpoint = AsyncEndpoint::open(loop, {.socket = options.transport.socket()});
  if (!endpoint) {
    cli::complain("qpeer-perf: cannot open a socket: {}", endpoint.error().message());
    return cli::kFailure;
  }
  const ConnectOptions connect{.tls = *tls, .connection = options.connection()};
  const auto run = options.mode == Mode::bulk       ? run_bulk
                   : options.mode == Mode::requests ? run_requests
                                                    : run_handshakes;
  return cli::run_program(loop, run(*endpoint, options, connect));
}

}  // namespace qpeer::perf
