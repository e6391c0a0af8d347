// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Three nodes that join through the first one. Each says hello to all its links. The messages that
// they get go through one queue to the screen, until each node has heard from the two others.
#include <qpeer/qpeer.hpp>

#include <cstdio>
#include <deque>
#include <set>
#include <string>
using namespace qpeer;

struct Chatter {
  Node node;
  std::string name;
  std::set<PeerId> greeted{};
};

Task<void> listen(Chatter& self, Channel<std::string>& screen) {
  while (auto message = co_await self.node.next_message()) {
    const std::string line = self.name + " hears: " + std::string(as_text(message->data));
    if (!co_await screen.send(line)) co_return;
  }
}

Task<void> talk(Chatter& self, PeerAddress contact) {
  if (auto first = co_await self.node.bootstrap(contact); !first) {
    std::printf("%s is alone: %s\n", self.name.c_str(), to_string(first.error()).c_str());
  }
  for (;;) {  // Links come by themselves: peers tell each other of peers.
    for (const NodePeer& peer : self.node.peers()) {
      const std::string text = "hello from " + self.name;
      if (!self.greeted.contains(peer.id()) && co_await peer.send(as_bytes(text))) {
        self.greeted.insert(peer.id());
      }
    }
    co_await sleep_for(self.node.loop(), 20ms);
  }
}

Task<void> show(Channel<std::string>& screen, int lines) {
  for (; lines > 0; --lines) {
    if (const auto line = co_await screen.receive()) std::puts(line->c_str());
  }
}

int main() {
  EventLoop loop;
  std::deque<Chatter> chatters;
  Channel<std::string> screen(loop, 16);  // When it is full, its senders wait.
  TaskGroup tasks;
  for (const char* name : {"Ada", "Grace", "Edsger"}) {
    auto node =
        Node::start(loop, {.identity = make_identity(), .listen = SocketAddress::loopback4(0)});
    if (!node) return std::puts(to_string(node.error()).c_str());
    chatters.push_back({.node = std::move(*node), .name = name});
    tasks.spawn(listen(chatters.back(), screen));
    tasks.spawn(talk(chatters.back(), chatters.front().node.contact()));
  }
  return run(loop, with_timeout(30s, show(screen, 6))) ? 0 : 1;
}
