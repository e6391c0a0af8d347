// SPDX-License-Identifier: MIT OR BSD-3-Clause
// PeerTable: when a link is up, what a lost direction brings about, and that indexes agree.
#include "qpeer/p2p/peer_table.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/p2p/owners_fixture.hpp"

namespace qpeer::p2p {
namespace {

using Stage = PeerConnection::Stage;

class PeerTableTest : public OwnersFixture {
 protected:
  using OwnersFixture::OwnersFixture;

  /// Ends a connection as the transport does, and gives the peer what follows.
  void loses(ConnectionSlot slot, bool may_retry = true) {
    peers.retire(connections[slot],
                 {.why = "lost", .may_retry = may_retry, .refused = false, .closed_by_us = {}});
    for (const ConnectionEnded& ended : posted<ConnectionEnded>()) {
      if (ended.missed_by) {
        peers.on_direction_lost(now, *peers.find(*ended.missed_by), ended.end);
      }
      connections.erase(ended.connection);
    }
  }
};

class PeerTableOfClientTest : public PeerTableTest {
 protected:
  PeerTableOfClientTest() : PeerTableTest(Role::client) {}
};

TEST_F(PeerTableTest, ALinkOfNodesNeedsBothDirections) {
  Peer& peer = *peers.admit(now, id_of(1), Role::node);
  PeerConnection& outbound = connected(1, true);
  peers.attach_outbound(now, peer, outbound);
  EXPECT_EQ(outbound.stage, Stage::awaiting_verdict);
  outbound.peer_reached_us = true;
  peers.attach_outbound(now, peer, outbound);
  EXPECT_EQ(outbound.stage, Stage::open);
  EXPECT_FALSE(peer.up);
  PeerConnection& inbound = connected(1, false);
  peers.attach_inbound(now, peer, inbound);
  EXPECT_EQ(inbound.stage, Stage::verifying);
  EXPECT_FALSE(peer.up);
  inbound.stage = Stage::open;
  peers.update_link(now, peer);
  EXPECT_TRUE(peer.up);
  EXPECT_EQ(peers.links_up(), 1U);
  EXPECT_EQ(emitted<LinkUp>().size(), 1U);
  EXPECT_EQ(peers.best_connection(id_of(1)), outbound.slot);
}

TEST_F(PeerTableTest, AClientsConnectionIsALink) {
  Peer& peer = *peers.admit(now, id_of(1), Role::client);
  PeerConnection& inbound = connected(1, false, Role::client);
  peers.attach_inbound(now, peer, inbound);
  EXPECT_TRUE(peer.up);
  EXPECT_EQ(posted<ConnectionOpened>().size(), 1U);
  EXPECT_EQ(peers.best_connection(id_of(1)), inbound.slot);
}

TEST_F(PeerTableOfClientTest, WhatWeDialledIsALink) {
  EXPECT_TRUE(linked(1).up);
  EXPECT_EQ(peers.links_up(), 1U);
}

TEST_F(PeerTableTest, OfTooManyThatAPeerDialledTheOldestGoesAndIsNotMissed) {
  Peer& peer = linked(1);
  const ConnectionSlot oldest = peer.inbound.front();
  for (std::size_t i = 0; i < PeerTable::kMaxInbound; ++i) {
    peers.attach_inbound(now, peer, connected(1, false));
  }
  EXPECT_EQ(peer.inbound.size(), PeerTable::kMaxInbound);
  const auto ended = posted<ConnectionEnded>();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].connection, oldest);
  EXPECT_FALSE(ended[0].missed_by);
  EXPECT_TRUE(ended[0].had_owner);
}

TEST_F(PeerTableTest, AnotherInboundConnectionStartsALivenessCheckOfTheOutboundOne) {
  Peer& peer = linked(1);
  peers.attach_inbound(now, peer, connected(1, false));
  EXPECT_TRUE(connections[peer.outbound].liveness_check_pending);
  EXPECT_EQ(outbound_of(peer).pings, 1U);
  peers.attach_inbound(now, peer, connected(1, false));
  EXPECT_EQ(outbound_of(peer).pings, 1U);
}

TEST_F(PeerTableTest, NothingOfAnotherRoleIsKept) {
  Peer& peer = linked(1);
  EXPECT_EQ(peers.admit(now, id_of(1), Role::client), &peer);
  EXPECT_FALSE(peer.up);
  EXPECT_TRUE(peers.is_unused(peer));
  EXPECT_EQ(peers.links_up(), 0U);
  const auto events = posted_events();
  EXPECT_EQ(only<RoleChanged>(events).size(), 1U);
  const auto all = only<ConnectionEnded>(events);
  ASSERT_EQ(all.size(), 2U) << "both directions";
  for (const ConnectionEnded& ended : all) {
    EXPECT_FALSE(ended.missed_by);
    EXPECT_EQ(ended.end.closed_by_us, ErrorCode::replaced);
  }
}

