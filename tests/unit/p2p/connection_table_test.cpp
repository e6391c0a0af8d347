// SPDX-License-Identifier: MIT OR BSD-3-Clause
// ConnectionTable and VisitorLog: what is found is alive, counts agree, and memory is bounded.
#include "qpeer/p2p/connection_table.hpp"

#include <gtest/gtest.h>

#include "qpeer/p2p/visitor_log.hpp"
#include "qpeer/tests/unit/p2p/owners_fixture.hpp"

namespace qpeer::p2p {
namespace {

using ConnectionTableTest = OwnersFixture;

TEST_F(ConnectionTableTest, TwoPortsMayHaveTheSameHandle) {
  const transport::ConnectionHandle handle{7};
  const PeerConnection& first = connections.add(now, Port::first, handle);
  const PeerConnection& probe = connections.add(now, Port::probe, handle);
  EXPECT_EQ(connections.find(Port::first, handle), &first);
  EXPECT_EQ(connections.find(Port::probe, handle), &probe);
  EXPECT_EQ(connections.size(), 2U);
}

TEST_F(ConnectionTableTest, WhatHasEndedIsNotFoundButStaysUntilItIsErased) {
  PeerConnection& connection = connected(1, true);
  const ConnectionSlot slot = connection.slot;
  connections.set_deadline(connection, now);
  connections.end(connection);
  EXPECT_EQ(connections.find(connection.port, connection.handle), nullptr);
  EXPECT_EQ(connections.transport(connection), nullptr);
  EXPECT_EQ(connections.next_deadline(), kNever);
  EXPECT_EQ(connections[slot].peer, id_of(1));
  EXPECT_NE(connected(2, true).slot, slot);
  EXPECT_TRUE(connections.consistent());
  connections.erase(slot);
  EXPECT_EQ(connections.size(), 1U);
}

TEST_F(ConnectionTableTest, GivesEachDeadlineOnceAndTheEarliestFirst) {
  PeerConnection& late = connected(1, true);
  PeerConnection& early = connected(2, true);
  connections.set_deadline(late, now + 2s);
  connections.set_deadline(early, now + 1s);
  EXPECT_EQ(connections.take_due(now), std::nullopt);
  EXPECT_EQ(connections.take_due(now + 2s), early.slot);
  EXPECT_EQ(connections.take_due(now + 2s), late.slot);
  EXPECT_EQ(connections.take_due(now + 2s), std::nullopt);
}

TEST_F(ConnectionTableTest, CountsANewcomerOnce) {
  PeerConnection& connection = connected(1, false);
  connections.set_newcomer(connection, true);
  connections.set_newcomer(connection, true);
  EXPECT_EQ(connections.newcomers().total(), 1U);
  connections.end(connection);
  EXPECT_EQ(connections.newcomers().total(), 0U);
}

TEST_F(ConnectionTableTest, CountsNewcomersByTheirNetworks) {
  for (const u8 host : {1, 2, 3}) {
    PeerConnection& connection = connected(host, false);
    connection.remote = SocketAddress::ipv4({192, 0, host == 3 ? u8{3} : u8{2}, host}, 1);
    connections.set_newcomer(connection, true);
  }
  EXPECT_EQ(connections.newcomers().of(SocketAddress::ipv4({192, 0, 2, 0}, 0)), 2U);
  EXPECT_EQ(connections.newcomers().of(SocketAddress::ipv4({192, 0, 3, 0}, 0)), 1U);
  EXPECT_TRUE(connections.consistent());
}

TEST_F(ConnectionTableTest, ClosesWithAReasonAfterThePeerHadTimeToReadIt) {
  PeerConnection& connection = connected(1, false);
  connections.close_with_reason(now, connection, ErrorCode::unreachable, "why");
  EXPECT_EQ(connection.stage, PeerConnection::Stage::closing);
  EXPECT_TRUE(source.of(connection).streams[kControl].finished);
  EXPECT_FALSE(source.of(connection).closed_with);
  EXPECT_EQ(connections.newcomers().total(), 1U);
  EXPECT_EQ(connections.take_due(now + 999ms), std::nullopt);
  EXPECT_EQ(connections.take_due(now + 1s), connection.slot) << "it can be closed now";
  EXPECT_EQ(connection.close_code, ErrorCode::unreachable);
  EXPECT_EQ(connection.close_reason, "why");
}

TEST(VisitorLog, RemembersWhoCameBefore) {
  VisitorLog log;
  const Instant now{100s};
  log.on_visit(now, address_of(1));
  EXPECT_TRUE(log.came_before(now + 1s, address_of(1), now + 1s));
  EXPECT_FALSE(log.came_before(now + 1s, address_of(1), now - 1s));
  EXPECT_FALSE(log.came_before(now + 1s, address_of(2), now + 1s));
  EXPECT_FALSE(log.came_before(now + VisitorLog::kVisitorTime, address_of(1), now + 1s));
  EXPECT_TRUE(log.consistent());
}

TEST(VisitorLog, AVisitThatIsRenewedIsAsOldAsTheFirst) {
  VisitorLog log;
  const Instant now{100s};
  log.on_visit(now, address_of(1));
  log.on_visit(now + 4min, address_of(1));
  EXPECT_TRUE(log.came_before(now + 8min, address_of(1), now));
  log.on_visit(now + 20min, address_of(1));
  EXPECT_FALSE(log.came_before(now + 21min, address_of(1), now + 19min));
}

TEST(VisitorLog, KeepsABoundedNumber) {
  VisitorLog log;
  for (std::uint32_t i = 0; i < 2 * VisitorLog::kMaxVisitors; ++i) {
    const auto high = static_cast<u8>(i >> 8);
    log.on_visit(Instant{1s}, SocketAddress::ipv4({5, high, static_cast<u8>(i), 1}, 443));
  }
  EXPECT_EQ(log.size(), VisitorLog::kMaxVisitors);
  EXPECT_TRUE(log.consistent());
}

}  // namespace
}  // namespace qpeer::p2p
