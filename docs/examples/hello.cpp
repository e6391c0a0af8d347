// A server and a client in one process: the client asks, the server answers with the same.
#include <qpeer/transport.hpp>

#include <cstdio>
#include <string>

using namespace qpeer;

Task<void> serve(AsyncEndpoint& endpoint) {
  auto connection = co_await endpoint.accept();
  auto stream = co_await connection->accept_stream();
  auto question = co_await stream->read_all(1024);
  co_await stream->write(*question);
  stream->finish();
  co_await stream->finished();
}

Task<bool> ask(AsyncEndpoint& endpoint, SocketAddress server) {
  const ConnectOptions options{.tls = client_tls("hello/1")};
  auto connection = co_await endpoint.connect(server, options);
  if (!connection) co_return false;  // connection.error() says why.
  auto stream = co_await connection->open_stream();
  co_await stream->write(as_bytes("hello"));
  stream->finish();
  auto answer = co_await stream->read_all(1024);
  std::printf("%s\n", std::string(as_text(*answer)).c_str());
  co_return as_text(*answer) == "hello";
}

int main() {
  EventLoop loop;
  auto server = AsyncEndpoint::open(loop, {.bind = SocketAddress::loopback4(0),
                                           .endpoint = {.server_tls = server_tls("hello/1")}});
  auto client = AsyncEndpoint::open(loop);
  TaskGroup group;
  group.spawn(serve(*server));
  return run(loop, ask(*client, server->local_address())) ? 0 : 1;
}
