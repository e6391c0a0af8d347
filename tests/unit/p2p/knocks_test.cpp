// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Knocks: strangers, and only strangers, are asked to knock; two knocks that are not heard are a proof.
#include "qpeer/p2p/knocks.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "qpeer/tests/unit/p2p/owners_fixture.hpp"

namespace qpeer::p2p {
namespace {

class KnocksTest : public OwnersFixture {
 protected:
  ~KnocksTest() override { EXPECT_TRUE(knocks.consistent()); }

  /// A node that dialled us, whose dial-back was proved.
  Peer& checked(u8 number) {
    Peer& peer = *peers.admit(now, id_of(number), Role::node);
    PeerConnection& inbound = connected(number, false);
    peers.attach_inbound(now, peer, inbound);
    posted_events();
    return peer;
  }
  /// A client that dialled us.
  Peer& visiting_client(u8 number) {
    Peer& peer = *peers.admit(now, id_of(number), Role::client);
    PeerConnection& inbound = connected(number, false, Role::client);
    peers.attach_inbound(now, peer, inbound);
    inbound.stage = PeerConnection::Stage::open;
    peers.update_link(now, peer);
    posted_events();
    return peer;
  }
  std::vector<KnockSent> told(const Peer& client) {
    return sent_on<KnockSent>(connections[client.inbound.front()]);
  }
  void begins(const Peer& peer) { knocks.begin(now, peer, address_of(peer.id.bytes()[0])); }
  /// What a helper was asked so far.
  std::vector<Knock> asked_of(const Peer& helper) {
    return sent_on<Knock>(connections[peers.best_connection(helper)]);
  }
  void answers(const Peer& helper, KnockStatus status) {
    knocks.on_knock_sent(now, connections[peers.best_connection(helper)],
                         {.token = asked_of(helper).back().token, .status = status});
  }
  void reports(const Peer& peer, const KnockToken& token) {
    knocks.on_knocked(now, connections[peer.inbound.front()],
                      {.token = token, .source = address_of(77)});
  }
  void time_passes(Duration time) {
    now += time;
    while (knocks.next_deadline() <= now) knocks.on_deadline(now);
  }
  std::optional<KnockOutcome> outcome() {
    const auto ended = posted<KnocksEnded>();
    EXPECT_LE(ended.size(), 1U);
    if (ended.empty()) return std::nullopt;
    return ended.back().outcome;
  }

  OwnAddress own_address{};
  Knocks knocks{random, queue, connections, peers, own_address};
};

TEST_F(KnocksTest, AKnockThatArrivesIsAProof) {
  const Peer& helper = linked(1);
  const Peer& peer = checked(2);
  begins(peer);
  const auto asked = asked_of(helper);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].address, address_of(2));
  answers(helper, KnockStatus::sent);
  EXPECT_EQ(outcome(), std::nullopt);
  reports(peer, asked[0].token);
  EXPECT_EQ(outcome(), KnockOutcome::heard);
  EXPECT_EQ(knocks.next_deadline(), kNever);
  reports(peer, asked[0].token);
  EXPECT_EQ(outcome(), std::nullopt) << "a token counts once";
}

TEST_F(KnocksTest, TheTokenMayBeFasterThanTheAnswer) {
  const Peer& helper = linked(1);
  const Peer& peer = checked(2);
  begins(peer);
  reports(peer, asked_of(helper).at(0).token);
  EXPECT_EQ(outcome(), KnockOutcome::heard);
  answers(helper, KnockStatus::sent);
  EXPECT_EQ(outcome(), std::nullopt);
}

TEST_F(KnocksTest, TwoKnocksOfTwoNodesThatAreNotHeardAreSilence) {
  const Peer& one = linked(1);
  const Peer& other = linked(3);
  const Peer& peer = checked(2);
  begins(peer);
  const bool one_first = !asked_of(one).empty();
  answers(one_first ? one : other, KnockStatus::sent);
  time_passes(Knocks::kAnswerTime - 1ms);
  EXPECT_EQ(asked_of(one).size() + asked_of(other).size(), 1U);
  time_passes(1ms);
  ASSERT_EQ(asked_of(one_first ? other : one).size(), 1U) << "the other one is asked";
  answers(one_first ? other : one, KnockStatus::sent);
  time_passes(Knocks::kAnswerTime);
  EXPECT_EQ(outcome(), KnockOutcome::silent);
}