TEST_F(PeerTableTest, ALinkThatLostThePeersDirectionEndsAfterSomeTime) {
  Peer& peer = linked(1);
  loses(peer.inbound.front());
  EXPECT_FALSE(peer.up);
  const auto down = emitted<LinkDown>();
  ASSERT_EQ(down.size(), 1U);
  EXPECT_TRUE(down[0].will_retry);
  now = peers.next_deadline();
  const ConnectionSlot outbound = peer.outbound;
  peers.on_deadline(now);
  EXPECT_TRUE(connections[outbound].has_ended());
  EXPECT_FALSE(peer.has_outbound());
}

TEST_F(PeerTableTest, ALinkThatLostOurDirectionAsksForAnotherWay) {
  Peer& peer = linked(1);
  peers.retire(connections[peer.outbound], {});
  posted_events();
  peers.on_direction_lost(now, peer, {});
  EXPECT_EQ(posted<OutboundLost>().size(), 1U);
}

TEST_F(PeerTableOfClientTest, DialsAgainAndGivesUpAfterSomeAttempts) {
  Peer& peer = linked(1);
  loses(peer.outbound);
  std::size_t attempts = 0;
  while (peers.next_deadline() != kNever) {
    ASSERT_LT(attempts, config.reconnect_attempts) << "it does not give up";
    now = peers.next_deadline();
    peers.on_deadline(now);
    ASSERT_EQ(posted<RetryDue>().size(), 1U);
    ++attempts;
    peers.on_retry_failed(now, peer, "no answer");
  }
  EXPECT_EQ(attempts, config.reconnect_attempts);
  EXPECT_EQ(posted<PeerUnused>().size(), 1U);
  EXPECT_TRUE(peers.is_unused(peer));
  const auto down = emitted<LinkDown>();
  ASSERT_EQ(down.size(), 2U);
  EXPECT_TRUE(down[0].will_retry);
  EXPECT_FALSE(down[1].will_retry);
}

TEST_F(PeerTableOfClientTest, ALinkThatDidNotLastDoesNotShortenTheWaits) {
  Peer& peer = linked(1);
  const auto comes_back = [&] {
    now = peers.next_deadline();
    peers.on_deadline(now);
    peers.attach_outbound(now, peer, connected(1, true));
    EXPECT_TRUE(peer.up);
    posted_events();
  };
  for (const Duration longest : {1s, 2s, 4s, 8s}) {
    loses(peer.outbound);
    EXPECT_GE(peers.next_deadline(), now + longest / 2);
    EXPECT_LE(peers.next_deadline(), now + longest);
    comes_back();
  }
  now += PeerTable::kSettledTime;
  loses(peer.outbound);
  EXPECT_LE(peers.next_deadline(), now + 1s);
}

TEST_F(PeerTableOfClientTest, WhoAskedForAConnectionThatIsNotNeededGetsTheLinkThatThereIs) {
  const Candidate by_id{.address = address_of(9), .id = id_of(1)};
  const Candidate by_address{.address = address_of(8)};
  Peer& peer = linked(1);
  PeerConnection& second = connected(1, true);
  second.requested = {by_id, by_address};
  peers.hand_over_requests(peer, second);
  EXPECT_TRUE(second.requested.empty());
  const auto up = emitted<LinkUp>();
  ASSERT_EQ(up.size(), 2U);
  EXPECT_EQ(up[0].address, address_of(1));
  EXPECT_EQ(up[1].address, address_of(8)) << "that is all the caller knows";
}

TEST_F(PeerTableTest, WhoAskedForAConnectionThatIsNotNeededWaitsForTheLink) {
  Peer& peer = *peers.admit(now, id_of(1), Role::node);
  peer.address = address_of(1);
  PeerConnection& outbound = connected(1, true);
  peers.attach_outbound(now, peer, outbound);
  PeerConnection& second = connected(1, true);
  second.requested = {{.address = address_of(1)}, {.address = address_of(8)}};
  peers.hand_over_requests(peer, second);
  EXPECT_TRUE(emitted<LinkUp>().empty());
  EXPECT_EQ(outbound.requested.size(), 2U);
  PeerConnection& inbound = connected(1, false);
  peers.attach_inbound(now, peer, inbound);
  inbound.stage = Stage::open;
  outbound.peer_reached_us = true;
  peers.attach_outbound(now, peer, outbound);
  const auto up = emitted<LinkUp>();
  ASSERT_EQ(up.size(), 2U);
  EXPECT_EQ(up[0].address, address_of(1));
  EXPECT_EQ(up[1].address, address_of(8));
  EXPECT_TRUE(outbound.requested.empty());
}

