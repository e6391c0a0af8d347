// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The parts of BBRv3, each alone.
#include <gtest/gtest.h>

#include "qpeer/tests/unit/recovery/support.hpp"
#include "qpeer/transport/recovery/bbr/ack_aggregation.hpp"
#include "qpeer/transport/recovery/bbr/bounds.hpp"
#include "qpeer/transport/recovery/bbr/congestion_signals.hpp"
#include "qpeer/transport/recovery/bbr/full_bandwidth.hpp"
#include "qpeer/transport/recovery/bbr/max_bandwidth_filter.hpp"
#include "qpeer/transport/recovery/bbr/min_rtt_filter.hpp"
#include "qpeer/transport/recovery/bbr/pacing_rate.hpp"
#include "qpeer/transport/recovery/bbr/probe_cycle.hpp"
#include "qpeer/transport/recovery/bbr/round_counter.hpp"
#include "qpeer/transport/recovery/bbr/window.hpp"

namespace qpeer::transport::bbr {
namespace {

TEST(BbrRoundCounter, EndsARoundWithAPacketSentAfterItBegan) {
  RoundCounter round;
  round.on_ack(0, 1000);
  EXPECT_TRUE(round.round_start());
  round.on_ack(500, 2000);  // Sent when 500 were delivered: before the round began at 1,000.
  EXPECT_FALSE(round.round_start());
  round.on_ack(1000, 3000);
  EXPECT_TRUE(round.round_start());
  EXPECT_EQ(round.round_count(), 2U);
  round.start_round(5000);
  round.on_ack(4000, 6000);
  EXPECT_FALSE(round.round_start());
}

TEST(BbrMaxBandwidthFilter, KeepsTheLargestOfTwoCycles) {
  MaxBandwidthFilter filter;
  filter.on_sample(100, false);
  filter.on_sample(80, false);
  filter.advance();
  filter.on_sample(60, false);
  EXPECT_EQ(filter.max_bw(), 100U);
  filter.advance();
  EXPECT_EQ(filter.max_bw(), 60U);
  filter.advance();  // Without a sample in between.
  EXPECT_EQ(filter.max_bw(), 60U);
}

TEST(BbrMaxBandwidthFilter, TakesOfApplicationLimitedSamplesOnlyLargerOnes) {
  MaxBandwidthFilter filter;
  filter.on_sample(100, true);
  EXPECT_EQ(filter.max_bw(), 100U);
  filter.advance();
  filter.on_sample(90, true);
  filter.advance();  // There was none.
  EXPECT_EQ(filter.max_bw(), 100U);
}

TEST(BbrMinRttFilter, ForgetsAMinimumAfterTenSecondsAndAsksForAProbeAfterFive) {
  MinRttFilter filter;
  EXPECT_FALSE(filter.known());
  filter.on_ack(at(1s), 40ms);
  EXPECT_EQ(filter.min_rtt(), 40ms);
  filter.on_ack(at(2s), 50ms);
  EXPECT_EQ(filter.min_rtt(), 40ms);
  EXPECT_FALSE(filter.probe_rtt_expired());
  filter.on_ack(at(6s + 1ms), 60ms);
  EXPECT_TRUE(filter.probe_rtt_expired());
  EXPECT_EQ(filter.min_rtt(), 40ms);
  filter.on_ack(at(8s), 55ms);
  EXPECT_FALSE(filter.probe_rtt_expired());
  filter.on_ack(at(11s + 1ms), 70ms);
  EXPECT_EQ(filter.min_rtt(), 55ms);  // What the last probe saw.
  filter.on_ack(at(11s + 2ms), Duration{-1});
  EXPECT_EQ(filter.min_rtt(), 55ms);
}

TEST(BbrAckAggregation, IsWhatComesBeyondTheBandwidth) {
  AckAggregation aggregation;
  aggregation.restart(at(0s));
  // 1,000,000 bytes a second; 30,000 after 10 ms are 20,000 more than that, but the interval starts
  // anew where no more was expected than had come.
  aggregation.on_ack(at(10ms), 30'000, 1'000'000, 100'000, 0, 10);
  EXPECT_EQ(aggregation.extra_acked(), 30'000U);
  aggregation.on_ack(at(20ms), 5'000, 1'000'000, 100'000, 0, 10);
  EXPECT_EQ(aggregation.extra_acked(), 30'000U);  // 35,000 less 10,000.
  aggregation.on_ack(at(21ms), 20'000, 1'000'000, 40'000, 1, 10);
  EXPECT_EQ(aggregation.extra_acked(), 40'000U);  // The window at most.
  aggregation.on_ack(at(1s), 1'000, 1'000'000, 100'000, 10, 10);
  EXPECT_EQ(aggregation.extra_acked(), 40'000U);
  aggregation.on_ack(at(2s), 1'000, 1'000'000, 100'000, 11, 10);
  EXPECT_EQ(aggregation.extra_acked(), 1'000U);  // Ten rounds are over.
  aggregation.on_ack(at(3s), 2'000, 1'000'000, 100'000, 500, 1);
  EXPECT_EQ(aggregation.extra_acked(), 2'000U);
}

TEST(BbrFullBandwidth, IsFullAfterThreeRoundsWithoutAQuarterMore) {
  FullBandwidth full;
  full.on_round(100);
  full.on_round(125);
  full.on_round(126);
  full.on_round(150);
  EXPECT_FALSE(full.now());
  full.on_round(156);  // 125 * 1.25 is 156.25: reached after rounding down.
  full.on_round(157);
  full.on_round(158);
  EXPECT_FALSE(full.reached());
  full.on_round(159);
  EXPECT_TRUE(full.now());
  EXPECT_TRUE(full.reached());
  full.reset(159);
  EXPECT_FALSE(full.now());
  EXPECT_TRUE(full.reached());
}

TEST(BbrBounds, FollowWhatIsDeliveredDownToSevenTenthsARound) {
  Bounds bounds;
  bounds.on_lossy_round(90, 900, 100, 1000);
  EXPECT_EQ(bounds.bw_shortterm(), 90U);
  EXPECT_EQ(bounds.inflight_shortterm(), 900U);
  bounds.save();
  bounds.on_lossy_round(10, 100, 100, 1000);
  EXPECT_EQ(bounds.bw_shortterm(), 62U);  // 0.7 of 90, as binary fractions have it.
  EXPECT_EQ(bounds.inflight_shortterm(), 630U);
  bounds.set_inflight_longterm(500);
  bounds.undo();
  EXPECT_EQ(bounds.bw_shortterm(), 90U);
  EXPECT_EQ(bounds.inflight_shortterm(), 900U);
  EXPECT_EQ(bounds.inflight_longterm(), kInfinity);
  bounds.reset_shortterm();
  EXPECT_EQ(bounds.bw_shortterm(), kInfinity);
}

TEST(BbrBounds, LeaveOthersHeadroom) {
  Bounds bounds;
  EXPECT_EQ(bounds.inflight_with_headroom(1200, 4800), kInfinity);
  bounds.set_inflight_longterm(100'000);
  EXPECT_EQ(bounds.inflight_with_headroom(1200, 4800), 85'000U);
  bounds.set_inflight_longterm(6'000);
  EXPECT_EQ(bounds.inflight_with_headroom(1200, 4800), 4'800U);
  bounds.set_inflight_longterm(500);
  EXPECT_EQ(bounds.inflight_with_headroom(1200, 4800), 4'800U);
}

TEST(BbrCongestionSignals, KeepTheLargestOfARound) {
  CongestionSignals signals;
  signals.on_ack(
      {.delivery_rate = 100, .delivered = 10, .prior_delivered = 0, .total_delivered = 10});
  EXPECT_TRUE(signals.loss_round_start());
  signals.advance({.delivery_rate = 100, .delivered = 10});
  EXPECT_TRUE(signals.note_loss(10));
  EXPECT_FALSE(signals.note_loss(15));
  signals.on_ack(
      {.delivery_rate = 80, .delivered = 8, .prior_delivered = 5, .total_delivered = 20});
  EXPECT_FALSE(signals.loss_round_start());
  EXPECT_EQ(signals.bw_latest(), 100U);
  signals.on_ack(
      {.delivery_rate = 70, .delivered = 9, .prior_delivered = 12, .total_delivered = 30});
  EXPECT_TRUE(signals.loss_round_start());
  EXPECT_TRUE(signals.loss_in_round());
  signals.forget_loss();
  signals.advance({.delivery_rate = 70, .delivered = 9});
  EXPECT_EQ(signals.bw_latest(), 70U);
  EXPECT_EQ(signals.inflight_latest(), 9U);
  EXPECT_FALSE(signals.loss_in_round());
}

TEST(BbrPacingRate, OnlyRisesUntilThePathWasFull) {
  PacingRate pacing;
  pacing.init(12'000, 100ms);
  EXPECT_EQ(pacing.rate(), 332'400U);  // 2.77 windows a round trip.
  pacing.update(1, 100'000, false);
  EXPECT_EQ(pacing.rate(), 332'400U);
  pacing.update(1, 100'000, true);
  EXPECT_EQ(pacing.rate(), 99'000U);
  pacing.update(2, 1'000'000, false);
  EXPECT_EQ(pacing.rate(), 1'980'000U);
  EXPECT_EQ(pacing.send_quantum(1200), 2'400U);
  pacing.update(1, 0, true);
  EXPECT_EQ(pacing.rate(), 1U);
  pacing.update(1, 10'000'000'000, true);
  EXPECT_EQ(pacing.send_quantum(1200), 65'536U);
}

// RFC 9002 §7.2 [rfc9002-7.2-1], [rfc9002-7.2-2].
TEST(BbrWindow, BeginsAsRfc9002SaysAndNeverGoesBelowFourPackets) {
  Window window{1200};
  EXPECT_EQ(window.cwnd(), 12'000U);
  window.on_packet_size(1472);
  EXPECT_EQ(window.cwnd(), 14'720U);
  window.limit(0);
  EXPECT_EQ(window.cwnd(), 4 * 1472U);
  window.on_packet_size(1500);
  EXPECT_EQ(window.cwnd(), 14'720U) << "nothing was acknowledged yet";
  window.on_ack(1500, 100'000, false, 1500);
  EXPECT_EQ(window.cwnd(), 16'220U);
  window.on_packet_size(1200);
  EXPECT_EQ(window.cwnd(), 16'220U);
  window.on_packet_size(9000);
  EXPECT_EQ(window.cwnd(), 36'000U);
}

TEST(BbrWindow, GrowsByWhatIsAcknowledgedUpToTheModel) {
  Window window{1200};
  window.on_ack(1200, 10'000, false, 5'000);  // Less than an initial window has arrived.
  EXPECT_EQ(window.cwnd(), 13'200U);
  window.on_ack(1200, 10'000, false, 50'000);
  EXPECT_EQ(window.cwnd(), 13'200U);
  window.on_ack(1200, 20'000, true, 50'000);
  EXPECT_EQ(window.cwnd(), 14'400U);
  window.on_ack(1200, 10'000, true, 50'000);
  EXPECT_EQ(window.cwnd(), 10'000U);
  window.save(false);
  window.limit(5'000);
  window.save(true);
  window.restore();
  EXPECT_EQ(window.cwnd(), 10'000U);
}

TEST(BbrWindow, KnowsWhetherItWasUsedWithinARound) {
  Window window{1200};
  window.on_sent(10'800);
  EXPECT_FALSE(window.is_limited());
  window.on_sent(12'000);
  EXPECT_TRUE(window.is_limited());
  window.on_round_start();
  EXPECT_TRUE(window.is_limited());
  window.on_round_start();
  EXPECT_FALSE(window.is_limited());
}

TEST(BbrProbeCycle, WaitsTwoToThreeSecondsByItsSeed) {
  ProbeCycle one{1};
  ProbeCycle same{1};
  ProbeCycle other{2};
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    EXPECT_LE(one.pick_wait(), 1U);
    same.pick_wait();
    other.pick_wait();
    EXPECT_GE(one.wait, 2s);
    EXPECT_LT(one.wait, 3s);
    EXPECT_EQ(one.wait, same.wait);
    differs = differs || one.wait != other.wait;
  }
  EXPECT_TRUE(differs);
}

TEST(BbrProbeCycle, GrowsTwiceAsFastEachRound) {
  ProbeCycle cycle{1};
  cycle.raise_slope(96'000, 1200);
  EXPECT_EQ(cycle.increase(95'000), 0U);
  EXPECT_EQ(cycle.increase(1'000), 1U);
  cycle.raise_slope(96'000, 1200);
  EXPECT_EQ(cycle.increase(96'000), 2U);
  for (int i = 0; i < 100; ++i) cycle.raise_slope(96'000, 1200);
  EXPECT_EQ(cycle.increase(2'400), 2U);  // A packet for a packet at most.
}

}  // namespace
}  // namespace qpeer::transport::bbr
