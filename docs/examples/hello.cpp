#include <qpeer/transport.hpp>
#include <string>
using namespace qpeer;

Task<int> hello(AsyncEndpoint& server, AsyncEndpoint& client) {
  const ConnectOptions options{.tls = client_tls("hello/1")};
  auto dialled = co_await client.connect(server.local_address(), options);
  auto outgoing = co_await dialled->open_stream();
  co_await outgoing->write(as_bytes("hello"));
  outgoing->finish();
  auto accepted = co_await server.accept();
  auto incoming = co_await accepted->accept_stream();
  auto text = co_await incoming->read_all(1024);
  co_return std::puts(std::string(as_text(*text)).c_str()) < 0 ? 1 : 0;
}

int main() {
  EventLoop loop;
  const AsyncEndpoint::Options listen{.endpoint = {.server_tls = server_tls("hello/1")}};
  auto server = AsyncEndpoint::open(loop, listen), client = AsyncEndpoint::open(loop);
  return run(loop, hello(*server, *client));
}
