// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Contacts that get other addresses, and attempts to reach them that are given up.
#include "qpeer/tests/scenario/p2p/world.hpp"

namespace qpeer::sim {
namespace {

SIMULATE_PEERS(Contacts, ThatHaveOtherAddressesNowAreDialledAtOnce) {
  SimPeerConfig alone;
  alone.node.exchange_peers = false;
  auto& seed = network.node(alone);
  auto& client = network.client(alone);
  client.bootstraps({seed});
  ASSERT_TRUE(run_until(client.linked(seed), 5s));
  const SocketAddress elsewhere = network.new_address();
  network.change_address(seed.host(), seed.address(), elsewhere);
  ASSERT_TRUE(run_until([&] { return !client.is_linked(); }, 120s));
  run_for(60s);
  EXPECT_FALSE(client.is_linked());
  EXPECT_TRUE(client.node().lacks_links());
  p2p::Candidate moved = seed.candidate();
  moved.address = elsewhere;
  client.node().update_contacts(network.now(), {moved});
  client.wake();
  EXPECT_TRUE(run_until(client.linked(seed), 2s));
}

SIMULATE_PEERS(Contacts, OfWhichNoneIsNewCauseNoDials) {
  SimPeerConfig alone;
  alone.node.exchange_peers = false;
  alone.node.target_links = 1;
  auto& seed = network.node(alone);
  auto& client = network.client(alone);
  EXPECT_FALSE(client.node().lacks_links()) << "nobody wants any";
  client.bootstraps({seed});
  ASSERT_TRUE(run_until(client.linked(seed), 5s));
  run_for(1s);
  EXPECT_FALSE(client.node().lacks_links());
  client.node().update_contacts(network.now(), {seed.candidate()});
  client.wake();
  run_for(5s);
  EXPECT_EQ(client.node().stats().connections, 1U);
}

SIMULATE_PEERS(Contacts, AnAttemptThatIsCancelledLeavesNothingAndEmitsNothing) {
  auto& seed = network.node();
  auto& client = network.client();
  const p2p::Candidate dead{.address = network.new_address(), .id = seed.id()};
  client.node().connect(network.now(), dead);
  client.node().connect(network.now(), seed.candidate());
  client.wake();
  run_for(5ms);
  EXPECT_EQ(client.node().stats().connections, 2U);
  client.node().cancel_connect(network.now(), dead);
  client.node().cancel_connect(network.now(), dead);
  client.wake();
  EXPECT_TRUE(run_until(client.linked(seed), 5s));
  run_for(5s);
  EXPECT_EQ(client.node().stats().connections, 1U);
  EXPECT_TRUE(client.all<p2p::LinkFailed>().empty());
}

SIMULATE_PEERS(Contacts, ALinkEndsTheDialsOfOtherAddressesOfItsPeer) {
  for (const p2p::Role role : {p2p::Role::client, p2p::Role::node}) {
    SimPeerConfig alone;
    alone.node.exchange_peers = false;
    auto& seed = network.node(alone);
    alone.node.role = role;
    auto& peer = network.peer(alone);
    const p2p::Candidate dead{.address = network.new_address(), .id = seed.id()};
    peer.node().connect(network.now(), dead);
    peer.node().connect(network.now(), seed.candidate());
    peer.wake();
    ASSERT_TRUE(run_until(peer.linked(seed), 5s));
    run_for(100ms);
    EXPECT_EQ(peer.node().stats().connections, role == p2p::Role::node ? 2U : 1U);
    run_for(30s);
    EXPECT_TRUE(peer.all<p2p::LinkFailed>().empty());
    ASSERT_NE(peer.cache().find(seed.id()), nullptr);
    EXPECT_EQ(peer.cache().find(seed.id())->failures, 0U) << "the peer is not to blame";
  }
}

SIMULATE_PEERS(Contacts, ADialThatNobodyAnswersSaysSo) {
  auto& client = network.client();
  const p2p::Candidate dead{.address = network.new_address(), .id = network.node().id()};
  client.node().connect(network.now(), dead);
  client.wake();
  ASSERT_TRUE(run_until([&] { return !client.all<p2p::LinkFailed>().empty(); }, 20s));
  EXPECT_EQ(client.all<p2p::LinkFailed>()[0].candidate.why, "no answer: nothing came from there");
}

// What a driver says of one change is one event.
SIMULATE_PEERS(NetworkChanges, AreReportedOnce) {
  auto& node = network.node();
  auto& client = network.client();
  const Path home{.local = client.address(), .remote = SocketAddress::ipv4({10, 0, 0, 254}, 0)};
  client.node().on_network(network.now(), home, {});
  client.bootstraps({node});
  ASSERT_TRUE(run_until(client.linked(node), 5s));
  client.node().on_network(network.now(), home, {});
  client.wake();
  run_for(1s);
  EXPECT_TRUE(client.all<p2p::NetworkChanged>().empty()) << "nothing changed";

  const SocketAddress mobile = network.new_address();
  client.node().on_local_address_gone(network.now(), network.new_address());
  client.node().on_network_changed(network.now());
  client.node().on_network(network.now(), {.local = mobile, .remote = home.remote}, {});
  client.wake();
  run_for(1s);
  const auto changes = client.all<p2p::NetworkChanged>();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].local, mobile);

  client.node().on_network(network.now(), {}, {});
  client.wake();
  run_for(1s);
  ASSERT_EQ(client.all<p2p::NetworkChanged>().size(), 2U);
  EXPECT_FALSE(client.all<p2p::NetworkChanged>()[1].local.valid());
}

}  // namespace
}  // namespace qpeer::sim
