// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Proofs that a node can be reached, hearsay about others, and what comes of lies.
#include <set>

#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"

namespace qpeer::sim {
namespace {

using p2p::ErrorCode;
using p2p::Role;
using p2p::Verdict;

constexpr SocketAddress public_address(u8 network, u8 host) {
  return SocketAddress::ipv4({network, 1, 1, host}, 4433);
}

SimPeerConfig at(const SocketAddress& address) {
  SimPeerConfig out;
  out.address = address;
  return out;
}

SIMULATE_PEERS(Proofs, AWrongNonceProvesNothing) {
  auto& node = network.node();
  MaliciousPeer attacker(network, {.proves = false});
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return attacker.accepted().size() == 1; }, 5s));
  attacker.send_control(*attacker.accepted()[0], p2p::Proof{.nonce = {1, 2, 3}});
  ASSERT_TRUE(run_until(attacker.closed_with(line, ErrorCode::unreachable), 10s));
  EXPECT_EQ(attacker.verdict_on_us(line), Verdict::another_peer_answered);
  EXPECT_EQ(node.cache().size(), 0U);
  EXPECT_EQ(node.node().stats().dial_backs_failed, 1U);
}

// Else nodes that cost nothing to make would take all places.
SIMULATE_PEERS(Proofs, ANodeThatCannotBeReachedLeavesNothing) {
  auto& node = network.node();
  auto& shut = network.node();
  network.shuts_out(node, shut);
  shut.bootstraps({node});
  ASSERT_TRUE(run_until([&] { return !shut.verdicts_on_us.empty(); }, 20s));
  EXPECT_NE(shut.verdicts_on_us[0].verdict, Verdict::reachable);
  run_for(1s);
  EXPECT_TRUE(node.node().links().empty());
  EXPECT_TRUE(shut.node().links().empty());
}

SIMULATE_PEERS(Proofs, OnTheConnectionThatIsToBeProvedIsNone) {
  auto& node = network.node();
  MaliciousPeer attacker(network, {.proves = false});
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return line.theirs.has_value(); }, 5s));
  attacker.send_control(line, p2p::Proof{.nonce = line.theirs->nonce});
  ASSERT_TRUE(run_until(attacker.closed_with(line, ErrorCode::unreachable), 10s));
  EXPECT_NE(attacker.verdict_on_us(line), Verdict::reachable);
  EXPECT_FALSE(node.is_linked());
}

SIMULATE_PEERS(Proofs, TheNonceOfAnotherPeerProvesNothing) {
  auto& node = network.node();
  MaliciousPeer honest(network);
  ASSERT_TRUE(honest.links(node));
  MaliciousPeer attacker(network, {.proves = false});
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return attacker.accepted().size() == 1; }, 5s));
  attacker.send_control(*attacker.accepted()[0],
                        p2p::Proof{.nonce = honest.lines[0].theirs.value().nonce});
  ASSERT_TRUE(run_until(attacker.closed_with(line, ErrorCode::unreachable), 10s));
  EXPECT_NE(attacker.verdict_on_us(line), Verdict::reachable);
}

SIMULATE_PEERS(Proofs, AnotherKeyAtTheAddressIsTold) {
  auto& node = network.node();
  MaliciousPeer attacker(network);
  // Somebody else at the same host.
  auto& other = network.node(at(attacker.address().with_port(7'000)));
  attacker.config.advertised = {other.address()};
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until(attacker.closed_with(line, ErrorCode::unreachable), 3s));
  EXPECT_EQ(attacker.verdict_on_us(line), Verdict::another_peer_answered);
  EXPECT_FALSE(node.is_linked());
  EXPECT_EQ(node.cache().size(), 0U);
}

SIMULATE_PEERS(Proofs, ARefusedDialBackIsTold) {
  auto& node = network.node();
  MaliciousPeer attacker(network, {.max_connections = 1});  // Which it uses up by dialling.
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until(attacker.closed_with(line, ErrorCode::unreachable), 3s));
  EXPECT_EQ(attacker.verdict_on_us(line), Verdict::refused);
  EXPECT_EQ(node.cache().size(), 0U);
}

SIMULATE_PEERS(Proofs, AnAddressElsewhereIsNotDialled) {
  auto& node = network.node(at(public_address(11, 1)));
  MaliciousPeerConfig config;
  config.address = public_address(12, 1);
  config.advertised = {public_address(13, 1)};
  MaliciousPeer attacker(network, config);
  bool dialled = false;
  network.on_send([&](const Passing& passing) { dialled |= passing.to == public_address(13, 1); });
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until(attacker.closed_with(line, ErrorCode::unreachable), 3s));
  EXPECT_EQ(attacker.verdict_on_us(line), Verdict::address_not_allowed);
  EXPECT_FALSE(dialled);
}

