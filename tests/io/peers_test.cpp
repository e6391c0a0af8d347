// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Nodes and clients as processes run them: a loop and a thread each, any address, both families.
#include <gtest/gtest.h>
#include "qpeer/qpeer.hpp"

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "qpeer/tests/io/udp_fixture.hpp"

namespace qpeer::p2p {
namespace {

using io::testing_support::kLong;

NodeOptions options_at(const SocketAddress& listen) {
  NodeOptions out;
  out.identity = make_identity();
  out.listen = listen;
  return out;
}

struct Two {
  explicit Two(const SocketAddress& listen, bool probe_port = true)
      : a(start(listen, probe_port)), b(start(listen, probe_port)) {}
  AsyncNode start(const SocketAddress& listen, bool probe_port) {
    NodeOptions options = options_at(listen);
    options.probe_port = probe_port;
    return *AsyncNode::start(loop, std::move(options));
  }
  /// Links a to b at `host`, and sends a message either way.
  void talk(const std::string& host) {
    std::vector<Verdict> verdicts;
    b.on_event([&](const NodeEvent& event) {
      if (const auto* judged = std::get_if<PeerVerdict>(&event))
        verdicts.push_back(judged->verdict);
    });
    bool done = false;
    auto body = [&]() -> async::Task<void> {
      PeerAddress contact = b.contact();
      contact.host = host;
      const auto peer = co_await a.bootstrap(contact);
      EXPECT_TRUE(peer) << to_string(peer.error());
      if (!peer) co_return;
      EXPECT_TRUE(co_await peer->send(as_bytes("there")));
      EXPECT_TRUE(co_await b.peer(a.id()).send(as_bytes("and back")));
      const auto there = co_await b.next_message();
      const auto back = co_await a.next_message();
      EXPECT_EQ(as_text(there->data), "there");
      EXPECT_EQ(as_text(back->data), "and back");
      done = true;
    };
    async::TaskGroup tasks;
    tasks.spawn(body());
    EXPECT_TRUE(loop.run_until([&] { return tasks.size() == 0; }, io::now() + kLong));
    EXPECT_TRUE(done);
    EXPECT_EQ(verdicts, std::vector{Verdict::reachable});
    b.on_event(nullptr);
  }
  io::EventLoop loop;
  AsyncNode a;
  AsyncNode b;
};

TEST(PeersOnSockets, TalkOverIpv4) { Two(SocketAddress::loopback4(0)).talk("127.0.0.1"); }

TEST(PeersOnSockets, TalkOverIpv6) {
  SKIP_WITHOUT_IPV6();
  Two(*SocketAddress::parse("[::1]:0")).talk("::1");
}

TEST(PeersOnSockets, TalkWhenBoundToAnyAddress) {
  Two(SocketAddress{}).talk("127.0.0.1");
  Two(SocketAddress::ipv4({}, 0)).talk("localhost");
}

TEST(PeersOnSockets, AnyAddressSpeaksIpv6Too) {
  SKIP_WITHOUT_IPV6();
  Two(SocketAddress{}).talk("::1");
}

TEST(PeersOnSockets, OneSocketIsEnough) {
  Two(SocketAddress::loopback4(0), false).talk("127.0.0.1");
}

TEST(PeersOnSockets, RunInThreadsOfTheirOwn) {
  constexpr int kClients = 4;
  constexpr int kRequests = 200;
  io::EventLoop loop;
  auto server = AsyncNode::start(loop, options_at(SocketAddress::loopback4(0)));
  ASSERT_TRUE(server) << to_string(server.error());
  const PeerAddress contact = server->contact();
  std::atomic<int> answered = 0;
  std::atomic<int> running = kClients;
  auto ask = [&](AsyncClient& client) -> async::Task<void> {
    const auto peer = co_await client.bootstrap(contact);
    EXPECT_TRUE(peer) << to_string(peer.error());
    if (!peer) co_return;
    for (int i = 0; i < kRequests; ++i) {
      const std::string question = std::to_string(i);
      const auto reply = co_await peer->request(as_bytes(question));
      EXPECT_TRUE(reply && as_text(*reply) == question);
      ++answered;
    }
    co_await client.shut_down();
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&] {
      io::EventLoop own;
      auto client = AsyncClient::start(own, options_at(SocketAddress::loopback4(0)));
      EXPECT_TRUE(client);
      if (client) async::run(own, ask(*client));
      --running;
      loop.wake();
    });
  }
  auto serve = [&]() -> async::Task<void> {
    while (auto request = co_await server->next_request()) {
      (void)co_await request->reply(request->data());
    }
  };
  async::TaskGroup tasks;
  for (int i = 0; i < kClients; ++i) tasks.spawn(serve());
  loop.run_until([&] { return running == 0; }, io::now() + 6 * kLong);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, kClients * kRequests);
}

TEST(PeersOnSockets, ANodeThatRestartsIsFoundAgain) {
  io::EventLoop loop;
  const NodeOptions first = options_at(SocketAddress::loopback4(0));
  NodeOptions second = first;
  std::optional<AsyncNode> server = *AsyncNode::start(loop, first);
  second.listen = server->local_address();
  AsyncNode joining = *AsyncNode::start(loop, options_at(SocketAddress::loopback4(0)));
  int ups = 0;
  joining.on_event(
      [&](const NodeEvent& event) { ups += std::holds_alternative<LinkUp>(event) ? 1 : 0; });
  const PeerAddress contact = server->contact();
  joining.bootstrap(std::span(&contact, 1), nullptr);
  ASSERT_TRUE(loop.run_until([&] { return ups == 1; }, io::now() + kLong));
  server.reset();
  ASSERT_TRUE(loop.run_until([&] { return joining.stats().links == 0; }, io::now() + kLong));
  server = *AsyncNode::start(loop, second);
  EXPECT_TRUE(loop.run_until([&] { return ups == 2; }, io::now() + 6 * kLong));
}

}  // namespace
}  // namespace qpeer::p2p
