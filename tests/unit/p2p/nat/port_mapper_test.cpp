// SPDX-License-Identifier: MIT OR BSD-3-Clause
// PortMapper against gateways that speak PCP, NAT-PMP, both or neither, lose their mappings, and lie.
#include "qpeer/p2p/nat/port_mapper.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/p2p/nat/mapping_gateway.hpp"

namespace qpeer::p2p {
namespace {

using test::Mapping;
using test::MappingGateway;

// --- a mapping is made ---------------------------------------------------------------------------

// [rfc6887-A-1] [rfc6887-8.1-2] [rfc6887-11.1-3] [rfc6886-1.1-2] [rfc6886-3.3-2]
TEST(PortMapper, IsGrantedOneByPcp) {
  Mapping each{MappingGateway{.pcp = true}};
  each.run_for(1s);
  EXPECT_EQ(each.take_event(), (PortMapperEvent{PortMapping{.external = each.external(4433),
                                                            .protocol = MappingProtocol::pcp,
                                                            .lifetime = 2h}}));
  EXPECT_EQ(each.gateway.pcp_requests, 1U);
  EXPECT_EQ(each.gateway.nat_pmp_requests, 0U);
  EXPECT_EQ(each.gateway.client, each.internal);
}

// RFC 6886 §1.1: the gateway that knows NAT-PMP alone says so at once. [rfc6887-9-2] [rfc6887-9-3]
TEST(PortMapper, IsGrantedOneByNatPmp) {
  Mapping each{MappingGateway{.nat_pmp = true}};
  each.run_for(200ms);
  EXPECT_EQ(each.take_event(), (PortMapperEvent{PortMapping{.external = each.external(4433),
                                                            .protocol = MappingProtocol::nat_pmp,
                                                            .lifetime = 2h}}));
  EXPECT_EQ(each.gateway.pcp_requests, 1U);
  EXPECT_EQ(each.gateway.nat_pmp_requests, 2U);
}

TEST(PortMapper, AGatewayThatIsSilentToPcpIsAskedByNatPmp) {
  Mapping each{MappingGateway{.nat_pmp = true, .says_version = false}};
  each.run_for(240ms);
  EXPECT_EQ(each.gateway.nat_pmp_requests, 0U);
  each.run_for(260ms);
  EXPECT_EQ(each.mapped().protocol, MappingProtocol::nat_pmp);
}

TEST(PortMapper, OfAGatewayThatSpeaksBothPcpIsTaken) {
  Mapping each{MappingGateway{.pcp = true, .nat_pmp = true}};
  each.run_for(1s);
  EXPECT_EQ(each.mapped().protocol, MappingProtocol::pcp);
  EXPECT_EQ(each.gateway.nat_pmp_requests, 0U);
}

// [rfc6887-11.2-2] [rfc6887-11.2-3]
TEST(PortMapper, AnotherPortIsTaken) {
  for (const bool pcp : {true, false}) {
    Mapping each{MappingGateway{.pcp = pcp, .nat_pmp = !pcp, .port = 61'001}};
    each.run_for(1s);
    EXPECT_EQ(each.mapped().external, each.external(61'001));
  }
}

TEST(PortMapper, BehindAnIpv6FirewallPcpOpensThePort) {
  MappingGateway gateway{.pcp = true};
  gateway.address = SocketAddress::ipv6({0xfe, 0x80, 1}, 0, 2);
  gateway.external = SocketAddress::ipv6({0x2a, 1, 2}, 0);
  Mapping each{gateway, SocketAddress::ipv6({0x2a, 1, 2}, 4433)};
  each.run_for(1s);
  EXPECT_EQ(each.mapped().external, SocketAddress::ipv6({0x2a, 1, 2}, 4433));
}

// [rfc6886-3-2]
TEST(PortMapper, NatPmpIsNotSpokenFromAGlobalAddress) {
  for (const auto& internal :
       {SocketAddress::ipv6({0x2a, 1}, 4433), SocketAddress::ipv4({9, 9, 9, 9}, 4433)}) {
    Mapping each{MappingGateway{.nat_pmp = true}, internal};
    each.run_for(10min);
    EXPECT_EQ(each.gateway.nat_pmp_requests, 0U);
    EXPECT_FALSE(each.mapper.mapping().has_value());
  }
}

TEST(PortMapper, APrivateAddressOutsideIsADoubleNat) {
  for (const auto& external :
       {SocketAddress::ipv4({100, 64, 1, 1}, 0), SocketAddress::ipv4({192, 168, 0, 9}, 0)}) {
    for (const bool pcp : {true, false}) {
      MappingGateway gateway{.pcp = pcp, .nat_pmp = !pcp};
      gateway.external = external;
      Mapping each{gateway};
      each.run_for(1s);
      EXPECT_TRUE(each.mapped().double_nat);
    }
  }
}

// --- none is made --------------------------------------------------------------------------------

TEST(PortMapper, ThatNobodyAnswersIsToldAfterHalfASecondAndOnce) {
  Mapping each{MappingGateway{}};
  each.run_for(499ms);
  EXPECT_FALSE(each.take_event().has_value());
  each.run_for(1ms);
  EXPECT_EQ(each.take_event(), PortMapperEvent{NoPortMapping{MappingFailure::no_answer}});
  each.run_for(24h);
  EXPECT_FALSE(each.take_event().has_value());
}

// [rfc6886-3.1-4] [rfc6886-3.1-5] [rfc6886-3.3-3]
TEST(PortMapper, NatPmpIsAskedNineTimesInTwoMinutes) {
  Mapping each{MappingGateway{}};
  each.run_for(10min);
  ASSERT_EQ(each.nat_pmp_sent_at.size(), 9U);
  Duration at = 250ms;
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(each.nat_pmp_sent_at[i], at) << i;
    at += 250ms * (1 << i);
  }
}

// [rfc6887-8.1.1-1] [rfc6887-8.1.1-2] [rfc6887-8.1.1-3] [rfc6887-8.1.1-4] [rfc6887-8.1.1-5]
// [rfc6887-8.1.1-6]
TEST(PortMapper, PcpIsAskedForEverMoreAndMoreSeldom) {
  Mapping each{MappingGateway{}};
  each.run_for(4h);
  const auto& at = each.pcp_sent_at;
  ASSERT_GT(at.size(), 15U);
  Duration interval = 3s;
  for (std::size_t i = 1; i < at.size(); ++i) {
    EXPECT_GE(at[i] - at[i - 1], interval * 9 / 10) << i;
    EXPECT_LE(at[i] - at[i - 1], interval * 11 / 10) << i;
    interval = std::min<Duration>(2 * (at[i] - at[i - 1]), 1024s);
  }
  EXPECT_TRUE(std::ranges::all_of(each.nonces, [&](const auto& n) { return n == each.nonces[0]; }));
  Mapping other{MappingGateway{}, Mapping::kInternal, 2};
  other.run_for(10s);
  EXPECT_NE(other.pcp_sent_at[1], at[1]);
}

TEST(PortMapper, AGatewayThatBeginsToAnswerIsHeard) {
  Mapping each{MappingGateway{}};
  each.run_for(30s);
  each.take_event();
  each.gateway.pcp = true;
  each.run_for(60s);
  EXPECT_EQ(each.mapped().protocol, MappingProtocol::pcp);
}

TEST(PortMapper, ARefusalIsToldAndTheOtherProtocolTried) {
  Mapping each{
      MappingGateway{.pcp = true, .nat_pmp = true, .pcp_result = PcpResult::not_authorized}};
  each.run_for(100ms);
  EXPECT_EQ(each.mapped().protocol, MappingProtocol::nat_pmp);
}

TEST(PortMapper, EachErrorOfPcpIsAFailure) {
  using enum MappingFailure;
  constexpr std::array<MappingFailure, 15> kExpected{
      error,        error, refused,          error,        error,
      error,        error, no_network,       no_resources, error,
      no_resources, error, address_mismatch, error,        error};
  for (u8 result = 2; result <= 14; ++result) {
    Mapping each{MappingGateway{.pcp = true, .pcp_result = PcpResult{result}}};
    each.run_for(1s);
    EXPECT_EQ(each.take_event(), PortMapperEvent{NoPortMapping{kExpected[result]}}) << int{result};
  }
}

// [rfc6886-3.5-10] [rfc6886-3.5-11]
TEST(PortMapper, EachErrorOfNatPmpIsAFailure) {
  using enum MappingFailure;
  for (const auto& [result, why] :
       {std::pair{2, refused}, {3, no_network}, {4, no_resources}, {5, error}, {999, error}}) {
    Mapping each{MappingGateway{.nat_pmp = true}};
    each.gateway.nat_pmp_result = NatPmpResult{static_cast<std::uint16_t>(result)};
    each.run_for(1s);
    EXPECT_EQ(each.take_event(), PortMapperEvent{NoPortMapping{why}}) << result;
  }
}

// [rfc6887-8.3-4] [rfc6887-11.4-1] [rfc6887-11.4-2] [rfc6887-11.4-5]
TEST(PortMapper, ARequestThatWasRefusedIsNotRepeatedWhileTheErrorLasts) {
  for (const auto& [lifetime, quiet] :
       {std::pair{0U, Duration{30s}}, {300U, Duration{300s}}, {4'000'000'000U, Duration{30min}}}) {
    MappingGateway gateway{.pcp = true, .pcp_result = PcpResult::no_resources};
    gateway.error_lifetime = lifetime;
    Mapping each{gateway, SocketAddress::ipv4({9, 9, 9, 9}, 4433)};
    each.run_for(quiet);
    EXPECT_EQ(each.gateway.pcp_requests, 1U) << lifetime;
    each.run_for(1s);
    EXPECT_EQ(each.gateway.pcp_requests, 2U) << lifetime;
    each.gateway.pcp_result = PcpResult::success;
    each.run_for(quiet + 1s);
    EXPECT_TRUE(each.mapper.mapping().has_value());
  }
}

// [rfc6887-9-4]
TEST(PortMapper, AGatewayThatKnowsNoVersionOfOursIsAskedAgainIn30Minutes) {
  MappingGateway gateway{};
  gateway.other_version = 3;
  Mapping each{gateway, SocketAddress::ipv4({9, 9, 9, 9}, 4433)};
  each.run_for(30min);
  EXPECT_EQ(each.gateway.pcp_requests, 1U);
  each.run_for(1s);
  EXPECT_EQ(each.gateway.pcp_requests, 2U);
}

TEST(PortMapper, WhatCannotBeAnAddressOutsideIsNone) {
  for (const auto& external :
       {SocketAddress::ipv4({0, 0, 0, 0}, 0), SocketAddress::ipv4({127, 0, 0, 1}, 0),
        SocketAddress::ipv4({224, 0, 0, 1}, 0)}) {
    for (const bool pcp : {true, false}) {
      MappingGateway gateway{.pcp = pcp, .nat_pmp = !pcp};
      gateway.external = external;
      Mapping each{gateway};
      each.run_for(1s);
      EXPECT_EQ(each.take_event(), PortMapperEvent{NoPortMapping{MappingFailure::no_network}});
    }
  }
}

// --- answers of others ---------------------------------------------------------------------------

// [rfc6886-3.2-4] [rfc6886-3.3-15]
TEST(PortMapper, OnlyTheGatewayIsHeard) {
  for (const bool pcp : {true, false}) {
    Mapping each{MappingGateway{.pcp = pcp, .nat_pmp = !pcp}};
    each.answers_from = SocketAddress::ipv4({192, 168, 1, 66}, kGatewayPort);
    each.run_for(1s);
    EXPECT_FALSE(each.mapper.mapping().has_value());
    each.answers_from = each.gateway.address.with_port(5'352);
    each.run_for(10s);
    EXPECT_FALSE(each.mapper.mapping().has_value());
    each.answers_from.reset();
    each.run_for(60s);
    EXPECT_TRUE(each.mapper.mapping().has_value());
  }
}

// [rfc6887-8.3-2]
TEST(PortMapper, AnswersWithAnotherNonceOrPortAreIgnored) {
  Mapping each{MappingGateway{}};
  each.run_for(100ms);
  PcpResponse forged = each.gateway.grant(
      {.client = each.internal,
       .lifetime = 7'200,
       .mapping = {
           .nonce = each.nonces.at(0), .internal_port = 4433, .external = each.external(1)}});
  auto other = forged;
  other.mapping.nonce[0] ^= 1;
  EXPECT_FALSE(each.receive(other));
  other = forged;
  other.mapping.internal_port = 4434;
  EXPECT_FALSE(each.receive(other));
  EXPECT_FALSE(each.mapper.mapping().has_value());
  EXPECT_TRUE(each.receive(forged));
  EXPECT_TRUE(each.mapper.mapping().has_value());
}

// One request after the other: [rfc6886-3.1-1] [rfc6886-3.1-2] [rfc6886-3.1-3] [rfc6886-3.7-5]
TEST(PortMapper, NatPmpIsHeardOnlyWhenItWasAsked) {
  Mapping each{MappingGateway{}};
  const NatPmpResponse mapping{
      .opcode = NatPmpOpcode::map_udp, .internal_port = 4433, .external_port = 1, .lifetime = 60};
  EXPECT_FALSE(each.receive(mapping));
  each.run_for(260ms);
  EXPECT_FALSE(each.receive(mapping));  // It was asked for the address.
  EXPECT_TRUE(each.receive(NatPmpResponse{.external_address = each.gateway.external}));
  EXPECT_FALSE(each.receive(mapping));  // It was not asked yet.
  each.run_for(1ms);
  auto other = mapping;
  other.internal_port = 4434;
  EXPECT_FALSE(each.receive(other));
  EXPECT_TRUE(each.receive(mapping));
  EXPECT_EQ(each.mapped().external, each.external(1));
}

TEST(PortMapper, WhatIsCutIsIgnored) {
  Mapping each{MappingGateway{}};
  each.run_for(300ms);
  const auto whole = MappingGateway::encoded(
      each.gateway.grant({.client = each.internal,
                          .lifetime = 7'200,
                          .mapping = {.nonce = each.nonces.at(0), .internal_port = 4433}}));
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    EXPECT_FALSE(each.mapper.on_response(each.now, each.gateway.address, Bytes(whole).first(cut)));
  }
  EXPECT_EQ(each.mapper.stats().ignored, whole.size());
  EXPECT_FALSE(each.mapper.mapping().has_value());
}

// --- it is kept ----------------------------------------------------------------------------------

// [rfc6886-3.3-16] [rfc6886-3.3-17] [rfc6887-11.2.1-1] [rfc6887-11.2.1-2] [rfc6887-11.2.1-3]
// [rfc6887-11.2.1-4] [rfc6887-11.4-3] [rfc6887-11.4-4] [rfc6887-15-4]
TEST(PortMapper, IsRenewedHalfwayWithWhatItHas) {
  for (const bool pcp : {true, false}) {
    Mapping each{
        MappingGateway{.pcp = pcp, .nat_pmp = !pcp, .port = 61'001, .max_lifetime = 1'000}};
    each.run_for(1s);
    EXPECT_EQ(each.mapped().lifetime, 1'000s);
    const std::size_t before = each.gateway.requests();
    each.run_for(498s);
    EXPECT_EQ(each.gateway.requests(), before);
    each.run_for(128s);
    EXPECT_GT(each.gateway.requests(), before);
    EXPECT_EQ(each.gateway.suggested_port, 61'001);
    if (pcp) {
      EXPECT_EQ(each.gateway.suggested, each.external(61'001));
    }
    each.run_for(24h);
    EXPECT_TRUE(each.mapper.mapping().has_value());
    EXPECT_FALSE(each.take_event().has_value());  // Nothing has changed.
  }
}

// [rfc6887-11.2.1-5]
TEST(PortMapper, RenewalsComeCloserButNeverCloserThanFourSeconds) {
  Mapping each{MappingGateway{.pcp = true, .max_lifetime = 600}};
  each.run_for(1s);
  each.gateway.pcp = false;
  each.pcp_sent_at.clear();
  const Duration granted = each.now - Mapping::kStart - 1s;
  each.run_for(590s);
  const auto& at = each.pcp_sent_at;
  ASSERT_GE(at.size(), 5U);
  EXPECT_GE(at[0] - granted, 300s);
  EXPECT_LE(at[0] - granted, 376s);
  EXPECT_GE(at[1] - granted, 400s);
  EXPECT_LE(at[1] - granted, 525s);
  for (std::size_t i = 1; i < at.size(); ++i) EXPECT_GE(at[i] - at[i - 1], 3s) << i;
}

TEST(PortMapper, WhenNobodyRenewsItItExpires) {
  for (const bool pcp : {true, false}) {
    Mapping each{MappingGateway{.pcp = pcp, .nat_pmp = !pcp, .max_lifetime = 600}};
    each.run_for(1s);
    each.take_event();
    each.gateway.pcp = each.gateway.nat_pmp = each.gateway.says_version = false;
    each.run_for(598s);
    EXPECT_TRUE(each.mapper.mapping().has_value());
    each.run_for(1'100ms);
    EXPECT_EQ(each.take_event(), PortMapperEvent{NoPortMapping{MappingFailure::expired}});
    EXPECT_FALSE(each.mapper.mapping().has_value());
  }
}

// [rfc6887-15-5] [rfc6887-8.3-3]
TEST(PortMapper, ALifetimeOfYearsIsTakenForADay) {
  MappingGateway gateway{.pcp = true};
  gateway.grants_lifetime = 4'294'967'295;
  Mapping each{gateway};
  each.run_for(1s);
  EXPECT_EQ(each.mapped().lifetime, 24h);
  each.run_for(15h);
  EXPECT_EQ(each.gateway.pcp_requests, 2U);
}

TEST(PortMapper, ALifetimeOfASecondFloodsNobody) {
  for (const bool pcp : {true, false}) {
    Mapping each{MappingGateway{.pcp = pcp, .nat_pmp = !pcp, .max_lifetime = 1}};
    each.run_for(60s);
    EXPECT_LE(each.gateway.requests(), 260U);
  }
}

TEST(PortMapper, AChangeOfTheAddressIsTold) {
  for (const bool pcp : {true, false}) {
    Mapping each{MappingGateway{.pcp = pcp, .nat_pmp = !pcp}};
    each.run_for(1s);
    each.take_event();
    each.gateway.external = SocketAddress::ipv4({198, 51, 100, 9}, 0);
    each.run_for(2h);
    EXPECT_EQ(each.mapped().external, SocketAddress::ipv4({198, 51, 100, 9}, 4433));
  }
}

// [rfc6887-8-2] [rfc6887-8.3-1]
TEST(PortMapper, AnUpdateOfTheGatewayIsTakenAtAnyTime) {
  Mapping each{MappingGateway{.pcp = true}};
  each.run_for(1s);
  each.take_event();
  auto update =
      each.gateway.grant({.client = each.internal,
                          .lifetime = 7'200,
                          .mapping = {.nonce = each.nonces.at(0), .internal_port = 4433}});
  update.mapping.external = each.external(7'777);
  EXPECT_TRUE(each.receive(update));
  EXPECT_EQ(each.mapped().external, each.external(7'777));
  update.result = PcpResult::not_authorized;
  EXPECT_TRUE(each.receive(update));
  each.run_for(1s);
  EXPECT_EQ(each.take_event(), PortMapperEvent{NoPortMapping{MappingFailure::refused}});
}

// --- the gateway begins anew ---------------------------------------------------------------------

// [rfc6886-3.2.1-5] [rfc6886-3.7-3] [rfc6886-3.7-4] [rfc6887-14.1.3-5]
TEST(PortMapper, AfterARebootTheMappingIsMadeAgain) {
  for (const bool pcp : {true, false}) {
    std::vector<Duration> delays;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Mapping each{MappingGateway{.pcp = pcp, .nat_pmp = !pcp, .port = 61'001}, Mapping::kInternal,
                   seed};
      each.run_for(1h);
      each.take_event();
      each.gateway.reboot(each.now);
      const Instant rebooted = each.now;
      const std::size_t before = each.gateway.requests();
      EXPECT_TRUE(each.announce());
      EXPECT_TRUE(each.announce());  // As gateways do.
      while (each.gateway.requests() == before) each.run_for(10ms);
      delays.push_back(each.now - rebooted);
      each.run_for(1s);
      EXPECT_TRUE(each.mapper.mapping().has_value());
      EXPECT_EQ(each.gateway.suggested_port, 61'001);
      EXPECT_FALSE(each.take_event().has_value());
    }
    EXPECT_LE(*std::ranges::max_element(delays), 5'020ms);
    EXPECT_GE(*std::ranges::max_element(delays), 3s);
    EXPECT_LE(*std::ranges::min_element(delays), 2s);
  }
}

TEST(PortMapper, AnAnnouncementThatIsPlausibleChangesNothing) {
  for (const bool pcp : {true, false}) {
    Mapping each{MappingGateway{.pcp = pcp, .nat_pmp = !pcp}};
    each.run_for(10min);
    const std::size_t before = each.gateway.requests();
    EXPECT_TRUE(each.announce());
    each.run_for(10s);
    EXPECT_EQ(each.gateway.requests(), before);
  }
}

TEST(PortMapper, AnnouncementsOfOthersAreIgnored) {
  Mapping each{MappingGateway{.pcp = true}};
  each.run_for(10min);
  each.answers_from = SocketAddress::ipv4({192, 168, 1, 66}, kGatewayPort);
  each.gateway.reboot(each.now);
  EXPECT_FALSE(each.announce());
}

TEST(PortMapper, AFloodOfAnnouncementsMakesFewRequests) {
  for (const bool pcp : {true, false}) {
    Mapping each{MappingGateway{.pcp = pcp, .nat_pmp = !pcp}};
    each.run_for(10min);
    const std::size_t before = each.gateway.requests();
    for (int i = 0; i < 6'000; ++i) {  // For a minute.
      each.gateway.reboot(each.now - (i % 2 == 0 ? 0s : 1h));
      each.announce();
      each.run_for(10ms);
    }
    EXPECT_LE(each.gateway.requests() - before, 32U);
  }
}

TEST(PortMapper, AGatewayThatComesBackIsAskedAtOnce) {
  Mapping each{MappingGateway{}};
  each.run_for(3h);
  each.take_event();
  each.gateway.pcp = true;
  EXPECT_TRUE(each.announce());
  each.run_for(6s);
  EXPECT_TRUE(each.mapper.mapping().has_value());
}

// --- it is given back ----------------------------------------------------------------------------

// [rfc6886-3.1-7] [rfc6886-3.4-3] [rfc6886-3.4-4] [rfc6887-15.1-4]
TEST(PortMapper, IsRemovedAtTheEnd) {
  for (const bool pcp : {true, false}) {
    Mapping each{MappingGateway{.pcp = pcp, .nat_pmp = !pcp, .port = 61'001}};
    each.run_for(1s);
    each.take_event();
    EXPECT_TRUE(each.gateway.has_mapping);
    each.mapper.remove(each.now);
    EXPECT_FALSE(each.mapper.is_idle());
    each.run_for(100ms);
    EXPECT_FALSE(each.gateway.has_mapping);
    EXPECT_EQ(each.gateway.suggested_port, 0);
    if (pcp) {
      EXPECT_TRUE(each.gateway.suggested.is_wildcard());
    }
    EXPECT_TRUE(each.mapper.is_idle());
    EXPECT_FALSE(each.take_event().has_value());
    EXPECT_EQ(each.mapper.next_deadline(), kNever);
  }
}

TEST(PortMapper, IsRemovedWhenTheAnswerThatGrantsItIsOnItsWay) {
  for (const bool pcp : {true, false}) {
    Mapping each{MappingGateway{.pcp = pcp, .nat_pmp = !pcp}};
    each.run_for(pcp ? 1ms : 5ms);
    ASSERT_TRUE(each.gateway.has_mapping);
    ASSERT_FALSE(each.mapper.mapping().has_value());
    each.mapper.remove(each.now);
    each.mapper.remove(each.now);
    each.run_for(1s);
    EXPECT_FALSE(each.gateway.has_mapping);
    EXPECT_EQ(each.gateway.deletions, 1U);
    EXPECT_TRUE(each.mapper.is_idle());
    EXPECT_FALSE(each.take_event().has_value());
  }
}

TEST(PortMapper, OfAGatewayThatDoesNotAnswerTheRemovalIsGivenUp) {
  for (const bool pcp : {true, false}) {
    Mapping each{MappingGateway{.pcp = pcp, .nat_pmp = !pcp}};
    each.run_for(1s);
    each.gateway.pcp = each.gateway.nat_pmp = false;
    const std::size_t before = each.mapper.stats().requests;
    each.mapper.remove(each.now);
    each.run_for(1'749ms);
    EXPECT_FALSE(each.mapper.is_idle());
    each.run_for(1ms);
    EXPECT_TRUE(each.mapper.is_idle());
    EXPECT_EQ(each.mapper.stats().requests - before, 3U);
  }
}

TEST(PortMapper, WithoutAMappingThereIsNothingToRemove) {
  Mapping each{MappingGateway{}};
  each.run_for(1s);
  each.mapper.remove(each.now);
  EXPECT_TRUE(each.mapper.is_idle());
  EXPECT_FALSE(each.take_event().has_value());
  each.run_for(1h);
  EXPECT_EQ(each.mapper.next_deadline(), kNever);
}

TEST(PortMapper, ARestartRemovesAndMapsAgain) {
  for (const bool pcp : {true, false}) {
    for (const bool answers : {true, false}) {
      Mapping each{MappingGateway{.pcp = pcp, .nat_pmp = !pcp}};
      each.run_for(1s);
      each.take_event();
      each.gateway.answers_deletions = answers;
      each.mapper.restart(each.now);
      each.run_for(1s);
      EXPECT_EQ(each.gateway.deletions, 1U);
      EXPECT_TRUE(each.gateway.has_mapping);
      EXPECT_EQ(each.mapped().external, each.external(4433));
    }
  }
}

// [rfc6887-11.2-5]
TEST(PortMapper, AtAnotherGatewayItBeginsAnew) {
  Mapping each{MappingGateway{.pcp = true}};
  each.run_for(1s);
  each.take_event();
  each.gateway.address = SocketAddress::ipv4({10, 0, 0, 1}, kGatewayPort);
  each.mapper.start(each.now, each.gateway.address, SocketAddress::ipv4({10, 0, 0, 2}, 4433));
  EXPECT_FALSE(each.mapper.mapping().has_value());
  each.run_for(1s);
  EXPECT_EQ(each.mapped().external, each.external(4433));
  EXPECT_NE(each.nonces.front(), each.nonces.back());
}

// --- whatever is lost ----------------------------------------------------------------------------

TEST(PortMapper, IsMappedInTheEndWhateverIsLost) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const bool pcp = seed % 2 == 0;
    Mapping each{MappingGateway{.pcp = pcp, .nat_pmp = !pcp, .max_lifetime = 600},
                 Mapping::kInternal, seed};
    each.loss = 0.2;
    each.run_for(5min);
    EXPECT_TRUE(each.mapper.mapping().has_value()) << seed;
    each.run_for(2h);
    each.mapper.remove(each.now);
    each.run_for(2s);
    EXPECT_TRUE(each.mapper.is_idle()) << seed;
  }
}

}  // namespace
}  // namespace qpeer::p2p
