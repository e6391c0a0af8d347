// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How nodes end, in good order and otherwise, and callbacks.
#include <gtest/gtest.h>

#include <algorithm>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "qpeer/tests/unit/io/broken_socket.hpp"
#include "qpeer/tests/unit/p2p_async/peers_fixture.hpp"

namespace qpeer::p2p {
namespace {

using AsyncNodeTest = PeersFixture;
using AsyncClientTest = PeersFixture;

TEST_F(AsyncNodeTest, ShutDownLetsWhatIsQueuedArrive) {
  AsyncNode a = node();
  AsyncNode b = node();
  const NodePeer peer = link(a, b);
  bool sent = false;
  const auto data = pattern(4 << 20);
  auto send = [&]() -> async::Task<void> { sent = (co_await peer.send(data)).has_value(); };
  auto body = [&]() -> async::Task<void> {
    async::TaskGroup tasks;
    tasks.spawn(send());
    co_await a.shut_down();
    EXPECT_TRUE(sent);
    const auto message = co_await b.next_message();
    EXPECT_TRUE(message && equal(message->data, data));
    const auto late = co_await peer.send(as_bytes("late"));
    EXPECT_EQ(late.error(), PeerError::shut_down);
  };
  finish(body());
  EXPECT_TRUE(turn_until([&] { return b.stats().links == 0; }));
}

TEST_F(AsyncNodeTest, ShutDownEndsEveryWait) {
  AsyncNode a = node();
  AsyncClient asking = client();
  const ServerPeer server = link(asking, a);
  int ended = 0;
  auto next = [&]() -> async::Task<void> {
    const auto arrival = co_await a.next_message();
    EXPECT_FALSE(arrival);
    ++ended;
  };
  auto join = [&]() -> async::Task<void> {
    const PeerAddress dead = mute_contact();
    const auto peer = co_await a.bootstrap(dead);
    EXPECT_FALSE(peer);
    ++ended;
  };
  auto ask = [&]() -> async::Task<void> {
    const auto reply = co_await server.request(as_bytes("?"));
    EXPECT_FALSE(reply);
    ++ended;
  };
  async::TaskGroup tasks;
  tasks.spawn(next());
  tasks.spawn(join());
  tasks.spawn(ask());
  turn_for(20ms);
  EXPECT_EQ(ended, 0);
  auto body = [&]() -> async::Task<void> {
    co_await a.shut_down(100ms);
    co_await tasks.join();
    EXPECT_FALSE(co_await a.next());
  };
  finish(body());
  EXPECT_EQ(ended, 3);
}

TEST_F(AsyncNodeTest, HandlesOutliveTheNode) {
  AsyncNode b = node();
  std::optional<AsyncNode> a{node()};
  const NodePeer peer = link(*a, b);
  auto body = [&]() -> async::Task<void> {
    auto stream = co_await peer.open_stream();
    a.reset();
    const auto sent = co_await peer.send(as_bytes("?"));
    EXPECT_EQ(sent.error(), PeerError::shut_down);
    const auto pong = co_await peer.ping();
    EXPECT_EQ(pong.error(), PeerError::shut_down);
    EXPECT_EQ(peer.send_datagram({}).error(), PeerError::shut_down);
    const auto written = co_await stream->write(as_bytes("?"));
    EXPECT_FALSE(written);
    const auto another = co_await peer.open_stream();
    EXPECT_EQ(another.error(), PeerError::shut_down);
    EXPECT_FALSE(peer.is_linked());
  };
  finish(body());
  EXPECT_TRUE(turn_until([&] { return b.stats().links == 0; })) << "the peer was not told";
}

TEST_F(AsyncNodeTest, ATaskThatAnEventWokeMayDestroyIt) {
  std::optional<AsyncNode> a{node()};
  AsyncNode b = node();
  const NodePeer peer = link(b, *a);
  auto destroy = [&]() -> async::Task<void> {
    (void)co_await a->next_message();
    a.reset();
  };
  async::TaskGroup tasks;
  tasks.spawn(destroy());
  auto body = [&]() -> async::Task<void> {
    (void)co_await peer.send(as_bytes("now"));
    co_await tasks.join();
  };
  finish(body());
  EXPECT_FALSE(a);
  EXPECT_TRUE(turn_until([&] { return b.stats().links == 0; })) << "the peer was not told";
}

// --- callbacks -----------------------------------------------------------------------------------

TEST_F(AsyncNodeTest, CallbacksDoWhatTasksDo) {
  AsyncNode a = node();
  AsyncNode b = node();
  AsyncClient asking = client();
  std::string log;
  b.on_message([&](const Message& message) { log += as_text(message.data); });
  b.on_request([&](IncomingRequest request) {
    request.reply(as_bytes("R"), [&](auto sent) { log += sent ? "r" : "?"; });
  });
  const PeerAddress contact = b.contact();
  a.connect(contact, [&](auto peer) {
    log += "C";
    peer->send(as_bytes("M"), [&](auto sent) { log += sent ? "s" : "?"; });
    peer->ping([&](auto took) { log += took ? "p" : "?"; });
  });
  asking.bootstrap(std::span(&contact, 1), [&](auto server) {
    log += "B";
    server->request(as_bytes("Q"), [&](auto reply) { log += reply ? as_text(*reply) : "?"; });
  });
  EXPECT_EQ(log, "") << "called within the call";
  EXPECT_TRUE(turn_until([&] { return log.size() == 7; })) << log;
  std::ranges::sort(log);
  EXPECT_EQ(log, "BCMRprs");
  bool down = false;
  a.shut_down([&] { down = true; });
  EXPECT_TRUE(turn_until([&] { return down; }));
}

TEST_F(AsyncNodeTest, ACallbackMayDestroyTheNode) {
  std::optional<AsyncNode> a{node()};
  AsyncNode b = node();
  const NodePeer peer = link(*a, b);
  const auto guard = std::make_shared<int>();
  peer.send(as_bytes("last"), [&, guard](auto) {
    a.reset();
    EXPECT_GE(guard.use_count(), 2) << "what was captured outlives the call";
  });
  EXPECT_TRUE(turn_until([&] { return !a; }));
  turn_for(20ms);
  EXPECT_EQ(guard.use_count(), 1);
}

TEST_F(AsyncNodeTest, AnEventCallbackMayDestroyTheNode) {
  std::optional<AsyncNode> a{node()};
  AsyncNode b = node();
  a->on_event([&](const NodeEvent& event) {
    if (std::holds_alternative<LinkUp>(event)) a.reset();
  });
  const PeerAddress contact = b.contact();
  a->connect(contact, [](auto) { ADD_FAILURE() << "called"; });
  EXPECT_TRUE(turn_until([&] { return !a; }));
  turn_for(20ms);
}

TEST_F(AsyncNodeTest, ADestroyedNodeCallsNobody) {
  AsyncNode b = node();
  std::optional<AsyncNode> a{node()};
  const NodePeer peer = link(*a, b);
  const auto guard = std::make_shared<int>();
  peer.send(as_bytes("?"), [guard](auto) { ADD_FAILURE() << "called"; });
  a->shut_down([guard] { ADD_FAILURE() << "called"; });
  a->on_message([guard](const Message&) { ADD_FAILURE() << "called"; });
  a.reset();
  turn_for(50ms);
  EXPECT_EQ(guard.use_count(), 1) << "a task of the node is left";
}

template <class T>
std::optional<PeerError> error_of(const std::expected<T, PeerError>& result) {
  return result ? std::nullopt : std::optional(result.error());
}

TEST_F(AsyncNodeTest, ASocketThatFailsLetsNobodyWait) {
  NodeOptions with_one_socket = options();
  with_one_socket.probe_port = false;
  AsyncNode a = node(std::move(with_one_socket));
  AsyncNode b = node();
  const NodePeer peer = link(a, b);
  io::testing_support::break_socket(a.local_address().port());
  auto body = [&]() -> async::Task<void> {
    for (int i = 0; i < 2; ++i) {
      const auto sent = co_await peer.send(as_bytes("hello"));
      EXPECT_EQ(error_of(sent), PeerError::shut_down);
      EXPECT_TRUE(a.error());
    }
    const auto trip = co_await peer.ping();
    EXPECT_EQ(error_of(trip), PeerError::shut_down);
    const auto stream = co_await peer.open_stream();
    EXPECT_EQ(error_of(stream), PeerError::shut_down);
    EXPECT_EQ(error_of(peer.send_datagram(as_bytes("x"))), PeerError::shut_down);
    const auto message = co_await a.next_message();
    EXPECT_FALSE(message);
    const PeerAddress contact = b.contact();
    const auto again = co_await a.bootstrap(contact);
    EXPECT_FALSE(again);
    co_await a.shut_down(Duration::max());
  };
  finish(body());
}

TEST_F(AsyncNodeTest, ShutsDownWithoutHasteWhenToldSo) {
  AsyncNode a = node();
  AsyncNode b = node();
  const NodePeer peer = link(a, b);
  bool sent = false;
  peer.send(as_bytes("hello"), [&](auto result) { sent = result.has_value(); });
  turn_for(1ms);
  auto body = [&]() -> async::Task<void> { co_await a.shut_down(Duration::max()); };
  finish(body());
  EXPECT_TRUE(sent);
}

TEST_F(AsyncNodeTest, MovesAndReplacesLikeAValue) {
  AsyncNode a = node();
  AsyncNode moved = std::move(a);
  AsyncNode b = node();
  (void)link(moved, b);
  moved = node();  // The old one ends.
  EXPECT_TRUE(turn_until([&] { return b.stats().links == 0; }));
  const NodePeer peer = link(moved, b);
  EXPECT_TRUE(peer.is_linked());
}

TEST_F(AsyncNodeTest, ShuttingDownWaitsForTheEventAndDoesNotPoll) {
  // Acknowledgements may be late, so that the three PTOs of RFC 9000 §10.2 are long.
  NodeOptions patient = options();
  patient.config.connection.max_ack_delay = 200ms;
  patient.config.endpoint.connection.max_ack_delay = 200ms;
  AsyncNode a = node(patient);
  patient.identity = make_identity();
  AsyncNode b = node(patient);
  link(a, b);
  turn_for(100ms);
  async::TaskGroup group;
  group.spawn(a.shut_down());
  int turns = 0;
  const Instant begin = io::now();
  for (; group.size() != 0 && io::now() < begin + 10s; ++turns) loop.run_once(1s);
  EXPECT_EQ(group.size(), 0U);
  EXPECT_EQ(a.stats().connections, 0U);
  EXPECT_GE(io::now() - begin, 600ms);
  EXPECT_LT(turns, 60) << "one each two milliseconds would be 300";
}

}  // namespace
}  // namespace qpeer::p2p
