// SPDX-License-Identifier: MIT OR BSD-3-Clause
// RawStreams, StreamIndex and InboxBudget: names live as long as what they name, sums agree.
#include "qpeer/p2p/raw_streams.hpp"

#include <gtest/gtest.h>

#include "qpeer/p2p/inbox_budget.hpp"
#include "qpeer/p2p/stream_prefix.hpp"
#include "qpeer/tests/unit/p2p/owners_fixture.hpp"

namespace qpeer::p2p {
namespace {

using Octets = std::vector<u8>;
using transport::StreamError;

class RawStreamsTest : public OwnersFixture {
 protected:
  ~RawStreamsTest() override {
    EXPECT_TRUE(raw.consistent());
    EXPECT_EQ(index.size(), raw.size());
  }
  /// A stream that the peer opened, and whose first byte is taken.
  OperationId adopts(StreamId stream, bool empty = false) {
    const OperationId id = index.new_id();
    index.add(connection.slot, stream, id);
    raw.adopt(id, {.peer = id_of(1),
                   .connection = connection.slot,
                   .stream = stream,
                   .sends = stream.is_bidirectional(),
                   .receives = true,
                   .empty = empty});
    return id;
  }
  void happens(OperationId id, transport::StreamEvent::Kind kind) {
    raw.on_event(id, {.kind = kind, .stream_id = {}, .error_code = 3});
  }

