// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Messages, requests, pings and datagrams: what is delivered, refused, held back and cancelled.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "qpeer/tests/unit/p2p_async/peers_fixture.hpp"

namespace qpeer::p2p {
namespace {

using AsyncNodeTest = PeersFixture;
using AsyncClientTest = PeersFixture;

template <class Peer>
concept CanSend = requires(Peer peer) { peer.send(Bytes{}); };
template <class Peer>
concept CanRequest = requires(Peer peer) { peer.request(Bytes{}); };
static_assert(CanSend<NodePeer> && !CanRequest<NodePeer>);
static_assert(CanRequest<ServerPeer> && !CanSend<ServerPeer>);

TEST_F(AsyncNodeTest, AMessageIsSentWhenThePeerHasIt) {
  AsyncNode a = node();
  AsyncNode b = node();
  const NodePeer peer = link(a, b);
  EXPECT_TRUE(peer.is_linked());
  auto body = [&]() -> async::Task<void> {
    EXPECT_TRUE(co_await peer.send(as_bytes("first")));
    EXPECT_TRUE(co_await b.peer(a.id()).send(as_bytes("back")));
    const auto there = co_await b.next_message();
    EXPECT_EQ(as_text(there->data), "first");
    EXPECT_EQ(there->from, a.id());
    const auto here = co_await a.next();
    EXPECT_EQ(as_text(std::get<Message>(*here).data), "back");
  };
  finish(body());
}

TEST_F(AsyncNodeTest, AnEmptyMessageIsAMessage) {
  AsyncNode a = node();
  AsyncNode b = node();
  const NodePeer peer = link(a, b);
  auto body = [&]() -> async::Task<void> {
    EXPECT_TRUE(co_await peer.send(Bytes{}));
    const auto there = co_await b.next_message();
    EXPECT_TRUE(there && there->data.empty());
  };
  finish(body());
}

TEST_F(AsyncClientTest, WhoWaitsForAMessageDoesNotHoldUpWhoWantsARequest) {
  AsyncNode server = node();
  AsyncClient asking = client();
  const ServerPeer peer = link(asking, server);
  bool arrived = false;
  server.on_event(
      [&](const NodeEvent& event) { arrived |= std::holds_alternative<Incoming>(event); });
  auto listen = [&]() -> async::Task<void> { (void)co_await server.next_message(); };
  auto ask = [&]() -> async::Task<void> {
    const auto answered = co_await peer.request(as_bytes("may I?"));
    EXPECT_TRUE(answered && as_text(*answered) == "yes");
  };
  async::TaskGroup tasks;
  tasks.spawn(listen());
  tasks.spawn(ask());
  ASSERT_TRUE(turn_until([&] { return arrived; }));
  auto serve = [&]() -> async::Task<void> {
    auto request = co_await server.next_request();
    EXPECT_TRUE(request);
    if (!request) co_return;
    EXPECT_TRUE(co_await request->reply(as_bytes("yes")));
  };
  finish(serve());
  EXPECT_TRUE(turn_until([&] { return tasks.size() == 1; })) << "the question is answered";
}

TEST_F(AsyncClientTest, AsksAndIsAnsweredOrRefused) {
  NodeOptions small = options();
  small.config.max_message_size = 1000;
  AsyncNode server = node();
  AsyncClient asking = client(std::move(small));
  const ServerPeer peer = link(asking, server);
  auto serve = [&]() -> async::Task<void> {
    auto first = co_await server.next_request();
    EXPECT_EQ(first->from(), asking.id());
    EXPECT_TRUE(co_await first->reply(as_bytes("yes")));
    {
      auto second = co_await server.next_request();
    }  // Nobody answers it.
    auto third = co_await server.next_request();
    const std::vector<u8> large(2000);
    EXPECT_EQ((co_await third->reply(large)).error(), PeerError::too_large);
  };
  auto ask = [&]() -> async::Task<void> {
    const auto answered = co_await peer.request(as_bytes("may I?"));
    EXPECT_EQ(as_text(*answered), "yes");
    const auto refused = co_await peer.request(as_bytes("and I?"));
    EXPECT_EQ(refused.error(), PeerError::refused);
    const auto too_long = co_await peer.request(as_bytes("how much?"));
    EXPECT_EQ(too_long.error(), PeerError::refused);
    const std::vector<u8> large(1001);
    const auto too_large = co_await peer.request(large);
    EXPECT_EQ(too_large.error(), PeerError::too_large);
  };
  async::TaskGroup tasks;
  tasks.spawn(serve());
  finish(ask());
  EXPECT_TRUE(turn_until([&] { return tasks.size() == 0; }));
}

TEST_F(AsyncClientTest, ACancelledRequestIsGivenUpAndTheNextOneWorks) {
  AsyncNode server = node();
  AsyncClient asking = client();
  const ServerPeer peer = link(asking, server);
  auto ask = [&](std::string text, bool* done) -> async::Task<void> {
    const auto reply = co_await peer.request(as_bytes(text));
    *done = reply.has_value();
  };
  bool done = false;
  {
    async::TaskGroup tasks;
    tasks.spawn(ask("never mind", &done));
    turn_for(30ms);
  }
  bool failed = false;
  auto body = [&]() -> async::Task<void> {
    async::TaskGroup tasks;
    tasks.spawn(ask("second", &done));
    for (;;) {
      auto request = co_await server.next_request();
      if (as_text(request->data()) == "second") {
        EXPECT_TRUE(co_await request->reply(as_bytes("!")));
        break;
      }
      const auto late = co_await request->reply(as_bytes("too late"));
      failed = !late;
    }
    co_await tasks.join();
  };
  finish(body());
  EXPECT_TRUE(done);
  (void)failed;  // By timing the first one was never there, or nobody wanted its answer.
}

TEST_F(AsyncNodeTest, AMessageThatWasTakenBackIsNotDelivered) {
  NodeOptions narrow = options();
  narrow.config.connection.streams.send_buffer = 4096;
  AsyncNode a = node(std::move(narrow));
  NodeOptions closed = options();
  closed.config.max_inbox_bytes = 1 << 10;
  closed.config.max_message_size = 8 << 20;
  AsyncNode b = node(std::move(closed));
  const NodePeer peer = link(a, b);
  std::uint64_t interrupted = 0;
  b.on_event([&](const NodeEvent& event) {
    interrupted += std::holds_alternative<IncomingInterrupted>(event) ? 1 : 0;
  });
  auto send = [&](const std::vector<u8>& data) -> async::Task<void> {
    (void)co_await peer.send(data);
  };
  const auto large = pattern(8 << 20);
  {
    async::TaskGroup tasks;
    tasks.spawn(send(large));
    turn_for(5ms);
    EXPECT_EQ(tasks.size(), 1U);
  }
  auto body = [&]() -> async::Task<void> {
    EXPECT_TRUE(co_await peer.send(as_bytes("after")));
    const auto first = co_await b.next_message();
    EXPECT_EQ(as_text(first->data), "after");
  };
  finish(body());
  EXPECT_TRUE(turn_until([&] { return interrupted == 1; }));
}

TEST_F(AsyncNodeTest, SendersWaitForRoomInTheirTurn) {
  NodeOptions few = options();
  few.config.max_queued_messages = 2;
  AsyncNode a = node(std::move(few));
  AsyncNode b = node();
  const NodePeer peer = link(a, b);
  int sent = 0;
  auto send = [&](int number) -> async::Task<void> {
    const std::string text = std::to_string(number);
    EXPECT_TRUE(co_await peer.send(as_bytes(text)));
    ++sent;
  };
  async::TaskGroup tasks;
  for (int i = 0; i < 30; ++i) tasks.spawn(send(i));
  EXPECT_EQ(sent, 0);
  std::vector<int> heard;
  auto body = [&]() -> async::Task<void> {
    while (heard.size() < 30) {
      const auto message = co_await b.next_message();
      heard.push_back(std::stoi(std::string(as_text(message->data))));
    }
    co_await tasks.join();
  };
  finish(body());
  EXPECT_EQ(sent, 30);
  std::ranges::sort(heard);  // Messages travel on streams of their own.
  for (int i = 0; i < 30; ++i) EXPECT_EQ(heard[static_cast<std::size_t>(i)], i);
}

TEST_F(AsyncNodeTest, WhoDoesNotTakeMessagesHoldsTheirSenderBack) {
  NodeOptions slow = options();
  slow.config.max_inbox_bytes = 64 << 10;
  slow.config.max_message_size = 64 << 10;
  slow.config.connection.streams.receive_window = 64 << 10;
  slow.config.connection.streams.stream_receive_window = 32 << 10;
  AsyncNode a = node();
  AsyncNode b = node(std::move(slow));
  const NodePeer peer = link(a, b);
  constexpr int kCount = 100;
  int sent = 0;
  auto send = [&]() -> async::Task<void> {
    const auto data = pattern(32 << 10);
    for (; sent < kCount; ++sent) EXPECT_TRUE(co_await peer.send(data));
  };
  async::TaskGroup tasks;
  tasks.spawn(send());
  turn_for(300ms);
  EXPECT_LT(sent, 12);  // The inbox, and what flow control allows beyond it.
  EXPECT_LE(b.stats().inbox_bytes, std::size_t{160} << 10);
  auto body = [&]() -> async::Task<void> {
    for (int i = 0; i < kCount; ++i) {
      const auto message = co_await b.next_message();
      EXPECT_EQ(message->data.size(), std::size_t{32} << 10);
    }
    co_await tasks.join();
  };
  finish(body());
  EXPECT_EQ(sent, kCount);
}

TEST_F(AsyncNodeTest, PingsTakeATimeAndSurviveACancelledOne) {
  AsyncNode a = node();
  AsyncNode b = node();
  const NodePeer peer = link(a, b);
  auto ping = [&](int* count) -> async::Task<void> {
    const auto took = co_await peer.ping();

    EXPECT_TRUE(took && *took > Duration{});
    ++*count;
  };
  int count = 0;
  {
    async::TaskGroup cancelled;
    cancelled.spawn(ping(&count));
  }
  auto body = [&]() -> async::Task<void> {
    async::TaskGroup tasks;
    for (int i = 0; i < 5; ++i) tasks.spawn(ping(&count));
    co_await tasks.join();
    const auto nobody = co_await a.peer(PeerId{}).ping();
    EXPECT_EQ(nobody.error(), PeerError::not_linked);
  };
  finish(body());
  EXPECT_EQ(count, 5);
}

TEST_F(AsyncNodeTest, DatagramsGoEitherWay) {
  AsyncNode server = node();
  AsyncClient asking = client();
  const ServerPeer peer = link(asking, server);
  auto body = [&]() -> async::Task<void> {
    EXPECT_TRUE(peer.send_datagram(as_bytes("up")));
    const auto up = co_await server.next_datagram();
    EXPECT_EQ(as_text(up->data), "up");
    EXPECT_TRUE(server.send_datagram(up->from, as_bytes("down")));
    const auto down = co_await asking.next_datagram();
    EXPECT_EQ(as_text(down->data), "down");
    EXPECT_EQ(server.send_datagram(PeerId{}, as_bytes("?")).error(), PeerError::not_linked);
  };
  finish(body());
}

TEST_F(AsyncNodeTest, NextGivesEachKindItsTurn) {
  AsyncNode server = node();
  AsyncNode other = node();
  AsyncClient asking = client();
  const NodePeer from_node = link(other, server);
  const ServerPeer from_client = link(asking, server);
  auto flood = [&]() -> async::Task<void> {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(co_await from_node.send(as_bytes("message")));
  };
  async::TaskGroup tasks;
  tasks.spawn(flood());
  EXPECT_TRUE(turn_until([&] { return tasks.size() == 0; }));  // All wait there.
  bool answered = false;
  auto ask = [&]() -> async::Task<void> {
    answered = (co_await from_client.request(as_bytes("?"))).has_value();
  };
  tasks.spawn(ask());
  turn_for(50ms);
  auto body = [&]() -> async::Task<void> {
    int messages = 0;
    for (;;) {
      auto arrival = co_await server.next();
      if (std::holds_alternative<Message>(*arrival)) ++messages;
      if (auto* request = std::get_if<IncomingRequest>(&*arrival)) {
        EXPECT_LE(messages, 2) << "the request waited for the messages";
        EXPECT_TRUE(co_await request->reply(as_bytes("!")));
        break;
      }
    }
    co_await tasks.join();
  };
  finish(body());
  EXPECT_TRUE(answered);
}

TEST_F(AsyncNodeTest, ADisconnectedPeerIsNotLinked) {
  AsyncNode a = node();
  AsyncNode b = node();
  const NodePeer peer = link(a, b);
  auto body = [&]() -> async::Task<void> {
    peer.disconnect();
    EXPECT_FALSE(peer.is_linked());
    const auto sent = co_await peer.send(as_bytes("?"));
    EXPECT_EQ(sent.error(), PeerError::not_linked);
    const auto stream = co_await peer.open_stream();
    EXPECT_EQ(stream.error(), PeerError::not_linked);
  };
  finish(body());
  EXPECT_TRUE(turn_until([&] { return b.links().empty() || !b.links().front().up; }));
}

}  // namespace
}  // namespace qpeer::p2p