TEST_F(KnocksTest, OneNodeKnocksTwiceWhenThereIsNoOther) {
  const Peer& helper = linked(1);
  const Peer& peer = checked(2);
  begins(peer);
  answers(helper, KnockStatus::sent);
  time_passes(Knocks::kAnswerTime);
  ASSERT_EQ(asked_of(helper).size(), 2U);
  EXPECT_NE(asked_of(helper)[0].token, asked_of(helper)[1].token);
  answers(helper, KnockStatus::sent);
  reports(peer, asked_of(helper)[0].token);
  EXPECT_EQ(outcome(), KnockOutcome::heard) << "late, and within the life of its token";
}

TEST_F(KnocksTest, ATokenDoesNotLiveLong) {
  const Peer& helper = linked(1);
  const Peer& peer = checked(2);
  begins(peer);
  const KnockToken token = asked_of(helper).at(0).token;
  now += Knocks::kTokenLife;
  reports(peer, token);
  EXPECT_EQ(outcome(), std::nullopt);
}

TEST_F(KnocksTest, ATokenIsOfOnePeerAndCountsOnItsOwnConnection) {
  const Peer& helper = linked(1);
  const Peer& peer = checked(2);
  const Peer& liar = checked(4);
  begins(peer);
  const KnockToken token = asked_of(helper).at(0).token;
  begins(liar);
  reports(liar, token);
  EXPECT_EQ(outcome(), std::nullopt) << "the token of another";
  reports(peer, {1, 2, 3});
  EXPECT_EQ(outcome(), std::nullopt) << "an invented one";
  knocks.on_knocked(now, connections[helper.outbound], {.token = token, .source = address_of(77)});
  EXPECT_EQ(outcome(), std::nullopt) << "told by the helper itself";
  reports(peer, token);
  EXPECT_EQ(outcome(), KnockOutcome::heard);
}

TEST_F(KnocksTest, AnotherNodeThanTheOneThatWasAskedCannotAnswer) {
  const Peer& helper = linked(1);
  const Peer& other = linked(3, Role::client);
  const Peer& peer = checked(2);
  begins(peer);
  const KnockToken token = asked_of(helper).at(0).token;
  knocks.on_knock_sent(now, connections[peers.best_connection(other)],
                       {.token = token, .status = KnockStatus::busy});
  EXPECT_EQ(outcome(), std::nullopt);
}

// No node is there that could: we only know that we reach the peer.
TEST_F(KnocksTest, WhoIsNoStrangerIsNotAsked) {
  linked(3, Role::client);
  minor = kMinorOfKnocks - 1;
  linked(4);
  minor = kProtocolMinor;
  Peer& neighbour = linked(5);
  neighbour.address = address_of(2).with_port(9);
  Peer& private_one = linked(6);
  private_one.address = SocketAddress::ipv4({192, 168, 1, 6}, 443);
  Peer& of_other_family = linked(7);
  of_other_family.address = SocketAddress::ipv6({0x2a, 1}, 443);
  const Peer& beside_us = linked(8);
  for (const u8 reporter : {u8{101}, u8{102}}) {
    (void)own_address.on_observed(now, id_of(reporter), address_of(reporter),
                                  beside_us.address.with_port(1));
  }
  ASSERT_TRUE(own_address.current());
  begins(checked(2));
  EXPECT_EQ(outcome(), KnockOutcome::no_helper);
}

TEST_F(KnocksTest, NodesThatKnowTheHostAreNoProof) {
  const Peer& one = linked(1);
  const Peer& other = linked(3);
  begins(checked(2));
  const bool one_first = !asked_of(one).empty();
  answers(one_first ? one : other, KnockStatus::knows_the_host);
  answers(one_first ? other : one, KnockStatus::busy);
  EXPECT_EQ(outcome(), KnockOutcome::no_helper);
}

TEST_F(KnocksTest, ANodeThatDoesNotAnswerIsNoProof) {
  linked(1);
  linked(3);
  begins(checked(2));
  time_passes(2 * Knocks::kAskTime);
  time_passes(Knocks::kAskTime);
  EXPECT_EQ(outcome(), KnockOutcome::no_helper);
}

TEST_F(KnocksTest, ARoundEndsInTime) {
  for (u8 number = 10; number < 40; ++number) linked(number);
  begins(checked(2));
  const Instant began = now;
  while (knocks.next_deadline() != kNever) {
    ASSERT_LE(knocks.next_deadline(), began + Knocks::kRoundTime);
    time_passes(knocks.next_deadline() - now);
  }
  EXPECT_EQ(outcome(), KnockOutcome::no_helper);
}

