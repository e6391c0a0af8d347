// SPDX-License-Identifier: MIT OR BSD-3-Clause
// HyStart++: rounds, the growth of round trips, conservative slow start. RFC 9406.
#include "qpeer/transport/recovery/hystart.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/recovery/support.hpp"
#include "qpeer/transport/recovery/cubic.hpp"
#include "qpeer/transport/recovery/new_reno.hpp"

namespace qpeer::transport {
namespace {

class HyStartTest : public testing::Test {
 protected:
  /// A round of `acks` ACKs that all measure this.
  void round(Duration rtt, unsigned acks = HyStart::kRttSamples) {
    const Instant sent_at = now;
    now += rtt;
    for (unsigned i = 0; i < acks; ++i) hystart.on_ack(now, sent_at, rtt);
  }

  HyStart hystart;
  Instant now = at(1s);
};

// RFC 9406 §4.3 [rfc9406-4.3-1], [rfc9406-4.3-3], [rfc9406-4.3-4].
TEST_F(HyStartTest, GrowsAQuarterAsFastWhenRoundTripsGrow) {
  round(100ms);
  round(112ms);
  EXPECT_FALSE(hystart.in_css()) << "an eighth of 100 ms is 12.5 ms";
  EXPECT_EQ(hystart.growth(120'000), 120'000U) << "however much one ACK acknowledges";
  round(125ms);
  EXPECT_FALSE(hystart.in_css());
  round(141ms);
  EXPECT_TRUE(hystart.in_css());
  EXPECT_EQ(hystart.growth(12'000), 3000U);
  EXPECT_FALSE(hystart.done());
}

TEST_F(HyStartTest, NeedsFourMillisecondsMore) {
  round(8ms);
  round(11ms);
  EXPECT_FALSE(hystart.in_css());
  round(15ms);
  EXPECT_TRUE(hystart.in_css());
}

TEST_F(HyStartTest, NeedsSixteenMillisecondsMoreOnALongPath) {
  round(600ms);
  round(615ms);
  EXPECT_FALSE(hystart.in_css());
  round(631ms);
  EXPECT_TRUE(hystart.in_css());
}

TEST_F(HyStartTest, NeedsEightSamplesOfARound) {
  round(100ms);
  round(200ms, HyStart::kRttSamples - 1);
  EXPECT_FALSE(hystart.in_css());
  hystart.on_ack(now, now - 1ms, 0ms);
  EXPECT_FALSE(hystart.in_css()) << "an ACK without a sample is none";
  hystart.on_ack(now, now - 1ms, 200ms);
  EXPECT_TRUE(hystart.in_css());
}

TEST_F(HyStartTest, IsDoneAfterFiveRounds) {
  round(100ms);
  round(150ms);
  ASSERT_TRUE(hystart.in_css());
  for (unsigned i = 1; i < HyStart::kCssRounds; ++i) {
    round(150ms);
    EXPECT_FALSE(hystart.done()) << "the part of a round in which it began, and " << i;
  }
  round(150ms);
  EXPECT_TRUE(hystart.done());
}

TEST_F(HyStartTest, ResumesWhereRoundTripsShrinkAgain) {
  round(100ms);
  round(150ms);
  ASSERT_TRUE(hystart.in_css());
  round(149ms);
  EXPECT_FALSE(hystart.in_css());
  EXPECT_EQ(hystart.growth(12'000), 12'000U);
  round(149ms);
  round(180ms);
  EXPECT_TRUE(hystart.in_css()) << "and may see them grow again";
  for (unsigned i = 1; i < HyStart::kCssRounds; ++i) round(180ms);
  EXPECT_FALSE(hystart.done()) << "the rounds are counted anew";
}

/// Slow start of a whole controller over rounds of a growing RTT.
template <class Controller>
void expect_end_without_loss() {
  Controller controller{1200};
  Instant now = at(1s);
  Duration rtt = 100ms;
  for (int i = 0; i < 20 && controller.in_slow_start(); ++i) {
    const Instant sent_at = now;
    now += rtt;
    for (unsigned k = 0; k < 10; ++k) {
      controller.on_ack({.now = now,
                         .acked_bytes = 1200,
                         .largest_acked_sent_at = sent_at,
                         .bytes_in_flight = 12'000,
                         .rtt_sample = rtt,
                         .smoothed_rtt = rtt,
                         .min_rtt = 100ms});
    }
    rtt += 20ms;
  }
  EXPECT_FALSE(controller.in_slow_start());
  EXPECT_EQ(controller.state(), "congestion_avoidance");
  ASSERT_TRUE(controller.slow_start_threshold());
  EXPECT_GE(controller.window(), *controller.slow_start_threshold());
}

// RFC 9438 §4.10 [rfc9438-4.10-2].
TEST(HyStart, EndsTheSlowStartOfCubic) { expect_end_without_loss<Cubic>(); }
TEST(HyStart, EndsTheSlowStartOfNewReno) { expect_end_without_loss<NewReno>(); }

// RFC 9406 §4.3 [rfc9406-4.3-5].
TEST(HyStart, IsForTheFirstSlowStartAlone) {
  NewReno reno{1200};
  reno.on_loss({.now = at(2s),
                .lost_bytes = 1200,
                .largest_lost_sent_at = at(1s),
                .persistent_congestion = true});
  ASSERT_TRUE(reno.in_slow_start());
  Instant now = at(3s);
  Duration rtt = 100ms;
  std::uint64_t expected = reno.window();
  for (int i = 0; i < 3; ++i) {
    const Instant sent_at = now;
    now += rtt;
    for (unsigned k = 0; k < 8; ++k) {
      reno.on_ack({.now = now,
                   .acked_bytes = 100,
                   .largest_acked_sent_at = sent_at,
                   .bytes_in_flight = 2400,
                   .rtt_sample = rtt,
                   .smoothed_rtt = rtt,
                   .min_rtt = 100ms});
      expected += 100;
    }
    EXPECT_EQ(reno.window(), expected) << "all that is acknowledged, though round trips grow";
    rtt *= 2;
  }
}

}  // namespace
}  // namespace qpeer::transport
