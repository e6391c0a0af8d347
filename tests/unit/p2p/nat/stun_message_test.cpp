// SPDX-License-Identifier: MIT OR BSD-3-Clause
// StunMessage: the vectors of RFC 5769, what it writes, and what it refuses.
#include "qpeer/p2p/nat/stun_message.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/crypto/hex.hpp"

namespace qpeer::p2p {
namespace {

using crypto::from_hex;

constexpr StunTransactionId kId{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
/// Of the vectors of RFC 5769.
constexpr StunTransactionId kVectorId{0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
                                      0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};

SocketAddress at(std::string_view text) { return SocketAddress::parse(text).value(); }

std::vector<u8> encoded(const StunMessage& message) {
  std::vector<u8> out(kMaxStunSize);
  Writer writer{out};
  message.encode(writer);
  EXPECT_TRUE(writer.ok());
  out.resize(writer.size());
  return out;
}

/// A message with these attributes as they are, without FINGERPRINT.
std::vector<u8> message_of(std::uint16_t type, Bytes attributes) {
  std::vector<u8> out(kStunHeaderSize + attributes.size());
  Writer writer{out};
  writer.u16(type);
  writer.u16(static_cast<std::uint16_t>(attributes.size()));
  writer.u32(kStunCookie);
  writer.bytes(kId);
  writer.bytes(attributes);
  return out;
}

std::vector<u8> request_of(std::string_view attributes) {
  return message_of(0x0001, from_hex(attributes));
}

std::vector<u8> success_of(std::string_view attributes) {
  return message_of(0x0101, from_hex(attributes));
}

// --- RFC 5769 ------------------------------------------------------------------------------------

// §2.1. [rfc8489-6.3-1] [rfc8489-14-4]: it pads with spaces.
TEST(StunVectors, OfTheRequestOneAttributeIsNotUnderstood) {
  const auto message =
      StunMessage::decode(from_hex("000100582112a442b7e7a701bc34d686fa87dfae802200105354554e2074657"
                                   "37420636c69656e74002400046e0001ff"
                                   "80290008932ff9b151263b36000600096576746a3a683676592020200008001"
                                   "49aeaa70cbfd8cb56781ef2b5b2d3f249"
                                   "c1b571a280280004e57a3bcf"));
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->message_class, StunClass::request);
  EXPECT_EQ(message->transaction_id, kVectorId);
  ASSERT_EQ(message->not_understood.size(), 1U);
  EXPECT_EQ(message->not_understood[0], 0x0024);  // PRIORITY, of ICE.
}

// §2.2
TEST(StunVectors, TheIpv4ResponseMapsItsAddress) {
  const auto message = StunMessage::decode(from_hex(
      "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e1"
      "12a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"));
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->message_class, StunClass::success);
  EXPECT_EQ(message->mapped_address, at("192.0.2.1:32853"));
  EXPECT_TRUE(message->not_understood.empty());
}

// §2.3
TEST(StunVectors, TheIpv6ResponseMapsItsAddress) {
  const auto message = StunMessage::decode(from_hex(
      "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a14701"
      "13a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb"
      "0b4c"));
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->mapped_address, at("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
}

// §2.4: credentials are known, and not expected [rfc8489-6.3-2]; no FINGERPRINT.
TEST(StunVectors, OfTheRequestWithCredentialsAllIsUnderstood) {
  const auto message = StunMessage::decode(
      from_hex("000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b"
               "900000015001c"
               "662f2f3439396b39353464364f4c33346f4c39465354767936347341"
               "0014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666"));
  ASSERT_TRUE(message.has_value());
  EXPECT_TRUE(message->not_understood.empty());
}

// --- what is written -----------------------------------------------------------------------------

// [rfc8489-5-1] [rfc8489-5-3] [rfc8489-5-8] [rfc8489-6.1-1] [rfc8489-6.1-2] [rfc8489-14.7-1]
TEST(StunMessage, ARequestIsAHeaderAndAFingerprint) {
  const auto bytes = encoded({.transaction_id = kId});
  ASSERT_EQ(bytes.size(), 28U);
  EXPECT_TRUE(std::ranges::equal(Bytes(bytes).first(24),
                                 from_hex("000100082112a4420102030405060708090a0b0c80280004")));
  EXPECT_EQ(StunMessage::decode(bytes), (StunMessage{.transaction_id = kId}));
}

// The sizes are those that docs/security.md states. [rfc8489-14-1] [rfc8489-14-2]
TEST(StunMessage, AnAnswerIsAboutTwiceARequest) {
  const auto answer = [](std::string_view address) {
    const StunMessage message{.message_class = StunClass::success,
                              .transaction_id = kVectorId,
                              .mapped_address = at(address)};
    const auto bytes = encoded(message);
    EXPECT_EQ(StunMessage::decode(bytes), message) << address;
    return bytes;
  };
  // [rfc8489-14.1-1] [rfc8489-14.1-2]: the addresses of RFC 5769, as they are there.
  const auto ipv4 = answer("192.0.2.1:32853");
  EXPECT_EQ(ipv4.size(), 40U);
  EXPECT_TRUE(
      std::ranges::equal(Bytes(ipv4).subspan(20, 12), from_hex("002000080001a147e112a643")));
  const auto ipv6 = answer("[2001:db8:1234:5678:11:2233:4455:6677]:32853");
  EXPECT_EQ(ipv6.size(), 52U);
  EXPECT_TRUE(std::ranges::equal(Bytes(ipv6).subspan(20, 24),
                                 from_hex("002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9")));
}

TEST(StunMessage, AKnockHas48Bytes) {
  const StunMessage knock{.message_class = StunClass::indication,
                          .transaction_id = kId,
                          .knock_token = KnockToken{9, 8, 7}};
  const auto bytes = encoded(knock);
  EXPECT_EQ(bytes.size(), 48U);
  EXPECT_TRUE(std::ranges::equal(Bytes(bytes).first(2), from_hex("0011")));
  EXPECT_EQ(StunMessage::decode(bytes), knock);
}

// [rfc8489-14-3] [rfc8489-14.8-1] [rfc8489-14.8-2] [rfc8489-14.8-4] [rfc8489-14.8-5]
TEST(StunMessage, AnErrorNamesItsCodeAndTheAttributes) {
  StunMessage error{.message_class = StunClass::error,
                    .transaction_id = kId,
                    .error_code = kStunUnknownAttribute};
  for (std::uint16_t type = 1; type <= StunAttributeTypes::capacity(); ++type) {
    error.unknown_attributes.push_back(type);
    const auto bytes = encoded(error);
    EXPECT_EQ(bytes.size() % 4, 0U);
    EXPECT_EQ(StunMessage::decode(bytes), error);
  }
  for (const std::uint16_t code : {300, 400, 401, 438, 599, 699}) {
    const StunMessage other{.message_class = StunClass::error, .error_code = code};
    EXPECT_EQ(StunMessage::decode(encoded(other)), other) << code;
  }
}

// Which is well below the smallest MTU. [rfc8489-6.1-5] [rfc8489-6.1-6] [rfc8489-6.1-8]
TEST(StunMessage, TheLongestFitsIntoItsLimit) {
  StunMessage all{.message_class = StunClass::error,
                  .transaction_id = kId,
                  .mapped_address = at("[2001:db8::1]:1"),
                  .other_address = at("[2001:db8::2]:2"),
                  .error_code = kStunBadRequest,
                  .knock_token = KnockToken{1}};
  for (std::uint16_t i = 0; i < StunAttributeTypes::capacity(); ++i)
    all.unknown_attributes.push_back(i);
  EXPECT_EQ(StunMessage::decode(encoded(all)), all);
}

TEST(StunMessage, NothingIsWrittenPastTheEnd) {
  const StunMessage message{.message_class = StunClass::success,
                            .mapped_address = at("192.0.2.1:1")};
  std::array<u8, kMaxStunSize> storage{};
  for (std::size_t size = 0; size < 40; ++size) {
    Writer out{MutableBytes(storage).first(size)};
    message.encode(out);
    EXPECT_FALSE(out.ok()) << size;
  }
}

// --- what is read --------------------------------------------------------------------------------

TEST(StunMessage, OfTwoAddressesTheXorOneCounts) {
  const std::string_view plain = "00010008000112340a000001";
  const std::string_view xored = "00200008000133260a12a443";  // 18.52 ^ cookie, 43.0.0.1
  EXPECT_EQ(StunMessage::decode(success_of(plain))->mapped_address, at("10.0.0.1:4660"));
  const auto both = StunMessage::decode(success_of(std::string(plain) + std::string(xored)));
  EXPECT_EQ(both->mapped_address, at("43.0.0.1:4660"));
}

// [rfc8489-14-6]
TEST(StunMessage, OfTwoOfATypeTheFirstCounts) {
  const auto message =
      StunMessage::decode(success_of("00010008000112340a00000100010008000112340a000002"));
  EXPECT_EQ(message->mapped_address, at("10.0.0.1:4660"));
}

// [rfc8489-14.1-3] [rfc8489-14.8-3]
TEST(StunMessage, ReservedBitsAreIgnored) {
  EXPECT_EQ(StunMessage::decode(success_of("00010008ff0112340a000001"))->mapped_address,
            at("10.0.0.1:4660"));
  EXPECT_EQ(StunMessage::decode(message_of(0x0111, from_hex("00090004fffffc14")))->error_code, 420);
}

// [rfc8489-6.3.3-1]
TEST(StunMessage, AnAddressOfAnotherFamilyIsIgnored) {
  const auto message = StunMessage::decode(success_of("000100080003123401020304"));
  ASSERT_TRUE(message.has_value());
  EXPECT_FALSE(message->mapped_address.has_value());
}

// [rfc8489-9-1] [rfc8489-9-2]
TEST(StunMessage, WhatFollowsTheIntegrityIsIgnored) {
  const std::string address = "00010008000112340a000001";
  for (const std::string& integrity :
       {"00080014" + std::string(40, '0'), "001c0020" + std::string(64, '0')}) {
    const auto message = StunMessage::decode(success_of(integrity + address + "7fff0000"));
    ASSERT_TRUE(message.has_value()) << integrity;
    EXPECT_FALSE(message->mapped_address.has_value()) << integrity;
    EXPECT_TRUE(message->not_understood.empty()) << integrity;
  }
}

// [rfc8489-6.3-1]
TEST(StunMessage, UnknownAttributesAreIgnoredOrNamed) {
  const auto message =
      StunMessage::decode(request_of("802200037170657f7fff0000c0570004000000017fff0000"));
  ASSERT_TRUE(message.has_value());
  ASSERT_EQ(message->not_understood.size(), 1U);
  EXPECT_EQ(message->not_understood[0], 0x7fff);
}

// [rfc8489-14.3-2] [rfc8489-14.9-1] [rfc8489-14.10-1] [rfc8489-14.14-2]
TEST(StunMessage, TextsOfAnyLengthAreSkipped) {
  for (const std::uint16_t type : {0x0006, 0x0014, 0x0015, 0x8022}) {
    for (const std::uint16_t size : {0, 1, 127, 508, 509, 763, 764, 5'000}) {
      std::vector<u8> attribute(4 + std::size_t{size} + (4 - size % 4U) % 4);
      Writer out{attribute};
      out.u16(type);
      out.u16(size);
      const auto message = StunMessage::decode(message_of(0x0001, attribute));
      ASSERT_TRUE(message.has_value()) << type << ' ' << size;
      EXPECT_TRUE(message->not_understood.empty()) << type;
    }
  }
}

TEST(StunMessage, AThousandAttributesAreReadAndTheFirstNamed) {
  std::vector<u8> attributes(4'000);
  Writer out{attributes};
  for (std::uint16_t i = 0; i < 1'000; ++i) {
    out.u16(static_cast<std::uint16_t>(0x1000 + i));
    out.u16(0);
  }
  const auto message = StunMessage::decode(message_of(0x0001, attributes));
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->not_understood.size(), StunAttributeTypes::capacity());
  EXPECT_EQ(message->not_understood[15], 0x100f);
}

TEST(StunMessage, MalformedAttributesAreRefused) {
  for (const std::string_view bad : {"00010008000112340a0000",                // Cut.
                                     "000100ff000112340a000001",              // Overruns.
                                     "0001000400011234",                      // No address.
                                     "00010009000112340a00000100000000",      // [rfc8489-14.1-1]
                                     "00010008000212340a000001",              // [rfc8489-14.1-2]
                                     "0009000400000214",                      // [rfc8489-14.8-4]
                                     "0009000400000714", "0009000400000464",  // [rfc8489-14.8-5]
                                     "0009000200000000",                      // No number.
                                     "000a000300010000",                      // Half a type.
                                     "c0f1000f000102030405060708090a0b0c0d0e00",
                                     "c0f10014000102030405060708090a0b0c0d0e0f10111213", "00"}) {
    EXPECT_FALSE(StunMessage::decode(request_of(bad)).has_value()) << bad;
  }
}

// RFC 5780 §7.2. Our server does not understand it, so that it must be named in a refusal.
TEST(StunMessage, AsksForAnAnswerFromElsewhere) {
  const auto written = [](StunChange change) {
    const auto bytes = encoded({.transaction_id = kId, .change = change});
    const std::size_t fingerprint = 8;
    return std::vector<u8>(bytes.begin() + kStunHeaderSize, bytes.end() - fingerprint);
  };
  EXPECT_EQ(written({}), std::vector<u8>{});
  EXPECT_EQ(written({.host = true, .port = true}), (std::vector<u8>{0, 3, 0, 4, 0, 0, 0, 6}));
  EXPECT_EQ(written({.host = true, .port = false}), (std::vector<u8>{0, 3, 0, 4, 0, 0, 0, 4}));
  EXPECT_EQ(written({.host = false, .port = true}), (std::vector<u8>{0, 3, 0, 4, 0, 0, 0, 2}));
  const auto read =
      StunMessage::decode(encoded({.transaction_id = kId, .change = {.host = true, .port = true}}));
  ASSERT_EQ(read->not_understood.size(), 1U);
  EXPECT_EQ(read->not_understood[0], 0x0003);
  EXPECT_FALSE(read->change.any());
}

// Whatever is cut or changed is seen by FINGERPRINT or by the format.
TEST(StunMessage, IsRefusedWhenCutOrChangedAnywhere) {
  const auto bytes = encoded({.message_class = StunClass::success,
                              .transaction_id = kId,
                              .mapped_address = at("192.0.2.1:443")});
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    EXPECT_FALSE(StunMessage::decode(Bytes(bytes).first(cut)).has_value()) << cut;
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto changed = bytes;
      changed[i] ^= static_cast<u8>(1 << bit);
      // But for the type of FINGERPRINT itself: without one nothing is checked.
      const bool is_its_type = i == bytes.size() - 8 || i == bytes.size() - 7;
      if (is_its_type) continue;
      EXPECT_FALSE(StunMessage::decode(changed).has_value()) << i << '.' << bit;
    }
  }
}

// [rfc8489-14.7-2]
TEST(StunMessage, NothingFollowsTheFingerprint) {
  auto bytes = encoded({.transaction_id = kId});
  bytes.insert(bytes.end(), {0x80, 0x22, 0, 0});
  bytes[3] = 12;
  EXPECT_FALSE(StunMessage::decode(bytes).has_value());
}

// [rfc8489-12-6]
TEST(StunMessage, NeedsNoFingerprint) {
  EXPECT_TRUE(StunMessage::decode(request_of("")).has_value());
}

TEST(StunMessage, OfOtherMethodsNoneIsRead) {
  for (unsigned type = 0; type < 0x4000; ++type) {
    const bool is_binding = type == 0x0001 || type == 0x0011 || type == 0x0101 || type == 0x0111;
    EXPECT_EQ(StunMessage::decode(message_of(static_cast<std::uint16_t>(type), {})).has_value(),
              is_binding)
        << type;
  }
}

// [rfc8489-5-1] [rfc8489-5-3]
TEST(StunMessage, IsToldFromOthersByItsFirstByteAndTheCookie) {
  const auto bytes = encoded({.transaction_id = kId});
  EXPECT_TRUE(looks_like_stun(bytes));
  for (unsigned first = 0; first < 256; ++first) {
    auto other = bytes;
    other[0] = static_cast<u8>(first);
    EXPECT_EQ(looks_like_stun(other), first <= 3) << first;
  }
  auto other = bytes;
  other[4] ^= 1;
  EXPECT_FALSE(looks_like_stun(other));
  EXPECT_FALSE(looks_like_stun(Bytes(bytes).first(19)));
  EXPECT_FALSE(looks_like_stun({}));
}

}  // namespace
}  // namespace qpeer::p2p
