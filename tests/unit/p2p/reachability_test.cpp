// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Reachability: a node counts once it proved itself where we dialled it, and gets the verdict when it did not.
#include "qpeer/p2p/reachability.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "qpeer/tests/unit/p2p/owners_fixture.hpp"

namespace qpeer::p2p {
namespace {

using Stage = PeerConnection::Stage;

class ReachabilityTest : public OwnersFixture {
 protected:
  ~ReachabilityTest() override { EXPECT_TRUE(reachability.consistent()); }

  /// A node dialled us; we dial it back.
  Peer& comes(u8 number) {
    Peer& peer = *peers.admit(now, id_of(number), Role::node);
    PeerConnection& inbound = connected(number, false);
    dialler.introduce(inbound);
    peers.attach_inbound(now, peer, inbound);
    posted_events();
    reachability.on_inbound_attached(now, peer);
    return peer;
  }
  /// The connection of the dial-back to a peer.
  PeerConnection* dial_back_to(const Peer& peer) {
    PeerConnection* out = nullptr;
    connections.for_each([&](PeerConnection& connection) {
      if (connection.dial_back_for == peer.slot) out = &connection;
    });
    return out;
  }
  /// The peer brings the nonce that we gave it.
  void proves(Peer& peer) {
    PeerConnection& dial_back = *dial_back_to(peer);
    introduced(dial_back, peer.id.bytes()[0]);
    reachability.on_dial_back_introduced(now, dial_back);
    const Nonce nonce = connections[peer.inbound.front()].control.nonce();
    reachability.on_proof(now, dial_back, {.nonce = nonce});
    if (!posted<DialBackProved>().empty()) reachability.on_dial_back_proved(now, peer);
  }
  void dial_back_ends(Peer& peer, bool refused) {
    PeerConnection& dial_back = *dial_back_to(peer);
    peers.retire(dial_back, {});
    reachability.on_dial_back_ended(
        now, dial_back, {.why = {}, .may_retry = false, .refused = refused, .closed_by_us = {}});
  }
  std::optional<Verdict> last_verdict() {
    const auto verdicts = emitted<PeerVerdict>();
    if (verdicts.empty()) return std::nullopt;
    return verdicts.back().verdict;
  }

  OwnAddress own_address{};
  Knocks knocks{random, queue, connections, peers, own_address};
  Reachability reachability{config, queue, connections, peers, known, dialler, knocks};
};

TEST_F(ReachabilityTest, DialsBackFromTheOtherPortToWhatThePeerAdvertises) {
  const Peer& peer = comes(1);
  ASSERT_EQ(source.dials.size(), 1U);
  EXPECT_EQ(source.dials[0].port, Port::probe);
  EXPECT_EQ(source.dials[0].remote, address_of(1));
  ASSERT_NE(dial_back_to(peer), nullptr);
  EXPECT_EQ(connections[peer.inbound.front()].stage, Stage::verifying);
  EXPECT_EQ(reachability.stats().dial_backs, 1U);
}

TEST_F(ReachabilityTest, AProofMakesThePeerReachableAndIsAnsweredWithTheVerdict) {
  Peer& peer = comes(1);
  const ConnectionSlot inbound = peer.inbound.front();
  proves(peer);
  EXPECT_EQ(last_verdict(), Verdict::reachable);
  EXPECT_EQ(connections[inbound].stage, Stage::open);
  const auto told = sent_on<VerdictMessage>(connections[inbound]);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].verdict, Verdict::reachable);
  // Kept as the way to the peer, and worth remembering.
  EXPECT_TRUE(peer.has_outbound());
  EXPECT_NE(known.cache().find(id_of(1)), nullptr);
  EXPECT_NE(reachability.next_recheck(), kNever);
}

// Only what we were configured with says that we are on the internet, where no node of a private range
// is dialled.
TEST_F(ReachabilityTest, ANeighbourIsDialledBackUnlessWeAdvertiseAGlobalAddress) {
  const auto neighbour_comes = [&](u8 number) {
    Peer& peer = *peers.admit(now, id_of(number), Role::node);
    PeerConnection& inbound = connected(number, false);
    inbound.remote = SocketAddress::ipv4({192, 168, 1, number}, 443);
    dialler.introduce(inbound);
    peers.attach_inbound(now, peer, inbound);
    posted_events();
    reachability.on_inbound_attached(now, peer);
    return source.dials.size();
  };
  EXPECT_EQ(neighbour_comes(1), 1U);
  config.advertised = {address_of(5)};
  EXPECT_EQ(neighbour_comes(2), 1U);
  EXPECT_EQ(last_verdict(), Verdict::address_not_allowed);
}

