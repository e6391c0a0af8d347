// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/wire/header.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/wire/wire_testing.hpp"

namespace qpeer::wire {
namespace {

using namespace testing;

constexpr std::array kVersions{Version::v1, Version::v2};
constexpr std::array kNumbered{PacketType::initial, PacketType::zero_rtt, PacketType::handshake};

/// A long header packet whose Length field counts `length` bytes, which follow it.
std::vector<u8> long_packet(const LongHeader& header, std::size_t length = 20,
                            bool fixed_bit = true) {
  std::vector<u8> storage(long_header_size(header) + length);
  Writer out{storage};
  const std::size_t position = encode_long_header(out, header, 2, fixed_bit);
  EXPECT_EQ(out.size(), long_header_size(header));
  EXPECT_EQ(position + 2, out.size());
  patch_length(storage, position, length);
  return storage;
}

TEST(LongHeader, RoundTripsForBothVersions) {
  Values values{172};
  for (int i = 0; i < 300; ++i) {
    for (const Version version : kVersions) {
      for (const PacketType type : kNumbered) {
        const auto dcid = values.connection_id(0);
        const auto scid = values.connection_id(0);
        const auto token = values.bytes(type == PacketType::initial ? values.below(100) : 0);
        const std::size_t length = 20 + values.below(1000);
        auto packet = long_packet({type, version, dcid.bytes(), scid.bytes(), token}, length);
        packet.resize(packet.size() + values.below(50));  // Others may follow.
        const auto header = decode_header(packet, 8);
        ASSERT_TRUE(header.has_value());
        EXPECT_EQ(header->type, type);
        EXPECT_EQ(header->version, version);
        EXPECT_EQ(header->destination_connection_id, dcid);
        EXPECT_EQ(header->source_connection_id, scid);
        EXPECT_EQ(to_vector(header->token), token);
        EXPECT_EQ(header->size, header->packet_number_offset + length);
      }
    }
  }
}

// RFC 9000 §17.2, Table 5; RFC 9369 §3.2. [rfc9000-17.2-8]: nothing in the reserved bits.
TEST(LongHeader, FirstByteIsAsTheVersionHasIt) {
  EXPECT_EQ(long_packet({PacketType::initial, Version::v1, {}, {}, {}})[0], 0xc1);
  EXPECT_EQ(long_packet({PacketType::zero_rtt, Version::v1, {}, {}, {}})[0], 0xd1);
  EXPECT_EQ(long_packet({PacketType::handshake, Version::v1, {}, {}, {}})[0], 0xe1);
  EXPECT_EQ(long_first_byte(PacketType::retry, Version::v1, 0), 0xf0);
  EXPECT_EQ(long_packet({PacketType::initial, Version::v2, {}, {}, {}})[0], 0xd1);
  EXPECT_EQ(long_packet({PacketType::zero_rtt, Version::v2, {}, {}, {}})[0], 0xe1);
  EXPECT_EQ(long_packet({PacketType::handshake, Version::v2, {}, {}, {}})[0], 0xf1);
  EXPECT_EQ(long_first_byte(PacketType::retry, Version::v2, 0), 0xc0);
}

TEST(LongHeader, IsTheRfcsBytes) {
  // RFC 9001 §A.2, RFC 9369 §A.2: the client's Initial, up to the packet number.
  const auto dcid = hex("8394c8f03e515708");
  for (const auto& [version, bytes] :
       {std::pair{Version::v1, "c300000001088394c8f03e5157080000449e"},
        std::pair{Version::v2, "d36b3343cf088394c8f03e5157080000449e"}}) {
    std::array<u8, 64> storage{};
    Writer out{storage};
    const auto position = encode_long_header(out, {PacketType::initial, version, dcid, {}, {}}, 4);
    patch_length(storage, position, 1182);
    EXPECT_EQ(to_vector(out.written()), hex(bytes));
  }
}

TEST(DecodeHeader, DropsWhatIsCutAtAnyByte) {
  const auto cid = hex("0102030405060708");
  const auto token = hex("aabbcc");
  for (const PacketType type : kNumbered) {
    const auto packet = long_packet({type, Version::v1, cid, cid, token});
    ASSERT_TRUE(decode_header(packet, 8).has_value());
    for (std::size_t cut = 0; cut < packet.size(); ++cut) {
      const auto header = decode_header(Bytes(packet).first(cut), 8);
      ASSERT_FALSE(header.has_value()) << "accepted a packet cut to " << cut << " bytes";
      EXPECT_EQ(header.error(), DropReason::malformed_header);
    }
  }
}

// [rfc9001-5.4.2-1]
TEST(DecodeHeader, DropsWhatIsTooShortForASample) {
  EXPECT_TRUE(decode_header(long_packet({.dcid = {}, .scid = {}}, 20), 0).has_value());
  EXPECT_FALSE(decode_header(long_packet({.dcid = {}, .scid = {}}, 19), 0).has_value());
  std::vector<u8> packet(1 + 8 + 20, 0x41);
  EXPECT_TRUE(decode_header(packet, 8).has_value());
  packet.pop_back();
  EXPECT_FALSE(decode_header(packet, 8).has_value());
}

TEST(DecodeHeader, DropsALengthThatReachesPastTheDatagram) {
  auto packet = long_packet({PacketType::handshake, Version::v1, {}, {}, {}}, 20);
  const std::size_t position = packet.size() - 22;
  patch_length(packet, position, 21);
  EXPECT_FALSE(decode_header(packet, 0).has_value());
  patch_length(packet, position, kMaxPatchedLength);
  EXPECT_FALSE(decode_header(packet, 0).has_value());
  patch_length(packet, position, 20);
  EXPECT_TRUE(decode_header(packet, 0).has_value());
}

// [rfc9000-17.2-1] [rfc9000-17.3.1-1] [rfc9287-3-2]
TEST(DecodeHeader, DropsAZeroFixedBitUnlessItMayBeGreased) {
  for (const Version version : kVersions) {
    for (const PacketType type : kNumbered) {
      const auto packet = long_packet({type, version, {}, {}, {}}, 20, /*fixed_bit=*/false);
      EXPECT_EQ(packet[0] & kFixedBit, 0);
      EXPECT_FALSE(decode_header(packet, 0).has_value());
      ASSERT_TRUE(decode_header(packet, 0, true).has_value());
      EXPECT_EQ(decode_header(packet, 0, true)->type, type);
    }
  }
  std::vector<u8> packet(40);
  Writer out{packet};
  encode_short_header(out, hex("0102"), false, false, 1, /*fixed_bit=*/false);
  EXPECT_FALSE(decode_header(packet, 2).has_value());
  EXPECT_TRUE(decode_header(packet, 2, true).has_value());
}

// [rfc9000-17.2-2] [rfc9000-17.2-3] [rfc9000-17.2-5] [rfc9000-17.2-6]
TEST(DecodeHeader, DropsConnectionIdsOfMoreThanTwentyBytes) {
  const std::vector<u8> twenty(20, 1);
  const std::vector<u8> longer(21, 1);
  for (const Version version : kVersions) {
    const auto packet = [&](Bytes dcid, Bytes scid) {
      return long_packet({PacketType::handshake, version, dcid, scid, {}});
    };
    EXPECT_TRUE(decode_header(packet(twenty, twenty), 0).has_value());
    EXPECT_FALSE(decode_header(packet(longer, {}), 0).has_value());
    EXPECT_FALSE(decode_header(packet({}, longer), 0).has_value());
  }
}

TEST(DecodeHeader, TellsUnsupportedVersionsFromMalformedPackets) {
  auto packet = hex("80 0a1a2a3a 03 010203 00");  // Another version has no fixed bit.
  EXPECT_EQ(drop_reason(decode_header(packet, 0)), DropReason::unsupported_version);
  packet.pop_back();
  EXPECT_EQ(drop_reason(decode_header(packet, 0)), DropReason::malformed_header);
  EXPECT_EQ(drop_reason(decode_header({}, 0)), DropReason::malformed_header);
}

// [rfc9000-17.2.1-1]
TEST(DecodeHeader, KnowsVersionNegotiationWhateverItsFirstByte) {
  const auto packet = hex("80 00000000 01 aa 02 bbcc 00000001");
  const auto header = decode_header(packet, 0);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->type, PacketType::version_negotiation);
  EXPECT_EQ(header->destination_connection_id, ConnectionId(hex("aa")));
  EXPECT_EQ(header->source_connection_id, ConnectionId(hex("bbcc")));
  EXPECT_EQ(header->size, packet.size());
}

TEST(DecodeHeader, ATokenLengthMayNotReachPastThePacket) {
  EXPECT_FALSE(
      decode_header(hex("c0 00000001 00 00 ffffffffffffffff 00000000000000000000000000"), 0)
          .has_value());
}

TEST(ShortHeader, RoundTrips) {
  const auto dcid = hex("0102030405060708");
  for (unsigned flags = 0; flags < 16; ++flags) {
    std::vector<u8> storage(40);
    Writer out{storage};
    encode_short_header(out, dcid, (flags & 8) != 0, (flags & 4) != 0, 1 + (flags & 3));
    EXPECT_EQ(out.size(), short_header_size(dcid));
    EXPECT_EQ(storage[0] & kSpinBit, (flags & 8) != 0 ? kSpinBit : 0);
    EXPECT_EQ(storage[0] & kKeyPhaseBit, (flags & 4) != 0 ? kKeyPhaseBit : 0);
    EXPECT_EQ(storage[0] & kPacketNumberLengthMask, flags & 3);
    // [rfc9000-17.3.1-2]
    EXPECT_EQ(storage[0] & reserved_bits_mask(PacketType::one_rtt), 0);
    const auto header = decode_header(storage, dcid.size());
    ASSERT_TRUE(header.has_value());
    EXPECT_EQ(header->type, PacketType::one_rtt);
    EXPECT_EQ(header->destination_connection_id, ConnectionId(dcid));
    EXPECT_EQ(header->packet_number_offset, out.size());
    EXPECT_EQ(header->size, storage.size());
  }
}

// [rfc9000-17.2-4] [rfc9000-17.2-7]
TEST(InvariantHeader, ReadsTheLongestConnectionIdsOfAnyVersion) {
  std::vector<u8> packet = hex("80 ff00001d ff");
  packet.resize(packet.size() + 255, 1);
  packet.push_back(254);
  packet.resize(packet.size() + 254, 2);
  const auto header = InvariantHeader::decode(packet, 8);
  ASSERT_TRUE(header.has_value());
  EXPECT_TRUE(header->long_form);
  EXPECT_EQ(header->first_byte, 0x80);
  EXPECT_EQ(header->version, 0xff00001dU);
  EXPECT_EQ(header->destination_connection_id.size(), 255U);
  EXPECT_EQ(header->source_connection_id.size(), 254U);
  for (std::size_t cut = 0; cut < packet.size(); ++cut) {
    EXPECT_FALSE(InvariantHeader::decode(Bytes(packet).first(cut), 8).has_value());
  }
}

TEST(InvariantHeader, ReadsShortHeadersByTheLengthOfOurIds) {
  const auto packet = hex("00 0102030405");
  const auto header = InvariantHeader::decode(packet, 4);
  ASSERT_TRUE(header.has_value());
  EXPECT_FALSE(header->long_form);
  EXPECT_EQ(to_vector(header->destination_connection_id), hex("01020304"));
  EXPECT_FALSE(InvariantHeader::decode(packet, 6).has_value());
}

}  // namespace
}  // namespace qpeer::wire
