// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <qpeer/transport.hpp>

#include <cstdio>
using namespace qpeer;

Task<int> hello(AsyncEndpoint& server, AsyncEndpoint& client) {
  const ConnectOptions options{.tls = client_tls("hello/1")};
  auto dialled = co_await client.connect(server.local_address(), options);
  if (!dialled) co_return std::puts(to_string(dialled.error()).c_str());
  auto outgoing = co_await dialled->open_stream();
  co_await outgoing->write(as_bytes("hello"));
  outgoing->finish();
  auto accepted = co_await server.accept();
  auto incoming = co_await accepted->accept_stream();
  auto text = co_await incoming->read_all(1024);
  co_return as_text(*text) == "hello" && std::puts("hello") >= 0 ? 0 : 1;
}

int main() {
  EventLoop loop;
  auto server = AsyncEndpoint::open(loop, {.bind = SocketAddress::loopback4(0),
                                           .endpoint = {.server_tls = server_tls("hello/1")}});
  auto client = AsyncEndpoint::open(loop);
  return run(loop, hello(*server, *client));
}
