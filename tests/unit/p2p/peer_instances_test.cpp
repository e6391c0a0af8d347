// SPDX-License-Identifier: MIT OR BSD-3-Clause
// PeerTable with processes that share a key: which one an id names, and which node has the place.
#include <gtest/gtest.h>

#include "qpeer/tests/unit/p2p/owners_fixture.hpp"

namespace qpeer::p2p {
namespace {

using Stage = PeerConnection::Stage;

class PeerInstancesTest : public OwnersFixture {
 protected:
  /// A node that has both directions; a link comes of it unless another node of the key is linked.
  Peer& comes(u8 number, std::uint64_t instance) {
    Peer& peer = *peers.admit(now, PeerKey(id_of(number), instance), Role::node);
    PeerConnection& outbound = connected(number, true, Role::node, instance);
    outbound.peer_reached_us = true;
    peers.attach_outbound(now, peer, outbound);
    PeerConnection& inbound = connected(number, false, Role::node, instance);
    peers.attach_inbound(now, peer, inbound);
    inbound.stage = Stage::open;
    peers.update_link(now, peer);
    return peer;
  }
};

TEST_F(PeerInstancesTest, AClientBesideANodeIsAPeerOfItsOwn) {
  const Peer& node = linked(1, Role::node, 5);
  const Peer& client = linked(1, Role::client, 6);
  EXPECT_NE(&node, &client);
  EXPECT_TRUE(node.up);
  EXPECT_EQ(peers.links_up(), 2U);
  EXPECT_EQ(peers.find(id_of(1)), &node);
  const auto all = peers.all();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0], &node) << "the one that the id names comes first";
}

TEST_F(PeerInstancesTest, LinkEventsAreOfTheOneThatTheIdNames) {
  linked(1, Role::node, 5);
  Peer& client = *peers.admit(now, PeerKey(id_of(1), 6), Role::client);
  peers.attach_inbound(now, client, connected(1, false, Role::client, 6));
  EXPECT_TRUE(client.up);
  EXPECT_TRUE(emitted<LinkUp>().empty());
  peers.close_directions(now, client, ErrorCode::none, "");
  peers.give_up(client);
  EXPECT_TRUE(emitted<LinkDown>().empty());
}

TEST_F(PeerInstancesTest, ANodeTakesTheNameAndTheClientHasItBackWithTheEndOfTheNode) {
  const Peer& client = linked(1, Role::client, 6);
  Peer& node = comes(1, 5);
  EXPECT_EQ(peers.find(id_of(1)), &node);
  const auto events = emitted_events();
  EXPECT_EQ(only<LinkDown>(events).size(), 1U);
  ASSERT_EQ(only<LinkUp>(events).size(), 1U);
  EXPECT_EQ(only<LinkUp>(events)[0].role, Role::node);
  peers.close_directions(now, node, ErrorCode::none, "");
  peers.give_up(node);
  peers.erase(node);
  EXPECT_EQ(peers.find(id_of(1)), &client);
  const auto up = emitted<LinkUp>();
  ASSERT_EQ(up.size(), 1U);
  EXPECT_EQ(up[0].role, Role::client);
}

TEST_F(PeerInstancesTest, ASecondNodeWaitsAndIsRefusedWhenTheFirstAnswers) {
  Peer& first = linked(1, Role::node, 5);
  Peer& second = comes(1, 6);
  EXPECT_FALSE(second.up);
  EXPECT_TRUE(second.awaits_place);
  EXPECT_TRUE(connections[first.outbound].liveness_check_pending);
  EXPECT_EQ(outbound_of(first).pings, 1U);
  EXPECT_TRUE(posted<InstanceRefused>().empty());
  peers.on_alive(first);
  const auto refused = posted<InstanceRefused>();
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].peer, second.key());
}

TEST_F(PeerInstancesTest, ASecondNodeHasThePlaceOfOneThatDoesNotAnswer) {
  Peer& first = linked(1, Role::node, 5);
  Peer& second = comes(1, 6);
  posted_events();
  peers.retire(connections[first.outbound], {.why = "no answer"});
  peers.on_direction_lost(now, first, {.why = "no answer"});
  EXPECT_FALSE(first.up);
  EXPECT_TRUE(peers.is_unused(first));
  const auto free = posted<PlaceFree>();
  ASSERT_EQ(free.size(), 1U);
  EXPECT_EQ(free[0].peer, second.key());
  peers.update_link(now, second);
  EXPECT_TRUE(second.up);
  EXPECT_FALSE(second.awaits_place);
  EXPECT_EQ(peers.find(id_of(1)), &second);
}

TEST_F(PeerInstancesTest, WhoIsReachedWhereAnotherWasHasItsPlace) {
  Peer& first = linked(1, Role::node, 5);
  Peer& second = comes(1, 6);
  peers.on_reached_at(now, second, address_of(2));
  EXPECT_TRUE(first.up);
  peers.on_reached_at(now, second, address_of(1));
  EXPECT_FALSE(first.up);
  EXPECT_TRUE(peers.is_unused(first));
}

TEST_F(PeerInstancesTest, OneThatIsOnlyDialledAgainIsReplaced) {
  config.role = Role::client;
  Peer& peer = linked(1, Role::node, 5);
  peers.retire(connections[peer.outbound], {.why = "lost", .may_retry = true});
  peers.on_direction_lost(now, peer, {.why = "lost", .may_retry = true});
  EXPECT_NE(peer.retry_at, kNever);
  posted_events();
  EXPECT_EQ(peers.admit(now, PeerKey(id_of(1), 6), Role::node), &peer);
  EXPECT_EQ(peer.instance, 6U);
  EXPECT_EQ(posted<InstanceReplaced>().size(), 1U);
  EXPECT_EQ(peers.find(PeerKey(id_of(1), 5)), nullptr);
}

TEST_F(PeerInstancesTest, OfAKeySoManyProcessesHaveRoom) {
  for (std::uint64_t i = 1; i <= PeerTable::kMaxInstances; ++i) linked(1, Role::client, i);
  EXPECT_EQ(peers.admit(now, PeerKey(id_of(1), 99), Role::client), nullptr);
  for (const PeerSlot slot : peers.instances(id_of(1))) {
    EXPECT_TRUE(connections[peers[slot].inbound[0]].liveness_check_pending) << "it may be gone";
  }
  EXPECT_NE(peers.admit(now, PeerKey(id_of(2), 99), Role::client), nullptr);
}

}  // namespace
}  // namespace qpeer::p2p
