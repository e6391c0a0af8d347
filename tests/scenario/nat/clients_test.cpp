// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Clients behind NATs and firewalls: they need only that answers come back.
#include <set>

#include "qpeer/tests/scenario/nat/nat_places.hpp"

namespace qpeer::sim {
namespace {

/// What lies between the routers.
constexpr Link kInternet{.delay = 25ms, .loss = 0.02};

SIMULATE_PEERS(NatClients, BehindBoxesOfAllKindsRequestFromANode) {
  network.set_default_link(kInternet);
  auto& node = network.node(at(network.spread_address()));
  for (const Place& place : places()) {
    auto& client = network.client(at(address_at(network, place), place.name));
    settle(network, client, place);
    client.bootstraps({node});
    ASSERT_TRUE(run_until(client.linked(node), 4s)) << place.name;
    client.requests(node, "who am I?");
    EXPECT_TRUE(run_until([&] { return client.responses.size() == 1; }, 2s)) << place.name;
    EXPECT_EQ(node.asked.back().from, client.id()) << place.name;
  }
}

SIMULATE_PEERS(NatClients, BehindBoxesOfAllKindsReachANodeBehindAFullCone) {
  network.set_default_link(kInternet);
  auto& contact = network.node(at(network.spread_address()));
  auto& node = network.node(at(kPrivate, "the node"));
  Router& home = network.behind(full_cone(), node);
  node.bootstraps({contact});
  ASSERT_TRUE(run_until(node.linked(contact), 4s));
  for (const Place& place : places()) {
    auto& client = network.client(at(address_at(network, place), place.name));
    settle(network, client, place);
    client.bootstraps({{.address = home.outside(kPrivate.port()), .id = node.id()}});
    ASSERT_TRUE(run_until(client.linked(node), 4s)) << place.name;
    client.requests(node, "?");
    EXPECT_TRUE(run_until([&] { return client.responses.size() == 1; }, 2s)) << place.name;
  }
}

SIMULATE_PEERS(NatClients, OfTwoHomesWithTheSameAddressesAreTwoPeers) {
  auto& node = network.node(at(network.spread_address()));
  std::vector<SimPeer*> clients;
  for (const char* name : {"one", "two"}) {
    clients.push_back(&network.client(at(kPrivate, name)));
    network.behind(port_restricted(), *clients.back());
    clients.back()->bootstraps({node});
  }
  for (SimPeer* client : clients) ASSERT_TRUE(run_until(client->linked(node), 2s));
  for (SimPeer* client : clients) client->requests(node, "?");
  for (SimPeer* client : clients) {
    EXPECT_TRUE(run_until([&] { return client->responses.size() == 1; }, 1s));
  }
}

// All of them have the same internal port, so that all but one are seen with another.
SIMULATE_PEERS(NatClients, OfOneHomeShareItsAddress) {
  auto& node = network.node(at(network.spread_address()));
  Router& home = network.add_router(port_restricted());
  std::vector<SimPeer*> clients;
  for (u8 i = 2; i < 7; ++i) {
    clients.push_back(&network.client(at(SocketAddress::ipv4({192, 168, 1, i}, 4433))));
    network.behind(home, *clients.back());
    clients.back()->bootstraps({node});
  }
  for (SimPeer* client : clients) ASSERT_TRUE(run_until(client->linked(node), 2s));
  for (SimPeer* client : clients) client->requests(node, "?");
  for (SimPeer* client : clients) {
    EXPECT_TRUE(run_until([&] { return client->responses.size() == 1; }, 1s));
  }
}

SIMULATE_PEERS(NatClients, WhoseUdpIsBlockedGetAFailure) {
  auto& node = network.node(at(network.spread_address()));
  auto& client = network.client(at(kPrivate));
  network.behind(udp_blocked(), client);
  client.bootstraps({node});
  ASSERT_TRUE(run_until([&] { return !client.bootstrap_failures.empty(); }, 15s));
  EXPECT_FALSE(client.bootstrap_failures[0].failures.at(0).why.empty());
  EXPECT_EQ(client.node().stats().connections, 0U);
}

// --- idle and changing boxes ---------------------------------------------------------------------

// The keep-alive is one each 12 s: between two of them the mapping is gone.
constexpr Duration kShort = 8s;

/// Sends nothing but keep-alives while it is idle: it does not ask for more nodes.
SimPeerConfig quiet(SimPeerConfig config) {
  config.node.target_links = 1;
  config.node.exchange_peers = false;
  return config;
}

SIMULATE_PEERS(NatClients, OutliveMappingsThatAreShorterThanTheKeepAlive) {
  auto& node = network.node(quiet(at(network.spread_address())));
  std::set<SocketAddress> seen;
  network.on_delivery([&](const Passing& passing) {
    if (passing.to == node.address()) seen.insert(passing.from);
  });
  for (NatBoxConfig box : {firewall(), port_restricted(), symmetric()}) {
    box.timeout = kShort;
    const Place place{"short", {box}};
    auto& client =
        network.client(quiet(at(address_at(network, place), network.spread_address().to_string())));
    settle(network, client, place);
    client.bootstraps({node});
    ASSERT_TRUE(run_until(client.linked(node), 2s));
    seen.clear();
    run_for(5min);
    client.requests(node, "?");
    EXPECT_TRUE(run_until([&] { return client.responses.size() == 1; }, 1s));
    EXPECT_TRUE(client.losses.empty());
    if (box.ports == PortAssignment::random) {
      EXPECT_GT(seen.size(), 20U) << "each keep-alive came from another port";
    }
    client.leaves();
    run_for(10s);
  }
}

// The answer finds the box closed, and waits for the next keep-alive.
SIMULATE_PEERS(NatClients, GetAnswersThatComeWhenTheMappingIsGone) {
  auto& node = network.node(quiet(at(network.spread_address())));
  node.answers = false;
  for (NatBoxConfig box : {port_restricted(), symmetric()}) {
    box.timeout = kShort;
    auto& client = network.client(quiet(at(kPrivate, network.spread_address().to_string())));
    network.behind(box, client);
    client.bootstraps({node});
    ASSERT_TRUE(run_until(client.linked(node), 2s));
    client.requests(node, "?");
    run_for(10s);
    const std::uint64_t filtered = network.stats().filtered;
    const auto request = node.node().next_request(network.now());
    ASSERT_TRUE(request);
    ASSERT_TRUE(node.node().reply(network.now(), request->id, {1, 2, 3}));
    node.wake();
    EXPECT_TRUE(run_until([&] { return client.responses.size() == 1; }, 8s));
    EXPECT_GT(network.stats().filtered, filtered);
    EXPECT_TRUE(client.losses.empty());
  }
}

SIMULATE_PEERS(NatClients, LoseNoRequestWhenTheBoxForgetsThem) {
  auto& node = network.node(at(network.spread_address()));
  for (const NatBoxConfig& box : {port_restricted(), symmetric()}) {
    auto& client = network.client(at(kPrivate, network.spread_address().to_string()));
    Router& home = network.behind(box, client);
    client.bootstraps({node});
    ASSERT_TRUE(run_until(client.linked(node), 2s));
    std::size_t requests = 0;
    const auto request_for_a_while = [&] {
      for (int i = 0; i < 10; ++i) {
        client.requests(node, "?");
        ++requests;
        run_for(100ms);
      }
    };
    home.box.rebind();
    request_for_a_while();
    home.box.reboot();
    request_for_a_while();
    network.change_address(home, network.spread_address());
    request_for_a_while();
    EXPECT_TRUE(run_until([&] { return client.responses.size() == requests; }, 1s));
    EXPECT_TRUE(client.failed.empty());
    EXPECT_TRUE(client.losses.empty());
  }
}

}  // namespace
}  // namespace qpeer::sim
