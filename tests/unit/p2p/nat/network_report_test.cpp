// SPDX-License-Identifier: MIT OR BSD-3-Clause
// NetworkReport: what follows from what is known, and the words for it.
#include "qpeer/p2p/nat/network_report.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace qpeer::p2p {
namespace {

constexpr auto kOwn = SocketAddress::ipv4({192, 168, 1, 2}, 4433);
constexpr auto kSeen = SocketAddress::ipv4({70, 1, 1, 1}, 4433);
constexpr auto kRouter = SocketAddress::ipv4({192, 168, 1, 1}, 0);

NetworkReport behind(NatMapping mapping, NatFiltering filtering) {
  NetworkReport out;
  out.ipv4 = {.asked = 2,
              .answered = 2,
              .own = mapping == NatMapping::none ? kSeen : kOwn,
              .seen = kSeen,
              .mapping = mapping,
              .filtering = filtering};
  return out;
}
FamilyReport open_ipv6() {
  return {.asked = 1,
          .answered = 1,
          .own = SocketAddress::ipv6({0x2a, 1}, 4433),
          .seen = SocketAddress::ipv6({0x2a, 1}, 4433),
          .mapping = NatMapping::none};
}
PortMapping mapping_to(const SocketAddress& external) {
  return {.external = external, .protocol = MappingProtocol::pcp, .lifetime = 2h};
}
NetworkFinding finding(const NetworkReport& report, std::string_view topic) {
  const auto all = findings_of(report);
  const auto found = std::ranges::find(all, topic, &NetworkFinding::topic);
  if (found != all.end()) return *found;
  ADD_FAILURE() << "says nothing of " << topic;
  return {.topic = topic, .text = {}};
}

TEST(NetworkReport, OfEachMappingAndFilteringFollowsWhatAPeerCanBe) {
  using M = NatMapping;
  using F = NatFiltering;
  using O = NetworkOutlook;
  const auto outlook = [](M mapping, F filtering) { return behind(mapping, filtering).outlook(); };
  EXPECT_EQ(outlook(M::none, F::independent), O::node);
  EXPECT_EQ(outlook(M::none, F::unknown), O::node);
  EXPECT_EQ(outlook(M::none, F::by_address), O::client);
  EXPECT_EQ(outlook(M::independent, F::independent), O::node);
  for (const F filtering : {F::unknown, F::by_address, F::by_address_and_port}) {
    EXPECT_EQ(outlook(M::independent, filtering), O::client);
    EXPECT_EQ(outlook(M::unknown, filtering), O::client);
    EXPECT_EQ(outlook(M::by_address, filtering), O::relay_only);
    EXPECT_EQ(outlook(M::by_address_and_port, filtering), O::relay_only);
    EXPECT_EQ(outlook(M::by_destination, filtering), O::relay_only);
  }
}

TEST(NetworkReport, IPv6MakesUpForAHardNatButProvesNoNode) {
  NetworkReport report = behind(NatMapping::by_destination, NatFiltering::unknown);
  report.ipv6 = open_ipv6();
  EXPECT_EQ(report.outlook(), NetworkOutlook::client);
  report.ipv6.filtering = NatFiltering::independent;
  EXPECT_EQ(report.outlook(), NetworkOutlook::node);
  NetworkReport alone;
  alone.ipv6 = open_ipv6();
  EXPECT_EQ(alone.outlook(), NetworkOutlook::node);
}

TEST(NetworkReport, AMappedPortCountsUnlessAnotherNatIsBehindTheGateway) {
  NetworkReport report = behind(NatMapping::by_destination, NatFiltering::unknown);
  report.gateway = {.gateway = kRouter, .mapping = mapping_to(kSeen)};
  EXPECT_EQ(report.outlook(), NetworkOutlook::node);
  EXPECT_EQ(finding(report, "gateway").text,
            "192.168.1.1 maps ports by PCP: to 70.1.1.1:4433, for 7200 seconds at a time");
  EXPECT_EQ(finding(report, "double NAT").text, "none was found");
  report.gateway.mapping = mapping_to(SocketAddress::ipv4({100, 64, 0, 9}, 4433));
  report.double_nat = true;
  EXPECT_EQ(report.outlook(), NetworkOutlook::relay_only);
  EXPECT_EQ(finding(report, "double NAT").text,
            "another NAT is behind the gateway: its address outside is 100.64.0.9, others see "
            "70.1.1.1");
  EXPECT_NE(finding(report, "double NAT").advice, "");
}

TEST(NetworkReport, SilenceIsNoUdp) {
  NetworkReport report;
  report.ipv4.asked = 2;
  EXPECT_EQ(report.outlook(), NetworkOutlook::no_udp);
  EXPECT_EQ(finding(report, "UDP").text,
            "UDP is blocked here, or nobody is there: none of 2 servers answers");
  EXPECT_EQ(finding(report, "outlook").text, "no peer can work here");
  // The gateway's answer crosses the local network alone.
  report.gateway = {.gateway = kRouter, .mapping = mapping_to(kSeen)};
  EXPECT_EQ(report.outlook(), NetworkOutlook::no_udp);
}

TEST(NetworkReport, WithNobodyAskedItClaimsNothing) {
  const NetworkReport report;
  EXPECT_EQ(report.outlook(), NetworkOutlook::client);
  EXPECT_EQ(finding(report, "UDP").text, "not tried, since there is nobody to ask");
  EXPECT_EQ(finding(report, "outlook").text, "a peer here can be a client, if UDP gets through");
}

TEST(NetworkReport, SaysWhenTheServersAreInOurOwnNetwork) {
  NetworkReport report = behind(NatMapping::none, NatFiltering::unknown);
  report.ipv4.seen = kOwn;
  EXPECT_NE(finding(report, "IPv4").advice, "");
  report.ipv4.seen = SocketAddress::loopback4(4433);
  EXPECT_EQ(finding(report, "IPv4").text,
            "others see us as 127.0.0.1:4433, which is this machine alone");
}

// What keeps a peer from being a node has an advice.
TEST(NetworkReport, EachObstacleHasASentenceAndAnAdvice) {
  for (const auto filtering : {NatFiltering::by_address, NatFiltering::by_address_and_port}) {
    for (const auto mapping : {NatMapping::none, NatMapping::independent}) {
      EXPECT_NE(finding(behind(mapping, filtering), "filtering").advice, "");
    }
  }
  for (const auto mapping : {NatMapping::by_address, NatMapping::by_address_and_port,
                             NatMapping::by_destination, NatMapping::unknown}) {
    EXPECT_NE(finding(behind(mapping, NatFiltering::unknown), "mapping").advice, "");
  }
  NetworkReport report = behind(NatMapping::independent, NatFiltering::by_address);
  report.gateway = {.gateway = kRouter, .mapping = {}, .failure = MappingFailure::no_answer};
  EXPECT_EQ(finding(report, "gateway").text,
            "192.168.1.1 does not map ports: it answers neither PCP nor NAT-PMP");
  EXPECT_NE(finding(report, "gateway").advice, "");
  report.ipv4.hairpin = false;
  EXPECT_NE(finding(report, "hairpin").text.find("does not come back"), std::string::npos);
  for (const NetworkFinding& each : findings_of(report)) EXPECT_FALSE(each.text.empty());
}

TEST(NetworkReport, AMappingByUpnpCountsLikeOthers) {
  NetworkReport report{
      .ipv4 = behind(NatMapping::by_address_and_port, NatFiltering::by_address).ipv4,
      .ipv6 = {},
      .servers = {},
      .gateway = {.gateway = SocketAddress::ipv4({192, 168, 1, 1}, 0),
                  .failure = MappingFailure::no_answer,
                  .upnp_failure = "it has no UPnP"}};
  EXPECT_EQ(
      finding(report, "gateway").text,
      "192.168.1.1 does not map ports: it answers neither PCP nor NAT-PMP, and it has no UPnP");
  PortMapping mapping{.external = report.ipv4.seen.with_port(4477),
                      .protocol = MappingProtocol::upnp,
                      .lifetime = {}};
  report.set_mapping(mapping);
  EXPECT_EQ(finding(report, "gateway").text, "192.168.1.1 maps ports by UPnP: to " +
                                                 mapping.external.to_string() +
                                                 ", until it is removed");
  EXPECT_EQ(report.outlook(), NetworkOutlook::node);
  EXPECT_FALSE(report.double_nat);
  mapping.external = SocketAddress::ipv4({8, 8, 8, 8}, 4477);
  report.set_mapping(mapping);
  EXPECT_TRUE(report.double_nat) << "others see another address";
}

}  // namespace
}  // namespace qpeer::p2p
