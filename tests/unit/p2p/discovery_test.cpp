// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Discovery: the first link wins, failures are named, and as many links are kept as there should be.
#include "qpeer/p2p/discovery.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/p2p/owners_fixture.hpp"

namespace qpeer::p2p {
namespace {

class DiscoveryTest : public OwnersFixture {
 protected:
  DiscoveryTest() : OwnersFixture(Role::client) {}
  ~DiscoveryTest() override { EXPECT_TRUE(discovery.consistent()); }

  static std::vector<Candidate> contacts(u8 count) {
    std::vector<Candidate> out;
    for (u8 i = 1; i <= count; ++i) {
      out.push_back({.address = address_of(i), .id = id_of(i), .server_name = {}});
    }
    return out;
  }
  void bootstraps(u8 count) {
    discovery.bootstrap(now, contacts(count));
    discovery.continue_bootstrap(now);
  }
  /// Time passes until so many were dialled.
  void dials(std::size_t count) {
    while (source.dials.size() < count && discovery.next_deadline() != kNever) {
      now = discovery.next_deadline();
      discovery.on_deadline(now);
      discovery.continue_bootstrap(now);
    }
  }
  PeerConnection& attempt_to(u8 number) {
    PeerConnection* out = nullptr;
    connections.for_each([&](PeerConnection& connection) {
      if (connection.candidate.id == id_of(number)) out = &connection;
    });
    return *out;
  }
  Peer& succeeds(u8 number) {
    PeerConnection& attempt = attempt_to(number);
    introduced(attempt, number);
    discovery.on_answer(attempt);
    Peer& peer = *peers.admit(now, id_of(number), Role::node);
    peer.address = address_of(number);
    peers.attach_outbound(now, peer, attempt);
    discovery.on_link_ready(now, peer);
    return peer;
  }
  [[nodiscard]] LinkWentDown ended(u8 number, Duration lasted) const {
    return {.peer = id_of(number),
            .address = address_of(number),
            .up_since = now - lasted,
            .we_dialled = true};
  }
  void fails(u8 number) {
    PeerConnection& attempt = attempt_to(number);
    peers.retire(attempt, {});
    discovery.on_connection_ended(now, attempt, "it failed");
    discovery.continue_bootstrap(now);
  }