TEST_F(PeerTableOfClientTest, WhatWillNotComeBackIsAbandoned) {
  Peer& peer = linked(1);
  peers.retire(connections[peer.outbound],
               {.why = "over", .may_retry = false, .refused = false, .closed_by_us = {}});
  posted_events();
  peers.on_direction_lost(now, peer, {});
  EXPECT_EQ(posted<LinkAbandoned>().size(), 1U);
  EXPECT_EQ(peers.next_deadline(), kNever);
}

TEST_F(PeerTableOfClientTest, NoPeerIsDialledAgainAfterShutDown) {
  Peer& peer = linked(1);
  peers.shut_down();
  loses(peer.outbound);
  EXPECT_EQ(peers.next_deadline(), kNever);
}

TEST_F(PeerTableTest, HasRoomForSoManyPeers) {
  config.max_links = 2;
  EXPECT_NE(peers.admit(now, id_of(1), Role::node), nullptr);
  EXPECT_NE(peers.admit(now, id_of(2), Role::node), nullptr);
  EXPECT_EQ(peers.admit(now, id_of(3), Role::node), nullptr);
  EXPECT_NE(peers.admit(now, id_of(2), Role::node), nullptr);
  peers.erase(*peers.find(id_of(1)));
  EXPECT_EQ(peers.find(id_of(1)), nullptr);
  EXPECT_NE(peers.admit(now, id_of(3), Role::node), nullptr);
}

TEST_F(PeerTableTest, VisitorsOfOneNetworkHaveAShare) {
  config.max_links_network = 2;
  const auto visit = [this](u8 number, u8 network) {
    const auto from = SocketAddress::ipv4({192, 0, network, number}, 1);
    return peers.admit_visitor(now, id_of(number), Role::client, from);
  };
  EXPECT_NE(visit(1, 2), nullptr);
  EXPECT_NE(visit(2, 2), nullptr);
  EXPECT_EQ(visit(3, 2), nullptr);
  EXPECT_NE(visit(2, 2), nullptr) << "it is there already";
  EXPECT_NE(visit(4, 3), nullptr) << "another network";
  EXPECT_NE(peers.admit(now, id_of(3), Role::node), nullptr) << "we dialled it";
  EXPECT_TRUE(peers.consistent());
  peers.erase(*peers.find(id_of(1)));
  EXPECT_NE(visit(5, 2), nullptr);
  EXPECT_TRUE(peers.consistent());
}

TEST_F(PeerTableTest, PeersThatDialledUsLeavePlacesToPeersThatWeDial) {
  config.max_links = 8;
  for (u8 number = 1; number <= 7; ++number) {
    const auto from = SocketAddress::ipv4({192, 0, number, 1}, 1);
    EXPECT_NE(peers.admit_visitor(now, id_of(number), Role::client, from), nullptr);
  }
  EXPECT_EQ(peers.admit_visitor(now, id_of(8), Role::client, address_of(8)), nullptr);
  EXPECT_NE(peers.admit(now, id_of(8), Role::node), nullptr);
  EXPECT_EQ(peers.admit(now, id_of(9), Role::node), nullptr);
}

TEST_F(PeerTableTest, ClosingTwiceEndsOnce) {
  Peer& peer = linked(1);
  PeerConnection& connection = connections[peer.outbound];
  peers.close(now, connection, ErrorCode::timed_out, "first");
  peers.close(now, connection, ErrorCode::not_needed, "second");
  const auto ended = posted<ConnectionEnded>();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].missed_by, id_of(1));
  EXPECT_EQ(ended[0].end.why, "first");
  EXPECT_EQ(source.of(connection).closed_with, std::to_underlying(ErrorCode::timed_out));
}

TEST_F(PeerTableTest, GivingUpALinkIsAnEventAndNotRetried) {
  Peer& peer = linked(1);
  peers.close_directions(now, peer, ErrorCode::not_needed, "");
  peers.give_up(peer);
  EXPECT_TRUE(peers.is_unused(peer));
  const auto down = emitted<LinkDown>();
  ASSERT_EQ(down.size(), 1U);
  EXPECT_FALSE(down[0].will_retry);
  EXPECT_EQ(posted<PeerUnused>().size(), 1U);
}

}  // namespace
}  // namespace qpeer::p2p
