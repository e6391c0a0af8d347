// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The behaviours of RFC 4787, each claimed of the box itself. What the box never sees (the payload,
// ICMP, fragments) has no test: REQ-10 and REQ-12 to REQ-14. REQ-7 is the network's: router_test.cpp.
#include "qpeer/tests/sim/nat_box.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include "qpeer/tests/unit/sim/nat_box_fixture.hpp"

namespace qpeer::sim {
namespace {

// --- mapping: RFC 4787 §4.1 ----------------------------------------------------------------------

// REQ-1.
TEST(NatBoxMapping, EndpointIndependentHasOneExternalEndpointForAllRemotes) {
  Box box({.mapping = kIndependent, .ports = PortAssignment::random});
  const SocketAddress external = box.external(kHost, kPeer);
  EXPECT_TRUE(external.same_host(kOutside));
  EXPECT_EQ(box.external(kHost, kPeer.with_port(444)), external);
  EXPECT_EQ(box.external(kHost, kPeer2), external);
  EXPECT_NE(box.external(kHost.with_port(4434), kPeer), external) << "another internal endpoint";
}

TEST(NatBoxMapping, AddressDependentHasOneForEachRemoteAddress) {
  Box box({.mapping = kByAddress, .ports = PortAssignment::random});
  const SocketAddress external = box.external(kHost, kPeer);
  EXPECT_EQ(box.external(kHost, kPeer.with_port(444)), external);
  EXPECT_NE(box.external(kHost, kPeer2), external);
}

TEST(NatBoxMapping, AddressAndPortDependentHasOneForEachRemoteEndpoint) {
  Box box({.mapping = kByBoth, .ports = PortAssignment::random});
  const SocketAddress external = box.external(kHost, kPeer);
  EXPECT_EQ(box.external(kHost, kPeer), external) << "while the mapping is active";
  EXPECT_NE(box.external(kHost, kPeer.with_port(444)), external);
  EXPECT_NE(box.external(kHost, kPeer2), external);
}

TEST(NatBoxMapping, AnswersReachTheInternalEndpoint) {
  for (const NatDependence mapping : {kIndependent, kByAddress, kByBoth}) {
    Box box({.mapping = mapping, .ports = PortAssignment::random});
    for (const SocketAddress& host : {kHost, kHost2}) {
      for (const SocketAddress& peer : {kPeer, kPeer2}) {
        const SocketAddress external = box.external(host, peer);
        const Translation answer = box.inward(peer, external);
        EXPECT_TRUE(answer.passes());
        EXPECT_EQ(answer.from, peer);
        EXPECT_EQ(answer.to, host);
      }
    }
  }
}

TEST(NatBoxMapping, WithoutOneNothingEnters) {
  Box box(full_cone());
  EXPECT_EQ(box.inward(kPeer, kOutside.with_port(4433)).fate, NatFate::unmapped);
}

// --- ports: RFC 4787 §4.2 ------------------------------------------------------------------------

TEST(NatBoxPorts, ArePreservedWhereTheyAreFree) {
  Box box({.ports = PortAssignment::preserve});
  EXPECT_EQ(box.external(kHost, kPeer), kOutside.with_port(4433));
}

// REQ-3: no port overloading.
TEST(NatBoxPorts, BelongToOneInternalEndpointWhateverTheAssignment) {
  for (const PortAssignment ports : {PortAssignment::preserve, PortAssignment::sequential,
                                     PortAssignment::random, PortAssignment::block}) {
    Box box({.mapping = kByBoth, .ports = ports, .port_block = 64});
    std::set<SocketAddress> externals;
    for (std::uint16_t i = 0; i < 20; ++i) {
      for (const SocketAddress& host : {kHost, kHost2, kHost3}) {
        externals.insert(box.external(host, kPeer.with_port(1'000 + i)));
      }
    }
    EXPECT_EQ(externals.size(), 60U);
  }
}

// REQ-3 a.
TEST(NatBoxPorts, StayInTheRangeOfTheInternalPort) {
  for (const PortAssignment ports :
       {PortAssignment::preserve, PortAssignment::sequential, PortAssignment::random}) {
    Box box({.mapping = kByBoth, .ports = ports});
    for (std::uint16_t i = 0; i < 200; ++i) {
      const SocketAddress remote = kPeer.with_port(1'000 + i);
      EXPECT_LT(box.external(kHost.with_port(53), remote).port(), 1'024);
      EXPECT_GE(box.external(kHost, remote).port(), 1'024);
    }
  }
}

TEST(NatBoxPorts, AreSequentialByTheStep) {
  for (const std::uint16_t step : {1, 2, 7, 16}) {
    Box box({.mapping = kByBoth, .ports = PortAssignment::sequential, .port_step = step});
    int last = box.external(kHost, kPeer.with_port(1)).port();
    for (std::uint16_t i = 2; i < 300; ++i) {
      const int port = box.external(kHost, kPeer.with_port(i)).port();
      EXPECT_EQ((port - last + 64'512) % 64'512, step);
      last = port;
    }
  }
}

TEST(NatBoxPorts, AreSequentialAroundTheEndOfTheRange) {
  Box box({.mapping = kByBoth, .ports = PortAssignment::sequential, .port_step = 1'000});
  std::set<std::uint16_t> ports;
  for (std::uint16_t i = 1; i <= 200; ++i) {
    ports.insert(box.external(kHost, kPeer.with_port(i)).port());
  }
  EXPECT_EQ(ports.size(), 200U);
  EXPECT_GE(*ports.begin(), 1'024);
}

TEST(NatBoxPorts, AreRandomOverTheWholeRange) {
  Box box({.mapping = kByBoth, .ports = PortAssignment::random});
  std::vector<std::uint16_t> ports;
  for (std::uint16_t i = 1; i <= 1'000; ++i) {
    ports.push_back(box.external(kHost, kPeer.with_port(i)).port());
  }
  const auto below = std::ranges::count_if(ports, [](std::uint16_t port) { return port < 33'280; });
  EXPECT_GT(below, 400);
  EXPECT_LT(below, 600);
}

TEST(NatBoxPorts, OfAHostLieInItsBlock) {
  Box box({.mapping = kByBoth, .ports = PortAssignment::block, .port_block = 512});
  std::set<std::uint16_t> ports[2];
  for (std::uint16_t i = 1; i <= 300; ++i) {
    ports[0].insert(box.external(kHost, kPeer.with_port(i)).port());
    ports[1].insert(box.external(kHost2, kPeer.with_port(i)).port());
  }
  for (const auto& each : ports) EXPECT_LT(*each.rbegin() - *each.begin(), 512);
  EXPECT_TRUE(*ports[0].rbegin() < *ports[1].begin() || *ports[1].rbegin() < *ports[0].begin());
}

TEST(NatBoxPorts, OfABlockThatIsUsedUpAreRefusedUntilOneTimesOut) {
  Box box({.mapping = kByBoth, .ports = PortAssignment::block, .port_block = 8, .timeout = 2min});
  for (std::uint16_t i = 1; i <= 8; ++i) box.external(kHost, kPeer.with_port(i));
  EXPECT_EQ(box.outward(kHost, kPeer.with_port(9)).fate, NatFate::table_full);
  EXPECT_TRUE(box.outward(kHost2, kPeer).passes()) << "another host has another block";
  box.wait(2min);
  EXPECT_TRUE(box.outward(kHost, kPeer.with_port(9)).passes());
}

// --- timers: RFC 4787 §4.3 -----------------------------------------------------------------------

// REQ-5, by default five minutes.
TEST(NatBoxTimer, KeepsASilentMappingExactlyThatLong) {
  Box box(full_cone());
  const SocketAddress external = box.external(kHost, kPeer);
  box.wait(5min - 1ns);
  EXPECT_TRUE(box.inward(kPeer, external).passes());
  box.wait(1ns);
  EXPECT_EQ(box.inward(kPeer, external).fate, NatFate::unmapped);
}

// REQ-5 b.
TEST(NatBoxTimer, IsConfigurable) {
  NatBoxConfig config = full_cone();
  config.timeout = 20s;
  Box box(config);
  const SocketAddress external = box.external(kHost, kPeer);
  box.wait(20s);
  EXPECT_EQ(box.inward(kPeer, external).fate, NatFate::unmapped);
}

// REQ-6.
TEST(NatBoxTimer, IsRestartedByDatagramsFromTheInside) {
  Box box(port_restricted());
  const SocketAddress external = box.external(kHost, kPeer);
  for (int i = 0; i < 5; ++i) {
    box.wait(4min);
    EXPECT_EQ(box.external(kHost, kPeer), external);
  }
  EXPECT_TRUE(box.inward(kPeer, external).passes());
}

// REQ-6 a: only where the box is configured so.
TEST(NatBoxTimer, IsRestartedByDatagramsFromTheOutsideWhereAsked) {
  for (const NatRefresh refresh : {NatRefresh::outbound, NatRefresh::both}) {
    NatBoxConfig config = port_restricted();
    config.refresh = refresh;
    Box box(config);
    const SocketAddress external = box.external(kHost, kPeer);
    box.wait(4min);
    EXPECT_TRUE(box.inward(kPeer, external).passes());
    box.wait(4min);
    EXPECT_EQ(box.inward(kPeer, external).passes(), refresh == NatRefresh::both);
  }
}

TEST(NatBoxTimer, RunsForEachRemoteEndpoint) {
  Box box(port_restricted());
  const SocketAddress external = box.external(kHost, kPeer);
  box.wait(3min);
  EXPECT_EQ(box.external(kHost, kPeer2), external);
  box.wait(3min);
  EXPECT_EQ(box.inward(kPeer, external).fate, NatFate::filtered) << "its permission is gone";
  EXPECT_TRUE(box.inward(kPeer2, external).passes()) << "the mapping is not";
}

TEST(NatBoxTimer, FreesThePort) {
  Box box(port_restricted());
  EXPECT_EQ(box.external(kHost, kPeer).port(), 4433);
  EXPECT_NE(box.external(kHost2, kPeer).port(), 4433);
  box.wait(5min);
  EXPECT_EQ(box.external(kHost3, kPeer).port(), 4433);
  EXPECT_EQ(box->mappings(box.now()), 1U);
}

// --- filtering: RFC 4787 §5 ----------------------------------------------------------------------

// REQ-8, for transparency.
TEST(NatBoxFilter, EndpointIndependentLetsEverybodyIn) {
  Box box({.filtering = kIndependent});
  const SocketAddress external = box.external(kHost, kPeer);
  EXPECT_TRUE(box.inward(kPeer, external).passes());
  EXPECT_TRUE(box.inward(kPeer.with_port(9), external).passes());
  EXPECT_TRUE(box.inward(kPeer2, external).passes());
  EXPECT_EQ(box.inward(kPeer, external.with_port(9)).fate, NatFate::unmapped);
}

// REQ-8, for strictness.
TEST(NatBoxFilter, AddressDependentLetsInWhomTheInsideWroteToFromAnyPort) {
  Box box({.filtering = kByAddress});
  const SocketAddress external = box.external(kHost, kPeer);
  EXPECT_TRUE(box.inward(kPeer, external).passes());
  EXPECT_TRUE(box.inward(kPeer.with_port(9), external).passes());
  EXPECT_TRUE(box.inward(kPeer.with_port(60'000), external).passes());
  EXPECT_EQ(box.inward(kPeer2, external).fate, NatFate::filtered);
  EXPECT_EQ(box.external(kHost, kPeer2), external);
  EXPECT_TRUE(box.inward(kPeer2, external).passes());
}

TEST(NatBoxFilter, AddressAndPortDependentLetsInOnlyTheEndpointsThatTheInsideWroteTo) {
  Box box({.filtering = kByBoth});
  const SocketAddress external = box.external(kHost, kPeer);
  EXPECT_TRUE(box.inward(kPeer, external).passes());
  EXPECT_EQ(box.inward(kPeer.with_port(9), external).fate, NatFate::filtered);
  EXPECT_EQ(box.inward(kPeer2, external).fate, NatFate::filtered);
}

TEST(NatBoxFilter, HoldsForEachInternalEndpointAlone) {
  Box box({.filtering = kByBoth});
  box.external(kHost, kPeer);
  const SocketAddress external = box.external(kHost2, kPeer2);
  EXPECT_EQ(box.inward(kPeer, external).fate, NatFate::filtered);
}

// --- hairpinning: RFC 4787 §6 --------------------------------------------------------------------

// REQ-9 and REQ-9 a.
TEST(NatBoxHairpin, ReturnsDatagramsWithTheExternalSource) {
  Box box({.filtering = kIndependent, .ports = PortAssignment::random});
  const SocketAddress external = box.external(kHost, kPeer);
  const SocketAddress external2 = box.external(kHost2, kPeer);
  const Translation result = box.outward(kHost, external2);
  EXPECT_EQ(result.fate, NatFate::hairpinned);
  EXPECT_EQ(result.from, external);
  EXPECT_EQ(result.to, kHost2);
}

TEST(NatBoxHairpin, ReturnsThemWithTheInternalSourceWhereAsked) {
  Box box({.filtering = kIndependent, .hairpin = Hairpin::internal_source});
  const SocketAddress external2 = box.external(kHost2, kPeer);
  EXPECT_EQ(box.outward(kHost, external2).from, kHost);
}

TEST(NatBoxHairpin, OffDropsThem) {
  Box box({.filtering = kIndependent, .hairpin = Hairpin::off});
  const SocketAddress external2 = box.external(kHost2, kPeer);
  EXPECT_EQ(box.outward(kHost, external2).fate, NatFate::no_hairpin);
}

TEST(NatBoxHairpin, PassesTheFilterOfTheOtherEndpoint) {
  Box box({.filtering = kByBoth});
  const SocketAddress external = box.external(kHost, kPeer);
  const SocketAddress external2 = box.external(kHost2, kPeer);
  EXPECT_EQ(box.outward(kHost, external2).fate, NatFate::filtered);
  EXPECT_EQ(box.outward(kHost2, external).fate, NatFate::hairpinned) << "the first has written";
  EXPECT_EQ(box.outward(kHost, external2).fate, NatFate::hairpinned) << "and now the second";
}

TEST(NatBoxHairpin, NeedsAMapping) {
  Box box({.filtering = kIndependent});
  EXPECT_EQ(box.outward(kHost, kOutside.with_port(9'999)).fate, NatFate::unmapped);
}

// --- the same behaviour at all times: RFC 4787 §8 ------------------------------------------------

// REQ-11: three hosts with one port, so that two of them cannot keep it.
TEST(NatBoxConflict, ChangesNeitherMappingNorFiltering) {
  Box box({.filtering = kByAddress, .ports = PortAssignment::preserve});
  for (const SocketAddress& host : {kHost, kHost2, kHost3}) {
    const SocketAddress external = box.external(host, kPeer);
    EXPECT_EQ(box.external(host, kPeer.with_port(9)), external);
    EXPECT_TRUE(box.inward(kPeer.with_port(77), external).passes());
    EXPECT_EQ(box.inward(kPeer2, external).fate, NatFate::filtered);
    EXPECT_EQ(box.external(host, kPeer2), external);
  }
}

TEST(NatBoxConflict, EqualSeedsGiveEqualPorts) {
  const auto ports = [](std::uint64_t seed) {
    Box box(symmetric(), seed);
    std::vector<std::uint16_t> out;
    for (std::uint16_t i = 1; i <= 50; ++i) {
      out.push_back(box.external(kHost, kPeer.with_port(i)).port());
    }
    return out;
  };
  EXPECT_EQ(ports(1), ports(1));
  EXPECT_NE(ports(1), ports(2));
}

}  // namespace
}  // namespace qpeer::sim
