// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Nodes behind NATs and firewalls: which of them are reachable, and what the others are told.
#include "qpeer/tests/scenario/nat/nat_places.hpp"

namespace qpeer::sim {
namespace {

using p2p::Role;
using p2p::Verdict;

SIMULATE_PEERS(NatNodes, BehindFullConesAreReachable) {
  auto& contact = network.node(at(network.spread_address()));
  for (const Place& place :
       {Place{"N", {}}, Place{"F", {full_cone()}}, Place{"F+F", {full_cone(), full_cone()}}}) {
    auto& node = network.node(at(address_at(network, place), place.name));
    settle(network, node, place);
    node.bootstraps({contact});
    ASSERT_TRUE(run_until(node.linked(contact), 4s)) << place.name;
    ASSERT_FALSE(node.verdicts_on_us.empty());
    EXPECT_EQ(node.verdicts_on_us[0].verdict, Verdict::reachable) << place.name;

    const SocketAddress external = node.verdicts_on_us[0].address;
    auto& stranger = network.client(at(network.spread_address()));
    stranger.bootstraps({{.address = external, .id = node.id()}});
    ASSERT_TRUE(run_until(stranger.linked(node), 1s)) << place.name;
    stranger.requests(node, "?");
    EXPECT_TRUE(run_until([&] { return stranger.responses.size() == 1; }, 1s)) << place.name;
  }
}

SIMULATE_PEERS(NatNodes, ThatForwardTheirPortAreReachableBehindAnyBox) {
  auto& contact = network.node(at(network.spread_address()));
  for (const NatBoxConfig& box : {port_restricted(), symmetric(), firewall()}) {
    const Place place{"", {box}};
    auto& node = network.node(at(address_at(network, place), network.spread_address().to_string()));
    Router& home = network.behind(box, node);
    ASSERT_TRUE(home.box.forward(network.now(), node.address(), node.address().port()));
    node.bootstraps({contact});
    ASSERT_TRUE(run_until(node.linked(contact), 4s));
    EXPECT_EQ(node.verdicts_on_us.at(0).verdict, Verdict::reachable);
  }
}

// They may come again as clients.
SIMULATE_PEERS(NatNodes, BehindAllOtherBoxesAreRefusedAndWorkAsClients) {
  auto& contact = network.node(at(network.spread_address()));
  for (const Place& place :
       {Place{"W", {firewall()}}, Place{"P", {port_restricted()}}, Place{"S", {symmetric()}},
        Place{"S", {symmetric_in_a_block()}}, Place{"F+P", {full_cone(), port_restricted()}},
        Place{"P+F", {port_restricted(), full_cone()}}}) {
    auto& node = network.node(at(address_at(network, place), network.spread_address().to_string()));
    settle(network, node, place);
    node.bootstraps({contact});
    ASSERT_TRUE(run_until([&] { return !node.verdicts_on_us.empty(); }, 8s)) << place.name;
    EXPECT_EQ(node.verdicts_on_us[0].verdict, Verdict::timed_out) << place.name;
    EXPECT_FALSE(node.is_linked()) << place.name;

    node.config.node.role = Role::client;
    node.restarts();
    node.bootstraps({contact});
    ASSERT_TRUE(run_until(node.linked(contact), 2s)) << place.name;
    node.requests(contact, "?");
    EXPECT_TRUE(run_until([&] { return node.responses.size() == 1; }, 1s)) << place.name;
  }
}

SIMULATE_PEERS(NatNodes, BehindAnIpv6FirewallAreRefusedAndWorkAsClients) {
  constexpr auto global6 = [](u8 net, u8 host) {
    return SocketAddress::ipv6({0x2a, 0x01, 0, net, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host}, 4433);
  };
  auto& contact = network.node(at(global6(0x11, 1)));
  auto& node = network.node(at(global6(0xa1, 2)));
  Router& home = network.behind(port_restricted(), node);
  node.bootstraps({contact});
  ASSERT_TRUE(run_until([&] { return !node.verdicts_on_us.empty(); }, 8s));
  EXPECT_EQ(node.verdicts_on_us[0].verdict, Verdict::timed_out);

  auto& client = network.client(at(global6(0xa1, 3)));
  network.behind(home, client);
  client.bootstraps({contact});
  ASSERT_TRUE(run_until(client.linked(contact), 2s));

  // A pinhole for the port that it listens on makes it a node.
  ASSERT_TRUE(home.box.forward(network.now(), node.address(), node.address().port()));
  node.bootstraps({contact});
  EXPECT_TRUE(run_until(node.linked(contact), 4s));
}

// --- in one home ---------------------------------------------------------------------------------

SIMULATE_PEERS(NatNodes, OfOneHomeLinkByTheirLocalAddresses) {
  Router& home = network.add_router(symmetric());
  auto& a = network.node(at(kPrivate));
  auto& b = network.node(at(kPrivate2));
  network.behind(home, a);
  network.behind(home, b);
  EXPECT_TRUE(network.links(a, b));
}

SIMULATE_PEERS(NatNodes, OfOneHomeThatIsolatesItsHostsDoNotLinkByTheirLocalAddresses) {
  Router& home = network.add_router(full_cone());
  home.isolates_hosts = true;
  auto& a = network.node(at(kPrivate));
  auto& b = network.node(at(kPrivate2));
  network.behind(home, a);
  network.behind(home, b);
  EXPECT_FALSE(network.links(a, b));
}

SIMULATE_PEERS(NatNodes, OfOneHomeLinkByItsExternalAddressOnlyWithHairpin) {
  auto& contact = network.node(at(network.spread_address()));
  for (const Hairpin hairpin : {Hairpin::external_source, Hairpin::off}) {
    NatBoxConfig box = full_cone();
    box.hairpin = hairpin;
    Router& home = network.add_router(box);
    home.isolates_hosts = true;
    auto& a = network.node(at(kPrivate, network.spread_address().to_string()));
    network.behind(home, a);
    auto& b = network.node(at(kPrivate2, network.spread_address().to_string()));
    network.behind(home, b);
    ASSERT_TRUE(network.links(b, contact));
    a.bootstraps({{.address = home.outside(kPrivate2.port()), .id = b.id()}});
    EXPECT_EQ(run_until(a.linked(b), 10s), hairpin == Hairpin::external_source);
  }
}

}  // namespace
}  // namespace qpeer::sim
