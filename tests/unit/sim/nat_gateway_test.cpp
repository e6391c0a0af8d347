// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The gateway's answers, byte by byte, and what they do to the box.
#include "qpeer/tests/sim/nat_gateway.hpp"

#include <algorithm>
#include <vector>

#include "qpeer/tests/unit/sim/nat_box_fixture.hpp"

namespace qpeer::sim {
namespace {

using Message = std::vector<u8>;

Message joined(std::initializer_list<Message> parts) {
  Message out;
  for (const Message& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

constexpr u8 high(std::uint16_t value) { return static_cast<u8>(value >> 8); }
constexpr u8 low(std::uint16_t value) { return static_cast<u8>(value); }

/// NAT-PMP: map UDP. RFC 6886 §3.3.
Message pmp_map(std::uint16_t internal, std::uint16_t suggested, u8 minutes) {
  const auto seconds = static_cast<std::uint16_t>(minutes * 60);
  return {0,
          1,
          0,
          0,
          high(internal),
          low(internal),
          high(suggested),
          low(suggested),
          0,
          0,
          high(seconds),
          low(seconds)};
}

/// The IPv4-mapped form that PCP has of kHost's host.
const Message kMappedHost{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168, 1, 2};
const Message kMappedOutside{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 150, 1, 1, 1};
const Message kNoAddress{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};

/// PCP: MAP of UDP with a nonce of twelve such bytes. RFC 6887 §7.1, §11.1.
Message pcp_map(std::uint16_t internal, std::uint16_t suggested, u8 minutes, u8 nonce = 7) {
  const auto seconds = static_cast<std::uint16_t>(minutes * 60);
  return joined({{2, 1, 0, 0, 0, 0, high(seconds), low(seconds)},
                 kMappedHost,
                 Message(12, nonce),
                 {17, 0, 0, 0, high(internal), low(internal), high(suggested), low(suggested)},
                 kNoAddress});
}

/// A gateway and its box, ten seconds after it started.
struct Gateway {
  explicit Gateway(const NatGatewayConfig& config = {}, const NatBoxConfig& behaviour = {})
      : box(behaviour, kOutside, 1), gateway(config, now) {
    now += 10s;
  }
  Message ask(const Message& request, const SocketAddress& client = kHost.with_port(50'000)) {
    Message out = gateway.answer(now, box, client, request);
    EXPECT_TRUE(box.consistent());
    return out;
  }
  bool enters(std::uint16_t port) {
    return box.from_outside(now, kPeer, kOutside.with_port(port)).passes();
  }

  Instant now{1s};
  NatBox box;
  NatGateway gateway;
};

u8 pcp_result(const Message& answer) { return answer.at(3); }
u8 pmp_result(const Message& answer) { return answer.at(3); }

// --- NAT-PMP: RFC 6886 ---------------------------------------------------------------------------

TEST(NatGatewayPmp, SaysItsExternalAddress) {
  Gateway gateway;
  EXPECT_EQ(gateway.ask({0, 0}), (Message{0, 128, 0, 0, 0, 0, 0, 10, 150, 1, 1, 1}));
}

TEST(NatGatewayPmp, MapsAPortForStrangers) {
  Gateway gateway;
  const Message answer = gateway.ask(pmp_map(4433, 6000, 60));
  EXPECT_EQ(answer,
            (Message{0, 129, 0, 0, 0, 0, 0, 10, 17, 81, high(6000), low(6000), 0, 0, 14, 16}));
  EXPECT_TRUE(gateway.enters(6000));
  gateway.now += 1h;
  EXPECT_FALSE(gateway.enters(6000));
}

TEST(NatGatewayPmp, DeletesAMappingAlsoOneThatIsNotThere) {
  Gateway gateway;
  gateway.ask(pmp_map(4433, 6000, 60));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(gateway.ask(pmp_map(4433, 0, 0)),
              (Message{0, 129, 0, 0, 0, 0, 0, 10, 17, 81, 0, 0, 0, 0, 0, 0}));
    EXPECT_FALSE(gateway.enters(6000));
  }
}

TEST(NatGatewayPmp, DeletesAllMappingsOfAHost) {
  Gateway gateway;
  gateway.ask(pmp_map(4433, 6000, 60));
  gateway.ask(pmp_map(4434, 6001, 60));
  gateway.ask(pmp_map(4433, 6002, 60), kHost2);
  EXPECT_EQ(pmp_result(gateway.ask(pmp_map(0, 0, 0))), 0);
  EXPECT_FALSE(gateway.enters(6000) || gateway.enters(6001));
  EXPECT_TRUE(gateway.enters(6002));
}

TEST(NatGatewayPmp, RefusesWhatItCannotDo) {
  Gateway gateway;
  EXPECT_EQ(gateway.ask({0, 2, 0, 0}), (Message{0, 130, 0, 5, 0, 0, 0, 10})) << "TCP";
  EXPECT_TRUE(gateway.ask({0, 129, 0, 0}).empty()) << "a response";
  EXPECT_TRUE(gateway.ask({0}).empty());
  EXPECT_TRUE(gateway.ask({0, 1, 0, 0, 17, 81}).empty()) << "cut";
  Gateway refuses({.refuses = true});
  EXPECT_EQ(pmp_result(refuses.ask({0, 0})), 2);
  EXPECT_EQ(pmp_result(refuses.ask(pmp_map(4433, 4433, 60))), 2);
  EXPECT_FALSE(refuses.enters(4433));
  Gateway full({}, {.max_mappings = 1});
  gateway.ask(pmp_map(4433, 0, 60));
  EXPECT_EQ(pmp_result(full.ask(pmp_map(4433, 0, 60))), 0);
  EXPECT_EQ(pmp_result(full.ask(pmp_map(4434, 0, 60))), 4);
}

TEST(NatGatewayPmp, AloneSaysToPcpThatItIsNoPcp) {
  Gateway gateway({.pcp = false});
  EXPECT_EQ(gateway.ask(pcp_map(4433, 0, 60)), (Message{0, 128, 0, 1, 0, 0, 0, 10}));
}

// --- PCP: RFC 6887 -------------------------------------------------------------------------------

TEST(NatGatewayPcp, MapsAPortForStrangers) {
  Gateway gateway;
  const Message answer = gateway.ask(pcp_map(4433, 6000, 60));
  EXPECT_EQ(answer, joined({{2, 129, 0, 0, 0, 0, 14, 16, 0, 0, 0, 10},
                            Message(12, 0),
                            Message(12, 7),
                            {17, 0, 0, 0, 17, 81, high(6000), low(6000)},
                            kMappedOutside}));
  EXPECT_TRUE(gateway.enters(6000));
  gateway.now += 1h;
  EXPECT_FALSE(gateway.enters(6000));
}

TEST(NatGatewayPcp, RenewsAndDeletesForTheHolderOfTheNonceOnly) {
  Gateway gateway;
  gateway.ask(pcp_map(4433, 6000, 60));
  EXPECT_EQ(pcp_result(gateway.ask(pcp_map(4433, 6000, 60, 8))), 2) << "another nonce";
  EXPECT_EQ(pcp_result(gateway.ask(pcp_map(4433, 0, 0, 8))), 2);
  gateway.now += 30min;
  EXPECT_EQ(pcp_result(gateway.ask(pcp_map(4433, 7000, 60))), 0);
  EXPECT_FALSE(gateway.enters(7000)) << "a renewal keeps its port";
  gateway.now += 59min;
  EXPECT_TRUE(gateway.enters(6000));
  EXPECT_EQ(pcp_result(gateway.ask(pcp_map(4433, 0, 0))), 0);
  EXPECT_FALSE(gateway.enters(6000));
}

TEST(NatGatewayPcp, GivesAnotherPortThanTheOneThatIsTaken) {
  Gateway gateway;
  gateway.ask(pmp_map(4433, 6000, 60), kHost2);
  const Message answer = gateway.ask(pcp_map(4433, 6000, 60));
  EXPECT_EQ(pcp_result(answer), 0);
  const Message own_port{17, 81};
  EXPECT_TRUE(std::ranges::equal(Bytes(answer).subspan(42, 2), own_port));
  Gateway stubborn({.ignores_suggestion = true});
  stubborn.ask(pcp_map(4433, 4433, 60));
  EXPECT_FALSE(stubborn.enters(4433));
  EXPECT_TRUE(stubborn.enters(4434));
}

TEST(NatGatewayPcp, NeverGivesItsOwnPorts) {
  Gateway gateway;
  gateway.ask(pcp_map(4433, kGatewayPort, 60));
  EXPECT_FALSE(gateway.enters(kGatewayPort));
  EXPECT_TRUE(gateway.enters(4433));
}

TEST(NatGatewayPcp, BoundsTheLifetime) {
  Gateway gateway({.max_lifetime = 10min});
  const Message longest = gateway.ask(pcp_map(4433, 0, 60));
  EXPECT_EQ(longest[6] * 256 + longest[7], 600);
  const Message shortest = gateway.ask(pcp_map(4433, 0, 1));
  EXPECT_EQ(shortest[6] * 256 + shortest[7], 120);
}

TEST(NatGatewayPcp, RefusesMalformedRequests) {
  Gateway gateway;
  const Message good = pcp_map(4433, 6000, 60);
  for (std::size_t size = 0; size < good.size(); ++size) {
    const Message answer = gateway.ask({good.begin(), good.begin() + static_cast<long>(size)});
    EXPECT_EQ(answer.empty(), size < 24) << size;
    if (!answer.empty()) {
      EXPECT_EQ(pcp_result(answer), 3) << size;
    }
  }
  const auto with = [&](std::size_t at, u8 value) {
    Message out = good;
    out.at(at) = value;
    return out;
  };
  EXPECT_EQ(pcp_result(gateway.ask(with(0, 3))), 1) << "version";
  EXPECT_EQ(gateway.ask(with(0, 3))[0], 2);
  EXPECT_EQ(pcp_result(gateway.ask(with(1, 2))), 4) << "opcode PEER";
  EXPECT_EQ(pcp_result(gateway.ask(with(23, 9))), 12) << "another client address";
  EXPECT_EQ(pcp_result(gateway.ask(with(36, 6))), 9) << "TCP";
  EXPECT_EQ(pcp_result(gateway.ask(with(36, 0))), 3) << "a port of all protocols";
  EXPECT_EQ(pcp_result(gateway.ask(joined({good, {2, 0, 0, 0}}))), 5) << "PREFER_FAILURE";
  EXPECT_EQ(pcp_result(gateway.ask(joined({good, {2, 0, 0, 4}}))), 6) << "an option that is cut";
  EXPECT_TRUE(gateway.ask(with(1, 129)).empty()) << "a response";
  EXPECT_EQ(gateway.box.mappings(gateway.now), 0U);
  EXPECT_EQ(pcp_result(gateway.ask(joined({good, {128, 0, 0, 1, 5, 0, 0, 0}}))), 0)
      << "an option that may be ignored";
}

TEST(NatGatewayPcp, TurnedOffRefuses) {
  Gateway gateway({.refuses = true});
  EXPECT_EQ(pcp_result(gateway.ask(pcp_map(4433, 6000, 60))), 2);
  EXPECT_FALSE(gateway.enters(6000));
}

TEST(NatGatewayPcp, SaysThePortThatTheOwnerForwards) {
  Gateway gateway;
  ASSERT_TRUE(gateway.box.forward(gateway.now, kHost, 9'000));
  const Message answer = gateway.ask(pcp_map(4433, 6000, 60));
  EXPECT_EQ(answer[42] * 256 + answer[43], 9'000);
  EXPECT_EQ(Message(answer.begin() + 4, answer.begin() + 8), Message(4, 0xff)) << "for ever";
  EXPECT_EQ(pcp_result(gateway.ask(pcp_map(4433, 0, 0))), 2) << "and does not delete it";
  EXPECT_TRUE(gateway.enters(9'000));
}

TEST(NatGatewayPcp, OpensIpv6Firewalls) {
  Gateway gateway;
  const SocketAddress host =
      SocketAddress::ipv6({0x2a, 1, 0, 0xa1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}, 4433);
  Message request = pcp_map(4433, 0, 60);
  copy(host.octets(), MutableBytes(request).subspan(8));
  const Message answer = gateway.ask(request, host.with_port(50'000));
  EXPECT_EQ(pcp_result(answer), 0);
  EXPECT_TRUE(equal(Bytes(answer).subspan(44, 16), host.octets()));
  EXPECT_TRUE(gateway.box.from_outside(gateway.now, host.with_port(1), host).passes());
}

TEST(NatGatewayPcp, AloneAnswersNatPmpInItsOwnVersion) {
  Gateway gateway({.nat_pmp = false});
  const Message answer = gateway.ask({0, 0});
  EXPECT_EQ(answer.size(), 24U);
  EXPECT_EQ(answer[0], 2);
  EXPECT_EQ(answer[1], 128);
  EXPECT_EQ(pcp_result(answer), 1);
}

// --- restart -------------------------------------------------------------------------------------

TEST(NatGatewayRestart, BeginsTheEpochAnewAndTakesItsMappingsBack) {
  Gateway gateway;
  gateway.ask(pcp_map(4433, 6000, 60));
  gateway.box.reboot();
  gateway.gateway.restart(gateway.now);
  EXPECT_FALSE(gateway.enters(6000));
  gateway.now += 3s;
  const auto announced = gateway.gateway.announcements(gateway.now, gateway.box, true);
  ASSERT_EQ(announced.size(), 2U);
  EXPECT_EQ(announced[0], (Message{0, 128, 0, 0, 0, 0, 0, 3, 150, 1, 1, 1}));
  EXPECT_EQ(announced[1], joined({{2, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3}, Message(12, 0)}));
  EXPECT_EQ(gateway.gateway.announcements(gateway.now, gateway.box, false).size(), 1U);
  EXPECT_EQ(pcp_result(gateway.ask(pcp_map(4433, 6000, 60, 9))), 0) << "also with a new nonce";
  EXPECT_TRUE(gateway.enters(6000));
}

}  // namespace
}  // namespace qpeer::sim
