// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Limits of a node on what peers make it keep, each with a test that goes beyond it.
#include <algorithm>
#include <array>

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

}  // namespace
}  // namespace qpeer::sim
