// SPDX-License-Identifier: MIT OR BSD-3-Clause
// NAT-PMP messages: what is written, what is read, and what is refused.
#include "qpeer/p2p/nat/nat_pmp.hpp"

#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/crypto/hex.hpp"

namespace qpeer::p2p {
namespace {

using crypto::from_hex;

template <class Message>
std::vector<u8> encoded(const Message& message) {
  std::vector<u8> out(64);
  Writer writer{out};
  message.encode(writer);
  EXPECT_TRUE(writer.ok());
  out.resize(writer.size());
  return out;
}

constexpr NatPmpRequest kMap{.opcode = NatPmpOpcode::map_udp,
                             .internal_port = 0x1234,
                             .external_port = 0x5678,
                             .lifetime = 7'200};

// [rfc6886-3.3-1]
TEST(NatPmp, RequestsAreThoseOfTheRfc) {
  EXPECT_EQ(encoded(NatPmpRequest{}), from_hex("0000"));
  EXPECT_EQ(encoded(kMap), from_hex("000100001234567800001c20"));
  EXPECT_EQ(NatPmpRequest::decode(from_hex("0000")), NatPmpRequest{});
  EXPECT_EQ(NatPmpRequest::decode(from_hex("0001ffff1234567800001c20")), kMap);
}

TEST(NatPmp, ResponsesAreThoseOfTheRfc) {
  const NatPmpResponse address{.epoch = 258,
                               .external_address = SocketAddress::ipv4({203, 0, 113, 7}, 0)};
  EXPECT_EQ(NatPmpResponse::decode(from_hex("0080000000000102cb007107")), address);
  EXPECT_EQ(encoded(address), from_hex("0080000000000102cb007107"));
  const NatPmpResponse mapping{.opcode = NatPmpOpcode::map_udp,
                               .epoch = 258,
                               .internal_port = 0x1234,
                               .external_port = 0x5678,
                               .lifetime = 3'600};
  EXPECT_EQ(NatPmpResponse::decode(from_hex("00810000000001021234567800000e10")), mapping);
  EXPECT_EQ(encoded(mapping), from_hex("00810000000001021234567800000e10"));
}

// [rfc6886-3.2-2]
TEST(NatPmp, OfAFailureTheAddressIsIgnored) {
  const auto response = NatPmpResponse::decode(from_hex("0080000300000102cb007107"));
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->result, NatPmpResult::network_failure);
  EXPECT_FALSE(response->external_address.valid());
}

TEST(NatPmp, AGatewayThatKnowsNoMappingReturnsTheRequest) {
  const auto response = NatPmpResponse::decode(from_hex("008100051234567800001c20"));
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->result, NatPmpResult::unsupported_opcode);
  EXPECT_EQ(response->epoch, 0U);
}

// [rfc6886-3.5-10]
TEST(NatPmp, ResultsThatNobodyDefinedAreRead) {
  const auto response = NatPmpResponse::decode(from_hex("0081fffe000001021234567800000e10"));
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->result, NatPmpResult{0xfffe});
}

TEST(NatPmp, IsRefusedWhenCutOrTooLong) {
  for (const std::string_view text :
       {"0080000000000102cb007107", "00810000000001021234567800000e10"}) {
    auto bytes = from_hex(text);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      EXPECT_FALSE(NatPmpResponse::decode(Bytes(bytes).first(cut)).has_value()) << cut;
    }
    bytes.push_back(0);
    EXPECT_FALSE(NatPmpResponse::decode(bytes).has_value());
  }
  auto request = encoded(kMap);
  for (std::size_t cut = 0; cut < request.size(); ++cut) {
    EXPECT_FALSE(NatPmpRequest::decode(Bytes(request).first(cut)).has_value()) << cut;
  }
  request.push_back(0);
  EXPECT_FALSE(NatPmpRequest::decode(request).has_value());
}

// [rfc6886-3.3-4]
TEST(NatPmp, OtherVersionsAndOpcodesAreRefused) {
  for (const std::string_view bad :
       {"0180000000000102cb007107", "ff80000000000102cb007107", "0000000000000102cb007107",
        "00820000000001021234567800000e10", "00ff000000000102cb007107"}) {
    EXPECT_FALSE(NatPmpResponse::decode(from_hex(bad)).has_value()) << bad;
  }
  for (const std::string_view bad : {"0100", "0080", "000200001234567800001c20"}) {
    EXPECT_FALSE(NatPmpRequest::decode(from_hex(bad)).has_value()) << bad;
  }
}

}  // namespace
}  // namespace qpeer::p2p
