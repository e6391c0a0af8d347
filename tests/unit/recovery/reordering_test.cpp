// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What late acknowledgements teach: LostPackets, Reordering, LossEvent. RFC 9002 §6.1; RFC 8985 §6.2.
#include "qpeer/transport/recovery/reordering.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/recovery/support.hpp"
#include "qpeer/transport/recovery/loss_event.hpp"
#include "qpeer/transport/recovery/lost_packets.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"

namespace qpeer::transport {
namespace {

RttEstimator rtt_of(Duration rtt) {
  RttEstimator estimator{333ms};
  estimator.update(at(0s), rtt, {});
  return estimator;
}

// [rfc9002-6.1.1-1], [rfc9002-6.1.1-2]: never below three packets.
TEST(Reordering, RaisesThePacketThresholdToTheDistanceSeen) {
  const RttEstimator rtt = rtt_of(40ms);
  Reordering reordering;
  EXPECT_EQ(reordering.packet_threshold(), kPacketThreshold);
  reordering.on_reordered(at(1s), at(1s) - 40ms, 2, rtt);
  EXPECT_EQ(reordering.packet_threshold(), kPacketThreshold) << "the default is enough";
  reordering.on_reordered(at(1s), at(1s) - 40ms, 40, rtt);
  EXPECT_EQ(reordering.packet_threshold(), 51U);
  reordering.on_reordered(at(1s), at(1s) - 40ms, 20, rtt);
  EXPECT_EQ(reordering.packet_threshold(), 51U);
  reordering.on_reordered(at(1s), at(1s) - 40ms, 1'000'000, rtt);
  EXPECT_EQ(reordering.packet_threshold(), Reordering::kMaxPacketThreshold);
  EXPECT_EQ(reordering.time_threshold(rtt), 45ms) << "it was in time";
  EXPECT_TRUE(reordering.consistent());
}

TEST(Reordering, GrowsTheWindowByQuartersUpToOneRtt) {
  const RttEstimator rtt = rtt_of(40ms);
  Reordering reordering;
  EXPECT_EQ(reordering.time_threshold(rtt), 45ms);
  reordering.on_reordered(at(1s), at(1s) - 46ms, 1, rtt);
  EXPECT_EQ(reordering.time_threshold(rtt), 50ms);
  reordering.on_reordered(at(1s), at(1s) - 50ms, 1, rtt);
  EXPECT_EQ(reordering.time_threshold(rtt), 60ms);
  reordering.on_reordered(at(1s), at(1s) - 55ms, 1, rtt);
  EXPECT_EQ(reordering.time_threshold(rtt), 60ms);
  reordering.on_reordered(at(1s), at(1s) - 10s, 1, rtt);
  EXPECT_EQ(reordering.time_threshold(rtt), 80ms);
}

TEST(Reordering, IsForgottenAWhileAfterTheLast) {
  const RttEstimator rtt = rtt_of(40ms);
  Reordering reordering;
  reordering.on_reordered(at(1s), at(1s) - 60ms, 40, rtt);
  reordering.on_reordered(at(9s), at(9s) - 60ms, 40, rtt);
  reordering.expire(at(18s), rtt);
  EXPECT_EQ(reordering.packet_threshold(), 51U);
  reordering.expire(at(20s), rtt);
  EXPECT_EQ(reordering.packet_threshold(), kPacketThreshold);
  EXPECT_EQ(reordering.time_threshold(rtt), 45ms);
  // On a long path a round trip is what counts.
  const RttEstimator slow = rtt_of(2s);
  reordering.on_reordered(at(30s), at(27s), 40, slow);
  reordering.expire(at(60s), slow);
  EXPECT_EQ(reordering.packet_threshold(), 51U);
}

TEST(LossEvent, IsUndoneWhenAllOfItsLossesAreSpurious) {
  LossEvent event;
  const std::uint32_t first = event.on_lost(at(1s), at(900ms), 1200);
  EXPECT_NE(first, 0U);
  EXPECT_EQ(event.on_lost(at(1s), at(910ms), 1200), first);
  EXPECT_EQ(event.on_lost(at(1010ms), at(950ms), 1200), first) << "sent before the event";
  EXPECT_FALSE(event.on_spurious(first));
  EXPECT_FALSE(event.on_spurious(first));
  EXPECT_FALSE(event.on_spurious(0));
  EXPECT_TRUE(event.on_spurious(first));
  EXPECT_EQ(event.bytes(), 3600U);
  EXPECT_EQ(event.largest_sent_at(), at(950ms));
  EXPECT_FALSE(event.on_spurious(first));
  EXPECT_NE(event.on_lost(at(1020ms), at(960ms), 1200), first) << "as if it had not been";
}

TEST(LossEvent, StaysWhereALaterOneBeganOrMarksSpeakOfCongestionToo) {
  LossEvent event;
  const std::uint32_t first = event.on_lost(at(1s), at(900ms), 1200);
  const std::uint32_t second = event.on_lost(at(2s), at(1900ms), 1200);
  EXPECT_NE(first, second);
  EXPECT_FALSE(event.on_spurious(first));
  event.on_ecn_ce();
  EXPECT_FALSE(event.on_spurious(second));
}

TEST(LostPackets, KeepsNoMoreThanItsBounds) {
  SentPackets sent;
  LostPackets lost;
  std::vector<SentFrame> frames(PacketWriter::kMaxFrames,
                                {.owner = FrameOwner::stream_set, .stream = {0}});
  for (PacketNumber number = 0; number < 2 * LostPackets::kMaxPackets; ++number) {
    // One frame each at first, then many.
    const std::size_t count = number < LostPackets::kMaxPackets + 100 ? 1 : frames.size();
    sent.add(at(1s), {.number = number, .size = 100, .ack_eliciting = true, .in_flight = true},
             std::span(frames).first(count));
    lost.add(sent, sent[sent.lower_bound(number)], 1);
    ASSERT_LE(lost.size(), LostPackets::kMaxPackets);
  }
  EXPECT_TRUE(lost.consistent());
  EXPECT_EQ(lost.size(), LostPackets::kMaxFrames / frames.size());
}

// A late acknowledgement is seen for three probe timeouts, and then no more.
TEST(LostPackets, AreForgottenAfterAWhile) {
  Sender sender = Sender::established();
  for (int i = 0; i < 5; ++i) sender.send();
  sender.now += 50ms;
  ASSERT_TRUE(sender.ack({{3, 4}}).has_value());
  EXPECT_EQ(sender.recovery.packets_lost(), 2U);
  sender.now += 3 * sender.recovery.pto() - 51ms;
  ASSERT_TRUE(sender.ack({{3, 4}, {0, 0}}).has_value());
  EXPECT_EQ(sender.recovery.spurious_losses(), 1U);
  sender.now += 1s;
  ASSERT_TRUE(sender.ack({{0, 4}}).has_value());
  EXPECT_EQ(sender.recovery.spurious_losses(), 1U);
}

// Once a packet was forty numbers late, one that is thirty late is waited for.
TEST(Reordering, KeepsPacketsFromBeingLostAgain) {
  Sender sender = Sender::established(Side::client, {.pacing = false});
  for (int i = 0; i < 41; ++i) sender.send();
  sender.now += 50ms;
  ASSERT_TRUE(sender.ack({{1, 40}}).has_value());
  EXPECT_EQ(sender.recovery.packets_lost(), 1U);
  ASSERT_TRUE(sender.ack({{0, 40}}).has_value());
  EXPECT_EQ(sender.recovery.spurious_losses(), 1U);
  for (int i = 0; i < 31; ++i) sender.send();
  sender.now += 50ms;
  ASSERT_TRUE(sender.ack({{42, 71}}).has_value());
  EXPECT_EQ(sender.recovery.packets_lost(), 1U);
  // Time decides in any case.
  sender.expire();
  EXPECT_EQ(sender.recovery.packets_lost(), 2U);
}

}  // namespace
}  // namespace qpeer::transport
