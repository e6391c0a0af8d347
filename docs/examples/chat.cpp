// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Three nodes that join through the first one. Each says hello to all its links and prints what it
// hears, until everybody has heard from two others.
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
  std::set<PeerId> heard{};
};

Task<void> listen(Chatter& self) {
  while (auto message = co_await self.node.next_message()) {
    std::printf("%s hears: %.*s\n", self.name.c_str(), int(message->data.size()),
                reinterpret_cast<const char*>(message->data.data()));
    self.heard.insert(message->from);
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

int main() {
  EventLoop loop;
  std::deque<Chatter> chatters;
  TaskGroup tasks;
  for (const char* name : {"Ada", "Grace", "Edsger"}) {
    auto node =
        Node::start(loop, {.identity = make_identity(), .listen = SocketAddress::loopback4(0)});
    if (!node) return std::puts(node.error().c_str());
    chatters.push_back({.node = std::move(*node), .name = name});
    tasks.spawn(listen(chatters.back()));
    tasks.spawn(talk(chatters.back(), chatters.front().node.contact()));
  }
  const auto all_heard = [&] {
    return std::ranges::all_of(chatters, [](const Chatter& c) { return c.heard.size() == 2; });
  };
  return loop.run_until(all_heard, io::now() + 30s) ? 0 : 1;
}