TEST_F(KnocksTest, NothingIsLeftAfterCancel) {
  const Peer& helper = linked(1);
  const Peer& peer = checked(2);
  begins(peer);
  knocks.cancel(peer);
  EXPECT_FALSE(knocks.is_under_way(peer));
  EXPECT_EQ(knocks.next_deadline(), kNever);
  reports(peer, asked_of(helper).at(0).token);
  answers(helper, KnockStatus::sent);
  EXPECT_EQ(outcome(), std::nullopt);
}

// --- clients -------------------------------------------------------------------------------------

TEST_F(KnocksTest, AClientIsToldOfEachKnockThatWasSent) {
  const Peer& helper = linked(1);
  const Peer& client = visiting_client(2);
  ASSERT_TRUE(knocks.admit_client(now, client, address_of(2)));
  knocks.begin_for_client(now, client, address_of(2));
  EXPECT_FALSE(knocks.is_under_way(client)) << "no check waits for it";
  answers(helper, KnockStatus::sent);
  time_passes(Knocks::kAnswerTime);
  answers(helper, KnockStatus::sent);
  ASSERT_EQ(told(client).size(), 2U);
  EXPECT_EQ(told(client)[0], (KnockSent{.token = asked_of(helper)[0].token}));
  EXPECT_EQ(told(client)[1], (KnockSent{.token = asked_of(helper)[1].token}));
  time_passes(Knocks::kAnswerTime);
  EXPECT_EQ(told(client).size(), 2U);
  EXPECT_EQ(outcome(), std::nullopt);
  EXPECT_EQ(knocks.next_deadline(), kNever);
}

TEST_F(KnocksTest, AClientThatHearsAKnockNeedsNoSecond) {
  const Peer& helper = linked(1);
  const Peer& client = visiting_client(2);
  ASSERT_TRUE(knocks.admit_client(now, client, address_of(2)));
  knocks.begin_for_client(now, client, address_of(2));
  answers(helper, KnockStatus::sent);
  reports(client, asked_of(helper).at(0).token);
  time_passes(Knocks::kRoundTime);
  EXPECT_EQ(asked_of(helper).size(), 1U);
  EXPECT_EQ(outcome(), std::nullopt);
}

// The client knows nothing of a token until we name it.
TEST_F(KnocksTest, AClientIsToldOfAKnockThatIsFasterThanTheAnswer) {
  const Peer& helper = linked(1);
  const Peer& client = visiting_client(2);
  ASSERT_TRUE(knocks.admit_client(now, client, address_of(2)));
  knocks.begin_for_client(now, client, address_of(2));
  const KnockToken token = asked_of(helper).at(0).token;
  reports(client, token);
  ASSERT_EQ(told(client).size(), 1U);
  EXPECT_EQ(told(client)[0], (KnockSent{.token = token}));
  answers(helper, KnockStatus::sent);
  EXPECT_EQ(told(client).size(), 1U);
}

TEST_F(KnocksTest, AClientIsToldThatThereIsNobodyToAsk) {
  const Peer& client = visiting_client(2);
  ASSERT_TRUE(knocks.admit_client(now, client, address_of(2)));
  knocks.begin_for_client(now, client, address_of(2));
  ASSERT_EQ(told(client).size(), 1U);
  EXPECT_EQ(told(client)[0].status, KnockStatus::busy);
}

TEST_F(KnocksTest, ClientsGetFewRounds) {
  linked(1);
  const Peer& one = visiting_client(2);
  ASSERT_TRUE(knocks.admit_client(now, one, address_of(2)));
  knocks.begin_for_client(now, one, address_of(2));
  EXPECT_FALSE(knocks.admit_client(now, one, address_of(2))) << "one at a time";
  EXPECT_FALSE(knocks.admit_client(now, visiting_client(3), address_of(2))) << "of one network";
  EXPECT_TRUE(knocks.admit_client(now, visiting_client(4), address_of(4)));
  EXPECT_FALSE(knocks.admit_client(now, visiting_client(5), address_of(5))) << "of all together";
  knocks.cancel(one);
  time_passes(Knocks::kClientInterval);
  EXPECT_TRUE(knocks.admit_client(now, one, address_of(2)));
}

}  // namespace
}  // namespace qpeer::p2p
