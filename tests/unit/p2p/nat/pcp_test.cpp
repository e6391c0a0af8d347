// SPDX-License-Identifier: MIT OR BSD-3-Clause
// PCP messages: what is written, what is read, and what is refused.
#include "qpeer/p2p/nat/pcp.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/crypto/hex.hpp"

namespace qpeer::p2p {
namespace {

using crypto::from_hex;

constexpr PcpNonce kNonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
const std::string kNonceHex = "0102030405060708090a0b0c";

template <class Message>
std::vector<u8> encoded(const Message& message) {
  std::vector<u8> out(kMaxPcpSize);
  Writer writer{out};
  message.encode(writer);
  EXPECT_TRUE(writer.ok());
  out.resize(writer.size());
  return out;
}

/// A MAP answer from its header, up to the epoch, on.
std::string answer_hex(std::string_view header) {
  return std::string(header) + "000000000000000000000000" + kNonceHex + "11000000" + "1234" +
         "5678" + "00000000000000000000ffffcb007107";
}

const PcpResponse kGranted{.opcode = PcpOpcode::map,
                           .lifetime = 3'600,
                           .epoch = 258,
                           .mapping = {.nonce = kNonce,
                                       .internal_port = 0x1234,
                                       .external = SocketAddress::ipv4({203, 0, 113, 7}, 0x5678)}};

// [rfc6887-7.1-1] [rfc6887-8.1-2] [rfc6887-11.1-1] [rfc6887-11.1-4] [rfc6887-5-3] [rfc6886-1.1-1]
TEST(Pcp, AMapRequestIsThatOfTheRfc) {
  const PcpMapRequest request{.client = SocketAddress::ipv4({192, 168, 1, 2}, 0),
                              .lifetime = 7'200,
                              .mapping = {.nonce = kNonce,
                                          .internal_port = 0x1234,
                                          .external = SocketAddress::ipv4({0, 0, 0, 0}, 0x5678)}};
  const auto bytes = encoded(request);
  EXPECT_EQ(bytes, from_hex("0201000000001c2000000000000000000000ffffc0a80102" + kNonceHex +
                            "110000001234567800000000000000000000ffff00000000"));
  EXPECT_EQ(bytes.size(), kPcpMapSize);
  EXPECT_EQ(PcpMapRequest::decode(bytes), request);
}

// [rfc6887-5-2]
TEST(Pcp, AMapRequestOfIpv6SuggestsIpv6) {
  const PcpMapRequest request{
      .client = SocketAddress::ipv6({0x2a, 1}, 0),
      .lifetime = 0,
      .mapping = {.nonce = kNonce, .internal_port = 443, .external = SocketAddress::ipv6({}, 0)}};
  const auto bytes = encoded(request);
  EXPECT_EQ(bytes.size(), kPcpMapSize);
  EXPECT_EQ(PcpMapRequest::decode(bytes), request);
  for (std::size_t i = 44; i < kPcpMapSize; ++i) EXPECT_EQ(bytes[i], 0U) << i;
}

// [rfc6887-7.2-1] [rfc6887-7.2-2]
TEST(Pcp, AMapAnswerIsThatOfTheRfc) {
  const auto bytes = from_hex(answer_hex("0281000000000e1000000102"));
  EXPECT_EQ(PcpResponse::decode(bytes), kGranted);
  EXPECT_EQ(encoded(kGranted), bytes);
}

// [rfc6887-7.2-3] [rfc6887-7.2-4] [rfc6887-11.1-5]
TEST(Pcp, ReservedBitsAreIgnored) {
  auto bytes = encoded(kGranted);
  bytes[2] = 0xff;
  for (std::size_t i = 12; i < 24; ++i) bytes[i] = 0xff;
  for (std::size_t i = 37; i < 40; ++i) bytes[i] = 0xff;
  EXPECT_EQ(PcpResponse::decode(bytes), kGranted);
}

// [rfc6887-7.3-12]
TEST(Pcp, OptionsAreIgnored) {
  auto bytes = encoded(kGranted);
  for (const std::string_view option : {"02000000", "81000004deadbeef", "0300ffff"}) {
    const auto more = from_hex(option);
    bytes.insert(bytes.end(), more.begin(), more.end());
    EXPECT_EQ(PcpResponse::decode(bytes), kGranted) << option;
  }
}

// [rfc6887-5-1]
TEST(Pcp, OnlyAnAddressThatIsMappedWhollyIsIpv4) {
  const auto bytes = encoded(kGranted);
  ASSERT_EQ(PcpResponse::decode(bytes)->mapping.external.is_ipv4(), true);
  for (std::size_t bit = 0; bit < 96; ++bit) {
    auto other = bytes;
    other[44 + bit / 8] ^= static_cast<u8>(0x80 >> bit % 8);
    EXPECT_TRUE(PcpResponse::decode(other)->mapping.external.is_ipv6()) << bit;
  }
}

TEST(Pcp, AnAnnouncementIsRead) {
  const PcpResponse announcement{.epoch = 3};
  const auto bytes = encoded(announcement);
  EXPECT_EQ(bytes.size(), 24U);
  EXPECT_EQ(PcpResponse::decode(bytes), announcement);
}

TEST(Pcp, AllResultsAreRead) {
  for (unsigned result = 2; result < 256; ++result) {
    auto bytes = encoded(kGranted);
    bytes[3] = static_cast<u8>(result);
    ASSERT_TRUE(PcpResponse::decode(bytes).has_value()) << result;
    EXPECT_EQ(PcpResponse::decode(bytes)->result, PcpResult{static_cast<u8>(result)});
  }
}

// [rfc6887-9-2]: in the words of NAT-PMP, RFC 6886 §3.5, and of other versions of PCP.
TEST(Pcp, OtherVersionsSayThatOursIsUnknown) {
  for (const auto& [text, version] : {std::pair{"0000000100000102", 0},
                                      {"0080000100000102", 0},
                                      {"0081000100000102", 0},
                                      {"0380000100000000000001020000000000000000000000", 3},
                                      {"ff810001", 255},
                                      {"01800001", 1}}) {
    const auto response = PcpResponse::decode(from_hex(text));
    ASSERT_TRUE(response.has_value()) << text;
    EXPECT_EQ(response->result, PcpResult::unsupported_version);
    EXPECT_EQ(response->version, version) << text;
  }
  // But nothing else of theirs is read: NAT-PMP's answers, requests, other results, what is cut.
  for (const std::string_view bad : {"0080000000000102cb007107", "00800002000001020000", "03000001",
                                     "03800000", "038000", "00820001", "00", "03"}) {
    EXPECT_FALSE(PcpResponse::decode(from_hex(bad)).has_value()) << bad;
  }
}

TEST(Pcp, IsRefusedWhenCutOrTooLong) {
  for (auto bytes : {encoded(kGranted), encoded(PcpResponse{})}) {
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      EXPECT_FALSE(PcpResponse::decode(Bytes(bytes).first(cut)).has_value()) << cut;
    }
    bytes.push_back(0);  // No multiple of four.
    EXPECT_FALSE(PcpResponse::decode(bytes).has_value());
    bytes.resize(kMaxPcpSize);
    EXPECT_TRUE(PcpResponse::decode(bytes).has_value());
    bytes.resize(kMaxPcpSize + 4);
    EXPECT_FALSE(PcpResponse::decode(bytes).has_value());
  }
  const auto request = encoded(PcpMapRequest{.client = SocketAddress::ipv4({10, 0, 0, 1}, 0)});
  for (std::size_t cut = 0; cut < request.size(); ++cut) {
    EXPECT_FALSE(PcpMapRequest::decode(Bytes(request).first(cut)).has_value()) << cut;
  }
}

// [rfc6887-7.2-2]
TEST(Pcp, RequestsAndOtherOpcodesAndProtocolsAreRefused) {
  const auto refused = [](std::size_t at, u8 value) {
    auto bytes = encoded(kGranted);
    bytes[at] = value;
    return !PcpResponse::decode(bytes).has_value();
  };
  EXPECT_TRUE(refused(1, 0x01));
  EXPECT_TRUE(refused(1, 0x00));
  EXPECT_TRUE(refused(1, 0x82));
  EXPECT_TRUE(refused(1, 0xff));
  EXPECT_TRUE(refused(36, 6));
  EXPECT_TRUE(refused(36, 0));
}

}  // namespace
}  // namespace qpeer::p2p
