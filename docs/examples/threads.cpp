// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A server with four threads on one port. Clients that move to other addresses stay with their thread.
#include <qpeer/transport.hpp>

#include <atomic>
#include <cstdio>
using namespace qpeer;

std::atomic<int> answered = 0;  // Of all threads.

Task<void> answer(AsyncConnection connection) {
  while (auto stream = co_await connection.accept_stream()) {
    const auto question = co_await stream->read_all(1'000);
    if (!question) continue;
    (void)co_await stream->write(*question);
    (void)stream->finish();
    ++answered;
  }
}

Task<void> serve(AsyncEndpoint& endpoint) {  // In each thread, with its endpoint.
  TaskGroup connections;
  while (auto connection = co_await endpoint.accept()) {
    connections.spawn(answer(std::move(*connection)));
  }
}

Task<bool> ask(AsyncConnection& connection) {
  auto stream = co_await connection.open_stream();
  if (!stream) co_return false;
  (void)co_await stream->write(as_bytes("hello"));
  (void)stream->finish();
  const auto got = co_await stream->read_all(1'000);
  if (!got) co_return false;
  co_return as_text(*got) == "hello";
}

Task<int> visit(EventLoop& loop, SocketAddress server) {
  auto client = AsyncEndpoint::open(loop, {.more_binds = {SocketAddress{}}});
  if (!client) co_return std::puts("cannot open a socket");
  auto connection = co_await client->connect(server, client_tls("threads/1"));
  if (!connection) co_return std::puts(to_string(connection.error()).c_str());
  const bool before = co_await ask(*connection);
  const auto moved = co_await connection->migrate(client->local_addresses().back());
  const bool after = co_await ask(*connection);
  co_return before&& moved&& after ? 0 : std::puts("no answer");
}

int main() {
  EndpointGroupOptions options{.threads = 4};
  options.endpoint.bind = SocketAddress::loopback4(0);
  options.endpoint.endpoint.server_tls = server_tls("threads/1");
  auto server = EndpointGroup::open(options, serve);
  if (!server) return std::puts("cannot open a socket");

  EventLoop loop;
  int failed = 0;
  for (int i = 0; i < 8; ++i) failed += run(loop, visit(loop, server->local_address()));
  server->shut_down();
  server->wait();

  EndpointStats total;
  for (const EndpointStats& each : server->stats()) total += each;
  std::printf("%d answers to %d clients, %d datagrams handed over\n", answered.load(),
              int(total.accepted), int(total.handed_over));
  return failed == 0 && answered == 16 ? 0 : 1;
}
