// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Waiting for more than one thing: a time limit, the first of several, all of several, a request to
// stop, a queue between tasks, an exception.
#include <qpeer/transport.hpp>

#include <array>
#include <cstdio>
#include <stdexcept>
using namespace qpeer;

Task<void> serve(AsyncEndpoint& server) {  // Answers "late" late, and all else never.
  auto connection = co_await server.accept();
  while (auto stream = co_await connection->accept_stream()) {
    const auto question = co_await with_timeout(1s, stream->read_all(4));
    if (!question || !*question || as_text(**question) != "late") continue;
    co_await sleep_for(server.loop(), 100ms);
    (void)co_await stream->write(as_bytes("here"));
    (void)stream->finish();
    (void)co_await stream->finished();
  }
}

Task<void> count(EventLoop& loop, Channel<int>& queue, CancellationToken stop) {
  for (int i = 1; co_await unless_cancelled(stop, sleep_for(loop, 1ms)); ++i) {
    if (!co_await queue.send(i)) co_return;
  }
  queue.close();
}

Task<int> number(int value) {
  if (value < 0) throw std::invalid_argument("negative");
  co_return value;
}

Task<int> ask(AsyncEndpoint& client, SocketAddress server) {
  auto connection = co_await client.connect(server, client_tls("patience/1"));
  if (!connection) co_return std::puts(to_string(connection.error()).c_str());
  auto stream = co_await connection->open_stream();
  (void)co_await stream->write(as_bytes("late"));
  std::array<u8, 16> buffer{};
  const auto late = co_await with_timeout(50ms, stream->read(buffer));  // A std::expected.
  if (late) co_return std::puts("it was too early");

  Event nothing(client.loop());  // The read that timed out has consumed no data.
  const auto first = co_await when_any(stream->read(buffer), nothing.wait());
  if (first.index() != 0 || std::get<0>(first) != 4U) co_return std::puts("no answer");

  CancellationToken stop(client.loop());
  Channel<int> queue(client.loop(), 2);
  TaskGroup tasks;
  tasks.spawn(count(client.loop(), queue, stop));
  int last = 0;
  while (const auto value = co_await queue.receive()) {
    last = *value;
    if (last == 5) stop.cancel();
  }
  const auto [a, b] = co_await when_all(number(last), number(2));
  try {
    (void)co_await number(-1);
  } catch (const std::invalid_argument& error) {
    std::printf("late but here; %d and %d; %s\n", a, b, error.what());
    co_return a >= 5 && b == 2 ? 0 : 1;
  }
  co_return 1;
}

int main() {
  EventLoop loop;
  auto server = AsyncEndpoint::open(loop, {.bind = SocketAddress::loopback4(0),
                                           .endpoint = {.server_tls = server_tls("patience/1")}});
  auto client = AsyncEndpoint::open(loop);
  if (!server || !client) return std::puts("cannot open a socket");
  TaskGroup tasks;
  tasks.spawn(serve(*server));
  const auto status = run(loop, with_timeout(30s, ask(*client, server->local_address())));
  return status.value_or(1);
}
