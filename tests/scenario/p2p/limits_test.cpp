// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Limits of a node on what peers make it keep, each with a test that goes beyond it.
#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qpeer/p2p/stream_prefix.hpp"
#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"

namespace qpeer::sim {
namespace {

using p2p::ErrorCode;
using p2p::Role;

SIMULATE_PEERS(PeerLimits, NewcomersBeyondTheLimitAreTurnedAway) {
  SimPeerConfig config;
  config.node.max_unintroduced = 2;
  auto& node = network.node(config);
  MaliciousPeer attacker(network, {.introduces = false});
  for (int i = 0; i < 2; ++i) {
    auto& line = attacker.dial(node);
    ASSERT_TRUE(run_until([&] { return line.connected; }, 1s));
  }
  auto& third = attacker.dial(node);
  ASSERT_TRUE(run_until(attacker.closed_with(third, ErrorCode::too_many_links), 1s));
  EXPECT_EQ(third.closed->reason, "too many newcomers");
  EXPECT_EQ(node.node().stats().connections, 2U);
  // Who introduces itself makes room.
  attacker.send_control(attacker.lines.front(), attacker.introduction(attacker.lines.front()));
  run_for(500ms);
  auto& fourth = attacker.dial(node);
  run_for(500ms);
  EXPECT_TRUE(fourth.connected);
  EXPECT_FALSE(fourth.closed);
}

// Those who say nothing take the places of their own network only.
SIMULATE_PEERS(PeerLimits, NewcomersOfOneNetworkKeepNobodyElseOut) {
  SimPeerConfig config;
  config.node.max_unintroduced_network = 2;
  auto& node = network.node(config);
  MaliciousPeer attacker(network, {.introduces = false, .address = network.spread_address()});
  for (int i = 0; i < 2; ++i) {
    auto& line = attacker.dial(node);
    ASSERT_TRUE(run_until([&] { return line.connected; }, 1s));
  }
  auto& third = attacker.dial(node);
  ASSERT_TRUE(run_until(attacker.closed_with(third, ErrorCode::too_many_links), 1s));
  MaliciousPeer other(network, {.introduces = false, .address = network.spread_address()});
  auto& line = other.dial(node);
  run_for(500ms);
  EXPECT_TRUE(line.connected);
  EXPECT_FALSE(line.closed);
}

SIMULATE_PEERS(PeerLimits, LinksOfOneNetworkKeepNobodyElseOut) {
  SimPeerConfig config;
  config.node.max_links_network = 2;
  auto& node = network.node(config);
  const SocketAddress first = network.spread_address();
  const Bytes home = first.octets();
  std::deque<MaliciousPeer> hosts;
  for (u8 host = 100; host < 103; ++host) {
    MaliciousPeerConfig client;
    client.role = Role::client;
    client.address = SocketAddress::ipv4({home[0], home[1], home[2], host}, 4433);
    hosts.emplace_back(network, client);
  }
  const auto joins = [&](MaliciousPeer& client) {
    client.dial(node);
    return run_until([&] { return node.node().link(client.id()).has_value(); }, 5s);
  };
  EXPECT_TRUE(joins(hosts[0]));
  EXPECT_TRUE(joins(hosts[1]));
  auto& third = hosts[2].dial(node);
  EXPECT_TRUE(run_until(hosts[2].closed_with(third, ErrorCode::too_many_links), 5s));
  MaliciousPeerConfig elsewhere;
  elsewhere.role = Role::client;
  elsewhere.address = network.spread_address();
  MaliciousPeer other(network, elsewhere);
  EXPECT_TRUE(joins(other));
}

// A peer whose raw streams end with their first byte never has many open, so that no limit of the
// transport holds it back.
SIMULATE_PEERS(PeerLimits, RawStreamsThatTheApplicationDoesNotTakeAreNotReadWithoutEnd) {
  SimPeerConfig config;
  config.node.max_inbox_bytes = 16'384;
  config.node.max_message_size = 4'096;
  auto& node = network.node(config);
  MaliciousPeer attacker(network);
  ASSERT_TRUE(attacker.links(node));
  auto& line = attacker.lines.front();
  constexpr std::array<u8, 1> kEmpty{p2p::kRawStream};
  std::size_t opened = 0;
  for (int round = 0; round < 20; ++round) {
    while (const auto stream = attacker.opens(line, false)) {
      attacker.writes(line, *stream, Bytes(kEmpty), true);
      ++opened;
    }
    run_for(100ms);
  }
  EXPECT_LE(node.node().stats().inbox_bytes,
            config.node.max_inbox_bytes + config.node.max_message_size);
  const auto incoming = node.all<p2p::Incoming>().size();
  EXPECT_GE(incoming, 64U);
  EXPECT_LE(incoming, 80U) << "256 bytes each";
  EXPECT_LT(opened, 300U) << "flow control holds the sender back";
  std::size_t taken = 0;
  while (node.node().next_stream(network.now())) ++taken;
  EXPECT_EQ(taken, opened) << "what is taken makes room for what waits";
  EXPECT_EQ(node.node().stats().inbox_bytes, 0U);
}

// --- answers that are not read -------------------------------------------------------------------

constexpr std::size_t kKiB = 1 << 10;
constexpr std::size_t kMiB = 1 << 20;

/// A client, in another network than all before.
MaliciousPeerConfig client_elsewhere(PeerWorld& network) {
  MaliciousPeerConfig out;
  out.role = Role::client;
  out.address = network.spread_address();
  return out;
}

/// A client that asks so many times, and a node that gives 1 MiB for each question as soon as it has it.
struct Asking {
  Asking(PeerWorld& world, SimPeer& giver, MaliciousPeer& asker, std::size_t count)
      : network(world), node(giver), client(asker) {
    node.answers = false;
    auto& line = client.dial(node);
    if (!network.run_until([&] { return line.theirs.has_value(); }, 5s)) return;
    for (std::size_t i = 0; i < count; ++i) {
      const auto stream = client.opens(line, true);
      if (stream && client.writes(line, *stream, std::string_view("\0?", 2), true) == 2) ++asked;
    }
    answer();
    network.run_for(5s);
  }
  void answer() {
    while (const auto request = node.node().next_request(network.now())) {
      if (node.node().reply(network.now(), request->id, std::vector<u8>(kMiB))) ++answered;
    }
    node.wake();
    network.after(20ms, [this] { answer(); });
  }

