// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Streams and datagrams of peers, with callbacks alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "qpeer/tests/unit/p2p_async/peers_fixture.hpp"

namespace qpeer::p2p {
namespace {

using PeerCallbacks = PeersFixture;

TEST_F(PeerCallbacks, OpenAStreamAndCarryItsQuestionAndAnswer) {
  AsyncNode server = node();
  AsyncClient asking = client();
  const ServerPeer peer = link(asking, server);
  std::string answer;
  server.on_stream([](PeerStream incoming) {
    auto stream = std::make_shared<PeerStream>(std::move(incoming));
    stream->read_all(1024, [stream](std::expected<std::vector<u8>, StreamError> question) {
      ASSERT_TRUE(question);
      stream->write(*question, [stream](auto written) {
        EXPECT_TRUE(written);
        EXPECT_TRUE(stream->finish());
        stream->finished([stream](auto finished) { EXPECT_TRUE(finished); });
      });
    });
  });
  peer.open_stream([&](std::expected<PeerStream, PeerError> opened) {
    ASSERT_TRUE(opened);
    auto stream = std::make_shared<PeerStream>(std::move(*opened));
    stream->write(as_bytes("question"), [stream](auto) { EXPECT_TRUE(stream->finish()); });
    stream->read_all(1024, [&, stream](auto all) { answer = as_text(all.value()); });
  });
  EXPECT_TRUE(turn_until([&] { return !answer.empty(); }));
  EXPECT_EQ(answer, "question");
}

TEST_F(PeerCallbacks, OpenAStreamReportWhyThereIsNone) {
  AsyncNode a = node();
  const NodePeer nobody = a.peer(PeerId{});
  std::optional<PeerError> error;
  nobody.open_stream([&](auto opened) { error = opened.error(); });
  EXPECT_FALSE(error) << "never within the call";
  EXPECT_TRUE(turn_until([&] { return error.has_value(); }));
  EXPECT_EQ(error, PeerError::not_linked);
}

TEST_F(PeerCallbacks, TakeDatagrams) {
  AsyncNode server = node();
  AsyncClient asking = client();
  const ServerPeer peer = link(asking, server);
  std::vector<std::string> got;
  std::string back;
  server.on_datagram([&](const Datagram& in) {
    got.emplace_back(as_text(in.data));
    EXPECT_TRUE(server.send_datagram(in.from, in.data));
  });
  asking.on_datagram([&](const Datagram& in) { back = as_text(in.data); });
  EXPECT_TRUE(peer.send_datagram(as_bytes("one")));
  EXPECT_TRUE(turn_until([&] { return !back.empty(); }));
  EXPECT_EQ(got, std::vector<std::string>{"one"});
  EXPECT_EQ(back, "one");
}

TEST_F(PeerCallbacks, OfAStreamMayDestroyTheNode) {
  auto server = std::make_unique<AsyncNode>(node());
  AsyncClient asking = client();
  const ServerPeer peer = link(asking, *server);
  bool destroyed = false;
  server->on_stream([&](PeerStream incoming) {
    auto stream = std::make_shared<PeerStream>(std::move(incoming));
    stream->read_all(1024, [&, stream](auto) {
      server.reset();
      destroyed = true;
    });
  });
  std::optional<PeerStream> mine;
  peer.open_stream([&](auto opened) {
    mine.emplace(std::move(*opened));
    mine->write(as_bytes("x"), [&](auto) { EXPECT_TRUE(mine->finish()); });
  });
  EXPECT_TRUE(turn_until([&] { return destroyed; }));
  turn_for(5ms);
  mine.reset();
}

TEST_F(PeerCallbacks, ThatThrowLeaveTheLoopAndLoseNoEvent) {
  AsyncNode a = node();
  AsyncNode b = node();
  a.on_event([](const NodeEvent& event) {
    if (std::holds_alternative<LinkUp>(event)) throw std::runtime_error("mine");
  });
  bool linked = false;
  a.connect(b.contact(), [&](auto peer) { linked = peer.has_value(); });
  int thrown = 0;
  for (const Instant give_up = io::now() + 10s; !linked && io::now() < give_up;) {
    try {
      loop.run_once(100ms);
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  EXPECT_TRUE(linked);
  EXPECT_EQ(thrown, 1);
}

// What of the kinds of Arrival it is, in a letter.
char kind_of(const Arrival& arrival) { return "mrsd"[arrival.index()]; }

TEST_F(PeerCallbacks, TakeWhateverArrives) {
  AsyncNode server = node();
  AsyncNode other = node();
  AsyncClient asking = client();
  std::string kinds;
  std::vector<Arrival> kept;
  server.on_arrival([&](Arrival arrival) {
    kinds += kind_of(arrival);
    kept.push_back(std::move(arrival));
  });
  const NodePeer from_node = link(other, server);
  const ServerPeer from_client = link(asking, server);
  from_node.send(as_bytes("message"), [](auto) {});
  from_client.request(as_bytes("question"), [](auto) {});
  from_client.open_stream([](auto stream) {
    if (!stream) return;
    auto held = std::make_shared<PeerStream>(std::move(*stream));
    held->write(as_bytes("stream"), [held](auto) { (void)held->finish(); });
  });
  EXPECT_TRUE(from_client.send_datagram(as_bytes("datagram")));
  EXPECT_TRUE(turn_until([&] { return kinds.size() == 4; })) << kinds;
  std::ranges::sort(kinds);
  EXPECT_EQ(kinds, "dmrs");
}

// The calls that no other test makes in this form.
TEST_F(PeerCallbacks, StandForEachCallThatWaits) {
  AsyncNode server = node();
  AsyncNode other = node();
  AsyncClient asking = client();
  std::string log;
  const PeerAddress contact = server.contact();
  server.on_request([&](IncomingRequest request) {
    auto held = std::make_shared<IncomingRequest>(std::move(request));
    held->reply(held->data(), [&, held](auto sent) { log += sent ? "replied " : "? "; });
  });
  other.bootstrap(std::span(&contact, 1), [&](auto peer) {
    if (!peer) return;
    peer->ping([&](auto trip) { log += trip ? "node " : "? "; });
  });
  asking.bootstrap(std::span(&contact, 1), [&](auto peer) {
    if (!peer) return;
    peer->ping([&](auto trip) { log += trip ? "client " : "? "; });
    peer->request(as_bytes("Q"), [](auto) {});
  });
  EXPECT_TRUE(turn_until([&] { return log.size() == 20; })) << log;
  asking.connect(contact, [&](auto peer) { log += peer ? "connected " : "? "; });
  EXPECT_TRUE(turn_until([&] { return log.ends_with("connected "); })) << log;
  asking.shut_down([&] { log += "ended"; });
  EXPECT_TRUE(turn_until([&] { return log.ends_with("ended"); })) << log;
}

TEST_F(PeerCallbacks, OfArrivalsThatThrowAreCalledAgainForTheNext) {
  AsyncNode a = node();
  AsyncNode b = node();
  const NodePeer peer = link(a, b);
  std::vector<std::string> got;
  b.on_message([&](const Message& message) {
    got.emplace_back(as_text(message.data));
    throw std::runtime_error("mine");
  });
  int thrown = 0;
  for (const char* text : {"one", "two", "three"}) peer.send(as_bytes(text), [](auto) {});
  for (const Instant give_up = io::now() + 10s; thrown < 3 && io::now() < give_up;) {
    try {
      loop.run_once(100ms);
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  EXPECT_EQ(thrown, 3);
  EXPECT_EQ(got, (std::vector<std::string>{"one", "two", "three"}));
}

}  // namespace
}  // namespace qpeer::p2p
