// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Packets without frames: Retry, Version Negotiation, stateless reset.
#include <gtest/gtest.h>

#include "qpeer/tests/unit/wire/wire_testing.hpp"
#include "qpeer/transport/wire/header.hpp"
#include "qpeer/transport/wire/retry_packet.hpp"
#include "qpeer/transport/wire/stateless.hpp"
#include "qpeer/transport/wire/version_negotiation.hpp"

namespace qpeer::wire {
namespace {

using namespace testing;

TEST(RetryPacket, IsTheRfcsBytes) {
  struct Vector {
    Version version;
    std::string_view packet;
    std::string_view tag;
  };
  for (const auto& [version, packet, tag] : std::vector<Vector>{
           // RFC 9001 §A.4, RFC 9369 §A.4.
           {Version::v1, "ff000000010008f067a5502a4262b5746f6b656e",
            "04a265ba2eff4d829058fb3f0f2496ba"},
           {Version::v2, "cf6b3343cf0008f067a5502a4262b5746f6b656e",
            "c8646ce8bfe33952d955543665dcc7b6"},
       }) {
    const auto scid = hex("f067a5502a4262b5");
    std::array<u8, 64> storage{};
    Writer out{storage};
    encode_retry(out, version, {}, scid, as_bytes("token"));
    EXPECT_EQ(to_vector(out.written()), hex(packet));
    out.bytes(hex(tag));

    const auto retry = decode_retry(out.written());
    ASSERT_TRUE(retry.has_value());
    EXPECT_EQ(retry->version, version);
    EXPECT_TRUE(retry->destination_connection_id.empty());
    EXPECT_EQ(retry->source_connection_id, ConnectionId(scid));
    EXPECT_EQ(as_text(retry->token), "token");
    EXPECT_EQ(to_vector(retry->integrity_tag), hex(tag));
    EXPECT_EQ(to_vector(retry->without_tag), hex(packet));
  }
}

// [rfc9000-17.2.5-1]
TEST(RetryPacket, UnusedBitsMeanNothing) {
  auto packet = hex("f0 00000001 00 00 746f6b656e 04a265ba2eff4d829058fb3f0f2496ba");
  for (u8 bits = 0; bits < 16; ++bits) {
    packet[0] = static_cast<u8>(0xf0 | bits);
    EXPECT_TRUE(decode_retry(packet).has_value());
    EXPECT_EQ(decode_header(packet, 0)->type, PacketType::retry);
  }
}

// [rfc9000-17.2.5.2-4]
TEST(RetryPacket, WithoutATokenIsDropped) {
  const auto packet = hex("ff 00000001 00 00 04a265ba2eff4d829058fb3f0f2496ba");
  EXPECT_EQ(drop_reason(decode_retry(packet)), DropReason::malformed_header);
  EXPECT_EQ(drop_reason(decode_header(packet, 0)), DropReason::malformed_header);
  for (std::size_t cut = 0; cut < packet.size(); ++cut) {
    EXPECT_FALSE(decode_retry(Bytes(packet).first(cut)).has_value());
  }
}

TEST(RetryPacket, OtherPacketsAreNotRetry) {
  const auto packet = hex("e0 00000001 00 00 14 0000000000000000000000000000000000000000");
  ASSERT_TRUE(decode_header(packet, 0).has_value());
  EXPECT_EQ(drop_reason(decode_retry(packet)), DropReason::unexpected_packet);
}

// [rfc9000-17.2.1-2] [rfc9000-17.2.1-3] [rfc8999-6-1]
TEST(VersionNegotiationPacket, RoundTripsWithConnectionIdsOfAnyLength) {
  Values values{6};
  for (unsigned random = 0; random < 256; ++random) {
    const auto dcid = values.bytes(values.below(256));
    const auto scid = values.bytes(values.below(256));
    const std::array versions{Version::v2, Version::v1, Version{0x1a2a3a4a}};
    std::array<u8, 600> storage{};
    Writer out{storage};
    encode_version_negotiation(out, static_cast<u8>(random), dcid, scid, versions);
    ASSERT_TRUE(out.ok());
    EXPECT_EQ(storage[0] & 0xc0, 0xc0);
    EXPECT_EQ(storage[0] & 0x3f, random & 0x3f);
    EXPECT_EQ((Reader{Bytes(storage).subspan(1)}.u32()), 0U);

    storage[0] = static_cast<u8>((storage[0] & 0x80) | random >> 1);  // Any seven bits will do.
    const auto packet = decode_version_negotiation(out.written());
    ASSERT_TRUE(packet.has_value());
    EXPECT_EQ(to_vector(packet->destination_connection_id), dcid);
    EXPECT_EQ(to_vector(packet->source_connection_id), scid);
    EXPECT_TRUE(std::ranges::equal(std::vector<Version>(versions.begin(), versions.end()), [&] {
      std::vector<Version> out_versions;
      for (const Version each : packet->supported_versions) out_versions.push_back(each);
      return out_versions;
    }()));
    EXPECT_EQ(packet->supported_versions.size(), 3U);
    EXPECT_TRUE(packet->supported_versions.contains(Version::v1));
    EXPECT_FALSE(packet->supported_versions.contains(Version{0xff00001d}));
  }
}

// [rfc8999-6-2]
TEST(VersionNegotiationPacket, IsDroppedWhenItsListIsEmptyOrCut) {
  const auto packet = hex("c0 00000000 01 aa 01 bb 00000001 6b3343cf");
  for (std::size_t cut = 0; cut < packet.size(); ++cut) {
    const bool whole = cut == packet.size() - 4;
    EXPECT_EQ(decode_version_negotiation(Bytes(packet).first(cut)).has_value(), whole) << cut;
  }
  EXPECT_TRUE(decode_version_negotiation(packet).has_value());
}

TEST(VersionNegotiationPacket, OtherPacketsAreNot) {
  EXPECT_FALSE(decode_version_negotiation(hex("c0 00000001 01 aa 01 bb 00000001")).has_value());
  EXPECT_FALSE(decode_version_negotiation(hex("40 00000000 01 aa 01 bb 00000001")).has_value());
}

// [rfc9000-10.3-8]
TEST(StatelessReset, LooksLikeAShortHeaderAndEndsInItsToken) {
  Values values{10};
  for (std::size_t size = kMinStatelessResetSize; size < 100; ++size) {
    const auto random = values.bytes(size);
    const StatelessResetToken token = values.array<16>();
    auto datagram = random;
    encode_stateless_reset(datagram, token);
    EXPECT_EQ(datagram[0] & 0xc0, 0x40);
    EXPECT_EQ(datagram[0] & 0x3f, random[0] & 0x3f) << "the rest stays unpredictable";
    for (std::size_t i = 1; i < size - 16; ++i) EXPECT_EQ(datagram[i], random[i]);
    EXPECT_EQ(reset_token_of(datagram), token);
  }
}

// [rfc9000-10.3-7]
TEST(StatelessReset, NothingSmallerHoldsAToken) {
  const std::vector<u8> datagram(kMinStatelessResetSize, 0x40);
  EXPECT_TRUE(reset_token_of(datagram).has_value());
  EXPECT_FALSE(reset_token_of(Bytes(datagram).first(datagram.size() - 1)).has_value());
  EXPECT_FALSE(reset_token_of({}).has_value());
}

// [rfc9000-10.3-9]
TEST(StatelessReset, TheHeaderFormDoesNotHideAToken) {
  std::vector<u8> datagram(30, 0xc0);
  EXPECT_TRUE(reset_token_of(datagram).has_value());
}

}  // namespace
}  // namespace qpeer::wire