  PeerWorld& network;
  SimPeer& node;
  MaliciousPeer& client;
  std::size_t asked = 0;
  std::size_t answered = 0;
};

SIMULATE_PEERS(PeerLimits, AnswersThatNobodyReadsAreBounded) {
  auto& node = network.node();
  MaliciousPeerConfig config = client_elsewhere(network);
  config.reads = false;
  config.connection.streams.stream_receive_window = 64 * kKiB;
  MaliciousPeer attacker(network, config);
  Asking asking(network, node, attacker, 60);
  ASSERT_EQ(asking.asked, 60U);
  EXPECT_EQ(asking.answered, 32U) << "a share of 32 MiB";
  // No other peer pays for it.
  auto& honest = network.client();
  honest.bootstraps({node});
  ASSERT_TRUE(run_until(honest.linked(node), 5s));
  honest.requests(node, "and I?");
  EXPECT_TRUE(run_until([&] { return honest.responses.size() == 1; }, 2s));
  // What is not read is given up. What the transport has taken of it, 192 KiB, has the time that it takes
  // at the least rate too.
  const Duration patience = node.config.node.message_timeout + 12s;
  run_for(patience - 10s);
  EXPECT_EQ(asking.answered, 33U);
  run_for(30s);
  EXPECT_EQ(asking.answered, 61U);
  run_for(2 * patience + 30s);  // Half of them waited for room in the connection.
  EXPECT_EQ(node.node().stats().outbox_bytes, 0U);
}

SIMULATE_PEERS(PeerLimits, WhoReadsLateGetsAllAnswers) {
  auto& node = network.node();
  MaliciousPeerConfig config = client_elsewhere(network);
  config.reads = false;
  config.connection.streams.stream_receive_window = 64 * kKiB;
  MaliciousPeer late(network, config);
  Asking asking(network, node, late, 60);
  ASSERT_EQ(asking.asked, 60U);
  EXPECT_EQ(asking.answered, 32U);
  late.reads_all(late.lines.front());
  EXPECT_TRUE(run_until([&] { return late.lines.front().received_whole.size() == 60; }, 60s))
      << late.lines.front().received_whole.size();
  EXPECT_EQ(asking.answered, 60U);
  run_for(1s);
  EXPECT_EQ(node.node().stats().outbox_bytes, 0U);
}

// --- messages that trickle -----------------------------------------------------------------------

// A byte each 30 seconds of requests that never get whole, from twelve networks.
SIMULATE_PEERS(PeerLimits, HalfSentRequestsDoNotKeepOthersOut) {
  SimPeerConfig config;
  config.node.max_message_size = 128 * kKiB;
  config.node.max_inbox_bytes = 256 * kKiB;
  config.node.max_inbox_total = 1 * kMiB;
  auto& node = network.node(config);
  std::deque<MaliciousPeer> attackers;
  std::vector<std::pair<MaliciousPeer*, StreamId>> halves;
  const std::string half(100 * kKiB, p2p::kMessageStream);
  for (int i = 0; i < 12; ++i) {
    MaliciousPeer& attacker = attackers.emplace_back(network, client_elsewhere(network));
    auto& line = attacker.dial(node);
    ASSERT_TRUE(run_until([&] { return line.theirs.has_value(); }, 5s));
    for (int k = 0; k < 3; ++k) {
      halves.emplace_back(&attacker, attacker.opens(line, true).value());
      attacker.writes(line, halves.back().second, half);
    }
  }
  std::function<void()> trickle = [&] {
    for (const auto& [attacker, stream] : halves) {
      attacker->writes(attacker->lines.front(), stream, "t");
    }
    network.after(30s, trickle);
  };
  trickle();
  auto& honest = network.client();
  honest.bootstraps({node});
  ASSERT_TRUE(run_until(honest.linked(node), 5s));
  run_for(10s);
  EXPECT_GE(node.node().stats().inbox_bytes, 512 * kKiB) << "the attack does not even begin";
  honest.requests(node, std::string(50 * kKiB, 'h'));
  EXPECT_TRUE(run_until([&] { return honest.responses.size() == 1; }, 30s));
  run_for(3min);
  EXPECT_EQ(node.node().stats().inbox_bytes, 0U) << "what trickles is given up";
}

}  // namespace
}  // namespace qpeer::sim
