// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Pings: how many, and what becomes of them when the connection that they were sent on ends.
#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"

namespace qpeer::sim {
namespace {

using p2p::PeerError;
using p2p::Role;

constexpr int kMaxPings = 64;

/// So many as may be on their way; one more is refused.
void pings_as_often_as_allowed(PeerWorld& network, SimPeer& node, const PeerId& peer) {
  for (int i = 0; i < kMaxPings; ++i) ASSERT_TRUE(node.node().ping(network.now(), peer)) << i;
  const auto one_more = node.node().ping(network.now(), peer);
  ASSERT_FALSE(one_more);
  EXPECT_EQ(one_more.error(), PeerError::queue_full);
  node.wake();
}

SIMULATE_PEERS(Pings, AreBoundedOnAConnectionAndAllMoveToTheOneThatIsLeft) {
  auto& node = network.node();
  MaliciousPeer peer(network, {.verdict = {}});
  auto& line = peer.dial(node);
  ASSERT_TRUE(run_until([&] { return peer.verdict_on_us(line).has_value(); }, 5s));
  network.cuts_direction(node.host(), peer.host());
  // Our own way is not open yet, for want of a verdict.
  pings_as_often_as_allowed(network, node, peer.id());
  auto& back = *peer.accepted().at(0);
  peer.send_control(back, p2p::VerdictMessage{});
  ASSERT_TRUE(run_until([&] { return node.is_linked(); }, 1s));
  pings_as_often_as_allowed(network, node, peer.id());
  const Instant began = network.now();
  peer.closes(back);
  ASSERT_TRUE(run_until([&] { return !node.is_linked(); }, 1s));
  EXPECT_TRUE(node.all<p2p::Pong>().empty());
  run_for(300ms);
  const Duration silence = network.now() - began;
  network.pipe(node.host(), peer.host()).link.blocked = false;
  ASSERT_TRUE(run_until([&] { return node.all<p2p::Pong>().size() == 2 * kMaxPings; }, 10s))
      << node.all<p2p::Pong>().size() << " answers";
  for (const auto& pong : node.all<p2p::Pong>()) {
    EXPECT_GE(pong.round_trip, silence) << "from ping() on, whichever connection it went on";
  }
}

// The link does not miss the connection, but the application waits for the answers.
SIMULATE_PEERS(Pings, MoveWhenNewerConnectionsTakeThePlaceOfTheOldest) {
  auto& node = network.node();
  MaliciousPeer peer(network, {.role = Role::client});
  peer.dial(node);
  ASSERT_TRUE(run_until([&] { return node.is_linked(); }, 5s));
  for (int i = 0; i < 3; ++i) {
    auto& line = peer.dial(node);
    ASSERT_TRUE(run_until([&] { return line.theirs.has_value(); }, 5s));
  }
  // The answers on the oldest do not come back.
  network.pipe(peer.host(), node.host()).filter = {};
  pings_as_often_as_allowed(network, node, peer.id());
  peer.dial(node);
  ASSERT_TRUE(run_until([&] { return node.all<p2p::Pong>().size() == kMaxPings; }, 10s));
}

}  // namespace
}  // namespace qpeer::sim
