// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer-perf server: answers, and tells what each connection cost.
#include <atomic>
#include <utility>

#include "qpeer/bench/perf/perf.hpp"
#include "qpeer/p2p/cli/common/program.hpp"

namespace qpeer::perf {
namespace {

struct ServerOptions : CommonOptions {
  bool once = false;
  bool quiet = false;
  std::uint64_t threads = 1;
};

/// Of all threads.
struct Server {
  const ServerOptions& options;
  EventLoop& main;  ///< Which prints.
  std::atomic<std::size_t> served = 0;
  bool is_stopped = false;  ///< By a signal; of the main thread.
};

Task<void> answer(AsyncStream stream, std::uint64_t& received, std::uint64_t& sent) {
  std::array<u8, kHeaderSize> header{};
  const auto head = co_await stream.read_full(header);
  if (!head || *head < header.size()) co_return;
  for (;;) {
    const auto view = co_await stream.peek();
    if (!view) co_return;
    const bool ended = view->fin;
    received += view->data.size();
    stream.consume(view->data.size());
    if (ended) break;
  }
  std::uint64_t left = Reader{header}.u64();
  while (left > 0) {
    const Bytes piece = filler(std::min<std::uint64_t>(left, kFillerSize));
    const auto written = co_await stream.write(piece);
    if (!written) co_return;
    left -= piece.size();
    sent += piece.size();
  }
  (void)stream.finish();
}

Task<void> serve_connection(Server& server, AsyncEndpoint& endpoint, AsyncConnection connection) {
  const Instant begin = io::now();
  const double cpu_begin = cpu_seconds();
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  TaskGroup streams;
  for (;;) {
    auto stream = co_await connection.accept_stream();
    if (!stream) break;
    streams.spawn(answer(std::move(*stream), received, sent));
  }
  co_await streams.join();
  ++server.served;
  if (!server.options.quiet && received + sent > 0) {
    Result result{"served"};
    result.add("seconds", seconds(io::now() - begin), 3);
    result.add("cpu_seconds", cpu_seconds() - cpu_begin, 3);
    result.add("bytes_received", static_cast<double>(received), 0);
    result.add("bytes_sent", static_cast<double>(sent), 0);
    result.add_transport(endpoint, connection, server.options);
    server.main.post(
        [result = std::move(result), json = server.options.json] { result.print(json); });
  }
  if (server.options.once) auto closing = endpoint.shut_down();
}

/// One thread's work.
Task<void> serve(Server& server, AsyncEndpoint& endpoint) {
  TaskGroup connections;
  for (;;) {
    auto connection = co_await endpoint.accept();
    if (!connection) break;
    connections.spawn(serve_connection(server, endpoint, std::move(*connection)));
  }
  co_await connections.join();
}

Task<int> wait_for_end(EventLoop& loop, EndpointGroup& group, const Server& server) {
  co_await in_background(loop, [&group] { group.wait(); });
  co_return server.is_stopped || server.served > 0 ? cli::kSuccess : cli::kFailure;
}

}  // namespace

int server_command(std::span<char* const> words) {
  ServerOptions options;
  cli::Arguments arguments{"qpeer-perf server", "[OPTION...]",
                           "Answers qpeer-perf clients; sends what they ask for."};
  options.declare(arguments);
  options.transport.declare_retry(arguments);
  arguments.toggle("--once", options.once, "end with the first connection");
  arguments.number("--threads", "N", options.threads, 1, transport::SharedPortMember::kMaxCount,
                   "so many, each with a loop and an endpoint on the port (default: 1)");
  arguments.toggle("--quiet", options.quiet, "do not tell what was served");
  if (const auto status = arguments.parse(words)) return *status;

  const auto bind = cli::parse_listen(options.address, options.port);
  if (!bind) return arguments.misuse("--addr: " + bind.error());
  auto tls = options.tls(true);
  if (!tls) return arguments.misuse(to_string(tls.error()));
  EventLoop loop;
  EndpointGroupOptions settings{.threads = options.threads};
  settings.endpoint.bind = bind->with_port(options.port);
  settings.endpoint.socket = options.transport.socket();
  settings.endpoint.backlog = 10'000;
  settings.endpoint.endpoint.server_tls = std::move(*tls);
  settings.endpoint.endpoint.connection = options.connection();
  settings.endpoint.endpoint.retry = options.transport.retry;
  Server server{.options = options, .main = loop};
  auto group = EndpointGroup::open(
      settings, [&server](AsyncEndpoint& endpoint) { return serve(server, endpoint); });
  if (!group) {
    cli::complain("qpeer-perf: cannot listen on {}: {}", settings.endpoint.bind.to_string(),
                  group.error().message());
    return cli::kFailure;
  }
  if (!options.quiet && !options.json) {
    cli::say("listening on {}", group->local_address().to_string());
  }
  // The first signal ends the threads, the second one does not wait for them.
  return cli::run_program(loop, wait_for_end(loop, *group, server), [&] {
    server.is_stopped = true;
    group->shut_down();
  });
}

}  // namespace qpeer::perf