  using Kind = transport::StreamEvent::Kind;
  StreamIndex index{};
  InboxBudget budget{config};
  RawStreams raw{connections, queue, index, budget};
  PeerConnection& connection = connected(1, true);
  FakeConnection& transport = source.of(connection);
};

TEST_F(RawStreamsTest, BeginsWithThePrefixOfRawStreams) {
  const auto id = raw.open(connection, false);
  ASSERT_TRUE(id);
  EXPECT_EQ(raw.write(*id, Octets{5}), 1U);
  EXPECT_TRUE(raw.finish(*id));
  const FakeConnection::Stream& stream = transport.streams.rbegin()->second;
  EXPECT_EQ(stream.written, (Octets{kRawStream, 5}));
  EXPECT_TRUE(stream.finished);
}

// The transport may have no room for a single byte.
TEST_F(RawStreamsTest, BeginsWithThePrefixAlsoWhereRoomComesLate) {
  transport.write_room = 0;
  const auto id = raw.open(connection, false);
  ASSERT_TRUE(id);
  EXPECT_EQ(raw.write(*id, Octets{5}), 0U);
  happens(*id, Kind::writable);
  EXPECT_TRUE(emitted<StreamActivity>().empty()) << "there is no room yet";
  transport.write_room = 1;
  happens(*id, Kind::writable);
  EXPECT_EQ(emitted<StreamActivity>().size(), 1U);
  EXPECT_EQ(raw.write(*id, Octets{5}), 0U);
  transport.write_room = 100;
  EXPECT_EQ(raw.write(*id, Octets{5}), 1U);
  EXPECT_EQ(transport.streams.rbegin()->second.written, (Octets{kRawStream, 5}));
}

TEST_F(RawStreamsTest, EndsAfterThePrefixAlsoWhereRoomComesLate) {
  transport.write_room = 0;
  const auto id = raw.open(connection, false);
  ASSERT_TRUE(id);
  EXPECT_TRUE(raw.finish(*id));
  EXPECT_EQ(raw.finish(*id).error(), StreamError::finished);
  EXPECT_EQ(raw.write(*id, Octets{5}).error(), StreamError::finished);
  const FakeConnection::Stream& stream = transport.streams.rbegin()->second;
  EXPECT_FALSE(stream.finished);
  transport.write_room = 100;
  happens(*id, Kind::writable);
  EXPECT_EQ(stream.written, Octets{kRawStream});
  EXPECT_TRUE(stream.finished);
}

TEST_F(RawStreamsTest, IsOverWithItsOnlySide) {
  const auto id = raw.open(connection, false);
  happens(*id, Kind::finished);
  EXPECT_FALSE(raw.contains(*id));
  EXPECT_EQ(raw.write(*id, Octets{5}).error(), StreamError::closed);
}

TEST_F(RawStreamsTest, IsOverWithBothSides) {
  const auto id = raw.open(connection, true);
  EXPECT_TRUE(raw.stop_sending(*id, 1));
  EXPECT_TRUE(raw.contains(*id));
  EXPECT_TRUE(raw.reset(*id, 1));
  EXPECT_FALSE(raw.contains(*id));
}

TEST_F(RawStreamsTest, NoneIsOpenedBeyondThePeersLimit) {
  transport.streams_allowed = 0;
  EXPECT_FALSE(raw.open(connection, false));
}

TEST_F(RawStreamsTest, IsGivenToTheApplicationAndReadToItsEnd) {
  const StreamId stream = StreamId::make(Side::server, false, 1);
  const OperationId id = adopts(stream);
  EXPECT_EQ(emitted<Incoming>().size(), 1U);
  EXPECT_EQ(raw.next()->id, id);
  EXPECT_FALSE(raw.next());
  transport.receives(stream, {1, 2}, true);
  EXPECT_EQ(raw.peek(id)->data.size(), 2U);
  raw.consume(id, 1);
  EXPECT_TRUE(raw.contains(id));
  raw.consume(id, 1);
  EXPECT_FALSE(raw.contains(id));
}

TEST_F(RawStreamsTest, AnEmptyOneHasItsEnd) {
  const OperationId id = adopts(StreamId::make(Side::server, false, 1), true);
  EXPECT_TRUE(raw.peek(id)->fin);
  raw.consume(id, 0);
  EXPECT_FALSE(raw.contains(id));
}

TEST_F(RawStreamsTest, ReportsAResetOnceAndIsOver) {
  const StreamId stream = StreamId::make(Side::server, false, 1);
  const OperationId id = adopts(stream);
  transport.streams[stream].incoming_reset = true;
  EXPECT_EQ(raw.peek(id).error(), StreamError::reset);
  EXPECT_EQ(raw.peek(id).error(), StreamError::closed);
  EXPECT_FALSE(raw.next());
}

TEST_F(RawStreamsTest, EmitsItsActivity) {
  const auto id = raw.open(connection, true);
  happens(*id, Kind::readable);
  happens(*id, Kind::writable);
  happens(*id, Kind::stopped);
  const auto activity = emitted<StreamActivity>();
  ASSERT_EQ(activity.size(), 3U);
  EXPECT_EQ(activity[2].kind, StreamActivity::Kind::stopped);
  EXPECT_EQ(activity[2].error_code, 3U);
}

TEST_F(RawStreamsTest, IsLostWithItsConnection) {
  const auto id = raw.open(connection, true);
  for (const auto& [stream, lost] : index.take_all(connection.slot)) raw.on_lost(lost);
  EXPECT_FALSE(raw.contains(*id));
  EXPECT_EQ(emitted<StreamActivity>().at(0).kind, StreamActivity::Kind::lost);
}

TEST_F(RawStreamsTest, IsNotGivenOnceItIsLostOrCancelled) {
  adopts(StreamId::make(Side::server, false, 1));
  for (const auto& [stream, lost] : index.take_all(connection.slot)) raw.on_lost(lost);
  EXPECT_TRUE(raw.consistent());
  raw.cancel(adopts(StreamId::make(Side::server, false, 2)));
  EXPECT_TRUE(raw.consistent());
  EXPECT_FALSE(raw.next());
}

TEST_F(RawStreamsTest, ACancelledOneIsResetBothWays) {
  const auto id = raw.open(connection, true);
  raw.cancel(*id);
  const FakeConnection::Stream& stream = transport.streams.rbegin()->second;
  EXPECT_TRUE(stream.reset_with);
  EXPECT_TRUE(stream.stopped_with);
  EXPECT_FALSE(raw.contains(*id));
}

TEST_F(RawStreamsTest, IsSweptWhenItStandsStill) {
  constexpr Duration kTimeout = 80s;
  EXPECT_EQ(raw.next_sweep(), kNever);
  const auto still = adopts(StreamId::make(Side::server, true, 1));
  const auto moves = adopts(StreamId::make(Side::server, true, 2));
  const auto ours = raw.open(connection, false);
  while (raw.next()) continue;
  for (Duration time{}; time < kTimeout + kTimeout / 8; time += kTimeout / 8) {
    EXPECT_TRUE(raw.contains(still));
    EXPECT_TRUE(raw.contains(*ours));
    EXPECT_EQ(raw.write(moves, Octets{1}), 1U);
    EXPECT_LE(raw.next_sweep(), now + time);
    raw.sweep(now + time, kTimeout);
  }
  EXPECT_FALSE(raw.contains(still));
  EXPECT_FALSE(raw.contains(*ours));
  EXPECT_TRUE(raw.contains(moves));
  const FakeConnection::Stream& stream = transport.streams[StreamId::make(Side::server, true, 1)];
  EXPECT_TRUE(stream.reset_with);
  EXPECT_TRUE(stream.stopped_with);
  const auto events = emitted_events();
  ASSERT_EQ(only<StreamActivity>(events).size(), 2U);
  EXPECT_EQ(only<StreamActivity>(events)[0].kind, StreamActivity::Kind::lost);
  ASSERT_EQ(only<IncomingInterrupted>(events).size(), 1U);
  EXPECT_EQ(only<IncomingInterrupted>(events)[0].why, "it stood still for too long");
  raw.cancel(moves);
  raw.sweep(now + 2 * kTimeout, kTimeout);
  EXPECT_EQ(raw.next_sweep(), kNever);
}

TEST_F(RawStreamsTest, WhatArrivedIsNotSweptBeforeItIsRead) {
  const StreamId stream = StreamId::make(Side::server, false, 1);
  const OperationId id = adopts(stream);
  const OperationId empty = adopts(StreamId::make(Side::server, false, 2), true);
  transport.receives(stream, {1}, true);
  for (Duration time{}; time < 10min; time += 10s) raw.sweep(now + time, 80s);
  EXPECT_TRUE(raw.contains(id));
  EXPECT_TRUE(raw.contains(empty));
  raw.consume(id, 1);
  EXPECT_FALSE(raw.contains(id));
  raw.consume(empty, 0);
}

TEST_F(RawStreamsTest, MayStandForEver) {
  const auto id = raw.open(connection, true);
  raw.sweep(now, Duration::max());
  EXPECT_EQ(raw.next_sweep(), kNever);
  EXPECT_TRUE(raw.contains(*id));
}

TEST(StreamIndex, NamesEachStreamOfEachConnection) {
  StreamIndex index;
  const OperationId first = index.new_id();
  const OperationId second = index.new_id();
  EXPECT_NE(first, second);
  index.add(0, {4}, first);
  index.add(3, {4}, second);
  EXPECT_EQ(index.find(0, {4}), first);
  EXPECT_EQ(index.find(3, {4}), second);
  EXPECT_EQ(index.find(1, {4}), std::nullopt);
  EXPECT_EQ(index.find(9, {4}), std::nullopt);
  index.remove(0, {4});
  EXPECT_EQ(index.take_all(3).size(), 1U);
  EXPECT_EQ(index.size(), 0U);
}

TEST(InboxBudget, ChargesEachPeerAndAll) {
  NodeConfig config;
  config.max_inbox_bytes = 100;
  config.max_inbox_total = 150;
  config.max_message_size = 40;
  const Account first{.peer = id_of(1), .network = address_of(1)};
  const Account second{.peer = id_of(2), .network = address_of(2)};
  InboxBudget budget(config);
  budget.charge(first, 90);
  EXPECT_EQ(budget.room(first, false), 10U);
  EXPECT_EQ(budget.room(second, false), 60U);
  budget.charge(first, 10);
  EXPECT_EQ(budget.room(first, false), 0U);
  EXPECT_EQ(budget.room(first, true), 50U);
  budget.charge(second, 60);
  EXPECT_TRUE(budget.is_full());
  EXPECT_EQ(budget.room(second, true), 40U);
  budget.charge(second, 30);
  EXPECT_EQ(budget.room(second, true), 0U);
  EXPECT_TRUE(budget.consistent());
  budget.discharge(first, 100);
  EXPECT_EQ(budget.charged_to(id_of(1)), 0U);
  EXPECT_EQ(budget.total(), 90U);
  EXPECT_TRUE(budget.consistent());
}

TEST(InboxBudget, ANetworkHasAShare) {
  NodeConfig config;
  config.max_inbox_bytes = 100;
  config.max_inbox_network = 120;
  config.max_inbox_total = 1'000;
  config.max_message_size = 40;
  const Account first{.peer = id_of(1), .network = address_of(1)};
  const Account neighbour{.peer = id_of(2), .network = address_of(1)};
  const Account stranger{.peer = id_of(3), .network = address_of(3)};
  InboxBudget budget(config);
  budget.charge(first, 100);
  EXPECT_EQ(budget.room(neighbour, false), 20U);
  EXPECT_EQ(budget.room(stranger, false), 100U);
  budget.charge(neighbour, 20);
  EXPECT_TRUE(budget.is_full(neighbour.network));
  EXPECT_TRUE(budget.is_full(neighbour));
  EXPECT_FALSE(budget.is_full(stranger));
  EXPECT_EQ(budget.room(neighbour, true), 40U) << "one message may go beyond";
  budget.charge(neighbour, 40);
  EXPECT_EQ(budget.room(neighbour, true), 0U);
  EXPECT_TRUE(budget.consistent());
  budget.discharge(first, 100);
  EXPECT_EQ(budget.charged_to(neighbour.network), 60U);
  EXPECT_TRUE(budget.consistent());
}

}  // namespace
}  // namespace qpeer::p2p