  Discovery discovery{config, random, queue, connections, peers, known, dialler};
};

TEST_F(DiscoveryTest, NoCandidatesIsAnErrorAtOnce) {
  bootstraps(0);
  const auto failed = emitted<BootstrapFailed>();
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_TRUE(failed[0].failures.empty());
}

TEST_F(DiscoveryTest, DialsOneAfterTheOtherWhileNoneAnswers) {
  bootstraps(3);
  EXPECT_EQ(source.dials.size(), 1U);
  dials(3);
  EXPECT_EQ(source.dials.size(), 3U);
  EXPECT_TRUE(discovery.consistent());
}

TEST_F(DiscoveryTest, TheFirstLinkWinsAndTheOthersAreLeft) {
  bootstraps(3);
  dials(3);
  succeeds(2);
  const auto won = emitted<Bootstrapped>();
  ASSERT_EQ(won.size(), 1U);
  EXPECT_EQ(won[0].peer, id_of(2));
  const auto ended = posted<ConnectionEnded>();
  ASSERT_EQ(ended.size(), 2U);
  for (const ConnectionEnded& one : ended) {
    EXPECT_EQ(one.end.closed_by_us, ErrorCode::not_needed);
    EXPECT_NE(connections[one.connection].candidate.id, id_of(2));
  }
}

TEST_F(DiscoveryTest, WhenAllFailEachIsNamedWithItsReason) {
  bootstraps(2);
  fails(1);
  fails(2);
  const auto failed = emitted<BootstrapFailed>();
  ASSERT_EQ(failed.size(), 1U);
  ASSERT_EQ(failed[0].failures.size(), 2U);
  EXPECT_EQ(failed[0].failures[0].why, "it failed");
}

TEST_F(DiscoveryTest, WhoIsLinkedAlreadyWinsWithoutADial) {
  linked(1);
  source.dials.clear();
  bootstraps(1);
  EXPECT_TRUE(source.dials.empty());
  EXPECT_EQ(emitted<Bootstrapped>().size(), 1U);
}

TEST_F(DiscoveryTest, ACancelledBootstrapClosesWhatItDialledAndEmitsNothing) {
  bootstraps(1);
  discovery.cancel_bootstrap(now);
  EXPECT_EQ(posted<ConnectionEnded>().size(), 1U);
  EXPECT_TRUE(emitted_events().empty());
  EXPECT_EQ(discovery.next_deadline(), kNever);
}

TEST_F(DiscoveryTest, KeepsAsManyLinksAsThereShouldBe) {
  config.target_links = 3;
  bootstraps(5);
  succeeds(1);
  dials(3);
  EXPECT_EQ(source.dials.size(), 3U);
  // Two are on their way, which is enough.
  for (int i = 0; i < 10; ++i) discovery.on_deadline(now += 1s);
  EXPECT_EQ(source.dials.size(), 3U);
}

TEST_F(DiscoveryTest, WithoutALinkItBootstrapsAgain) {
  bootstraps(2);
  Peer& peer = succeeds(1);
  peers.close_directions(now, peer, ErrorCode::none, "");
  peers.take_down(peer, "gone", false);
  discovery.on_link_down(now, ended(1, PeerTable::kSettledTime));
  EXPECT_EQ(discovery.next_deadline(), now);
  discovery.on_deadline(now);
  discovery.continue_bootstrap(now);
  EXPECT_EQ(source.dials.size(), 2U);
}

TEST_F(DiscoveryTest, WhoseLinkDidNotLastIsLeftAloneForAWhile) {
  bootstraps(2);
  Peer& peer = succeeds(1);
  peers.close_directions(now, peer, ErrorCode::none, "");
  peers.take_down(peer, "gone", false);
  discovery.on_link_down(now, ended(1, 1s));
  discovery.on_deadline(now);
  discovery.continue_bootstrap(now);
  ASSERT_EQ(source.dials.size(), 2U);
  EXPECT_EQ(source.dials.back().remote, address_of(2));
  discovery.cancel_bootstrap(now);
  source.dials.clear();
  bootstraps(2);  // Who asks for it gets it, the other one first.
  dials(2);
  ASSERT_EQ(source.dials.size(), 2U);
  EXPECT_EQ(source.dials.back().remote, address_of(1));
}

TEST_F(DiscoveryTest, WhoDialledUsOrWasLeftByUsIsNotLeftAlone) {
  bootstraps(2);
  Peer& peer = succeeds(1);
  peers.close_directions(now, peer, ErrorCode::none, "");
  peers.take_down(peer, "gone", false);
  LinkWentDown dialled_us = ended(1, 1s);
  dialled_us.we_dialled = false;
  LinkWentDown left = ended(1, 1s);
  left.we_ended = true;
  for (const LinkWentDown& event : {dialled_us, left}) {
    discovery.on_link_down(now, event);
    EXPECT_FALSE(known.is_paused(now, {.address = address_of(1)}));
  }
}

// As when a dial-back to it has become the outbound connection meanwhile.
TEST_F(DiscoveryTest, AnAttemptThatIsNotNeededWaitsForTheLinkThatThereIs) {
  bootstraps(1);
  PeerConnection& attempt = attempt_to(1);
  introduced(attempt, 1);
  Peer& peer = *peers.admit(now, id_of(1), Role::node);
  PeerConnection& other = connected(1, true);
  peer.outbound = other.slot;
  other.owner = peer.slot;
  discovery.on_superseded(now, attempt, peer);
  peers.close(now, attempt, ErrorCode::not_needed, "");
  discovery.on_connection_ended(now, attempt, "there is a link already");
  discovery.continue_bootstrap(now);
  EXPECT_TRUE(emitted<BootstrapFailed>().empty());
  EXPECT_TRUE(discovery.is_bootstrapping());
  peer.up = true;
  discovery.on_link_ready(now, peer);
  EXPECT_EQ(emitted<Bootstrapped>().size(), 1U);
  peer.up = false;
}

TEST_F(DiscoveryTest, AConnectionThatItOnlyWaitsForIsNotClosedWithTheBootstrap) {
  bootstraps(1);
  PeerConnection& attempt = attempt_to(1);
  introduced(attempt, 1);
  Peer& peer = *peers.admit(now, id_of(1), Role::node);
  PeerConnection& other = connected(1, true);
  peer.outbound = other.slot;
  other.owner = peer.slot;
  discovery.on_superseded(now, attempt, peer);
  discovery.cancel_bootstrap(now);
  EXPECT_FALSE(other.has_ended());
}

TEST_F(DiscoveryTest, AnAttemptWinsWithTheLinkThatAnotherConnectionMade) {
  bootstraps(1);
  const ConnectionSlot attempt = attempt_to(1).slot;
  Peer& peer = linked(1);
  discovery.on_link_ready(now, peer);
  EXPECT_EQ(emitted<Bootstrapped>().size(), 1U);
  EXPECT_TRUE(connections[attempt].has_ended());
}

TEST_F(DiscoveryTest, NothingIsDialledAfterShutDown) {
  bootstraps(2);
  succeeds(1);
  discovery.shut_down(now);
  EXPECT_EQ(discovery.next_deadline(), kNever);
}

TEST_F(DiscoveryTest, AsksForPeersAndLearnsWhomItIsNotWith) {
  Peer& peer = linked(1);
  PeerConnection& outbound = connections[peer.outbound];
  discovery.on_outbound_opened(outbound);
  EXPECT_EQ(sent_on<PeersRequest>(outbound).size(), 1U);
  Peers answer;
  answer.peers.push_back({.id = id_of(1), .address = address_of(1)});
  answer.peers.push_back({.id = id_of(2), .address = address_of(2)});
  discovery.on_peers(now, outbound, answer);
  EXPECT_EQ(known.learned(), 1U);
}

TEST_F(DiscoveryTest, NoNodesAreLearnedThatNobodyAskedFor) {
  Peer& peer = linked(1);
  PeerConnection& outbound = connections[peer.outbound];
  const auto answer_with = [&](u8 number) {
    Peers answer;
    answer.peers.push_back({.id = id_of(number), .address = address_of(number)});
    discovery.on_peers(now, outbound, answer);
    return known.learned();
  };
  EXPECT_EQ(answer_with(2), 0U);
  discovery.on_outbound_opened(outbound);
  EXPECT_EQ(answer_with(2), 1U);
  EXPECT_EQ(answer_with(3), 1U) << "a question has one answer";
  // Who has no room for us names others instead.
  dialler.introduce(outbound);
  EXPECT_EQ(answer_with(3), 2U);
}

TEST_F(DiscoveryTest, NoNodesAreLearnedOnAConnectionThatThePeerDialled) {
  Peers answer;
  answer.peers.push_back({.id = id_of(2), .address = address_of(2)});
  discovery.on_peers(now, connected(1, false), answer);
  EXPECT_EQ(known.learned(), 0U);
}

TEST_F(DiscoveryTest, OnlyNodesAnswerWhoAsksForPeers) {
  PeerConnection& connection = connected(1, false);
  discovery.on_peers_request(now, connection, {.max = 5});
  EXPECT_TRUE(sent_on<Peers>(connection).empty());
  config.role = Role::node;
  discovery.on_peers_request(now, connection, {.max = 5});
  EXPECT_EQ(sent_on<Peers>(connection).size(), 1U);
}

TEST_F(DiscoveryTest, TheWinnerCountsAmongTheCandidatesThatWereTried) {
  bootstraps(1);
  succeeds(1);
  auto bootstrapped = emitted<Bootstrapped>();
  ASSERT_EQ(bootstrapped.size(), 1U);
  EXPECT_EQ(bootstrapped[0].tried, 1U);
}

TEST_F(DiscoveryTest, FailedOnesAndThoseOnTheirWayWereTriedToo) {
  bootstraps(5);
  dials(3);
  fails(1);
  succeeds(2);
  auto bootstrapped = emitted<Bootstrapped>();
  ASSERT_EQ(bootstrapped.size(), 1U);
  EXPECT_EQ(bootstrapped[0].tried, source.dials.size());
}

}  // namespace
}  // namespace qpeer::p2p
