// SPDX-License-Identifier: MIT OR BSD-3-Clause
// SentPackets: places, bounds, and what is remembered of gaps.
#include "qpeer/transport/recovery/sent_packets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "qpeer/tests/unit/recovery/support.hpp"

namespace qpeer::transport {
namespace {

void add(SentPackets& packets, PacketNumber number, bool in_flight = true) {
  const SentFrame frame{
      .owner = FrameOwner::stream_set, .type = 8, .length = 1, .stream = {0}, .offset = number};
  packets.add(at(1s),
              {.number = number, .size = 100, .ack_eliciting = in_flight, .in_flight = in_flight},
              std::span(&frame, 1));
}

TEST(SentPackets, FindsEveryNumberBetweenAnyGaps) {
  std::mt19937_64 random{3};
  for (int round = 0; round < 30; ++round) {
    SentPackets packets;
    std::vector<PacketNumber> numbers;
    PacketNumber number = random() % 5;
    for (int i = 0; i < 200; ++i) {
      add(packets, number);
      numbers.push_back(number);
      number += 1 + (random() % 6 == 0 ? random() % 50 : 0);
    }
    for (PacketNumber wanted = 0; wanted <= number; ++wanted) {
      const auto place = std::lower_bound(numbers.begin(), numbers.end(), wanted);
      ASSERT_EQ(packets.lower_bound(wanted), static_cast<std::uint64_t>(place - numbers.begin()));
    }
    EXPECT_TRUE(packets.consistent());
  }
}

TEST(SentPackets, HoldsGapsOfAnySizeInNoSpace) {
  SentPackets packets;
  add(packets, 0);
  add(packets, kMaxPacketNumber);
  EXPECT_EQ(packets.size(), 2U);
  EXPECT_FALSE(packets.were_sent(5, 5));
  EXPECT_FALSE(packets.were_sent(0, kMaxPacketNumber));
  EXPECT_TRUE(packets.were_sent(kMaxPacketNumber, kMaxPacketNumber));
}

TEST(SentPackets, ForgetsFromTheFrontOnly) {
  SentPackets packets;
  for (PacketNumber i = 0; i < 4; ++i) add(packets, i);
  packets.resolve(packets.lower_bound(1), SentPacket::State::acked);
  packets.forget_resolved();
  EXPECT_EQ(packets.size(), 4U);
  EXPECT_EQ(packets.bytes_in_flight(), 300U);
  packets.resolve(packets.lower_bound(0), SentPacket::State::lost);
  packets.forget_resolved();
  EXPECT_EQ(packets.size(), 2U);
  EXPECT_EQ(packets[packets.begin_index()].number, 2U);
  std::vector<std::uint64_t> offsets;
  packets.for_each_frame(packets[packets.begin_index()],
                         [&](const SentFrame& frame) { offsets.push_back(frame.offset); });
  EXPECT_EQ(offsets, (Offsets{2}));
  EXPECT_TRUE(packets.were_sent(0, 3)) << "forgotten, but sent";
}

TEST(SentPackets, KeepsFewPacketsThatNobodyAcknowledges) {
  SentPackets packets;
  for (PacketNumber i = 0; i < 10'000; ++i) add(packets, i, false);
  EXPECT_LE(packets.size(), SentPackets::kMaxNotInFlight);
  EXPECT_TRUE(packets.were_sent(0, 9999));

  SentPackets behind_one;
  add(behind_one, 0);
  for (PacketNumber i = 1; i < 10'000; ++i) add(behind_one, i, false);
  EXPECT_LE(behind_one.size(), SentPackets::kMaxBeforeNotInFlight);
  EXPECT_TRUE(behind_one.were_sent(0, 9999));
  EXPECT_EQ(behind_one.ack_eliciting_outstanding(), 1U);
  EXPECT_TRUE(behind_one.consistent()) << "the one in flight is never given up";
}

// RFC 9000 §21.4 [rfc9000-21.4-1].
TEST(SentPackets, RemembersTheNewestGaps) {
  SentPackets packets;
  PacketNumber number = 0;
  for (std::size_t i = 0; i < 2 * SentPackets::kMaxSkips; ++i) {
    add(packets, number);
    number += 2;
  }
  EXPECT_FALSE(packets.were_sent(number - 3, number - 3));
  EXPECT_TRUE(packets.were_sent(1, 1)) << "too long ago to tell";
  EXPECT_TRUE(packets.were_sent(number - 2, number - 2));
  EXPECT_FALSE(packets.were_sent(number - 1, number - 1)) << "not sent yet";
}

TEST(SentPackets, StopsTheWindowWhenTooManyAreTracked) {
  Sender sender = Sender::established(Side::client, {.pacing = false});
  for (std::size_t i = 0; i < SentPackets::kMaxPackets; ++i) sender.send(kApplication, 0);
  EXPECT_EQ(sender.recovery.bytes_in_flight(), 0U);
  EXPECT_EQ(sender.recovery.send_allowance(sender.now), 0U);
  sender.now += 10ms;
  ASSERT_TRUE(sender.ack({{0, 99}}).has_value());
  EXPECT_GE(sender.recovery.send_allowance(sender.now), 1200U);
}

}  // namespace
}  // namespace qpeer::transport