// We were a stranger where we dialled the peer, which says nothing of where it is now.
TEST_F(ReachabilityTest, WhatStrangersReachIsOneAddress) {
  const auto is_open = [this](u8 number, const SocketAddress& dialled) {
    Peer& peer = *peers.admit(now, id_of(number), Role::node);
    peer.address = dialled;
    reachability.on_dialled(peer, false);
    PeerConnection& inbound = connected(number, false);
    dialler.introduce(inbound);
    peers.attach_inbound(now, peer, inbound);
    posted_events();
    reachability.on_inbound_attached(now, peer);
    proves(peer);
    return emitted<PeerVerdict>().back().by_strangers;
  };
  EXPECT_TRUE(is_open(1, address_of(1)));
  EXPECT_FALSE(is_open(2, address_of(2).with_port(9)));
  EXPECT_FALSE(is_open(3, address_of(33)));
  EXPECT_EQ(known.cache().find(id_of(1))->evidence, cache::Evidence::dialled_back);
  EXPECT_EQ(known.cache().find(id_of(2))->evidence, cache::Evidence::unproved);
}

TEST_F(ReachabilityTest, KnocksOfAnEarlierCheckProveNothing) {
  Peer& peer = comes(1);
  reachability.on_knock_me(connections[peer.inbound.front()]);
  proves(peer);
  EXPECT_EQ(posted<KnocksEnded>().size(), 1U) << "there is no helper";
  reachability.on_knocks_ended(now, peer, KnockOutcome::no_helper);
  EXPECT_EQ(last_verdict(), Verdict::reachable);
  now = reachability.next_recheck();
  reachability.on_recheck(now);
  ASSERT_NE(dial_back_to(peer), nullptr) << "it is checked again";
  for (const KnockOutcome late : {KnockOutcome::silent, KnockOutcome::heard}) {
    reachability.on_knocks_ended(now, peer, late);
    EXPECT_EQ(last_verdict(), std::nullopt);
  }
}

TEST_F(ReachabilityTest, AnotherNonceProvesNothing) {
  Peer& peer = comes(1);
  PeerConnection& dial_back = *dial_back_to(peer);
  introduced(dial_back, 1);
  reachability.on_proof(now, dial_back, {.nonce = {9}});
  EXPECT_TRUE(posted<DialBackProved>().empty());
  EXPECT_EQ(dial_back_to(peer), &dial_back);
}

TEST_F(ReachabilityTest, AProofOnAnotherConnectionProvesNothing) {
  const Peer& peer = comes(1);
  PeerConnection& other = connected(1, true);
  reachability.on_proof(now, other, {.nonce = connections[peer.inbound[0]].control.nonce()});
  EXPECT_TRUE(posted<DialBackProved>().empty());
}

TEST_F(ReachabilityTest, AnUnreachablePeerIsClosedWithTheVerdict) {
  Peer& peer = comes(1);
  const ConnectionSlot inbound = peer.inbound.front();
  dial_back_ends(peer, false);
  EXPECT_EQ(last_verdict(), Verdict::timed_out);
  EXPECT_EQ(connections[inbound].stage, Stage::closing);
  EXPECT_EQ(sent_on<VerdictMessage>(connections[inbound]).at(0).verdict, Verdict::timed_out);
  EXPECT_TRUE(peers.is_unused(peer));
  EXPECT_EQ(reachability.stats().failed, 1U);
  EXPECT_EQ(posted<PeerUnused>().size(), 1U);
}

TEST_F(ReachabilityTest, TheVerdictHasTheReasonOfTheFailure) {
  dial_back_ends(comes(1), true);
  EXPECT_EQ(last_verdict(), Verdict::refused);
  Peer& peer = comes(2);
  introduced(*dial_back_to(peer), 3);
  dial_back_ends(peer, false);
  EXPECT_EQ(last_verdict(), Verdict::another_peer_answered);
}

TEST_F(ReachabilityTest, APeerWithoutRoomForTheDialBackRefusedIt) {
  Peer& peer = comes(1);
  PeerConnection& dial_back = *dial_back_to(peer);
  introduced(dial_back, 1);
  peers.retire(dial_back, {});
  reachability.on_dial_back_ended(now, dial_back, {.why = "it has too many", .no_room = true});
  EXPECT_EQ(last_verdict(), Verdict::refused);
}

TEST_F(ReachabilityTest, NoAddressIsDialledThatIsNotAllowed) {
  config.advertised = {address_of(1)};
  comes(1);
  EXPECT_EQ(last_verdict(), Verdict::address_not_allowed);
  EXPECT_TRUE(source.dials.empty());
}

