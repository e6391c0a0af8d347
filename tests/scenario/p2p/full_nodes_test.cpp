// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Nodes that have no room, and links that end as soon as they are up: neither counts as a success, and
// no node is dialled again without a pause.
#include <string>

#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"

namespace qpeer::sim {
namespace {

using p2p::ErrorCode;
using p2p::Role;

constexpr std::size_t kMostDialsInHalfAMinute = 12;

/// A node with room for one, which has it.
SimPeer& full_node(PeerWorld& network) {
  SimPeerConfig config;
  config.node.max_links = 1;
  config.node.exchange_peers = false;
  auto& node = network.node(config);
  auto& guest = network.client();
  EXPECT_TRUE(network.links(guest, node));
  return node;
}

SimPeerConfig in_role(Role role) {
  SimPeerConfig config;
  config.node.role = role;
  return config;
}

/// How many times its link to `other` came up.
std::size_t links_up_with(const SimPeer& peer, const PeerId& other) {
  std::size_t out = 0;
  for (const auto& up : peer.all<p2p::LinkUp>()) out += up.peer == other ? 1 : 0;
  return out;
}

SIMULATE_PEERS(FullNodes, ABootstrapGoesOnToTheNodeWithRoom) {
  for (const Role role : {Role::client, Role::node}) {
    SCOPED_TRACE(std::string(to_string(role)));
    auto& full = full_node(network);
    auto& roomy = network.node();
    auto& newcomer = network.peer(in_role(role));
    newcomer.bootstraps({full, roomy});
    ASSERT_TRUE(run_until([&] { return newcomer.bootstrapped_at.has_value(); }, 10s));
    EXPECT_EQ(newcomer.all<p2p::Bootstrapped>().at(0).peer, roomy.id());
    run_for(5s);
    EXPECT_EQ(links_up_with(newcomer, full.id()), 0U) << "the full node never accepted";
    EXPECT_TRUE(newcomer.losses.empty());
    EXPECT_TRUE(newcomer.is_linked_to(roomy));
    EXPECT_EQ(links_up_with(full, newcomer.id()), 0U);
  }
}

SIMULATE_PEERS(FullNodes, ABootstrapThatFindsNoRoomFailsWithThatReason) {
  for (const Role role : {Role::client, Role::node}) {
    SCOPED_TRACE(std::string(to_string(role)));
    auto& full = full_node(network);
    auto& newcomer = network.peer(in_role(role));
    newcomer.bootstraps({full});
    ASSERT_TRUE(run_until([&] { return !newcomer.bootstrap_failures.empty(); }, 10s));
    EXPECT_FALSE(newcomer.bootstrapped_at);
    const auto& failures = newcomer.bootstrap_failures[0].failures;
    ASSERT_EQ(failures.size(), 1U);
    EXPECT_NE(failures[0].why.find("too many"), std::string::npos) << failures[0].why;
    EXPECT_TRUE(newcomer.all<p2p::LinkUp>().empty());
    run_for(2s);
    EXPECT_EQ(newcomer.node().stats().connections, 0U);
  }
}

SIMULATE_PEERS(FullNodes, AConnectToOneFails) {
  for (const Role role : {Role::client, Role::node}) {
    SCOPED_TRACE(std::string(to_string(role)));
    auto& full = full_node(network);
    auto& newcomer = network.peer(in_role(role));
    newcomer.node().connect(network.now(), full.candidate());
    newcomer.wake();
    run_for(5s);
    EXPECT_EQ(newcomer.all<p2p::LinkFailed>().size(), 1U);
    EXPECT_TRUE(newcomer.all<p2p::LinkUp>().empty());
  }
}

SIMULATE_PEERS(FullNodes, ThatWeHaveNoRoomIsNoFailureOfTheOther) {
  SimPeerConfig config;
  config.node.max_links = 1;
  config.node.target_links = 1;
  config.node.exchange_peers = false;
  auto& first = network.node();
  auto& second = network.node();
  auto& client = network.client(config);
  ASSERT_TRUE(network.links(client, first));
  client.node().connect(network.now(), second.candidate());
  client.wake();
  run_for(3s);
  ASSERT_EQ(client.all<p2p::LinkFailed>().size(), 1U);
  EXPECT_EQ(client.all<p2p::LinkFailed>()[0].candidate.why, "we have too many links");
  ASSERT_NE(client.cache().find(second.id()), nullptr);
  EXPECT_EQ(client.cache().find(second.id())->failures, 0U);
}

// Before it closes the connection it names the nodes that it reached.
SIMULATE_PEERS(FullNodes, TellWhereThereMayBeRoom) {
  SimPeerConfig config;
  config.node.max_links = 1;
  auto& full = network.node(config);
  auto& roomy = network.node();
  ASSERT_TRUE(network.links(full, roomy));
  auto& newcomer = network.client();
  newcomer.bootstraps({full});
  ASSERT_TRUE(run_until([&] { return !newcomer.bootstrap_failures.empty(); }, 10s));
  EXPECT_EQ(newcomer.node().stats().candidates_learned, 1U);
  newcomer.bootstraps({full});
  EXPECT_TRUE(run_until(newcomer.linked(roomy), 10s));
}

// The node was good to us before, so it is in the cache, and it is the only one there.
SIMULATE_PEERS(FullNodes, AreDialledAgainWithAGrowingPause) {
  SocketAddress dialler;
  std::size_t first_flights = 0;
  network.on_send([&](const Passing& passing) {
    // The first flight of a dial is as long as a datagram must be.
    const bool initial = (passing.payload[0] & 0xf0) == 0xc0 && passing.payload.size() >= 1'200;
    first_flights += initial && passing.from == dialler ? 1 : 0;
  });
  for (const Role role : {Role::client, Role::node}) {
    SCOPED_TRACE(std::string(to_string(role)));
    SimPeerConfig config;
    config.node.max_links = 1;
    config.node.exchange_peers = false;
    auto& node = network.node(config);
    auto& peer = network.peer(in_role(role));
    ASSERT_TRUE(network.links(peer, node));
    run_for(20s);
    node.restarts();
    auto& quicker = network.client();
    ASSERT_TRUE(network.links(quicker, node));
    first_flights = 0;
    dialler = peer.address();
    run_for(60s);
    EXPECT_LE(first_flights, 4 * kMostDialsInHalfAMinute);
    EXPECT_EQ(links_up_with(peer, node.id()), 1U) << "that of before";
  }
}

// It says yes and means no: the introduction is that of a node with room, and the end follows.
SIMULATE_PEERS(FullNodes, ALinkThatEndsAtOnceIsNotMadeAgainWithoutAPause) {
  MaliciousPeer fickle(network);
  fickle.on_message = [&](MaliciousPeer::Line& line, const p2p::ControlMessage& message) {
    if (line.dialled || !std::holds_alternative<p2p::Introduction>(message)) return;
    fickle.send_control(line, fickle.introduction(line));
    network.after(50ms, [&fickle, &line] {
      if (!line.closed) fickle.closes(line);
    });
  };
  auto& client = network.client();
  client.bootstraps({fickle.candidate()});
  ASSERT_TRUE(run_until(client.linked(), 5s));
  run_for(30s);
  EXPECT_GE(fickle.accepted().size(), 3U) << "it is not given up";
  EXPECT_LE(fickle.accepted().size(), kMostDialsInHalfAMinute);
}

SIMULATE_PEERS(FullNodes, OneThatThrowsUsOutIsDialledAgainWithAPause) {
  for (const Role role : {Role::client, Role::node}) {
    SCOPED_TRACE(std::string(to_string(role)));
    auto& node = network.node();
    auto& peer = network.peer(in_role(role));
    peer.bootstraps({node});
    for (int i = 0; i < 3'000; ++i) {
      run_for(10ms);
      if (!node.is_linked_to(peer)) continue;
      node.node().disconnect(network.now(), peer.id());
      node.wake();
    }
    EXPECT_GE(links_up_with(node, peer.id()), 3U) << "it is not given up";
    EXPECT_LE(links_up_with(node, peer.id()), kMostDialsInHalfAMinute);
  }
}

}  // namespace
}  // namespace qpeer::sim
