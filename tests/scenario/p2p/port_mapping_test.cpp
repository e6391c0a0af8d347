// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A node whose router maps its port: it advertises the router's, and gives it back at the end.
#include <optional>
#include <string>
#include <vector>

#include "qpeer/tests/scenario/p2p/world.hpp"
#include "qpeer/tests/unit/p2p/nat/mapping_gateway.hpp"

namespace qpeer::sim {
namespace {

using p2p::PortMapFailed;
using p2p::PortMapped;
using p2p::test::MappingGateway;

constexpr auto kInside = SocketAddress::ipv4({192, 168, 1, 20}, 4477);

SimPeerConfig inside() { return {.address = kInside}; }

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

}  // namespace
}  // namespace qpeer::sim
