// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A node whose router maps its port: it advertises the router's, and gives it back at the end.
#include <optional>
#include <string>
#include <vector>

#include "qpeer/tests/scenario/p2p/world.hpp"
#include "qpeer/tests/unit/p2p/nat/mapping_gateway.hpp"

namespace qpeer::sim {
namespace {

using p2p::MappingWanted;
using p2p::PortMapFailed;
using p2p::PortMapped;
using p2p::test::MappingGateway;

constexpr auto kInside = SocketAddress::ipv4({192, 168, 1, 20}, 4477);

SimPeerConfig inside() { return {.address = kInside}; }

/// Whoever drives the node has another mapper.
SimPeerConfig inside_with_another_mapper() {
  return {.node = {.other_port_mapper = true}, .address = kInside};
}

Path internet(const MappingGateway& gateway) {
  return {.local = kInside, .remote = gateway.address};
}

/// Delivers by hand what the peer sends to the gateway, and its answers. How many requests there were.
std::size_t ask(PeerWorld& network, const SimPeer& peer, MappingGateway& gateway,
                const SocketAddress& own = kInside) {
  std::vector<u8> storage(kMaxTransmitSize);
  TransmitBuffer out{.storage = storage};
  const std::size_t before = gateway.requests();
  while (const auto transmit = peer.node().poll_transmit(network.now(), out)) {
    if (!transmit->path.remote.same_host(gateway.address)) continue;
    EXPECT_EQ(transmit->path.local, own);
    auto answer = gateway.answer(network.now(), Bytes(storage).first(transmit->size));
    if (!answer) continue;
    peer.node().on_datagram(network.now(), {.path = {.local = own, .remote = transmit->path.remote},
                                            .payload = *answer});
    EXPECT_TRUE(peer.node().consistent());
  }
  return gateway.requests() - before;
}

SIMULATE_PEERS(PortMapping, ANodeAdvertisesThePortThatItsRouterMaps) {
  MappingGateway gateway{.pcp = true, .port = 50'000};
  auto& other = network.node();
  auto& node = network.node(inside());
  node.node().on_network(network.now(), internet(gateway), {});
  EXPECT_EQ(ask(network, node, gateway), 1U);
  node.wake();
  ASSERT_TRUE(run_until([&] { return !node.all<PortMapped>().empty(); }, 1s));
  EXPECT_EQ(node.all<PortMapped>()[0].external, gateway.external.with_port(50'000));
  EXPECT_EQ(node.all<PortMapped>()[0].protocol, "PCP");
  EXPECT_EQ(node.node().mapped_address(), gateway.external.with_port(50'000));
  node.bootstraps({other});
  ASSERT_TRUE(run_until([&] { return !node.verdicts_on_us.empty(); }, 20s));
  EXPECT_EQ(node.verdicts_on_us[0].address, kInside.with_port(50'000));
}

SIMULATE_PEERS(PortMapping, NatPmpIsAskedWhereThereIsNoPcp) {
  MappingGateway gateway{.nat_pmp = true};
  auto& node = network.node(inside());
  node.node().on_network(network.now(), internet(gateway), {});
  EXPECT_EQ(ask(network, node, gateway), 3U) << "PCP, the address outside, the mapping";
  node.wake();
  ASSERT_TRUE(run_until([&] { return !node.all<PortMapped>().empty(); }, 1s));
  EXPECT_EQ(node.all<PortMapped>()[0].protocol, "NAT-PMP");
}

SIMULATE_PEERS(PortMapping, ARouterThatAnswersNothingIsAnEventAndNoMore) {
  auto& other = network.node();
  auto& node = network.node(inside());
  node.node().on_network(network.now(), internet({}), {});
  node.wake();
  node.bootstraps({other});
  EXPECT_TRUE(run_until(node.linked(other), 5s));
  ASSERT_TRUE(run_until([&] { return !node.all<PortMapFailed>().empty(); }, 1s));
  EXPECT_EQ(node.all<PortMapFailed>()[0].why, "it answers neither PCP nor NAT-PMP");
  EXPECT_FALSE(node.node().mapped_address());
  ASSERT_FALSE(node.verdicts_on_us.empty());
  EXPECT_EQ(node.verdicts_on_us[0].address, kInside);
}

SIMULATE_PEERS(PortMapping, TheMappingIsGivenBackAtTheEnd) {
  MappingGateway gateway{.pcp = true};
  auto& node = network.node(inside());
  node.node().on_network(network.now(), internet(gateway), {});
  EXPECT_EQ(ask(network, node, gateway), 1U);
  EXPECT_TRUE(gateway.has_mapping);
  node.node().shut_down(network.now());
  EXPECT_EQ(ask(network, node, gateway), 1U);
  EXPECT_EQ(gateway.deletions, 1U);
  EXPECT_TRUE(node.node().is_idle()) << "it is not waited for";
}

SIMULATE_PEERS(PortMapping, AnotherNetworkIsAskedAnew) {
  MappingGateway gateway{.pcp = true};
  MappingGateway other{.pcp = true, .address = SocketAddress::ipv4({192, 168, 1, 9}, 0)};
  auto& node = network.node(inside());
  node.node().on_network(network.now(), internet(gateway), {});
  EXPECT_EQ(ask(network, node, gateway), 1U);
  node.node().on_network(network.now(), internet(gateway), {});
  EXPECT_EQ(ask(network, node, gateway), 0U) << "nothing has changed";
  EXPECT_TRUE(node.node().mapped_address());
  node.node().on_network(network.now(), internet(other), {});
  EXPECT_FALSE(node.node().mapped_address()) << "that of the other network is of no use here";
  EXPECT_EQ(ask(network, node, other), 1U);
}

SIMULATE_PEERS(PortMapping, IsNotAskedForWhereItIsNotWanted) {
  MappingGateway gateway{.pcp = true};
  const auto asks = [&](SimPeer& peer, const Path& path) {
    peer.node().on_network(network.now(), path, {});
    return ask(network, peer, gateway);
  };
  EXPECT_EQ(asks(network.node({.node = {.port_mapping = false}}), internet(gateway)), 0U);
  const std::vector advertised{SocketAddress::ipv4({203, 0, 113, 9}, 4477)};
  EXPECT_EQ(asks(network.node({.node = {.advertised = advertised}}), internet(gateway)), 0U)
      << "a port is forwarded by hand";
  EXPECT_EQ(asks(network.client(), internet(gateway)), 0U);
  EXPECT_EQ(asks(network.node(), {}), 0U) << "no way to the internet";
}

// There may be a firewall, which is asked, or none, which is no failure.
SIMULATE_PEERS(PortMapping, ThePublicAddressOfANodeIsOpenedByItsFirewall) {
  constexpr auto kPublic = SocketAddress::ipv4({8, 8, 4, 4}, 4477);
  MappingGateway gateway{.pcp = true,
                         .address = SocketAddress::ipv4({8, 8, 4, 1}, 0),
                         .external = kPublic.with_port(0)};
  auto& node = network.node({.address = kPublic});
  const Path path{.local = kPublic, .remote = gateway.address};
  node.node().on_network(network.now(), path, {});
  EXPECT_EQ(ask(network, node, gateway, kPublic), 1U);
  EXPECT_EQ(node.node().mapped_address(), kPublic);

  auto& other = network.node({.address = SocketAddress::ipv4({8, 8, 5, 5}, 4477)});
  other.node().on_network(network.now(), path, {});
  other.wake();
  network.run_for(5s);
  EXPECT_TRUE(other.all<PortMapFailed>().empty());
  EXPECT_TRUE(other.all<PortMapped>().empty());
}

// Of a home with both families the NAT of one and the firewall of the other are asked, and each peer is told
// the port of its family.
SIMULATE_PEERS(PortMapping, BothFamiliesAreAskedFor) {
  constexpr auto kPublic6 =
      SocketAddress::ipv6({0x2a, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}, 4477);
  MappingGateway nat{.pcp = true, .port = 50'000};
  MappingGateway firewall{
      .pcp = true,
      .address = SocketAddress::ipv6({0x2a, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0),
      .external = kPublic6.with_port(0)};
  auto& node = network.node(inside());
  node.node().on_network(network.now(), internet(nat),
                         {.local = kPublic6, .remote = firewall.address});
  std::vector<u8> storage(kMaxTransmitSize);
  TransmitBuffer out{.storage = storage};
  while (const auto transmit = node.node().poll_transmit(network.now(), out)) {
    MappingGateway& asked = transmit->path.remote.is_ipv6() ? firewall : nat;
    auto answer = asked.answer(network.now(), Bytes(storage).first(transmit->size));
    ASSERT_TRUE(answer);
    node.node().on_datagram(network.now(), {.path = transmit->path, .payload = *answer});
  }
  EXPECT_TRUE(node.node().consistent());
  EXPECT_EQ(firewall.client, kPublic6);
  node.wake();
  ASSERT_TRUE(run_until([&] { return node.all<PortMapped>().size() == 2; }, 1s));
  EXPECT_EQ(node.node().mapped_address(), nat.external.with_port(50'000));
  node.node().on_network(network.now(), {}, {.local = kPublic6, .remote = firewall.address});
  EXPECT_EQ(node.node().mapped_address(), kPublic6);
}

// Its own address is a private one, which it takes for none; that it leads to the internet shows the other NAT.
SIMULATE_PEERS(PortMapping, ARouterWithoutAPublicAddressThatLeadsToTheInternetIsBehindAnotherNat) {
  MappingGateway gateway{.pcp = true,
                         .nat_pmp = true,
                         .pcp_result = p2p::PcpResult::no_resources,
                         .nat_pmp_result = p2p::NatPmpResult::network_failure};
  auto& other = network.node({.address = SocketAddress::ipv4({8, 8, 5, 5}, 4477)});
  auto& node = network.node(inside());
  node.node().on_network(network.now(), internet(gateway), {});
  EXPECT_EQ(ask(network, node, gateway), 2U);
  node.wake();
  ASSERT_TRUE(run_until([&] { return !node.all<PortMapFailed>().empty(); }, 1s));
  EXPECT_EQ(node.all<PortMapFailed>()[0].why, "it has no address outside");
  EXPECT_FALSE(node.all<PortMapFailed>()[0].double_nat) << "it may just be offline";
  node.bootstraps({other});
  ASSERT_TRUE(run_until([&] { return node.all<PortMapFailed>().size() == 2; }, 5s));
  EXPECT_TRUE(node.all<PortMapFailed>()[1].double_nat);
  EXPECT_EQ(node.all<PortMapFailed>()[1].why, "another NAT is between it and us");
}

// --- another mapper ------------------------------------------------------------------------------

SIMULATE_PEERS(PortMapping, WhereTheRouterMapsNoneTheOwnerIsAskedTo) {
  MappingGateway gateway{};
  auto& other = network.node();
  auto& node = network.node(inside_with_another_mapper());
  node.node().on_network(network.now(), internet(gateway), {});
  node.wake();
  EXPECT_FALSE(node.node().wanted_mapping()) << "PCP and NAT-PMP come first";
  ASSERT_TRUE(run_until([&] { return !node.all<MappingWanted>().empty(); }, 1s));
  EXPECT_EQ(node.node().wanted_mapping(), internet(gateway));
  EXPECT_TRUE(node.all<PortMapFailed>().empty()) << "that is not known yet";
  node.node().on_mapped(network.now(), gateway.external.with_port(50'000), 1h);
  node.wake();
  ASSERT_TRUE(run_until([&] { return !node.all<PortMapped>().empty(); }, 1s));
  EXPECT_EQ(node.all<PortMapped>()[0].external, gateway.external.with_port(50'000));
  EXPECT_EQ(node.all<PortMapped>()[0].protocol, "UPnP");
  EXPECT_EQ(node.all<PortMapped>()[0].lifetime, 1h);
  EXPECT_EQ(node.node().mapped_address(), gateway.external.with_port(50'000));
  EXPECT_EQ(node.node().wanted_mapping(), internet(gateway)) << "it is to be kept";
  EXPECT_EQ(ask(network, node, gateway), 0U) << "PCP and NAT-PMP rest";
  node.bootstraps({other});
  ASSERT_TRUE(run_until([&] { return !node.verdicts_on_us.empty(); }, 20s));
  EXPECT_EQ(node.verdicts_on_us[0].address, kInside.with_port(50'000));
  EXPECT_EQ(ask(network, node, gateway), 0U);
}

// A request to the router that is on its way at that moment may be granted: it is taken back.
SIMULATE_PEERS(PortMapping, TheOwnerMayHaveOneWhileTheRouterIsAsked) {
  MappingGateway gateway{};
  auto& node = network.node(inside_with_another_mapper());
  for (Duration later = 600ms; later < 4s; later += 100ms) {
    node.node().on_network(network.now(), internet(gateway), {});
    node.wake();
    run_for(later);
    ASSERT_TRUE(node.node().wanted_mapping()) << later;
    node.node().on_mapped(network.now(), gateway.external.with_port(50'000), 1h);
    EXPECT_TRUE(node.node().consistent()) << later;
    run_for(3s);
    EXPECT_EQ(node.node().mapped_address(), gateway.external.with_port(50'000)) << later;
    EXPECT_TRUE(node.node().consistent()) << later;
    EXPECT_EQ(ask(network, node, gateway), 0U) << later;
    node.node().on_network(network.now(), {}, {});
  }
}

SIMULATE_PEERS(PortMapping, OnlyAnotherMappingOfTheOwnerIsReportedAgain) {
  MappingGateway gateway{};
  auto& node = network.node(inside_with_another_mapper());
  node.node().on_network(network.now(), internet(gateway), {});
  node.wake();
  ASSERT_TRUE(run_until([&] { return node.node().wanted_mapping().has_value(); }, 1s));
  for (const std::uint16_t port : {50'000, 50'000, 50'001}) {
    node.node().on_mapped(network.now(), gateway.external.with_port(port), 1h);
  }
  node.wake();
  ASSERT_TRUE(run_until([&] { return node.all<PortMapped>().size() >= 2; }, 1s));
  EXPECT_EQ(node.all<PortMapped>().size(), 2U);
  EXPECT_EQ(node.node().mapped_address(), gateway.external.with_port(50'001));
}

SIMULATE_PEERS(PortMapping, ThatTheOwnerMapsNoneEitherIsToldOnce) {
  auto& node = network.node(inside_with_another_mapper());
  node.node().on_network(network.now(), internet({}), {});
  node.wake();
  ASSERT_TRUE(run_until([&] { return node.node().wanted_mapping().has_value(); }, 1s));
  node.node().on_mapping_failed(network.now(), "it has no UPnP");
  node.node().on_mapping_failed(network.now(), "it has no UPnP");
  node.wake();
  ASSERT_TRUE(run_until([&] { return !node.all<PortMapFailed>().empty(); }, 1s));
  ASSERT_EQ(node.all<PortMapFailed>().size(), 1U);
  EXPECT_EQ(node.all<PortMapFailed>()[0].why,
            "it answers neither PCP nor NAT-PMP, and it has no UPnP");
  EXPECT_TRUE(node.node().wanted_mapping()) << "it is tried again";
}

SIMULATE_PEERS(PortMapping, WhenThatOfTheOwnerIsLostAllAreAskedAnew) {
  MappingGateway gateway{};
  auto& node = network.node(inside_with_another_mapper());
  node.node().on_network(network.now(), internet(gateway), {});
  node.wake();
  ASSERT_TRUE(run_until([&] { return node.node().wanted_mapping().has_value(); }, 1s));
  node.node().on_mapped(network.now(), gateway.external.with_port(50'000), 1h);
  node.node().on_mapping_failed(network.now(), "its UPnP does not answer");
  node.wake();
  EXPECT_FALSE(node.node().mapped_address());
  EXPECT_TRUE(node.node().wanted_mapping());
  ASSERT_TRUE(run_until([&] { return !node.all<PortMapFailed>().empty(); }, 1s));
  EXPECT_EQ(node.all<PortMapFailed>()[0].why, "its UPnP does not answer");
  gateway.pcp = true;
  node.node().on_network(network.now(), {}, {});
  node.node().on_network(network.now(), internet(gateway), {});
  EXPECT_EQ(ask(network, node, gateway), 1U);
  EXPECT_EQ(node.node().mapped_address(), gateway.external.with_port(kInside.port()));
}

SIMULATE_PEERS(PortMapping, OfARouterThatMapsOneAfterAllTheOwnerIsAskedNoMore) {
  MappingGateway gateway{.pcp = true};
  auto& node = network.node(inside_with_another_mapper());
  node.node().on_network(network.now(), internet(gateway), {});
  std::vector<u8> storage(kMaxTransmitSize);
  TransmitBuffer out{.storage = storage};
  const auto request = node.node().poll_transmit(network.now(), out);
  ASSERT_TRUE(request);
  node.wake();
  ASSERT_TRUE(run_until([&] { return node.node().wanted_mapping().has_value(); }, 1s));
  auto answer = gateway.answer(network.now(), Bytes(storage).first(request->size));
  ASSERT_TRUE(answer);
  node.node().on_datagram(
      network.now(),
      {.path = {.local = kInside, .remote = request->path.remote}, .payload = *answer});
  const auto mapped = node.node().mapped_address();
  EXPECT_TRUE(mapped);
  EXPECT_FALSE(node.node().wanted_mapping());
  node.node().on_mapped(network.now(), gateway.external.with_port(50'000), 1h);
  node.node().on_mapping_failed(network.now(), "it has no UPnP");
  EXPECT_EQ(node.node().mapped_address(), mapped) << "both came too late";
}

SIMULATE_PEERS(PortMapping, WhatTheOwnerSaysMustBeAnAddressOutside) {
  auto& node = network.node(inside_with_another_mapper());
  node.node().on_network(network.now(), internet({}), {});
  node.wake();
  ASSERT_TRUE(run_until([&] { return node.node().wanted_mapping().has_value(); }, 1s));
  for (const char* wrong : {"0.0.0.0:4477", "127.0.0.1:4477", "224.0.0.1:4477", "8.8.4.4:0"}) {
    node.node().on_mapped(network.now(), *SocketAddress::parse(wrong), 1h);
    EXPECT_FALSE(node.node().mapped_address()) << wrong;
  }
  node.node().on_mapped(network.now(), {}, 1h);
  EXPECT_FALSE(node.node().mapped_address());
  node.wake();
  ASSERT_TRUE(run_until([&] { return !node.all<PortMapFailed>().empty(); }, 1s));
  node.node().on_mapped(network.now(), *SocketAddress::parse("100.64.3.4:4477"), 1h);
  node.wake();
  ASSERT_TRUE(run_until([&] { return !node.all<PortMapped>().empty(); }, 1s));
  EXPECT_TRUE(node.all<PortMapped>()[0].double_nat);
}

SIMULATE_PEERS(PortMapping, AtTheEndTheOwnerIsToRemoveIt) {
  auto& node = network.node(inside_with_another_mapper());
  node.node().on_network(network.now(), internet({}), {});
  node.wake();
  ASSERT_TRUE(run_until([&] { return node.node().wanted_mapping().has_value(); }, 1s));
  node.node().on_mapped(network.now(), SocketAddress::ipv4({8, 8, 4, 4}, 50'000), 1h);
  node.node().shut_down(network.now());
  EXPECT_FALSE(node.node().wanted_mapping());
  EXPECT_FALSE(node.node().mapped_address());
  EXPECT_TRUE(node.node().consistent());
}

}  // namespace
}  // namespace qpeer::sim
