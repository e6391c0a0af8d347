// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/wire/ack_frame.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/wire/wire_testing.hpp"

namespace qpeer::wire {
namespace {

using namespace testing;
using Ranges = std::vector<PacketNumberRange>;

Ranges ranges_of(const AckFrame& frame) {
  Ranges out;
  EXPECT_TRUE(frame.for_each_range(
      [&](PacketNumber smallest, PacketNumber largest) { out.push_back({smallest, largest}); }));
  return out;
}

std::vector<u8> acked(const Ranges& ranges, std::size_t room, const EcnCounts* ecn = nullptr,
                      std::uint64_t delay = 7) {
  std::vector<u8> storage(room);
  Writer out{storage};
  EXPECT_TRUE(encode_ack(out, delay, ranges, ecn));
  EXPECT_TRUE(out.ok());
  return to_vector(out.written());
}

Ranges random_ranges(Values& values, std::size_t count) {
  Ranges out;
  for (PacketNumber next = 1 + values.below(9); count-- > 0;) {
    const PacketNumber largest = next + values.below(100);
    out.insert(out.begin(), {next, largest});
    next = largest + 2 + values.below(100);
  }
  return out;
}

TEST(AckFrame, HasTheLayoutOfTheRfc) {
  // RFC 9000 §19.3, Figures 25 and 26: 90..100, 80..84, 0..10.
  const Ranges ranges{{90, 100}, {80, 84}, {0, 10}};
  EXPECT_EQ(acked(ranges, 64), hex("02 4064 07 02 0a  04 04  4044 0a"));
  const EcnCounts ecn{.ect0 = 1, .ect1 = 2, .ce = 64};
  // [rfc9000-19.3-1]: both types.
  EXPECT_EQ(acked(ranges, 64, &ecn), hex("03 4064 07 02 0a  04 04  4044 0a  01 02 4040"));
}

TEST(AckFrame, RoundTripsRandomRanges) {
  Values values{3};
  for (int i = 0; i < 500; ++i) {
    const Ranges ranges = random_ranges(values, 1 + values.below(80));
    const EcnCounts ecn{values.varint(), values.varint(), values.varint()};
    const bool with_ecn = values.flag();
    const std::uint64_t delay = values.varint();
    const auto bytes = acked(ranges, 1000, with_ecn ? &ecn : nullptr, delay);
    const auto frame = decoded<AckFrame>(bytes);
    EXPECT_EQ(frame.ack_delay, delay);
    EXPECT_EQ(frame.largest_acknowledged, ranges.front().largest);
    EXPECT_EQ(ranges_of(frame), ranges);
    EXPECT_EQ(frame.ecn.has_value(), with_ecn);
    if (with_ecn) {
      EXPECT_EQ(*frame.ecn, ecn);
    }
    EXPECT_EQ(encoded(frame), bytes);
  }
}

TEST(AckFrame, IsRefusedWhenCutAtAnyByte) {
  const EcnCounts ecn{.ect0 = 100, .ect1 = 200, .ce = 300};
  const auto bytes = acked({{900, 1000}, {80, 84}, {1, 10}}, 64, &ecn);
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    expect_refused(Bytes(bytes).first(cut), TransportErrorCode::frame_encoding_error, 0x03);
  }
}

// [rfc9000-19.3.1-1]
TEST(AckFrame, IsRefusedWhenARangeWouldPassBelowZero) {
  constexpr auto kError = TransportErrorCode::frame_encoding_error;
  expect_refused(hex("02 05 00 00 06"), kError, 0x02);        // First range: 5 - 6.
  expect_refused(hex("02 05 00 01 05 00 00"), kError, 0x02);  // Next largest: 0 - 0 - 2.
  expect_refused(hex("02 05 00 01 04 00 00"), kError, 0x02);  // Next largest: 1 - 0 - 2.
  expect_refused(hex("02 05 00 01 03 00 01"), kError, 0x02);  // Next smallest: 0 - 1.
  expect_refused(hex("02 05 00 01 00 ffffffffffffffff 00"), kError, 0x02);
  expect_refused(hex("02 05 00 01 00 00 ffffffffffffffff"), kError, 0x02);
  EXPECT_EQ(ranges_of(decoded<AckFrame>(hex("02 05 00 01 03 00 00"))), (Ranges{{2, 5}, {0, 0}}));
}

TEST(AckFrame, AnAbsurdRangeCountEndsWithTheInput) {
  expect_refused(hex("02 ffffffffffffffff 00 ffffffffffffffff 00 00 00 00 00"),
                 TransportErrorCode::frame_encoding_error, 0x02);
}

TEST(AckFrame, HoldsTheLargestPacketNumber) {
  const Ranges ranges{{0, kMaxPacketNumber}};
  EXPECT_EQ(ranges_of(decoded<AckFrame>(acked(ranges, 64))), ranges);
}

TEST(AckFrame, WalkStopsWhenToldTo) {
  const auto bytes = acked({{90, 100}, {80, 84}, {1, 10}}, 64);
  const auto frame = decoded<AckFrame>(bytes);
  int seen = 0;
  EXPECT_FALSE(frame.for_each_range([&](PacketNumber, PacketNumber) { return ++seen < 2; }));
  EXPECT_EQ(seen, 2);
}

TEST(AckFrame, WalkOfAFrameThatWasNotDecodedEndsAtTheFirstImpossibleRange) {
  const auto ignore = [](PacketNumber, PacketNumber) {};
  EXPECT_FALSE((AckFrame{.largest_acknowledged = 1, .first_ack_range = 2}.for_each_range(ignore)));
  EXPECT_FALSE((AckFrame{.largest_acknowledged = 9, .range_count = 1}.for_each_range(ignore)));
}

TEST(EncodeAck, LeavesOutTheOldestRangesThatDoNotFit) {
  Values values{4};
  for (int i = 0; i < 50; ++i) {
    const Ranges ranges = random_ranges(values, 100);
    const EcnCounts ecn{1, 2, 3};
    const std::size_t whole = acked(ranges, 2000, &ecn).size();
    std::size_t before = 0;
    for (std::size_t room = 20; room <= whole; ++room) {
      const auto bytes = acked(ranges, room, &ecn);
      const Ranges kept = ranges_of(decoded<AckFrame>(bytes));
      ASSERT_LE(kept.size(), ranges.size());
      EXPECT_TRUE(std::equal(kept.begin(), kept.end(), ranges.begin())) << "not the newest";
      EXPECT_GE(kept.size(), before) << "more room, fewer ranges";
      before = kept.size();
    }
    EXPECT_EQ(before, ranges.size());
  }
}

TEST(EncodeAck, UsesItsRoomToTheLastByte) {
  // 66 ranges: 65 after the first need a Range Count of two bytes, 63 and fewer need one.
  Ranges ranges;
  for (PacketNumber i = 66; i-- > 0;) ranges.push_back({3 * i, 3 * i});
  const std::size_t whole = 1 + 2 + 1 + 2 + 1 + 2 * 65;
  EXPECT_EQ(acked(ranges, 1000).size(), whole);
  EXPECT_EQ(acked(ranges, whole).size(), whole);
  EXPECT_EQ(decoded<AckFrame>(acked(ranges, whole - 1)).range_count, 64U);
  EXPECT_EQ(decoded<AckFrame>(acked(ranges, whole - 3)).range_count, 63U);
}

TEST(EncodeAck, WritesNothingWhenNotEvenTheFirstRangeFits) {
  const Ranges ranges{{90, 100}, {80, 84}};
  const EcnCounts ecn{1, 2, 3};
  for (const EcnCounts* counts : {static_cast<const EcnCounts*>(nullptr), &ecn}) {
    const std::size_t smallest = acked({ranges[0]}, 64, counts).size();
    for (std::size_t room = 0; room < smallest; ++room) {
      std::vector<u8> storage(room);
      Writer out{storage};
      EXPECT_FALSE(encode_ack(out, 7, ranges, counts));
      EXPECT_EQ(out.size(), 0U);
      EXPECT_TRUE(out.ok()) << "the writer is still good for something smaller";
    }
    EXPECT_EQ(acked(ranges, smallest, counts), acked({ranges[0]}, 64, counts));
  }
}

TEST(EncodeAck, WritesNothingWithoutRanges) {
  std::array<u8, 16> storage{};
  Writer out{storage};
  EXPECT_FALSE(encode_ack(out, 0, {}, nullptr));
  EXPECT_EQ(out.size(), 0U);
}

}  // namespace
}  // namespace qpeer::wire
