// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A server with a certificate of our own authority, and a client that checks it: each stream and
// each datagram comes back.
#include <qpeer/transport.hpp>

#include <cstdio>
using namespace qpeer;

Task<void> echo(AsyncStream stream) {
  std::array<u8, 16 << 10> buffer;
  for (;;) {
    const auto size = co_await stream.read(buffer);
    if (!size) co_return;  // The peer gave up, or the connection ended.
    if (*size == 0) break;
    const auto written = co_await stream.write(Bytes(buffer).first(*size));
    if (!written) co_return;
  }
  (void)stream.finish();
  (void)co_await stream.finished();  // The peer has it all.
}

Task<void> echo_datagrams(AsyncConnection connection) {
  while (auto datagram = co_await connection.receive_datagram())
    (void)connection.send_datagram(*datagram);  // A full queue loses it, as the network might.
}

Task<void> serve(AsyncConnection connection) {
  TaskGroup tasks;  // Ends with the connection, and all streams with it.
  tasks.spawn(echo_datagrams(connection));
  while (auto stream = co_await connection.accept_stream()) tasks.spawn(echo(std::move(*stream)));
}

Task<void> serve_all(AsyncEndpoint& server) {
  TaskGroup connections;
  while (auto connection = co_await server.accept())
    connections.spawn(serve(std::move(*connection)));
}

Task<int> ask(AsyncEndpoint& client, SocketAddress server, std::string authority) {
  const auto tls = crypto::make_tls_context({.alpn = {"echo/1"},
                                             .trust = crypto::Trust::private_authority,
                                             .authorities_pem = authority});
  if (!tls) co_return std::puts(to_string(tls.error()).c_str());
  const ConnectOptions options{.tls = *tls,
                               .server_name = "echo.example",
                               .connection = {.max_datagram_frame_size = 65'535}};
  auto connection = co_await client.connect(server, options);
  if (!connection) co_return std::puts(to_string(connection.error()).c_str());
  auto stream = co_await connection->open_stream();
  const auto written = co_await stream->write(as_bytes("a stream"));
  if (!written || !stream->finish()) co_return std::puts("cannot write");
  const auto answer = co_await stream->read_all(1024);
  const bool sent = connection->send_datagram(as_bytes("a datagram")).has_value();
  const auto datagram = co_await connection->receive_datagram();
  co_await client.shut_down();
  if (!sent || !answer || !datagram) co_return std::puts("lost");
  co_return as_text(*answer) == "a stream" && as_text(*datagram) == "a datagram" ? 0 : 1;
}

int main() {
  // The authority's key is kept offline; clients get its certificate.
  const auto authority = crypto::make_authority("our own", 365);
  const auto certificate = crypto::issue_certificate(
      authority, std::array<std::string, 1>{"echo.example"}, crypto::KeyType::ed25519, 90);
  const auto tls =
      crypto::make_tls_context({.credentials = *certificate, .alpn = {"echo/1"}, .mutual = false});
  EventLoop loop;
  auto server = AsyncEndpoint::open(
      loop, {.bind = SocketAddress::loopback4(0),
             .endpoint = {.connection = {.max_datagram_frame_size = 65'535}, .server_tls = *tls}});
  auto client = AsyncEndpoint::open(loop);
  if (!server || !client) return std::puts("cannot open a socket");
  TaskGroup tasks;
  tasks.spawn(serve_all(*server));
  return run(loop, ask(*client, server->local_address(), authority.certificate_pem));
}
