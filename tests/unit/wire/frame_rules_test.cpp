// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/wire/frame_rules.hpp"

#include <gtest/gtest.h>

#include <string>

#include "qpeer/tests/unit/wire/wire_testing.hpp"

namespace qpeer::wire {
namespace {

using namespace testing;

struct Row {
  std::string_view packets;  ///< As RFC 9000 Table 3 writes them: I, H, 0, 1.
  std::string_view spec;     ///< N: not ack-eliciting. P: probing.
  std::string_view frame;    ///< One that decodes.
};

/// RFC 9000 Table 3 by hand, with the options of §12.5 taken, RFC 9221, and
/// draft-ietf-quic-address-discovery.
const std::vector<std::pair<std::uint64_t, Row>>& table() {
  static const std::string kNewConnectionId = "180100 01 aa" + std::string(32, '0');
  static const std::string kIpv6(32, '1');
  static const std::string kObservedIpv6 = "809f81a7 00" + kIpv6 + "0050";
  static const std::vector<std::pair<std::uint64_t, Row>> kTable{
      {0x00, {"IH01", "NP", "00"}},
      {0x01, {"IH01", "", "01"}},
      {0x02, {"IH_1", "N", "02 05 00 00 00"}},
      {0x03, {"IH_1", "N", "03 05 00 00 00 01 02 03"}},
      {0x04, {"__01", "", "04 00 00 00"}},
      {0x05, {"__01", "", "05 00 00"}},
      {0x06, {"IH_1", "", "06 00 01 61"}},
      {0x07, {"___1", "", "07 01 61"}},
      {0x08, {"__01", "", "08 00"}},
      {0x09, {"__01", "", "09 00"}},
      {0x0a, {"__01", "", "0a 00 00"}},
      {0x0b, {"__01", "", "0b 00 00"}},
      {0x0c, {"__01", "", "0c 00 00"}},
      {0x0d, {"__01", "", "0d 00 00"}},
      {0x0e, {"__01", "", "0e 00 00 00"}},
      {0x0f, {"__01", "", "0f 00 00 00"}},
      {0x10, {"__01", "", "10 00"}},
      {0x11, {"__01", "", "11 00 00"}},
      {0x12, {"__01", "", "12 00"}},
      {0x13, {"__01", "", "13 00"}},
      {0x14, {"__01", "", "14 00"}},
      {0x15, {"__01", "", "15 00 00"}},
      {0x16, {"__01", "", "16 00"}},
      {0x17, {"__01", "", "17 00"}},
      {0x18, {"__01", "P", kNewConnectionId}},
      {0x19, {"___1", "", "19 00"}},  // §12.5: nothing to retire in 0-RTT.
      {0x1a, {"__01", "P", "1a 0000000000000000"}},
      {0x1b, {"___1", "P", "1b 0000000000000000"}},
      {0x1c, {"IH01", "N", "1c 00 00 00"}},
      {0x1d, {"__01", "N", "1d 00 00"}},
      {0x1e, {"___1", "", "1e"}},
      {0x1f, {"___1", "", "1f"}},
      {0x30, {"__01", "", "30"}},
      {0x31, {"__01", "", "31 00"}},
      {0xaf, {"___1", "", "40af 00 01 4e20 01"}},
      {0x9f81a6, {"__01", "P", "809f81a6 00 01020304 0050"}},
      {0x9f81a7, {"__01", "P", kObservedIpv6}},
  };
  return kTable;
}

constexpr std::array kPacketTypes{PacketType::initial,
                                  PacketType::zero_rtt,
                                  PacketType::handshake,
                                  PacketType::retry,
                                  PacketType::version_negotiation,
                                  PacketType::one_rtt};

bool permitted(const Row& row, PacketType packet) {
  switch (packet) {
    case PacketType::initial:
      return row.packets.contains('I');
    case PacketType::handshake:
      return row.packets.contains('H');
    case PacketType::zero_rtt:
      return row.packets.contains('0');
    case PacketType::one_rtt:
      return row.packets.contains('1');
    default:
      return false;
  }
}

// [rfc9000-12.4-3] [rfc9000-12.5-3] [rfc9000-12.5-5] [rfc9000-12.5-6] [rfc9000-17.2.4-2]
// [rfc9001-8.3-2] [rfc9221-5-3] [rfc9221-6-1] [draft-ietf-quic-address-discovery-4.1-3]
TEST(FrameRules, EveryFrameInEveryPacketIsAsTableThreeSays) {
  for (const auto& [type, row] : table()) {
    const auto bytes = hex(row.frame);
    for (const PacketType packet : kPacketTypes) {
      SCOPED_TRACE("frame type " + std::to_string(type) + " in packet type " +
                   std::to_string(static_cast<int>(packet)));
      EXPECT_EQ(may_appear(type, packet), permitted(row, packet));
      if (!permitted(row, packet)) {
        expect_refused(bytes, TransportErrorCode::protocol_violation, type, packet);
        continue;
      }
      Reader in{bytes};
      EXPECT_TRUE(decode_frame(in, packet).has_value());
      EXPECT_TRUE(in.empty());
    }
  }
}

TEST(FrameRules, SpecialRulesAreAsTableThreeSays) {
  for (const auto& [type, row] : table()) {
    EXPECT_EQ(is_ack_eliciting(FrameType{type}), !row.spec.contains('N')) << type;
    EXPECT_EQ(is_probing(FrameType{type}), row.spec.contains('P')) << type;
  }
}

// [rfc9000-12.4-4]
TEST(FrameRules, UnknownTypesAreEncodingErrors) {
  std::array<u8, 16> storage{};
  std::size_t known = 0;
  for (std::uint64_t type = 0; type < 20'000; ++type) {
    const bool is_in_table =
        std::ranges::any_of(table(), [&](const auto& row) { return row.first == type; });
    EXPECT_EQ(is_known(type), is_in_table) << type;
    known += is_in_table ? 1 : 0;
    if (is_in_table) continue;
    EXPECT_FALSE(may_appear(type, PacketType::one_rtt));
    Writer out{storage};
    out.varint(type);
    expect_refused(storage, TransportErrorCode::frame_encoding_error, type);
  }
  EXPECT_EQ(known, table().size() - 2) << "but for the two of four bytes";
  for (const std::uint64_t type : {0x9f81a5, 0x9f81a8}) {
    EXPECT_FALSE(may_appear(type, PacketType::one_rtt));
    Writer out{storage};
    out.varint(type);
    expect_refused(storage, TransportErrorCode::frame_encoding_error, type);
  }
  Writer out{storage};
  out.varint(kMaxVarint);
  expect_refused(storage, TransportErrorCode::frame_encoding_error, kMaxVarint);
}

// [rfc9000-12.4-5] [rfc9000-12.4-6]
TEST(FrameRules, TypesNotInTheirShortestFormAreViolations) {
  for (const std::size_t size : {2U, 4U, 8U}) {
    for (const auto& [type, row] : table()) {
      if (size <= varint_size(type)) continue;
      std::array<u8, 64> storage{};
      Writer out{storage};
      out.varint_of_size(type, size);
      out.bytes(Bytes(hex(row.frame)).subspan(varint_size(type)));
      expect_refused(out.written(), TransportErrorCode::protocol_violation, type);
    }
    // Also where the type is unknown: what it would be is not looked at.
    if (size == 2) continue;
    std::array<u8, 64> storage{};
    Writer out{storage};
    out.varint_of_size(0x1000, size);
    expect_refused(storage, TransportErrorCode::protocol_violation, 0x1000);
  }
}

TEST(FrameRules, ATypeThatIsCutIsAnEncodingError) {
  expect_refused({}, TransportErrorCode::frame_encoding_error, 0);
  expect_refused(hex("40"), TransportErrorCode::frame_encoding_error, 0);
  expect_refused(hex("c0000000000000"), TransportErrorCode::frame_encoding_error, 0);
}

TEST(FrameRules, FramesOfAPacketAreDecodedOneByOne) {
  std::vector<u8> payload;
  for (const auto& [type, row] : table()) {
    // Those without a length take all that is left.
    if (type == 0x00 || type == 0x30 || (is_stream(type) && (type & kStreamLengthBit) == 0)) {
      continue;
    }
    const auto bytes = hex(row.frame);
    payload.insert(payload.end(), bytes.begin(), bytes.end());
  }
  Reader in{payload};
  std::size_t count = 0;
  for (; !in.empty(); ++count) ASSERT_TRUE(decode_frame(in, PacketType::one_rtt).has_value());
  EXPECT_EQ(count, table().size() - 6);
}

}  // namespace
}  // namespace qpeer::wire