SIMULATE_PEERS(Proofs, WhoeverWasTurnedAwayMayComeAsAClient) {
  auto& node = network.node();
  MaliciousPeer attacker(network, {.proves = false});
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until(attacker.closed_with(line, ErrorCode::unreachable), 10s));
  attacker.config.role = Role::client;
  auto& again = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return node.is_linked(); }, 3s));
  EXPECT_FALSE(again.closed);
  EXPECT_EQ(node.cache().size(), 0U);
}

SIMULATE_PEERS(Proofs, WhoSaysThatWeCannotBeReachedIsLeft) {
  auto& node = network.node();
  MaliciousPeer attacker(network, {.verdict = Verdict::timed_out});
  node.bootstraps({attacker.candidate()});
  ASSERT_TRUE(run_until([&] { return !node.bootstrap_failures.empty(); }, 10s));
  ASSERT_EQ(node.verdicts_on_us.size(), 1U);
  EXPECT_EQ(node.verdicts_on_us[0].verdict, Verdict::timed_out);
  EXPECT_EQ(node.node().stats().connections, 0U);
}

// A node whose way in dies is told so, and its link ends; it comes back when the way is free.
SIMULATE_PEERS(Proofs, AreAskedForAgainAfterAnInterval) {
  SimPeerConfig strict;
  strict.node.recheck_interval = 60s;
  auto& judge = network.node(strict);
  auto& node = network.node();
  ASSERT_TRUE(network.links(node, judge));
  const std::size_t before = node.verdicts_on_us.size();
  run_for(65s);
  EXPECT_GT(node.verdicts_on_us.size(), before) << "it is looked after again";
  EXPECT_TRUE(node.is_linked_to(judge));
  network.shuts_out(judge, node);
  ASSERT_TRUE(
      run_until([&] { return node.verdicts_on_us.back().verdict == Verdict::timed_out; }, 67s));
  EXPECT_TRUE(run_until([&] { return !node.is_linked_to(judge); }, 5s));
  EXPECT_FALSE(judge.is_linked_to(node));
  EXPECT_FALSE(node.losses.empty());
}

// The peer may dial again; if it does not, the other direction is given up too.
SIMULATE_PEERS(Proofs, HalfALinkDoesNotLast) {
  auto& node = network.node();
  MaliciousPeer attacker(network);
  ASSERT_TRUE(attacker.links(node));
  auto& back = *attacker.accepted().at(0);
  attacker.closes(attacker.lines[0]);
  ASSERT_TRUE(run_until([&] { return !node.is_linked(); }, 1s));
  EXPECT_FALSE(back.closed);
  EXPECT_TRUE(run_until(attacker.closed_with(back, ErrorCode::timed_out), 11s));
  EXPECT_FALSE(node.node().link(attacker.id()));
}

// --- hearsay -------------------------------------------------------------------------------------

