// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/wire/packet_decoder.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/wire/wire_testing.hpp"
#include "qpeer/transport/wire/packet_number.hpp"

namespace qpeer::wire {
namespace {

using namespace testing;

HeaderMask mask_of(std::string_view text) {
  HeaderMask mask{};
  copy(hex(text), mask);
  return mask;
}

struct Vector {
  std::string_view unprotected_header;
  std::string_view mask;
  std::string_view protected_header;
  std::size_t packet_number_length;
  std::uint64_t truncated;
};

const std::vector<Vector>& vectors() {
  static const std::vector<Vector> kVectors{
      // RFC 9001 §A.2, §A.3, §A.5.
      {"c300000001088394c8f03e5157080000449e00000002", "437b9aec36",
       "c000000001088394c8f03e5157080000449e7b9aec34", 4, 2},
      {"c1000000010008f067a5502a4262b50040750001", "2ec0d8356a",
       "cf000000010008f067a5502a4262b5004075c0d9", 2, 1},
      {"4200bff4", "aefefe7d03", "4cfe4189", 3, 0xbff4},
      // RFC 9369 §A.2, §A.3, §A.5.
      {"d36b3343cf088394c8f03e5157080000449e00000002", "94a0c95e80",
       "d76b3343cf088394c8f03e5157080000449ea0c95e82", 4, 2},
      {"d16b3343cf0008f067a5502a4262b50040750001", "4dd92e91ea",
       "dc6b3343cf0008f067a5502a4262b5004075d92f", 2, 1},
      {"4200bff4", "97580e32bf", "5558b1c6", 3, 0xbff4},
  };
  return kVectors;
}

TEST(HeaderProtection, IsTheRfcsBytes) {
  for (const Vector& vector : vectors()) {
    auto packet = hex(vector.unprotected_header);
    const std::size_t offset = packet.size() - vector.packet_number_length;
    protect_header(packet, offset, vector.packet_number_length, mask_of(vector.mask));
    EXPECT_EQ(packet, hex(vector.protected_header));

    packet.resize(packet.size() + 4);
    const Unprotected out = unprotect_header(packet, offset, mask_of(vector.mask));
    EXPECT_EQ(out.truncated, vector.truncated);
    EXPECT_EQ(out.packet_number_length, vector.packet_number_length);
    EXPECT_EQ(out.header_size, offset + vector.packet_number_length);
    EXPECT_EQ(out.first_byte, hex(vector.unprotected_header)[0]);
    packet.resize(packet.size() - 4);
    EXPECT_EQ(packet, hex(vector.unprotected_header));
  }
}

TEST(HeaderProtection, TouchesNothingButWhatItCovers) {
  Values values{54};
  for (int i = 0; i < 500; ++i) {
    const auto original = values.bytes(40);
    const std::size_t offset = 1 + values.below(20);
    const HeaderMask mask = values.array<5>();
    auto packet = original;
    const std::size_t length = 1 + (packet[0] & kPacketNumberLengthMask);
    protect_header(packet, offset, length, mask);
    const u8 uncovered = (packet[0] & kLongFormBit) != 0 ? 0xf0 : 0xe0;
    EXPECT_EQ(packet[0] & uncovered, original[0] & uncovered);
    for (std::size_t at = 1; at < packet.size(); ++at) {
      if (at < offset || at >= offset + length) {
        EXPECT_EQ(packet[at], original[at]);
      }
    }
    const Unprotected out = unprotect_header(packet, offset, mask);
    EXPECT_EQ(packet, original);
    EXPECT_EQ(out.packet_number_length, length);
  }
}

// [rfc9000-17.2-9] [rfc9000-17.3.1-3]
TEST(HeaderProtection, ReservedBitsAreUnderTheMask) {
  EXPECT_EQ(reserved_bits_mask(PacketType::initial), 0x0c);
  EXPECT_EQ(reserved_bits_mask(PacketType::handshake), 0x0c);
  EXPECT_EQ(reserved_bits_mask(PacketType::one_rtt), 0x18);
  auto packet = hex("c0 0000000000");
  const Unprotected out = unprotect_header(packet, 1, mask_of("0c00000000"));
  EXPECT_NE(out.first_byte & reserved_bits_mask(PacketType::initial), 0);
}

TEST(HeaderSample, StartsFourBytesIntoThePacketNumber) {
  std::vector<u8> packet(40);
  for (std::size_t i = 0; i < packet.size(); ++i) packet[i] = static_cast<u8>(i);
  const Bytes sample = header_sample(packet, 9);
  EXPECT_EQ(sample.size(), 16U);
  EXPECT_EQ(sample[0], 13);
}

void append(std::vector<u8>& datagram, PacketType type, Bytes dcid, std::size_t length = 30) {
  const std::size_t start = datagram.size();
  datagram.resize(start + 400);
  Writer out{MutableBytes(datagram).subspan(start)};
  if (type == PacketType::one_rtt) {
    encode_short_header(out, dcid, false, false, 1);
    out.zeros(length);
  } else {
    const auto at = encode_long_header(out, {type, Version::v1, dcid, hex("5c1d"), {}}, 1);
    out.zeros(length);
    patch_length(out.written(), at, length);
  }
  datagram.resize(start + out.size());
}

// [rfc9000-12.2-1]
TEST(PacketSplitter, WalksCoalescedPackets) {
  const auto dcid = hex("0102030405060708");
  std::vector<u8> datagram;
  std::vector<std::size_t> ends;
  constexpr std::array kTypes{PacketType::initial, PacketType::zero_rtt, PacketType::handshake,
                              PacketType::one_rtt};
  for (const PacketType type : kTypes) {
    append(datagram, type, dcid);
    ends.push_back(datagram.size());
  }
  PacketSplitter split{datagram, dcid.size()};
  std::size_t start = 0;
  for (std::size_t i = 0; i < kTypes.size(); ++i) {
    const auto header = split.next();
    ASSERT_TRUE(header.has_value() && header->has_value());
    EXPECT_EQ((*header)->type, kTypes[i]);
    EXPECT_EQ(split.packet().data(), datagram.data() + start);
    EXPECT_EQ(split.packet().size(), ends[i] - start);
    start = ends[i];
  }
  EXPECT_FALSE(split.next().has_value());
  EXPECT_FALSE(split.next().has_value());
}

// [rfc9000-12.2-5]
TEST(PacketSplitter, DropsPacketsForAnotherConnectionAndGoesOn) {
  const auto dcid = hex("0102030405060708");
  std::vector<u8> datagram;
  append(datagram, PacketType::initial, dcid);
  append(datagram, PacketType::handshake, hex("0102030405060709"));
  append(datagram, PacketType::handshake, dcid);
  PacketSplitter split{datagram, dcid.size()};
  EXPECT_TRUE(split.next()->has_value());
  EXPECT_EQ(drop_reason(split.next().value()), DropReason::unknown_connection);
  const auto last = split.next();
  ASSERT_TRUE(last.has_value() && last->has_value());
  EXPECT_EQ((*last)->type, PacketType::handshake);
  EXPECT_FALSE(split.next().has_value());
}

TEST(PacketSplitter, EndsAfterAPacketOfUnknownSize) {
  const auto dcid = hex("0102030405060708");
  std::vector<u8> datagram;
  append(datagram, PacketType::initial, dcid);
  datagram.resize(datagram.size() + 50);  // Zeros, as some pad their datagrams.
  PacketSplitter split{datagram, dcid.size()};
  EXPECT_TRUE(split.next()->has_value());
  EXPECT_EQ(drop_reason(split.next().value()), DropReason::malformed_header);
  EXPECT_EQ(split.packet().size(), 50U);
  EXPECT_FALSE(split.next().has_value());
}

TEST(PacketSplitter, AnEmptyDatagramHoldsNothing) {
  PacketSplitter split{{}, 8};
  EXPECT_FALSE(split.next().has_value());
}

}  // namespace
}  // namespace qpeer::wire
