// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A client with two sockets that goes from one to the other while it sends. Each socket could be of
// another network: Wi-Fi and cellular, say.
#include <qpeer/transport.hpp>

#include <cstdio>
using namespace qpeer;

Task<void> receive(AsyncEndpoint& server, std::size_t& received) {
  auto connection = co_await server.accept();
  auto stream = co_await connection->accept_stream(false);
  if (!stream) co_return;
  std::array<u8, 16 << 10> buffer;
  for (;;) {
    const auto size = co_await stream->read(buffer);
    if (!size || *size == 0) break;
    received += *size;
  }
  const ConnectionStats stats = connection->stats();
  std::printf("%zu bytes, now from %s, after %d change of path\n", received,
              connection->info().remote.to_string().c_str(), int(stats.path_changes));
  (void)co_await connection->closed();
}

Task<int> send(AsyncEndpoint& client, SocketAddress server) {
  const ConnectOptions options{.tls = client_tls("bulk/1")};
  auto connection = co_await client.connect(server, options);
  if (!connection) co_return std::puts(to_string(connection.error()).c_str());
  auto stream = co_await connection->open_stream(false);
  if (!stream) co_return std::puts(to_string(stream.error()).data());
  const std::vector<u8> half(8 << 20);
  auto written = co_await stream->write(half);

  const SocketAddress second = client.local_addresses().back();
  const auto probed = co_await connection->probe_path(second);  // Does the path work?
  if (!probed) co_return std::puts(to_string(probed.error()).data());
  const auto moved = co_await connection->migrate(second);
  if (!moved) co_return std::puts(to_string(moved.error()).data());

  written = co_await stream->write(half);
  if (!written || !stream->finish()) co_return std::puts("cannot write");
  const auto finished = co_await stream->finished();
  connection->close();
  co_return finished ? 0 : std::puts(to_string(finished.error()).data());
}

int main() {
  EventLoop loop;
  auto server = AsyncEndpoint::open(loop, {.bind = SocketAddress::loopback4(0),
                                           .endpoint = {.server_tls = server_tls("bulk/1")}});
  auto client = AsyncEndpoint::open(loop, {.more_binds = {SocketAddress{}}});
  if (!server || !client) return std::puts("cannot open a socket");
  std::size_t received = 0;
  TaskGroup tasks;
  tasks.spawn(receive(*server, received));
  const int status = run(loop, send(*client, server->local_address()));
  return status == 0 && received == 16 << 20 ? 0 : 1;
}
