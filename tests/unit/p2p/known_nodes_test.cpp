// SPDX-License-Identifier: MIT OR BSD-3-Clause
// KnownNodes and Dialler: what is kept of others, whom we dial, and what is shown once.
#include "qpeer/p2p/known_nodes.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "qpeer/tests/unit/p2p/owners_fixture.hpp"

namespace qpeer::p2p {
namespace {

class KnownNodesTest : public OwnersFixture {
 protected:
  void reaches(u8 number) {
    PeerConnection& connection = connected(number, true);
    known.on_reached(now, connection, &source.of(connection), cache::Evidence::dialled);
  }
  static bool anybody(const Candidate& /*candidate*/) { return true; }
};
using DiallerTest = KnownNodesTest;

TEST_F(KnownNodesTest, LearnsEachAddressOnceAndNotOurselves) {
  known.learn(now, {.id = id_of(1), .address = address_of(1)}, address_of(9));
  known.learn(now, {.id = id_of(2), .address = address_of(1)}, address_of(9));
  known.learn(now, {.id = id_of(255), .address = address_of(3)}, address_of(9));
  EXPECT_EQ(known.learned(), 1U);
}

TEST_F(KnownNodesTest, NoAddressIsLearnedThatTheReportingPeerCannotReach) {
  const auto local = SocketAddress::ipv4({192, 168, 1, 1}, 443);
  known.learn(now, {.id = id_of(1), .address = local}, address_of(9));
  EXPECT_EQ(known.learned(), 0U);
  known.learn(now, {.id = id_of(1), .address = local}, SocketAddress::ipv4({192, 168, 1, 2}, 443));
  EXPECT_EQ(known.learned(), 1U);
}

TEST_F(KnownNodesTest, LearnsABoundedNumberTheNewestOnes) {
  for (u8 i = 0; i < 200; ++i) {
    known.learn(now, {.id = id_of(i), .address = address_of(i)}, address_of(i / 10));
  }
  EXPECT_EQ(known.learned(), KnownNodes::kMaxLearned);
  EXPECT_EQ(known.take_learned(now, anybody)->address, address_of(72));
}

TEST_F(KnownNodesTest, ThePeerThatNamesThemHasAShareOfWhatIsLearned) {
  for (u8 i = 0; i < 200; ++i) {
    // Many keys at one site are one teller.
    const auto by = address_of(220).with_port(static_cast<std::uint16_t>(1 + i));
    known.learn(now, {.id = id_of(i), .address = address_of(i)}, by);
  }
  EXPECT_EQ(known.learned(), KnownNodes::kMaxOfTeller);
  known.learn(now, {.id = id_of(201), .address = address_of(201)}, address_of(221));
  EXPECT_EQ(known.learned(), KnownNodes::kMaxOfTeller + 1);
  EXPECT_EQ(known.take_learned(now, anybody)->address, address_of(168)) << "its newest are kept";
}

TEST_F(KnownNodesTest, OfASiteFewAreLearnedAndDialledUntilOneAnswers) {
  const auto tell_of_site = [&] {
    for (u8 i = 1; i <= 100; ++i) {
      known.learn(now, {.id = id_of(i), .address = SocketAddress::ipv4({7, 7, 7, i}, 443)},
                  address_of(i));
    }
    return known.learned();
  };
  EXPECT_EQ(tell_of_site(), KnownNodes::kMaxOfSite);
  for (std::size_t i = 0; i < KnownNodes::kMaxOfSite; ++i) {
    EXPECT_TRUE(known.admit_hearsay(now, known.take_learned(now, anybody)->address));
  }
  EXPECT_EQ(tell_of_site(), 0U) << "no node was reached there";
  now += KnownNodes::kSiteRest - 1ns;
  EXPECT_EQ(tell_of_site(), 0U);
  now += 1ns;
  EXPECT_EQ(tell_of_site(), KnownNodes::kMaxOfSite);
  for (std::size_t i = 0; i < KnownNodes::kMaxOfSite; ++i) {
    EXPECT_TRUE(known.admit_hearsay(now, known.take_learned(now, anybody)->address));
  }
  PeerConnection& reached = connected(1, true);
  reached.remote = SocketAddress::ipv4({7, 7, 7, 1}, 443);
  known.on_reached(now, reached, &source.of(reached), cache::Evidence::dialled);
  EXPECT_EQ(tell_of_site(), KnownNodes::kMaxOfSite);
}

TEST_F(KnownNodesTest, HearsayIsDialledSlowlyAndOnce) {
  for (u8 i = 0; i < 100; ++i) {
    known.learn(now, {.id = id_of(i), .address = address_of(i)}, address_of(i));
  }
  const auto dials_all = [&] {
    std::size_t out = 0;
    while (const auto candidate = known.pick(now, {}, anybody, random)) {
      if (!known.admit_hearsay(now, candidate->address)) break;
      ++out;
    }
    return out;
  };
  EXPECT_EQ(dials_all(), static_cast<std::size_t>(KnownNodes::kHearsayBurst));
  EXPECT_EQ(known.learned(), 100U - KnownNodes::kHearsayBurst) << "what was dialled is forgotten";
  EXPECT_FALSE(known.take_learned(now, anybody));
  now += KnownNodes::kHearsayInterval;
  EXPECT_EQ(dials_all(), 1U);
  now += 1h;
  EXPECT_EQ(dials_all(), static_cast<std::size_t>(KnownNodes::kHearsayBurst));
}

TEST_F(KnownNodesTest, WhatIsReachedIsInTheCacheAndAChange) {
  EXPECT_FALSE(known.take_change());
  reaches(1);
  EXPECT_TRUE(known.take_change());
  EXPECT_FALSE(known.take_change());
  EXPECT_NE(known.cache().find(id_of(1)), nullptr);
  known.learn(now, {.id = id_of(1), .address = address_of(2)}, address_of(9));
  EXPECT_EQ(known.learned(), 0U);
}

TEST_F(KnownNodesTest, AClockThatIsNotSetYetGivesNoTimes) {
  cache::CacheEntry before{.id = id_of(1), .address = address_of(9)};
  before.first_reached = before.last_reached = 1'800'000'000;
  config.remembered = {before};
  KnownNodes in_1970{config, id_of(255)};
  for (const u8 number : {1, 2}) {
    PeerConnection& connection = connected(number, true);
    in_1970.on_reached(now, connection, &source.of(connection), cache::Evidence::dialled);
  }
  EXPECT_EQ(in_1970.cache().find(id_of(1))->address, address_of(1));
  EXPECT_EQ(in_1970.cache().find(id_of(1))->last_reached, 1'800'000'000);
  EXPECT_EQ(in_1970.cache().find(id_of(2))->last_reached, 0);
  config.unix_time_at_zero = UnixSeconds{1'900'000'000s};
  KnownNodes set{config, id_of(255)};
  PeerConnection& connection = connected(3, true);
  set.on_reached(now, connection, &source.of(connection), cache::Evidence::dialled);
  EXPECT_EQ(set.cache().find(id_of(3))->last_reached, 1'900'000'001);
}

TEST_F(KnownNodesTest, APausedCandidateIsNotPicked) {
  reaches(1);
  known.pause(now, address_of(1), random);
  EXPECT_FALSE(known.pick(now, {}, anybody, random));
  EXPECT_TRUE(known.pick(now + 1s, {}, anybody, random));
  known.pause(now + 1s, address_of(1), random);
  known.resume(address_of(1));
  EXPECT_FALSE(known.is_paused(now + 1s, {.address = address_of(1)}));
}

TEST_F(KnownNodesTest, AnotherNetworkEndsAllPauses) {
  for (const u8 number : {1, 2}) known.pause(now, address_of(number), random);
  known.resume_all();
  for (const u8 number : {1, 2}) {
    EXPECT_FALSE(known.is_paused(now, {.address = address_of(number)}));
  }
}

TEST_F(KnownNodesTest, CandidatesAreTheCacheThenContactsThenWhatWasLearned) {
  reaches(1);
  known.learn(now, {.id = id_of(3), .address = address_of(3)}, address_of(9));
  const auto all = known.candidates({{.address = address_of(2)}});
  ASSERT_EQ(all.size(), 3U);
  for (u8 i = 0; i < 3; ++i) EXPECT_EQ(all[i].address, address_of(static_cast<u8>(i + 1)));
  EXPECT_TRUE(all[0].from_cache);
}

TEST_F(KnownNodesTest, PicksACandidateOnceInAWhileAndContactsLast) {
  const std::vector<Candidate> contacts{{.address = address_of(2)}};
  reaches(1);
  EXPECT_EQ(known.pick(now, contacts, anybody, random)->address, address_of(1));
  EXPECT_EQ(known.pick(now, contacts, anybody, random)->address, address_of(2));
  EXPECT_FALSE(known.pick(now, contacts, anybody, random));
  EXPECT_TRUE(known.pick(now + KnownNodes::kTryAgain, contacts, anybody, random));
}

TEST_F(KnownNodesTest, AnswersWithOtherNodesThatWereReached) {
  for (u8 i = 1; i <= 3; ++i) reaches(i);
  known.on_failed(id_of(2));
  const Peers answer = known.answer(id_of(1), 10, random);
  ASSERT_EQ(answer.peers.size(), 1U);
  EXPECT_EQ(answer.peers[0].id, id_of(3));
  EXPECT_EQ(known.answer(id_of(9), 1, random).peers.size(), 1U);
}

TEST_F(KnownNodesTest, SecretsWaitAtTheConnectionUntilTheCacheHasAnEntry) {
  PeerConnection& connection = connected(1, true);
  known.on_session_ticket(connection, {1});
  known.on_session_ticket(connection, {2});
  known.on_new_token(connection, {3});
  known.on_reached(now, connection, &source.of(connection), cache::Evidence::dialled);
  const cache::CacheEntry& entry = *known.cache().find(id_of(1));
  EXPECT_EQ(entry.ticket, std::vector<u8>{2});
  EXPECT_EQ(entry.spare_ticket, std::vector<u8>{1});
  EXPECT_EQ(entry.address_token, std::vector<u8>{3});
  known.on_session_ticket(connection, {4});
  EXPECT_EQ(known.cache().find(id_of(1))->ticket, std::vector<u8>{4});
}

TEST_F(DiallerTest, DialsNeitherItselfNorAfterShutDown) {
  config.advertised = {address_of(5)};
  EXPECT_FALSE(dialler.dial(now, {.address = address_of(5)}, Purpose::link, Port::first));
  EXPECT_FALSE(
      dialler.dial(now, {.address = address_of(1), .id = id_of(255)}, Purpose::link, Port::first));
  dialler.shut_down();
  EXPECT_FALSE(dialler.dial(now, {.address = address_of(1)}, Purpose::link, Port::first));
  EXPECT_TRUE(source.dials.empty());
}

TEST_F(DiallerTest, HearsayIsDialledAsItIsAdmitted) {
  Candidate named{.address = address_of(1), .id = id_of(1), .server_name = {}};
  named.hearsay = true;
  std::size_t dialled = 0;
  for (u8 port = 1; port < 50; ++port) {
    named.address = address_of(1).with_port(port);
    dialled += dialler.dial(now, named, Purpose::link, Port::first) ? 1 : 0;
  }
  EXPECT_EQ(dialled, KnownNodes::kMaxOfSite);
  named.hearsay = false;
  EXPECT_TRUE(dialler.dial(now, named, Purpose::link, Port::first)) << "the user said so";
}

TEST_F(DiallerTest, WithPinnedTrustAnAddressWithoutAnIdIsNotDialled) {
  tls.mode = TrustMode::pinned;
  EXPECT_FALSE(dialler.dial(now, {.address = address_of(1)}, Purpose::link, Port::first));
  EXPECT_TRUE(
      dialler.dial(now, {.address = address_of(1), .id = id_of(1)}, Purpose::link, Port::first));
}

TEST_F(DiallerTest, UsesTheFirstPortWhenThereIsNoOther) {
  EXPECT_TRUE(dialler.dial(now, {.address = address_of(1)}, Purpose::probe, Port::probe));
  source.with_probe = false;
  EXPECT_TRUE(dialler.dial(now, {.address = address_of(1)}, Purpose::probe, Port::probe));
  ASSERT_EQ(source.dials.size(), 2U);
  EXPECT_EQ(source.dials[0].port, Port::probe);
  EXPECT_EQ(source.dials[1].port, Port::first);
  EXPECT_EQ(source.dials[0].options.connection.streams.max_streams_bidi, 1U);
}

TEST_F(DiallerTest, ShowsATicketOnceAndNotInADialBack) {
  reaches(1);
  PeerConnection& connection = connected(1, true);
  known.on_session_ticket(connection, {7});
  const Candidate candidate{.address = address_of(1), .id = id_of(1), .server_name = {}};
  EXPECT_TRUE(dialler.dial(now, candidate, Purpose::link, Port::probe));
  EXPECT_TRUE(dialler.dial(now, candidate, Purpose::link, Port::first));
  EXPECT_TRUE(dialler.dial(now, candidate, Purpose::link, Port::first));
  EXPECT_TRUE(source.dials[0].options.session_ticket.empty());
  EXPECT_EQ(source.dials[1].options.session_ticket, std::vector<u8>{7});
  EXPECT_TRUE(source.dials[2].options.session_ticket.empty());
}

TEST_F(DiallerTest, ReturnsTheErrorOfTheTransport) {
  source.refuses = transport::ConnectError::connection_limit;
  const auto dialled = dialler.dial(now, {.address = address_of(1)}, Purpose::link, Port::first);
  ASSERT_FALSE(dialled);
  EXPECT_EQ(dialled.error(), to_string(transport::ConnectError::connection_limit));
  EXPECT_EQ(connections.size(), 0U);
}

TEST_F(DiallerTest, IntroducesUsWithThePortThatWeListenOn) {
  PeerConnection& connection = connected(1, true);
  dialler.introduce(connection);
  const auto sent = sent_on<Introduction>(connection);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].role, Role::node);
  EXPECT_EQ(sent[0].nonce, connection.control.nonce());
  ASSERT_EQ(sent[0].advertised.size(), 1U);
  EXPECT_EQ(sent[0].advertised[0].port(), config.listen_port);
}

TEST_F(KnownNodesTest, RemembersABoundedNumberOfTriedCandidates) {
  std::vector<Candidate> contacts;
  for (std::size_t i = 0; i <= KnownNodes::kMaxTried; ++i) {
    contacts.push_back({.address = address_of(1).with_port(static_cast<std::uint16_t>(i + 1))});
  }
  std::set<SocketAddress> picked;
  for (std::size_t i = 0; i <= KnownNodes::kMaxTried; ++i) {
    const auto candidate = known.pick(now, contacts, anybody, random);
    ASSERT_TRUE(candidate);
    EXPECT_TRUE(picked.insert(candidate->address).second) << "none is picked again so soon";
    EXPECT_TRUE(known.consistent());
  }
  EXPECT_TRUE(known.pick(now, contacts, anybody, random)) << "the older ones are forgotten";
}

}  // namespace
}  // namespace qpeer::p2p
