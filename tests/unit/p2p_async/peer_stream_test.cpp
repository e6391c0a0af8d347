// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/peers.hpp"

#include <gtest/gtest.h>

#include <array>
#include <optional>

#include "qpeer/tests/unit/p2p_async/peers_fixture.hpp"

namespace qpeer::p2p {
namespace {

using PeerStreamTest = PeersFixture;

TEST_F(PeerStreamTest, OfAClientGoesBothWays) {
  AsyncNode server = node();
  AsyncClient asking = client();
  const ServerPeer peer = link(asking, server);
  const auto data = pattern(3 << 20);
  auto serve = [&]() -> async::Task<void> {
    auto stream = co_await server.next_stream();
    EXPECT_EQ(stream->peer(), asking.id());
    const auto got = co_await stream->read_all(4 << 20);
    EXPECT_TRUE(got && equal(*got, data));
    EXPECT_TRUE(co_await stream->write(*got));
    EXPECT_TRUE(stream->finish());
    EXPECT_TRUE(co_await stream->finished());
  };
  auto ask = [&]() -> async::Task<void> {
    async::TaskGroup tasks;
    tasks.spawn(serve());
    auto stream = co_await peer.open_stream();
    EXPECT_TRUE(co_await stream->write(data));
    EXPECT_TRUE(stream->finish());
    std::vector<u8> back(data.size());
    const auto got = co_await stream->read_full(back);
    EXPECT_EQ(got, data.size());
    EXPECT_TRUE(equal(back, data));
    const auto end = co_await stream->read(back);
    EXPECT_EQ(end, 0U);
    co_await tasks.join();
  };
  finish(ask());
}

TEST_F(PeerStreamTest, BetweenNodesGoesOneWay) {
  AsyncNode a = node();
  AsyncNode b = node();
  const NodePeer peer = link(a, b);
  auto body = [&]() -> async::Task<void> {
    auto out = co_await peer.open_stream();
    EXPECT_TRUE(co_await out->write(as_bytes("one way")));
    EXPECT_TRUE(out->finish());
    auto in = co_await b.next_stream();
    const auto view = co_await in->peek();
    EXPECT_EQ(as_text(view->data), "one way");
    in->consume(view->data.size());
    std::array<u8, 4> buffer{};
    const auto wrong_read = co_await out->read(buffer);
    EXPECT_EQ(wrong_read.error(), StreamError::wrong_direction);
    const auto wrong_write = co_await in->write(as_bytes("back"));
    EXPECT_EQ(wrong_write.error(), StreamError::wrong_direction);
    EXPECT_TRUE(co_await out->finished());
    EXPECT_EQ((co_await out->write(as_bytes("more"))).error(), StreamError::finished);
  };
  finish(body());
}

TEST_F(PeerStreamTest, TellsWhoBrokeItOff) {
  AsyncNode server = node();
  AsyncClient asking = client();
  const ServerPeer peer = link(asking, server);
  auto body = [&]() -> async::Task<void> {
    auto first = co_await peer.open_stream();
    EXPECT_TRUE(co_await first->write(as_bytes("x")));
    auto there = co_await server.next_stream();
    EXPECT_TRUE(there->stop_sending(7));
    EXPECT_TRUE(there->reset(8));
    const auto data = pattern(1 << 20);
    std::expected<void, StreamError> written;
    while (written) written = co_await first->write(data);
    EXPECT_EQ(written.error(), StreamError::stopped);
    EXPECT_EQ(first->stop_code(), 7U);
    std::array<u8, 4> buffer{};
    EXPECT_EQ((co_await first->read(buffer)).error(), StreamError::reset);
    EXPECT_EQ(first->reset_code(), 8U);
  };
  finish(body());
}

TEST_F(PeerStreamTest, DestroyingItAbandonsBothSides) {
  AsyncNode server = node();
  AsyncClient asking = client();
  const ServerPeer peer = link(asking, server);
  auto body = [&]() -> async::Task<void> {
    std::optional<PeerStream> first;
    {
      auto opened = co_await peer.open_stream();
      first.emplace(std::move(*opened));
    }
    EXPECT_TRUE(co_await first->write(as_bytes("x")));
    auto there = co_await server.next_stream();
    std::array<u8, 1> buffer{};
    EXPECT_EQ(co_await there->read(buffer), 1U);
    first.reset();
    EXPECT_EQ((co_await there->read(buffer)).error(), StreamError::reset);
    const auto data = pattern(1 << 20);
    std::expected<void, StreamError> written;
    while (written) written = co_await there->write(data);
    EXPECT_EQ(written.error(), StreamError::stopped);
  };
  finish(body());
}

TEST_F(PeerStreamTest, WriteWaitsForItsReader) {
  AsyncNode a = node();
  AsyncNode b = node();
  const NodePeer peer = link(a, b);
  const auto data = pattern(20 << 20);
  bool written = false;
  auto write = [&]() -> async::Task<void> {
    auto out = co_await peer.open_stream();
    EXPECT_TRUE(co_await out->write(data));
    EXPECT_TRUE(out->finish());
    EXPECT_TRUE(co_await out->finished());
    written = true;
  };
  async::TaskGroup tasks;
  tasks.spawn(write());
  turn_for(200ms);
  EXPECT_FALSE(written);
  auto body = [&]() -> async::Task<void> {
    auto in = co_await b.next_stream();
    const auto got = co_await in->read_all(21 << 20);
    EXPECT_TRUE(got && equal(*got, data));
    co_await tasks.join();
  };
  finish(body());
  EXPECT_TRUE(written);
}

TEST_F(PeerStreamTest, EndsWithItsLink) {
  AsyncNode a = node();
  AsyncNode b = node();
  const NodePeer peer = link(a, b);
  auto body = [&]() -> async::Task<void> {
    auto out = co_await peer.open_stream();
    EXPECT_TRUE(co_await out->write(as_bytes("x")));
    auto in = co_await b.next_stream();
    std::array<u8, 4> buffer{};
    EXPECT_EQ(co_await in->read(buffer), 1U);
    peer.disconnect();
    EXPECT_EQ((co_await in->read(buffer)).error(), StreamError::closed);
    EXPECT_EQ((co_await out->write(as_bytes("y"))).error(), StreamError::closed);
    EXPECT_TRUE(out->finish().error() == StreamError::closed);
  };
  finish(body());
}

TEST_F(PeerStreamTest, MoreThanThePeerAllowsWaitForTheirTurn) {
  NodeOptions few = options();
  few.config.connection.streams.max_streams_uni = 4;
  AsyncNode a = node();
  AsyncNode b = node(std::move(few));
  const NodePeer peer = link(a, b);
  constexpr int kCount = 40;
  auto write = [&](int number) -> async::Task<void> {
    auto out = co_await peer.open_stream();
    EXPECT_TRUE(out);
    if (!out) co_return;
    const std::array<u8, 1> byte{static_cast<u8>(number)};
    EXPECT_TRUE(co_await out->write(byte));
    EXPECT_TRUE(out->finish());
    EXPECT_TRUE(co_await out->finished());
  };
  async::TaskGroup tasks;
  for (int i = 0; i < kCount; ++i) tasks.spawn(write(i));
  int sum = 0;
  auto body = [&]() -> async::Task<void> {
    for (int i = 0; i < kCount; ++i) {
      auto in = co_await b.next_stream();
      const auto got = co_await in->read_all(10);
      sum += (*got)[0];
    }
    co_await tasks.join();
  };
  finish(body());
  EXPECT_EQ(sum, kCount * (kCount - 1) / 2);
}

}  // namespace
}  // namespace qpeer::p2p
