// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Two peers that dial each other, or one that dials the same peer twice, within milliseconds: there is
// one link, and each side that asked for it has it.
#include "qpeer/tests/scenario/p2p/world.hpp"

namespace qpeer::sim {
namespace {

SimPeerConfig alone() {
  SimPeerConfig config;
  config.node.target_links = 1;
  config.node.exchange_peers = false;
  return config;
}

p2p::Candidate without_id(const SimPeer& peer) { return {.address = peer.address()}; }

void connects(PeerWorld& network, SimPeer& from, const p2p::Candidate& to) {
  from.node().connect(network.now(), to);
  from.wake();
}

constexpr Duration kLongestApart = 120ms;
constexpr Duration kStep = 3ms;

SIMULATE_PEERS(CrossingDials, BothBootstrapsSucceed) {
  for (Duration apart{}; apart < kLongestApart; apart += kStep) {
    for (const bool knows_id : {true, false}) {
      auto& a = network.node(alone());
      auto& b = network.node(alone());
      a.bootstraps({knows_id ? b.candidate() : without_id(b)});
      run_for(apart);
      b.bootstraps({knows_id ? a.candidate() : without_id(a)});
      run_for(6s);
      EXPECT_TRUE(a.bootstrapped_at && b.bootstrapped_at) << apart.count() << ' ' << knows_id;
      EXPECT_TRUE(a.bootstrap_failures.empty()) << apart.count() << ' ' << knows_id;
      EXPECT_TRUE(b.bootstrap_failures.empty()) << apart.count() << ' ' << knows_id;
      EXPECT_TRUE(a.is_linked_to(b) && b.is_linked_to(a)) << apart.count() << ' ' << knows_id;
      EXPECT_EQ(a.node().stats().connections, 2U) << "one each way";
      a.crashes();
      b.crashes();
    }
  }
}

SIMULATE_PEERS(CrossingDials, BothConnectsSucceed) {
  for (Duration apart{}; apart < kLongestApart; apart += kStep) {
    for (const bool knows_id : {true, false}) {
      auto& a = network.node(alone());
      auto& b = network.node(alone());
      connects(network, a, knows_id ? b.candidate() : without_id(b));
      run_for(apart);
      connects(network, b, knows_id ? a.candidate() : without_id(a));
      run_for(6s);
      for (const SimPeer* each : {&a, &b}) {
        EXPECT_TRUE(each->all<p2p::LinkFailed>().empty()) << apart.count() << ' ' << knows_id;
        EXPECT_FALSE(each->all<p2p::LinkUp>().empty()) << apart.count() << ' ' << knows_id;
        EXPECT_TRUE(each->losses.empty());
      }
      a.crashes();
      b.crashes();
    }
  }
}

SIMULATE_PEERS(CrossingDials, TwoConnectsOfOneClientToOneNodeSucceed) {
  for (Duration apart{}; apart < kLongestApart; apart += kStep) {
    auto& node = network.node(alone());
    auto& client = network.client(alone());
    connects(network, client, without_id(node));
    run_for(apart);
    connects(network, client, without_id(node));
    run_for(6s);
    EXPECT_TRUE(client.all<p2p::LinkFailed>().empty()) << apart.count();
    EXPECT_EQ(client.node().stats().connections, 1U);
    client.crashes();
    node.crashes();
  }
}

SIMULATE_PEERS(CrossingDials, WhoIsLinkedAlreadyIsFoundByAddressToo) {
  for (const p2p::Role role : {p2p::Role::client, p2p::Role::node}) {
    auto& node = network.node(alone());
    SimPeerConfig config = alone();
    config.node.role = role;
    auto& peer = network.peer(config);
    ASSERT_TRUE(network.links(peer, node));
    const std::size_t before = peer.all<p2p::LinkUp>().size();
    connects(network, peer, without_id(node));
    run_for(2s);
    EXPECT_TRUE(peer.all<p2p::LinkFailed>().empty());
    const auto ups = peer.all<p2p::LinkUp>();
    ASSERT_EQ(ups.size(), before + 1);
    EXPECT_EQ(ups.back().address, node.address()) << "the address names the connect()";
    peer.bootstraps({without_id(node)});
    run_for(2s);
    EXPECT_TRUE(peer.bootstrap_failures.empty());
    EXPECT_EQ(peer.all<p2p::Bootstrapped>().size(), 2U);
    EXPECT_TRUE(peer.losses.empty());
    EXPECT_EQ(peer.node().stats().connections, role == p2p::Role::node ? 2U : 1U);
  }
}

// Its way to us is shut, so that nothing comes of the link that it began.
SIMULATE_PEERS(CrossingDials, AConnectThatWaitsForTheLinkOfAnotherDialFailsWithIt) {
  auto& a = network.node(alone());
  auto& b = network.node(alone());
  connects(network, a, without_id(b));
  connects(network, b, without_id(a));
  run_for(60ms);
  network.cuts(a.host(), b.host());
  run_for(60s);
  for (const SimPeer* each : {&a, &b}) {
    if (each->all<p2p::LinkUp>().empty()) {
      ASSERT_EQ(each->all<p2p::LinkFailed>().size(), 1U);
      EXPECT_FALSE(each->all<p2p::LinkFailed>()[0].candidate.candidate.id) << "as it was asked for";
    }
    EXPECT_EQ(each->node().stats().connections, 0U);
  }
}

}  // namespace
}  // namespace qpeer::sim