SIMULATE_PEERS(Hearsay, AFloodOfRequestsIsAnsweredOnceASecond) {
  auto& node = network.node();
  auto& other = network.node();
  ASSERT_TRUE(network.links(other, node));
  MaliciousPeer attacker(network, {.role = Role::client});
  auto& line = attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return line.theirs.has_value(); }, 5s));
  for (int i = 0; i < 1'000; ++i) {
    network.after(i * 10ms, [&] { attacker.send_control(line, p2p::PeersRequest{}); });
  }
  run_for(12s);
  EXPECT_FALSE(line.closed);
  const std::size_t answers = attacker.received<p2p::Peers>(line).size();
  EXPECT_GE(answers, 2U);
  EXPECT_LE(answers, 12U);
  EXPECT_LE(attacker.received<p2p::Peers>(line).at(0).peers.size(), p2p::kMaxPeers);
}

SIMULATE_PEERS(Hearsay, APublicPeerCannotSendUsIntoOurOwnNetwork) {
  auto& node = network.node(at(public_address(11, 1)));
  MaliciousPeerConfig config;
  config.address = public_address(12, 1);
  MaliciousPeer attacker(network, config);
  std::set<SocketAddress> dialled;
  network.on_send([&](const Passing& passing) {
    if (passing.from.same_host(node.address())) dialled.insert(passing.to);
  });
  const std::vector<SocketAddress> forbidden{
      SocketAddress::ipv4({127, 0, 0, 1}, 22),    SocketAddress::ipv4({10, 0, 0, 1}, 443),
      SocketAddress::ipv4({192, 168, 1, 1}, 443), SocketAddress::ipv4({169, 254, 1, 1}, 80),
      SocketAddress::ipv4({224, 0, 0, 1}, 443),   SocketAddress::ipv4({255, 255, 255, 255}, 443),
      SocketAddress::ipv4({100, 64, 1, 1}, 443)};
  const auto allowed = public_address(13, 1);
  attacker.on_message = [&](MaliciousPeer::Line& line, const p2p::ControlMessage& message) {
    if (std::holds_alternative<p2p::PeersRequest>(message)) {
      p2p::Peers answer;
      u8 number = 1;
      for (const auto& address : forbidden) {
        answer.peers.push_back({.id = PeerId{{number++}}, .address = address});
      }
      answer.peers.push_back({.id = PeerId{{number}}, .address = allowed});
      attacker.send_control(line, answer);
    } else if (std::holds_alternative<p2p::Introduction>(message) && !line.dialled) {
      attacker.send_control(line, attacker.introduction(line));
      attacker.send_control(line, p2p::VerdictMessage{});
      for (const auto& other : attacker.lines) {
        if (other.theirs && other.dialled) {
          attacker.send_control(line, p2p::Proof{.nonce = other.theirs->nonce});
        }
      }
    }
  };
  node.bootstraps({attacker.candidate()});
  run_for(100ms);
  attacker.dial(node);
  ASSERT_TRUE(run_until([&] { return node.is_linked(); }, 5s));
  run_for(60s);
  EXPECT_TRUE(dialled.contains(allowed)) << "the honest one of the list is looked at";
  for (const auto& address : forbidden) {
    EXPECT_FALSE(dialled.contains(address)) << address.to_string();
  }
}

SIMULATE_PEERS(Hearsay, WhatIsLearnedIsBounded) {
  auto& node = network.node();
  MaliciousPeer attacker(network);
  ASSERT_TRUE(attacker.links(node));
  auto& back = *attacker.accepted().at(0);
  for (std::uint32_t i = 0; i < 100; ++i) {
    p2p::Peers told;
    for (std::uint32_t k = 0; k < p2p::kMaxPeers; ++k) {
      const std::uint32_t n = i * 32 + k;
      const std::array<u8, 2> octets{static_cast<u8>(n >> 8), static_cast<u8>(n)};
      told.peers.push_back({.id = PeerId{{octets[0], octets[1], 1}},
                            .address = SocketAddress::ipv4({10, octets[0], octets[1], 7}, 4433)});
    }
    attacker.send_control(back, told);
    run_for(20ms);
  }
  // One question, one answer; some of it was dialled meanwhile.
  EXPECT_LE(node.node().stats().candidates_learned, p2p::kMaxPeers);
  EXPECT_GE(node.node().stats().candidates_learned, p2p::kMaxPeers / 2);
}

}  // namespace
}  // namespace qpeer::sim
