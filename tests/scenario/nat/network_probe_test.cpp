// SPDX-License-Identifier: MIT OR BSD-3-Clause
// NetworkProbe behind NAT boxes and firewalls of every kind: what it reports is what the box does.
#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "qpeer/tests/scenario/nat/probing.hpp"

namespace qpeer::sim {
namespace {

using p2p::MappingFailure;
using p2p::MappingProtocol;
using p2p::NatFiltering;
using p2p::NatMapping;
using p2p::NetworkOutlook;
using p2p::NetworkReport;
using Outcome = p2p::StunResult::Outcome;

struct Expected {
  std::string_view name;
  Boxes boxes;
  NatMapping mapping;
  NatFiltering filtering;
  std::optional<bool> hairpin;
  NetworkOutlook outlook;
};

const std::vector<Expected>& kinds() {
  using M = NatMapping;
  using F = NatFiltering;
  using O = NetworkOutlook;
  static const std::vector<Expected> all{
      {"none", {}, M::none, F::independent, {}, O::node},
      {"firewall", {firewall()}, M::none, F::by_address_and_port, {}, O::client},
      {"full cone", {full_cone()}, M::independent, F::independent, true, O::node},
      {"address-restricted",
       {address_restricted()},
       M::independent,
       F::by_address,
       true,
       O::client},
      {"port-restricted",
       {port_restricted()},
       M::independent,
       F::by_address_and_port,
       true,
       O::client},
      {"no hairpin",
       {without_hairpin(port_restricted())},
       M::independent,
       F::by_address_and_port,
       false,
       O::client},
      {"symmetric",
       {symmetric()},
       M::by_address_and_port,
       F::by_address_and_port,
       false,
       O::relay_only},
      {"by address", {by_address()}, M::by_address, F::by_address, false, O::relay_only},
      {"full cone twice",
       {full_cone(), full_cone()},
       M::independent,
       F::independent,
       true,
       O::node},
      {"port-restricted in full cone",
       {port_restricted(), full_cone()},
       M::independent,
       F::by_address_and_port,
       true,
       O::client},
      {"full cone in port-restricted",
       {full_cone(), port_restricted()},
       M::independent,
       F::by_address_and_port,
       true,
       O::client},
      {"port-restricted in symmetric",
       {port_restricted(), symmetric()},
       M::by_address_and_port,
       F::by_address_and_port,
       false,
       O::relay_only},
  };
  return all;
}

SIMULATE_IN(ProbeNetwork, NetworkProbe, OneServerWithTwoAddressesShowsWhatABoxDoes) {
  for (const Expected& each : kinds()) {
    Probing probing{network, each.boxes};
    const NetworkReport report = probing.run({kServer});
    EXPECT_EQ(report.ipv4.mapping, each.mapping) << each.name;
    EXPECT_EQ(report.ipv4.filtering, each.filtering) << each.name;
    EXPECT_EQ(report.outlook(), each.outlook) << each.name;
    EXPECT_LT(probing.took(), 1'500ms) << each.name;
  }
}

SIMULATE_IN(ProbeNetwork, NetworkProbe, HairpinningIsFound) {
  for (const Expected& each : kinds()) {
    EXPECT_EQ(Probing(network, each.boxes).run({kServer, kPlain1}).ipv4.hairpin, each.hairpin)
        << each.name;
  }
}

SIMULATE_IN(ProbeNetwork, NetworkProbe, LossDoesNotMislead) {
  network.set_default_link(Link{.delay = 40ms, .loss = 0.02});
  for (const Expected& each : kinds()) {
    const NetworkReport report = Probing(network, each.boxes).run({kServer, kPlain1});
    EXPECT_EQ(report.ipv4.mapping, each.mapping) << each.name;
    EXPECT_EQ(report.ipv4.filtering, each.filtering) << each.name;
  }
}

// As nodes are.
SIMULATE_IN(ProbeNetwork, NetworkProbe, TwoPlainServersShowTheMappingAlone) {
  for (const Expected& each : kinds()) {
    Probing probing{network, each.boxes};
    const NetworkReport report = probing.run({kPlain1, kPlain2});
    const bool is_hard = each.outlook == NetworkOutlook::relay_only;
    EXPECT_EQ(report.ipv4.mapping, is_hard ? NatMapping::by_destination : each.mapping)
        << each.name;
    EXPECT_EQ(report.ipv4.filtering, NatFiltering::unknown) << each.name;
    const bool has_nat = each.mapping != NatMapping::none;
    EXPECT_EQ(report.outlook(), is_hard   ? NetworkOutlook::relay_only
                                : has_nat ? NetworkOutlook::client
                                          : NetworkOutlook::node)
        << each.name;
  }
}

SIMULATE_IN(ProbeNetwork, NetworkProbe, OnePlainServerShowsOnlyWhetherThereIsANat) {
  const NetworkReport report = Probing(network, {port_restricted()}).run({kPlain1});
  EXPECT_EQ(report.ipv4.mapping, NatMapping::unknown);
  EXPECT_EQ(report.outlook(), NetworkOutlook::client);
  ASSERT_EQ(report.servers.size(), 1U);
  EXPECT_EQ(report.servers[0].outcome, Outcome::answered);
  EXPECT_EQ(report.servers[0].seen, report.ipv4.seen);
  EXPECT_GE(report.servers[0].round_trip.value(), 50ms);
  EXPECT_LT(report.servers[0].round_trip.value(), 52ms);
  EXPECT_EQ(report.ipv4.own, kInside);
}

// --- what nodes find out -------------------------------------------------------------------------

SIMULATE_IN(ProbeNetwork, NetworkProbe, WhatNodesFoundIsReported) {
  for (const NatFiltering found : {NatFiltering::independent, NatFiltering::by_address,
                                   NatFiltering::by_address_and_port, NatFiltering::restricted}) {
    Probing probing{network, {full_cone()}};
    probing.adds(1s, {kPlain2}, {.ipv4 = found});
    const NetworkReport report = probing.run({kPlain1});
    EXPECT_EQ(report.ipv4.filtering, found);
    EXPECT_EQ(report.ipv6.filtering, NatFiltering::unknown);
    EXPECT_EQ(report.ipv4.mapping, NatMapping::independent);
    EXPECT_EQ(report.ipv4.answered, 2U);
    EXPECT_EQ(report.outlook(),
              found == NatFiltering::independent ? NetworkOutlook::node : NetworkOutlook::client);
    EXPECT_LT(probing.took(), 1'200ms);
  }
}

SIMULATE_IN(ProbeNetwork, NetworkProbe, TheOtherServersAreNotWrittenToBefore) {
  std::vector<Instant> written;
  network.on_send([&](const Passing& datagram) {
    if (datagram.to == kPlain2) written.push_back(network.now());
  });
  const Instant begin = network.now();
  Probing probing{network, {port_restricted()}};
  probing.adds(1s, {kPlain2}, {}).run({kPlain1});
  ASSERT_FALSE(written.empty());
  EXPECT_GE(written.front() - begin, 1s);
}

// What a server shows was seen from the port that all is sent from.
SIMULATE_IN(ProbeNetwork, NetworkProbe, AServerWithTwoAddressesKnowsBetter) {
  Probing probing{network, {address_restricted()}};
  const NetworkReport report =
      probing.adds(1s, {}, {.ipv4 = NatFiltering::independent}).run({kServer});
  EXPECT_EQ(report.ipv4.filtering, NatFiltering::by_address);
}

SIMULATE_IN(ProbeNetwork, NetworkProbe, TheReportDoesNotWaitForNodesForEver) {
  Probing probing{network, {port_restricted()}};
  const NetworkReport report =
      probing.adds(2'600ms, {kPlain2}, {.ipv4 = NatFiltering::by_address}).run({kPlain1});
  EXPECT_EQ(report.asked(), 1U);
  EXPECT_EQ(report.ipv4.filtering, NatFiltering::unknown);
}

// Two ports of one host see a symmetric NAT for what it is.
SIMULATE_IN(ProbeNetwork, NetworkProbe, PortsOfOneHostTellMappingsApart) {
  network.server.names(kServer);  // So that only the ports that are given count.
  const SocketAddress second_port = kServer.with_port(kServersOther.port());
  EXPECT_EQ(Probing(network, {symmetric()}).run({kServer, second_port, kPlain1}).ipv4.mapping,
            NatMapping::by_address_and_port);
  EXPECT_EQ(Probing(network, {by_address()}).run({kServer, second_port, kPlain1}).ipv4.mapping,
            NatMapping::by_address);
  EXPECT_EQ(Probing(network, {by_address()}).run({kServer, second_port}).ipv4.mapping,
            NatMapping::unknown);
}

SIMULATE_IN(ProbeNetwork, NetworkProbe, BlockedUdpIsReportedInTime) {
  Probing probing{network, {udp_blocked()}};
  const NetworkReport report = probing.run({kServer, kPlain1});
  EXPECT_EQ(report.outlook(), NetworkOutlook::no_udp);
  EXPECT_EQ(report.asked(), 2U);
  EXPECT_EQ(report.answered(), 0U);
  EXPECT_LE(probing.took(), 2'500ms);
  EXPECT_EQ(report.servers[1].outcome, Outcome::timed_out);
}

SIMULATE_IN(ProbeNetwork, NetworkProbe, ADeadServerDelaysButDoesNotMislead) {
  Probing probing{network, {port_restricted()}};
  const NetworkReport report =
      probing.run({SocketAddress::ipv4({62, 1, 1, 1}, 1), kServer, kPlain1});
  EXPECT_EQ(report.ipv4.mapping, NatMapping::independent);
  EXPECT_EQ(report.ipv4.filtering, NatFiltering::by_address_and_port);
  EXPECT_EQ(report.ipv4.asked, 3U);
  EXPECT_EQ(report.ipv4.answered, 2U);
  EXPECT_LE(probing.took(), 2'500ms);
}

SIMULATE_IN(ProbeNetwork, NetworkProbe, WithNobodyToAskItReportsAtOnce) {
  Probing probing{network};
  const NetworkReport report = probing.run({});
  EXPECT_EQ(report.asked(), 0U);
  EXPECT_EQ(report.outlook(), NetworkOutlook::client);
  EXPECT_EQ(probing.took(), 0ms);
}

// --- servers that do not do as they should -------------------------------------------------------

SIMULATE_IN(ProbeNetwork, NetworkProbe, AServerThatDoesNotChangeItsAddressShowsNoFiltering) {
  for (const auto manner :
       {TwoAddressServer::Manner::refuses_changes, TwoAddressServer::Manner::ignores_changes}) {
    network.server.manner = manner;
    const NetworkReport report = Probing(network, {full_cone()}).run({kServer});
    EXPECT_EQ(report.ipv4.filtering, NatFiltering::unknown);
    EXPECT_EQ(report.ipv4.mapping, NatMapping::independent);
  }
}

// What we have written to would get through.
SIMULATE_IN(ProbeNetwork, NetworkProbe, AServerIsNotAskedToAnswerFromWhomWeAskToo) {
  const NetworkReport report =
      Probing(network, {address_restricted()}).run({kServersOther.with_port(3478), kServer});
  EXPECT_EQ(report.ipv4.filtering, NatFiltering::unknown);
  EXPECT_EQ(report.ipv4.mapping, NatMapping::independent);
}

SIMULATE_IN(ProbeNetwork, NetworkProbe, NothingIsSentWhereAServerShouldNotHaveUsWrite) {
  std::vector<SocketAddress> sent;
  network.on_send([&](const Passing& datagram) { sent.push_back(datagram.to); });
  const std::vector<SocketAddress> bad{SocketAddress::ipv4({192, 168, 1, 1}, 53),
                                       SocketAddress::loopback4(53),
                                       SocketAddress::ipv4({224, 0, 0, 1}, 5350),
                                       SocketAddress::ipv4({255, 255, 255, 255}, 9),
                                       SocketAddress::ipv4({51, 1, 1, 1}, 0),
                                       SocketAddress::ipv4({10, 0, 0, 1}, 9),
                                       global6(9)};
  for (const SocketAddress& other : bad) {
    network.server.names(other);
    Probing(network, {symmetric()}).run({kServer});
    EXPECT_EQ(
        std::ranges::count_if(sent, [&](const SocketAddress& to) { return to.same_host(other); }),
        0)
        << other.to_string();
  }
}

// --- the gateway ---------------------------------------------------------------------------------

SIMULATE_IN(ProbeNetwork, NetworkProbe, AGatewayThatMapsPortsMakesANode) {
  for (const bool pcp : {true, false}) {
    for (const NatBoxConfig& box : {port_restricted(), symmetric()}) {
      Probing probing{network, {box}};
      const NetworkReport report = probing.with_gateway({.pcp = pcp}).run({kServer, kPlain1});
      ASSERT_TRUE(report.gateway.mapping.has_value());
      EXPECT_EQ(report.gateway.mapping->protocol,
                pcp ? MappingProtocol::pcp : MappingProtocol::nat_pmp);
      EXPECT_EQ(report.gateway.mapping->lifetime, 2h);
      EXPECT_FALSE(report.double_nat);
      EXPECT_EQ(report.outlook(), NetworkOutlook::node);
      // The box is seen as it is for all other ports, and keeps nothing of ours.
      EXPECT_EQ(report.ipv4.filtering, NatFiltering::by_address_and_port);
      EXPECT_FALSE(probing.router().box.forwarded(network.now(), probing.mapped()).has_value());
    }
  }
}

SIMULATE_IN(ProbeNetwork, NetworkProbe, AGatewayThatDoesNotMapPortsIsReported) {
  const NetworkReport silent = Probing(network, {port_restricted()}).asks_gateway().run({kServer});
  EXPECT_EQ(silent.gateway.failure, MappingFailure::no_answer);
  EXPECT_EQ(silent.outlook(), NetworkOutlook::client);
  const NetworkReport refuses =
      Probing(network, {port_restricted()}).with_gateway({.refuses = true}).run({kServer});
  EXPECT_EQ(refuses.gateway.failure, MappingFailure::refused);
  EXPECT_EQ(refuses.outlook(), NetworkOutlook::client);
}

SIMULATE_IN(ProbeNetwork, NetworkProbe, ACarriersNatBehindTheGatewayIsFound) {
  Probing probing{network, {port_restricted(), port_restricted()}};
  const NetworkReport report = probing.with_gateway().run({kServer});
  ASSERT_TRUE(report.gateway.mapping.has_value());
  EXPECT_TRUE(report.double_nat);
  EXPECT_EQ(report.outlook(), NetworkOutlook::client);
}

// Also when the gateway's address outside looks like one of the internet.
SIMULATE_IN(ProbeNetwork, NetworkProbe, AnotherAddressOutsideThanOthersSeeIsADoubleNat) {
  Probing probing{network, {port_restricted(), port_restricted()}};
  network.change_address(probing.router(), SocketAddress::ipv4({80, 1, 1, 1}, 0));
  const NetworkReport report = probing.with_gateway().run({kServer});
  ASSERT_TRUE(report.gateway.mapping.has_value());
  EXPECT_FALSE(report.gateway.mapping->double_nat);
  EXPECT_TRUE(report.double_nat);
  EXPECT_EQ(report.outlook(), NetworkOutlook::client);
}

// --- more than one network -----------------------------------------------------------------------

SIMULATE_IN(ProbeNetwork, NetworkProbe, BothFamiliesAreReported) {
  Probing probing{network, {symmetric()}};
  const NetworkReport report =
      probing.with(global6(2)).run({kPlain1, kPlain2, global6(0x60), global6(0x61)});
  EXPECT_EQ(report.ipv4.mapping, NatMapping::by_destination);
  EXPECT_EQ(report.ipv6.mapping, NatMapping::none);
  EXPECT_EQ(report.ipv6.seen, global6(2));
  EXPECT_EQ(report.outlook(), NetworkOutlook::client);
}

SIMULATE_IN(ProbeNetwork, NetworkProbe, WithoutIpv6ItsServersDoNotAnswer) {
  const NetworkReport report =
      Probing(network, {full_cone()}).run({kServer, kPlain1, global6(0x60)});
  EXPECT_EQ(report.ipv6.asked, 1U);
  EXPECT_EQ(report.ipv6.answered, 0U);
  EXPECT_EQ(report.outlook(), NetworkOutlook::node);
}

// It is no host of the internet, and sees no NAT.
SIMULATE_IN(ProbeNetwork, NetworkProbe, AServerInOurOwnNetworkDoesNotMislead) {
  p2p::StunServer local;
  Host& host = network.attach(
      local, [](const p2p::StunMessage&) {}, SocketAddress::ipv4({192, 168, 1, 9}, 3478));
  Probing probing{network, {port_restricted()}};
  network.behind(probing.router(), host);
  const NetworkReport report = probing.run({host.address(), kPlain1, kPlain2});
  EXPECT_EQ(report.ipv4.mapping, NatMapping::independent);
  EXPECT_EQ(report.ipv4.seen, probing.router().outside(kInside.port()));
  EXPECT_EQ(report.ipv4.answered, 3U);
}

SIMULATE_IN(ProbeNetwork, NetworkProbe, MoreServersThanTheLimitAreNotAsked) {
  std::vector<SocketAddress> servers;
  for (u8 i = 0; i < 20; ++i) servers.push_back(SocketAddress::ipv4({62, 1, 1, i}, 3478));
  const NetworkReport report = Probing(network).run(servers);
  EXPECT_EQ(report.servers.size(), p2p::NetworkProbe::kMaxServers);
}

}  // namespace
}  // namespace qpeer::sim
