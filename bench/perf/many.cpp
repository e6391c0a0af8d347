// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer-perf client: requests on one connection, and handshakes, many at a time.
#include <algorithm>
#include <utility>
#include <vector>

#include "qpeer/bench/perf/perf.hpp"
#include "qpeer/p2p/cli/common/program.hpp"

namespace qpeer::perf {
namespace {

struct Counter {
  Instant deadline;
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  std::vector<std::uint32_t> microseconds{};

  void count(Instant begin) {
    ++done;
    const auto time = std::chrono::duration_cast<std::chrono::microseconds>(io::now() - begin);
    microseconds.push_back(static_cast<std::uint32_t>(time.count()));
  }
  double percentile(double part) {
    if (microseconds.empty()) return 0;
    const auto at = static_cast<std::size_t>(part * static_cast<double>(microseconds.size() - 1));
    std::ranges::nth_element(microseconds, microseconds.begin() + static_cast<std::ptrdiff_t>(at));
    return 1e-3 * microseconds[at];
  }
};

Task<bool> one_request(AsyncConnection& connection, const ClientOptions& options) {
  auto stream = co_await connection.open_stream();
  if (!stream) co_return false;
  std::array<u8, kHeaderSize> header{};
  Writer{header}.u64(options.response_size);
  auto written = co_await stream->write(header);
  if (written && options.request_size > header.size()) {
    written = co_await write_filler(*stream, options.request_size - header.size());
  }
  if (!written) co_return false;
  (void)stream->finish();
  std::uint64_t got = 0;
  for (;;) {
    const auto view = co_await stream->peek();
    if (!view) co_return false;
    const bool ended = view->fin;
    got += view->data.size();
    stream->consume(view->data.size());
    if (ended) co_return got == options.response_size;
  }
}

Task<void> requests(AsyncConnection connection, const ClientOptions& options, Counter& counter) {
  while (io::now() < counter.deadline) {
    const Instant begin = io::now();
    const bool answered = co_await one_request(connection, options);
    if (!answered) {
      ++counter.failed;
      co_return;
    }
    counter.count(begin);
  }
}

Task<void> handshakes(AsyncEndpoint& endpoint, SocketAddress there, const ConnectOptions& options,
                      Counter& counter) {
  while (io::now() < counter.deadline) {
    const Instant begin = io::now();
    auto connection = co_await endpoint.connect(there, options);
    if (!connection) {
      if (++counter.failed == 1) {
        cli::complain("qpeer-perf: {}: {}", there.to_string(), to_string(connection.error()));
      }
      co_return;
    }
    counter.count(begin);
    // Else the server might never see the end of the handshake.
    (void)co_await connection->confirmed();
  }
}

Result result_of(std::string_view mode, Counter& counter, Instant begin, double cpu_begin) {
  const double time = seconds(io::now() - begin);
  const double cpu = cpu_seconds() - cpu_begin;
  Result result{mode};
  result.add("per_second", static_cast<double>(counter.done) / time, 0);
  result.add("done", static_cast<double>(counter.done), 0);
  result.add("failed", static_cast<double>(counter.failed), 0);
  result.add("seconds", time, 3);
  result.add("cpu_seconds", cpu, 3);
  result.add("p50_ms", counter.percentile(0.5), 3);
  result.add("p99_ms", counter.percentile(0.99), 3);
  return result;
}

}  // namespace

Task<int> run_requests(AsyncEndpoint& endpoint, const ClientOptions& options,
                       ConnectOptions connect) {
  const auto there = cli::parse_listen(options.address, options.port);
  auto connection = co_await endpoint.connect(there->with_port(options.port), connect);
  if (!connection) {
    cli::complain("qpeer-perf: {}: {}", there->to_string(), to_string(connection.error()));
    co_return cli::kFailure;
  }
  const Instant begin = io::now();
  const double cpu_begin = cpu_seconds();
  Counter counter{.deadline = begin + options.duration};
  const std::uint64_t parallel = options.parallel == 0 ? 100 : options.parallel;
  TaskGroup tasks;
  for (std::uint64_t i = 0; i < parallel; ++i) {
    tasks.spawn(requests(*connection, options, counter));
  }
  co_await tasks.join();
  Result result = result_of("requests", counter, begin, cpu_begin);
  result.add("parallel", static_cast<double>(parallel), 0);
  result.add("request_size", static_cast<double>(options.request_size), 0, "B");
  result.add("response_size", static_cast<double>(options.response_size), 0, "B");
  result.add_transport(endpoint, *connection, options);
  result.print(options.json);
  connection->close();
  co_await endpoint.shut_down(0, {}, 50ms);
  co_return counter.failed == 0 && counter.done > 0 ? cli::kSuccess : cli::kFailure;
}

Task<int> run_handshakes(AsyncEndpoint& endpoint, const ClientOptions& options,
                         ConnectOptions connect) {
  const auto there = cli::parse_listen(options.address, options.port);
  // The first one tells what they will be like, and is not counted.
  auto first = co_await endpoint.connect(there->with_port(options.port), connect);
  if (!first) {
    cli::complain("qpeer-perf: {}: {}", there->to_string(), to_string(first.error()));
    co_return cli::kFailure;
  }
  const Instant begin = io::now();
  const double cpu_begin = cpu_seconds();
  Counter counter{.deadline = begin + options.duration};
  const std::uint64_t parallel = options.parallel == 0 ? 1 : options.parallel;
  TaskGroup tasks;
  for (std::uint64_t i = 0; i < parallel; ++i) {
    tasks.spawn(handshakes(endpoint, there->with_port(options.port), connect, counter));
  }
  co_await tasks.join();
  Result result = result_of("handshakes", counter, begin, cpu_begin);
  result.add("parallel", static_cast<double>(parallel), 0);
  result.add("cipher", cli::to_string(first->info().cipher_suite));
  result.add("group", first->info().key_exchange_group);
  result.print(options.json);
  co_await endpoint.shut_down(0, {}, 50ms);
  co_return counter.failed == 0 && counter.done > 0 ? cli::kSuccess : cli::kFailure;
}

}  // namespace qpeer::perf