TEST_F(ReachabilityTest, OneDialBackAPeerAtATime) {
  Peer& peer = comes(1);
  comes(1);
  EXPECT_EQ(source.dials.size(), 1U);
  proves(peer);
  for (const ConnectionSlot inbound : peer.inbound) {
    EXPECT_EQ(connections[inbound].stage, Stage::open);
  }
}

TEST_F(ReachabilityTest, APeerThatWeReachedRecentlyIsNotDialledAgain) {
  Peer& peer = comes(1);
  proves(peer);
  posted_events();
  emitted_events();
  comes(1);
  EXPECT_EQ(source.dials.size(), 1U);
  EXPECT_EQ(last_verdict(), Verdict::reachable);
  now = reachability.next_recheck();
  reachability.on_recheck(now);
  EXPECT_EQ(source.dials.size(), 2U);
}

TEST_F(ReachabilityTest, APlaceInTheLimiterIsGivenBack) {
  for (int round = 0; round < 3; ++round) {
    Peer& peer = comes(1);
    reachability.forget(now, peer);
    EXPECT_EQ(dial_back_to(peer), nullptr);
    EXPECT_TRUE(reachability.consistent());
  }
}

TEST_F(ReachabilityTest, ManyWaitForTheirTurn) {
  for (int i = 0; i < 6; ++i) {
    Peer& peer = *peers.admit(now, id_of(static_cast<u8>(i + 1)), Role::node);
    PeerConnection& inbound = connected(static_cast<u8>(i + 1), false);
    inbound.remote = SocketAddress::ipv4({5, 9, 9, static_cast<u8>(i + 1)}, 443);
    peers.attach_inbound(now, peer, inbound);
    reachability.on_inbound_attached(now, peer);
  }
  EXPECT_EQ(source.dials.size(), config.dial_back_limits.max_in_flight_of_prefix);
  EXPECT_TRUE(reachability.consistent());
}

TEST_F(ReachabilityTest, WeProveOurselvesWithTheNonceOfTheConnectionThatWeDialled) {
  Peer& peer = *peers.admit(now, id_of(1), Role::node);
  peers.attach_outbound(now, peer, connected(1, true));
  PeerConnection& dial_back = connected(1, false);
  PeerConnection& stranger = connected(2, false);
  reachability.prove(peer);
  reachability.prove(peer);
  const auto sent = sent_on<Proof>(dial_back);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].nonce, (Nonce{1}));
  EXPECT_TRUE(sent_on<Proof>(stranger).empty());
}

TEST_F(ReachabilityTest, AVerdictOpensOurDirection) {
  Peer& peer = *peers.admit(now, id_of(1), Role::node);
  PeerConnection& outbound = connected(1, true);
  peers.attach_outbound(now, peer, outbound);
  EXPECT_EQ(outbound.stage, Stage::awaiting_verdict);
  reachability.on_verdict(now, outbound, {.verdict = Verdict::reachable, .address = {}});
  EXPECT_EQ(outbound.stage, Stage::open);
  EXPECT_EQ(emitted<ReachabilityVerdict>().size(), 1U);
}

TEST_F(ReachabilityTest, APeerThatRejectsUsAsANodeIsLeft) {
  Peer& peer = *peers.admit(now, id_of(1), Role::node);
  PeerConnection& outbound = connected(1, true);
  peers.attach_outbound(now, peer, outbound);
  reachability.on_verdict(now, outbound, {.verdict = Verdict::timed_out, .address = {}});
  EXPECT_TRUE(outbound.has_ended());
}

TEST_F(ReachabilityTest, ADialBackThatWeCannotSendIsNoFailureOfThePeer) {
  Peer& peer = comes(1);
  PeerConnection& dial_back = *dial_back_to(peer);
  const ConnectionEnd end{.why = "the system sends nothing", .is_our_failure = true};
  peers.retire(dial_back, end);
  reachability.on_dial_back_ended(now, dial_back, end);
  EXPECT_EQ(last_verdict(), Verdict::try_again_later);
}

TEST_F(ReachabilityTest, WhatWasNotBegunHasNotFailed) {
  source.refuses = transport::ConnectError::bad_address;
  comes(1);
  EXPECT_EQ(reachability.stats().dial_backs, 0U);
  EXPECT_EQ(reachability.stats().failed, 0U);
  source.refuses.reset();
  config.advertised = {address_of(2)};
  comes(2);
  EXPECT_EQ(reachability.stats().dial_backs, 0U);
  EXPECT_EQ(reachability.stats().failed, 0U);
}

TEST_F(ReachabilityTest, OneThatIsNotNeededAnyMoreHasNotFailed) {
  reachability.cancel(now, comes(1));
  EXPECT_EQ(reachability.stats().dial_backs, 1U);
  EXPECT_EQ(reachability.stats().failed, 0U);
}

}  // namespace
}  // namespace qpeer::p2p
