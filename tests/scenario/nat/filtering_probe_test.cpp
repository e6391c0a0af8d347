// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A client has a node find out whom its NAT or firewall lets in.
#include <optional>
#include <string>
#include <vector>

#include "qpeer/p2p/filtering_probe.hpp"
#include "qpeer/p2p/knocks.hpp"
#include "qpeer/tests/scenario/nat/nat_places.hpp"
#include "qpeer/tests/scenario/p2p/malicious_peer.hpp"

namespace qpeer::sim {
namespace {

using p2p::FilteringFound;
using p2p::FilteringProbe;
using p2p::KnockSent;
using p2p::KnockStatus;
using p2p::PeerError;

/// A node and `helpers` others that are linked to it.
struct Neighbours {
  explicit Neighbours(PeerWorld& world, int helpers = 1)
      : node(world.node(at(world.spread_address()))) {
    for (int i = 0; i < helpers; ++i) {
      other = &world.node(at(world.spread_address()));
      EXPECT_TRUE(world.links(*other, node));
    }
  }
  SimPeer& node;
  SimPeer* other = nullptr;
};

/// A client in that place, linked to the node.
SimPeer& client_in(PeerWorld& world, const Place& place, const Neighbours& there) {
  SimPeerConfig config = at(address_at(world, place), "client in " + place.name);
  config.node.exchange_peers = false;  // It writes to nobody else.
  config.node.target_links = 1;
  auto& client = world.client(config);
  settle(world, client, place);
  client.bootstraps({there.node});
  EXPECT_TRUE(world.run_until(client.linked(there.node), 4s)) << place.name;
  return client;
}

std::optional<FilteringFound> found_by(PeerWorld& world, SimPeer& client, const SimPeer& node) {
  const std::size_t before = client.all<FilteringFound>().size();
  EXPECT_TRUE(client.node().probe_filtering(world.now(), node.id()));
  client.wake();
  world.run_until([&] { return client.all<FilteringFound>().size() > before; }, 2'300ms);
  const auto all = client.all<FilteringFound>();
  return all.size() > before ? std::optional(all.back()) : std::nullopt;
}

struct Expected {
  Place place;
  bool other_port;
  bool strangers;
};

SIMULATE_PEERS(FilteringProbe, OneNodeAndAnotherShowWhatABoxLetsIn) {
  const Neighbours there(network);
  const std::vector<Expected> all{
      {{"N", {}}, true, true},
      {{"W", {firewall()}}, false, false},
      {{"F", {full_cone()}}, true, true},
      {{"R", {address_restricted()}}, true, false},
      {{"P", {port_restricted()}}, false, false},
      {{"S", {symmetric()}}, false, false},
      {{"F+R", {full_cone(), address_restricted()}}, true, false},
      {{"P+F", {port_restricted(), full_cone()}}, false, false},
  };
  for (const Expected& each : all) {
    SimPeer& client = client_in(network, each.place, there);
    const Instant begin = network.now();
    const auto found = found_by(network, client, there.node);
    ASSERT_TRUE(found.has_value()) << each.place.name;
    EXPECT_EQ(found->by, there.node.id());
    EXPECT_EQ(found->strangers, each.strangers) << each.place.name;
    if (!each.strangers) {
      EXPECT_EQ(found->other_port, each.other_port) << each.place.name;
    }
    EXPECT_LT(network.now() - begin, each.strangers ? 400ms : 1'600ms) << each.place.name;
    network.run_for(p2p::Knocks::kClientInterval);
  }
}

SIMULATE_PEERS(FilteringProbe, LossDoesNotMislead) {
  network.set_default_link({.delay = 25ms, .loss = 0.02});
  const Neighbours there(network, 2);
  for (int i = 0; i < 10; ++i) {
    const Place place{"F" + network.spread_address().to_string(), {full_cone()}};
    SimPeer& client = client_in(network, place, there);
    const auto found = found_by(network, client, there.node);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->strangers, true);
    network.run_for(p2p::Knocks::kClientInterval);
  }
}

// What a node alone shows is only the half.
SIMULATE_PEERS(FilteringProbe, WithoutAnotherNodeStrangersAreNotKnown) {
  const Neighbours there(network, 0);
  const auto open = found_by(network, client_in(network, {"F", {full_cone()}}, there), there.node);
  ASSERT_TRUE(open.has_value());
  EXPECT_EQ(open->other_port, true);
  EXPECT_EQ(open->strangers, std::nullopt);
  network.run_for(p2p::Knocks::kClientInterval);
  const auto closed =
      found_by(network, client_in(network, {"P", {port_restricted()}}, there), there.node);
  ASSERT_TRUE(closed.has_value());
  EXPECT_EQ(closed->other_port, false);
  EXPECT_EQ(closed->strangers, std::nullopt);
}

// A stranger is who was not written to.
SIMULATE_PEERS(FilteringProbe, ANodeThatTheClientWroteToIsNoStranger) {
  const Neighbours there(network);
  auto& client = network.client(at(kPrivate, "writes to both"));
  network.behind(address_restricted(), client);
  client.bootstraps({there.node});
  ASSERT_TRUE(run_until(client.linked(there.node), 4s));
  client.node().connect(network.now(), there.other->candidate());
  client.wake();
  ASSERT_TRUE(run_until(client.linked(*there.other), 4s));
  const auto found = found_by(network, client, there.node);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->other_port, true);
  EXPECT_EQ(found->strangers, std::nullopt);
}

// Two in two seconds, and one for a network.
SIMULATE_PEERS(FilteringProbe, ANodeDoesItSeldom) {
  const Neighbours there(network);
  std::vector<SimPeer*> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(&client_in(network, {"N" + std::to_string(i), {}}, there));
  }
  const auto knocks = [&] {
    return there.node.node().stats().knocks_sent + there.other->node().stats().knocks_sent;
  };
  const std::uint64_t before = knocks();
  for (SimPeer* client : clients) {
    ASSERT_TRUE(client->node().probe_filtering(network.now(), there.node.id()));
    EXPECT_EQ(client->node().probe_filtering(network.now(), there.node.id()),
              std::unexpected(PeerError::queue_full));
    client->wake();
  }
  network.run_for(1s);
  std::size_t tried = 0;
  for (SimPeer* client : clients) {
    const auto found = client->all<FilteringFound>();
    ASSERT_EQ(found.size(), 1U);
    tried += found[0].other_port.has_value() ? 1U : 0U;
  }
  EXPECT_EQ(tried, p2p::Knocks::kMaxClientRounds);
  EXPECT_LE(knocks() - before, 2 * tried);
}

SIMULATE_PEERS(FilteringProbe, ClientsThatAskAgainAndAgainGetLittle) {
  const Neighbours there(network);
  MaliciousPeerConfig config;
  config.address = network.spread_address();
  config.role = p2p::Role::client;
  MaliciousPeer client(network, config);
  auto& line = client.dial(there.node);
  ASSERT_TRUE(run_until([&] { return line.theirs.has_value(); }, 2s));
  const std::uint64_t before = there.node.node().stats().knocks_sent;
  for (int i = 0; i < 200; ++i) {
    client.send_control(line, p2p::KnockMe{});
    network.run_for(50ms);
  }
  EXPECT_LE(there.node.node().stats().knocks_sent - before, 6U) << "in ten seconds";
  EXPECT_GE(MaliciousPeer::received<KnockSent>(line).size(), 200U) << "each is answered";
}

// Tokens that the node did not name, and those of knocks from elsewhere, prove nothing.
SIMULATE_PEERS(FilteringProbe, ForgedKnocksDoNotMislead) {
  const Neighbours there(network);
  SimPeer& client = client_in(network, {"W", {firewall()}}, there);
  std::vector<u8> storage(p2p::kMaxStunSize);
  Writer out{storage};
  p2p::StunMessage{.message_class = p2p::StunClass::indication, .knock_token = p2p::KnockToken{1}}
      .encode(out);
  ASSERT_TRUE(client.node().probe_filtering(network.now(), there.node.id()));
  client.wake();
  const std::uint64_t before = client.node().stats().stun_ignored;
  for (int i = 0; i < 100; ++i) {
    network.run_for(10ms);
    client.node().on_datagram(
        network.now(), {.path = {.local = client.address(), .remote = network.spread_address()},
                        .payload = std::span(storage).first(out.size())});
  }
  ASSERT_TRUE(run_until([&] { return !client.all<FilteringFound>().empty(); }, 2'300ms));
  EXPECT_EQ(client.all<FilteringFound>()[0].strangers, false);
  EXPECT_EQ(client.node().stats().stun_ignored - before, 100 - FilteringProbe::kMaxKnocks);
}

// A node of before, or one that is not there any more.
SIMULATE_PEERS(FilteringProbe, WithoutAnAnswerNothingIsFound) {
  const Neighbours there(network);
  SimPeer& client = client_in(network, {"N", {}}, there);
  network.cuts(client.host(), there.node.host());
  const auto found = found_by(network, client, there.node);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->other_port, std::nullopt);
  EXPECT_EQ(found->strangers, std::nullopt);
  EXPECT_EQ(there.node.node().probe_filtering(network.now(), client.id()),
            std::unexpected(PeerError::wrong_role));
  EXPECT_EQ(client.node().probe_filtering(network.now(), there.other->id()),
            std::unexpected(PeerError::not_linked));
}

}  // namespace
}  // namespace qpeer::sim
