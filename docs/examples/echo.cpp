// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A node that answers, and a client that asks.
#include <qpeer/qpeer.hpp>

#include <cstdio>
using namespace qpeer;

Task<void> answer_all(Node& node) {
  while (auto request = co_await node.next_request())
    (void)co_await request->reply(request->data());
}

Task<int> ask(Client& client, PeerAddress contact) {
  auto server = co_await client.bootstrap(contact);  // Proves that it is whom its id names.
  if (!server) co_return std::puts(to_string(server.error()).c_str());
  auto reply = co_await server->request(as_bytes("hello, peer"));
  if (!reply) co_return std::printf("no reply: %s\n", to_string(reply.error()).data());
  std::printf("%.*s\n", int(reply->size()), reinterpret_cast<const char*>(reply->data()));
  co_await client.shut_down();
  co_return as_text(*reply) == "hello, peer" ? 0 : 1;
}

int main() {
  EventLoop loop;
  auto node =
      Node::start(loop, {.identity = make_identity(), .listen = SocketAddress::loopback4(0)});
  auto client = Client::start(loop, {.identity = make_identity()});
  if (!node || !client) return std::puts("cannot start");
  TaskGroup tasks;
  tasks.spawn(answer_all(*node));
  return run(loop, ask(*client, node->contact()));
}
