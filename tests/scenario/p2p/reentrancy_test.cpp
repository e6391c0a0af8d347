// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Peers that come and go at the worst moment, and inboxes that are full of halves.
#include <string>
#include <vector>

#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"
#include "qpeer/tests/sim/units.hpp"

namespace qpeer::sim {
namespace {

using p2p::ErrorCode;
using p2p::Verdict;

constexpr std::size_t kKiB = 1 << 10;

// Ending its dial-back is no reason to dial it again, nor to forget it twice.
SIMULATE_PEERS(WorstMoment, WhoLeavesWhileItIsDialledBackIsForgottenOnce) {
  SimPeerConfig config;
  config.node.reconnect_attempts = 0;
  auto& node = network.node(config);
  MaliciousPeer attacker(network, {.proves = false});
  for (int i = 0; i < 3; ++i) {
    auto& line = attacker.dial(node);
    ASSERT_TRUE(run_until([&] { return !attacker.accepted().empty() && line.theirs; }, 3s));
    run_for(200ms);
    attacker.closes(line);
    run_for(10s);
    EXPECT_TRUE(node.losses.empty()) << "it was never up";
    EXPECT_TRUE(node.node().links().empty());
    EXPECT_EQ(node.node().stats().connections, 0U);
  }
}

// Room for the newest is made without a verdict on the others in between.
SIMULATE_PEERS(WorstMoment, OneConnectionTooManyOfAPeerThatWeHaveNoWayTo) {
  SimPeerConfig config;
  config.node.dial_back_limits.burst = 1;
  config.node.dial_back_limits.interval = 1h;
  config.node.dial_back_limits.max_queued = 0;
  auto& node = network.node(config);
  MaliciousPeer attacker(network);
  ASSERT_TRUE(attacker.links(node));
  for (int i = 0; i < 3; ++i) {
    auto& line = attacker.dial(node);
    ASSERT_TRUE(run_until([&] { return attacker.verdict_on_us(line).has_value(); }, 3s));
  }
  for (MaliciousPeer::Line* line : attacker.accepted()) attacker.closes(*line);
  run_for(1s);
  ASSERT_FALSE(node.is_linked());
  attacker.config.advertised.emplace();
  auto& last = attacker.dial(node);
  EXPECT_TRUE(run_until(MaliciousPeer::closed_with(last, ErrorCode::unreachable), 5s));
  EXPECT_EQ(attacker.verdict_on_us(last), Verdict::address_not_allowed);
  run_for(5s);
  EXPECT_TRUE(node.node().links().empty());
  EXPECT_EQ(node.node().stats().connections, 0U);
}

SIMULATE_PEERS(FullInbox, AnswersThatFillItTogetherAllArrive) {
  auto& node = network.node();
  SimPeerConfig small;
  small.node.max_message_size = 64 * kKiB;
  small.node.max_inbox_bytes = 96 * kKiB;
  auto& client = network.client(small);
  client.bootstraps({node});
  ASSERT_TRUE(run_until(client.linked(node), 5s));
  for (int i = 0; i < 8; ++i) client.requests(node, std::string(60 * kKiB, 'r'));
  EXPECT_TRUE(run_until([&] { return client.responses.size() == 8; }, 20s))
      << client.responses.size() << " responses";
  EXPECT_TRUE(client.failed.empty());
  EXPECT_EQ(client.node().stats().inbox_bytes, 0U);
}

SIMULATE_PEERS(FullInbox, HalvesOfMessagesOfManyPeersDoNotBlockEachOther) {
  SimPeerConfig small;
  small.node.max_message_size = 64 * kKiB;
  small.node.max_inbox_bytes = 64 * kKiB;
  small.node.max_inbox_total = 128 * kKiB;
  auto& receiver = network.node(small);
  std::vector<SimPeer*> senders;
  for (int i = 0; i < 8; ++i) {
    senders.push_back(&network.node());
    senders.back()->bootstraps({receiver});
    ASSERT_TRUE(run_until(senders.back()->linked(receiver), 10s));
  }
  for (SimPeer* sender : senders) {
    for (int i = 0; i < 2; ++i) sender->sends(receiver, std::string(60 * kKiB, 'm'));
  }
  EXPECT_TRUE(run_until([&] { return receiver.messages.size() == 16; }, 20s))
      << receiver.messages.size() << " messages";
  for (const SimPeer* sender : senders) EXPECT_TRUE(sender->failed.empty());
  EXPECT_EQ(receiver.node().stats().inbox_bytes, 0U);
}

}  // namespace
}  // namespace qpeer::sim
