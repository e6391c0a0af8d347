// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What RFC 4787 leaves to a box: a full table, unsolicited datagrams, forwardings, firewalls; and what
// happens to a box.
#include "qpeer/tests/unit/sim/nat_box_fixture.hpp"

namespace qpeer::sim {
namespace {

// --- limits --------------------------------------------------------------------------------------

TEST(NatBoxTable, ThatIsFullDropsWhatNeedsANewMapping) {
  Box box({.mapping = kByBoth, .timeout = 2min, .max_mappings = 3});
  const SocketAddress external = box.external(kHost, kPeer.with_port(1));
  box.wait(1min);
  box.external(kHost, kPeer.with_port(2));
  box.external(kHost, kPeer.with_port(3));
  EXPECT_EQ(box.outward(kHost, kPeer.with_port(4)).fate, NatFate::table_full);
  EXPECT_TRUE(box.inward(kPeer.with_port(1), external).passes()) << "none is given up for it";
  box.wait(1min);
  EXPECT_TRUE(box.outward(kHost, kPeer.with_port(4)).passes());
}

TEST(NatBoxTable, WithoutRoomBlocksUdp) {
  Box box(udp_blocked());
  EXPECT_EQ(box.outward(kHost, kPeer).fate, NatFate::table_full);
  EXPECT_EQ(box.inward(kPeer, kOutside.with_port(4433)).fate, NatFate::unmapped);
}

// --- unsolicited datagrams -----------------------------------------------------------------------

TEST(NatBoxUnsolicited, DroppedLeavesNoTrace) {
  Box box(port_restricted());
  const SocketAddress external = box.external(kHost, kPeer);
  EXPECT_EQ(box.inward(kPeer2, external).fate, NatFate::filtered);
  EXPECT_EQ(box.external(kHost, kPeer2), external);
  EXPECT_TRUE(box.inward(kPeer2, external).passes());
}

TEST(NatBoxUnsolicited, RememberedMovesWhatIsSentThereToAnotherPort) {
  NatBoxConfig config = port_restricted();
  config.on_unsolicited = OnUnsolicited::remember;
  Box box(config);
  const SocketAddress external = box.external(kHost, kPeer);
  EXPECT_EQ(box.inward(kPeer2, external).fate, NatFate::filtered);
  const SocketAddress moved = box.external(kHost, kPeer2);
  EXPECT_NE(moved, external);
  EXPECT_EQ(box.external(kHost, kPeer2), moved);
  EXPECT_EQ(box.inward(kPeer2, external).fate, NatFate::filtered) << "the port that it knows";
  EXPECT_TRUE(box.inward(kPeer2, moved).passes());
  EXPECT_EQ(box.external(kHost, kPeer), external) << "others see no change";
  EXPECT_EQ(box.external(kHost, kPeer2.with_port(9)), external);
}

TEST(NatBoxUnsolicited, RememberedBeforeTheMappingTakesThePort) {
  NatBoxConfig config = port_restricted();
  config.on_unsolicited = OnUnsolicited::remember;
  Box box(config);
  EXPECT_EQ(box.inward(kPeer, kOutside.with_port(4433)).fate, NatFate::unmapped);
  EXPECT_NE(box.external(kHost, kPeer).port(), 4433);
}

TEST(NatBoxUnsolicited, RememberedIsForgottenInTime) {
  NatBoxConfig config = port_restricted();
  config.on_unsolicited = OnUnsolicited::remember;
  Box box(config);
  const SocketAddress external = box.external(kHost, kPeer);
  EXPECT_EQ(box.inward(kPeer2, external).fate, NatFate::filtered);
  box.wait(kRememberTime);
  EXPECT_EQ(box.external(kHost, kPeer2), external);
}

TEST(NatBoxUnsolicited, PunishedShutsItsSourceOutForTenSeconds) {
  NatBoxConfig config = port_restricted();
  config.on_unsolicited = OnUnsolicited::punish;
  Box box(config);
  const SocketAddress external = box.external(kHost, kPeer);
  EXPECT_EQ(box.inward(kPeer2, external).fate, NatFate::filtered);
  EXPECT_EQ(box.external(kHost, kPeer2), external);
  box.wait(10s - 1ns);
  EXPECT_EQ(box.inward(kPeer2, external).fate, NatFate::punished);
  EXPECT_TRUE(box.inward(kPeer, external).passes()) << "others are not punished";
  box.wait(1ns);
  EXPECT_TRUE(box.inward(kPeer2, external).passes()) << "what was solicited did not prolong it";
}

// --- forwardings ---------------------------------------------------------------------------------

TEST(NatBoxForwarding, LetsStrangersInWithoutAMapping) {
  Box box(symmetric());
  ASSERT_TRUE(box->forward(box.now(), kHost, 4433));
  const Translation result = box.inward(kPeer, kOutside.with_port(4433));
  EXPECT_TRUE(result.passes());
  EXPECT_EQ(result.to, kHost);
  EXPECT_EQ(box.external(kHost, kPeer).port(), 4433) << "the answer comes from that port";
  EXPECT_EQ(box.external(kHost, kPeer2).port(), 4433);
  box.wait(24h);
  EXPECT_TRUE(box.inward(kPeer, kOutside.with_port(4433)).passes());
}

TEST(NatBoxForwarding, MovesNoFlowThatHasAPortOfItsOwn) {
  Box box(symmetric());
  const SocketAddress before = box.external(kHost, kPeer);
  ASSERT_TRUE(box->forward(box.now(), kHost, 4433));
  EXPECT_EQ(box.external(kHost, kPeer), before);
  EXPECT_TRUE(box.inward(kPeer, before).passes());
  EXPECT_EQ(box.external(kHost, kPeer2).port(), 4433) << "a new flow";
}

TEST(NatBoxForwarding, EndsWithItsLeaseOrWhenItIsRemoved) {
  Box box(port_restricted());
  ASSERT_TRUE(box->forward(box.now(), kHost, 5'000, box.now() + 1h));
  EXPECT_EQ(box->forwarded(box.now(), kHost), kOutside.with_port(5'000));
  box.wait(1h);
  EXPECT_FALSE(box.inward(kPeer, kOutside.with_port(5'000)).passes());
  EXPECT_EQ(box->forwarded(box.now(), kHost), std::nullopt);
  ASSERT_TRUE(box->forward(box.now(), kHost, 5'000));
  box->remove_forward(kHost);
  EXPECT_FALSE(box.inward(kPeer, kOutside.with_port(5'000)).passes());
  EXPECT_TRUE(box->consistent());
}

TEST(NatBoxForwarding, TakesNoPortOfAnotherInternalEndpoint) {
  Box box(port_restricted());
  box.external(kHost, kPeer);
  ASSERT_TRUE(box->forward(box.now(), kHost2, 5'000));
  EXPECT_FALSE(box->forward(box.now(), kHost2, 4433)) << "mapped";
  EXPECT_FALSE(box->forward(box.now(), kHost, 5'000)) << "forwarded";
  EXPECT_TRUE(box->forward(box.now(), kHost, 4433)) << "its own mapping becomes the forwarding";
  EXPECT_EQ(box.external(kHost, kPeer2).port(), 4433);
  EXPECT_TRUE(box->consistent());
}

TEST(NatBoxForwarding, IsRenewedAndMoved) {
  Box box(port_restricted());
  ASSERT_TRUE(box->forward(box.now(), kHost, 5'000, box.now() + 1h));
  ASSERT_TRUE(box->forward(box.now(), kHost, 5'000, box.now() + 2h));
  box.wait(1h);
  EXPECT_TRUE(box.inward(kPeer, kOutside.with_port(5'000)).passes());
  ASSERT_TRUE(box->forward(box.now(), kHost, 6'000));
  EXPECT_FALSE(box.inward(kPeer, kOutside.with_port(5'000)).passes());
  EXPECT_TRUE(box.inward(kPeer, kOutside.with_port(6'000)).passes());
}

// --- firewalls -----------------------------------------------------------------------------------

constexpr SocketAddress kHost6 =
    SocketAddress::ipv6({0x2a, 0x01, 0, 0xa1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}, 4433);
constexpr SocketAddress kPeer6 =
    SocketAddress::ipv6({0x2a, 0x01, 0, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 4433);

TEST(NatBoxFirewall, KeepsAddressesAndLetsInOnlyAnswers) {
  const SocketAddress host = SocketAddress::ipv4({12, 1, 1, 2}, 4433);
  Box box(firewall());
  EXPECT_EQ(box.inward(kPeer, host).fate, NatFate::unmapped);
  EXPECT_EQ(box.external(host, kPeer), host);
  EXPECT_EQ(box.inward(kPeer, host).to, host);
  EXPECT_EQ(box.inward(kPeer.with_port(9), host).fate, NatFate::filtered);
  box.wait(5min);
  EXPECT_FALSE(box.inward(kPeer, host).passes());
}

TEST(NatBoxFirewall, IsWhatIpv6MeetsInEveryBox) {
  for (const NatBoxConfig& config : {firewall(), port_restricted(), symmetric()}) {
    Box box(config);
    EXPECT_EQ(box.inward(kPeer6, kHost6).fate, NatFate::unmapped);
    EXPECT_EQ(box.external(kHost6, kPeer6), kHost6);
    EXPECT_EQ(box.external(kHost6, kPeer6.with_port(9)), kHost6);
    EXPECT_EQ(box.inward(kPeer6, kHost6).to, kHost6);
    EXPECT_EQ(box.inward(kPeer6.with_port(10), kHost6).fate, NatFate::filtered);
  }
}

TEST(NatBoxFirewall, HasPinholes) {
  Box box(port_restricted());
  ASSERT_TRUE(box->forward(box.now(), kHost6, 4433));
  EXPECT_EQ(box.inward(kPeer6, kHost6).to, kHost6);
  EXPECT_EQ(box->forwarded(box.now(), kHost6), kHost6);
}

// --- what happens to a box -----------------------------------------------------------------------

TEST(NatBoxChange, RebindingGivesOtherPortsAlsoWhereTheyArePreserved) {
  for (const NatBoxConfig& config : {port_restricted(), full_cone(), symmetric()}) {
    Box box(config);
    ASSERT_TRUE(box->forward(box.now(), kHost3, 7'000));
    const SocketAddress external = box.external(kHost, kPeer);
    box->rebind();
    EXPECT_EQ(box.inward(kPeer, external).fate, NatFate::unmapped);
    const SocketAddress moved = box.external(kHost, kPeer);
    EXPECT_NE(moved, external);
    EXPECT_TRUE(moved.same_host(external));
    EXPECT_TRUE(box.inward(kPeer, moved).passes());
    EXPECT_TRUE(box.inward(kPeer2, kOutside.with_port(7'000)).passes()) << "forwardings stay";
  }
}

TEST(NatBoxChange, RebootForgetsEverything) {
  Box box(port_restricted());
  ASSERT_TRUE(box->forward(box.now(), kHost3, 7'000));
  const SocketAddress external = box.external(kHost, kPeer);
  box->reboot();
  EXPECT_EQ(box->mappings(box.now()), 0U);
  EXPECT_FALSE(box.inward(kPeer, external).passes());
  EXPECT_FALSE(box.inward(kPeer, kOutside.with_port(7'000)).passes());
  EXPECT_EQ(box.external(kHost, kPeer), external) << "the port is preserved again";
}

TEST(NatBoxChange, AnotherExternalAddressKeepsForwardingsOnly) {
  const SocketAddress elsewhere = SocketAddress::ipv4({151, 1, 1, 1}, 0);
  Box box(port_restricted());
  ASSERT_TRUE(box->forward(box.now(), kHost3, 7'000));
  const SocketAddress external = box.external(kHost, kPeer);
  box->set_outside(elsewhere);
  EXPECT_TRUE(box->consistent());
  EXPECT_FALSE(box.inward(kPeer, external).passes());
  EXPECT_FALSE(box.inward(kPeer, external.with_port(7'000)).passes());
  EXPECT_EQ(box.inward(kPeer, elsewhere.with_port(7'000)).to, kHost3);
  EXPECT_EQ(box.external(kHost, kPeer), elsewhere.with_port(4433));
}

}  // namespace
}  // namespace qpeer::sim
