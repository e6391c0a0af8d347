// SPDX-License-Identifier: MIT OR BSD-3-Clause
// CUBIC's curve against values of the formulas, and its window at losses, marks and time-outs.
// RFC 9438; RFC 8511.
#include "qpeer/transport/recovery/cubic.hpp"

#include <gtest/gtest.h>

#include <array>

#include "qpeer/tests/unit/recovery/support.hpp"

namespace qpeer::transport {
namespace {

constexpr std::uint16_t kSize = 1200;
constexpr double kSegment = kSize;

/// A curve that a whole window of acknowledgements moves on by one round trip.
class CubicCurveTest : public testing::Test {
 protected:
  /// The window, in segments, after one more round trip.
  double round(Duration rtt) {
    window = curve.on_ack(now, window, window, rtt, kSegment);
    now += rtt;
    return window / kSegment;
  }
  /// The first ACK in congestion avoidance, from which on time counts.
  void begin(Duration rtt) {
    window = curve.on_ack(now, 0, window, rtt, kSegment);
    now += rtt;
  }
  /// Congestion at this window, in segments.
  void congestion(double at_window) {
    curve.on_congestion_event(at_window * kSegment, CubicCurve::kBeta);
    window = at_window * kSegment * CubicCurve::kBeta;
  }

  CubicCurve curve;
  Instant now = at(1s);
  double window = 0;
};

// RFC 9438 §4.2, §4.4 [rfc9438-4.4-1], §4.5 [rfc9438-4.5-1], §5.1 [rfc9438-5.1-1], [rfc9438-5.1-2]:
// from 70 segments back to 100 in K = 4.217 s, concave before and convex after.
TEST_F(CubicCurveTest, FollowsTheFormula) {
  congestion(100);
  begin(1s);
  constexpr std::array kExpected{95.640, 99.279, 99.996, 100.192, 102.267, 108.620, 121.653};
  for (const double expected : kExpected) EXPECT_NEAR(round(1s), expected, 0.001);
}

TEST_F(CubicCurveTest, GrowsByTheShareOfTheWindowThatIsAcknowledged) {
  congestion(100);
  begin(1s);
  const double before = window;
  const double after = curve.on_ack(now, before / 4, before, 1s, kSegment);
  EXPECT_NEAR((after - before) / kSegment, (95.640 - 70) / 4, 0.001);
}

// RFC 9438 §4.2: the target is at most half more than the window.
TEST_F(CubicCurveTest, GrowsByNoMoreThanHalfInARoundTrip) {
  congestion(100);
  begin(60s);
  EXPECT_NEAR(round(60s), 105, 0.001);
  EXPECT_NEAR(round(60s), 157.5, 0.001);
}

// RFC 9438 §4.3 [rfc9438-4.3-1], [rfc9438-4.3-2]: 9/17 of a segment a round trip up to the window of
// the event, then one.
TEST_F(CubicCurveTest, GrowsAsRenoWhereThatIsFaster) {
  congestion(10);
  begin(10ms);
  double expected = 7;
  for (int i = 1; i <= 6; ++i) {
    expected += 9.0 / 17;
    EXPECT_NEAR(round(10ms), expected, 0.001) << i;
  }
  const double reached = window / kSegment;
  ASSERT_GE(reached, 10);
  EXPECT_NEAR(round(10ms), reached + 1, 0.001);
  EXPECT_NEAR(round(10ms), reached + 2, 0.001);
}

// RFC 9438 §4.7 [rfc9438-4.7-1]: the second event comes at 80 segments, so the plateau is at 68 and
// K is 3.107 s.
TEST_F(CubicCurveTest, ConvergesFast) {
  congestion(100);
  congestion(80);
  begin(1s);
  constexpr std::array kExpected{67.457, 68.000, 68.285, 70.712};
  for (const double expected : kExpected) EXPECT_NEAR(round(1s), expected, 0.001);
}

// RFC 9438 §4.2 [rfc9438-4.2-1], §5.8.
TEST_F(CubicCurveTest, DoesNotCountTheTimeOfAPause) {
  congestion(100);
  begin(1s);
  round(1s);
  EXPECT_NEAR(round(1s), 99.279, 0.001);
  curve.pause();
  now += 100s;
  EXPECT_NEAR(round(1s), 99.279, 0.001) << "two seconds have passed, as before";
  EXPECT_NEAR(round(1s), 99.996, 0.001);
}

// RFC 9438 §4.8 [rfc9438-4.8-1], §4.10: K is 0 and the plateau is the present window.
TEST_F(CubicCurveTest, BeginsConvexWhereNoPlateauIsKnown) {
  window = 100 * kSegment;
  begin(2s);
  EXPECT_NEAR(round(2s), 125.6, 0.001) << "0.4 * 4^3 more";
  congestion(200);
  curve.restart();
  window = 100 * kSegment;
  begin(2s);
  EXPECT_NEAR(round(2s), 125.6, 0.001);
}

TEST_F(CubicCurveTest, StaysFiniteAtExtremeTimesAndSizes) {
  for (const double segments : {2.0, 1e3, 1e9}) {
    for (const Duration rtt : {Duration(1), Duration(1ms), Duration(1h)}) {
      congestion(segments);
      const double before = window;
      for (int i = 0; i < 20; ++i) round(rtt);
      EXPECT_GE(window, before);
      EXPECT_LE(window, before * 4000) << "20 times half more at most";
    }
  }
}

class CubicTest : public testing::Test {
 protected:
  void ack(Instant now, Instant sent_at, std::uint64_t bytes, bool application_limited = false) {
    cubic.on_ack({.now = now,
                  .acked_bytes = bytes,
                  .largest_acked_sent_at = sent_at,
                  .bytes_in_flight = bytes,
                  .application_limited = application_limited,
                  .rtt_sample = 1s,
                  .smoothed_rtt = 1s,
                  .min_rtt = 1s});
  }
  void lose(Instant now, Instant sent_at, bool persistent = false) {
    cubic.on_loss({.now = now,
                   .lost_bytes = kSize,
                   .largest_lost_sent_at = sent_at,
                   .persistent_congestion = persistent});
  }
  void lose_spuriously(Instant now, Instant sent_at) {
    cubic.on_spurious_loss({.now = now, .bytes = kSize, .largest_lost_sent_at = sent_at});
  }
  /// From slow start, with a window of 100 segments, to 70.
  void reach_avoidance() {
    ack(at(1s), at(500ms), 108'000);
    ASSERT_EQ(cubic.window(), 120'000U);
    lose(at(2s), at(1500ms));
    ASSERT_EQ(cubic.window(), 84'000U);
  }
  /// The first ACK there, from which on time counts.
  void begin_avoidance() {
    reach_avoidance();
    ack(at(3s), at(2500ms), 1);
    ASSERT_EQ(cubic.window(), 84'000U);
  }

  Cubic cubic{kSize};
};

// RFC 9438 §4.6 [rfc9438-4.6-1], [rfc9438-4.6-2].
TEST_F(CubicTest, KeepsSeventyPercentAtALossOnceARoundTrip) {
  reach_avoidance();
  EXPECT_EQ(cubic.slow_start_threshold(), 84'000U);
  EXPECT_EQ(cubic.state(), "recovery");
  lose(at(2500ms), at(1900ms));
  EXPECT_EQ(cubic.window(), 84'000U) << "sent before the period began";
  lose(at(4s), at(3s));
  EXPECT_EQ(cubic.window(), 58'800U);
  for (Duration t = 5s; t < 60s; t += 2s) lose(at(t), at(t - 1ms));
  EXPECT_EQ(cubic.window(), 2400U) << "never below two datagrams";
  EXPECT_EQ(cubic.slow_start_threshold(), 2400U);
}

// RFC 9438 §4.10 [rfc9438-4.10-1].
TEST_F(CubicTest, GrowsByWhatIsAcknowledgedInSlowStart) {
  ack(at(2s), at(1s), 3000);
  EXPECT_EQ(cubic.window(), 15'000U);
  EXPECT_EQ(cubic.state(), "slow_start");
}

TEST_F(CubicTest, GrowsAlongTheCurveInAvoidance) {
  begin_avoidance();
  EXPECT_EQ(cubic.state(), "congestion_avoidance");
  ack(at(4s), at(3s), 84'000);
  EXPECT_EQ(cubic.window(), 114'768U) << "95.64 segments";
  ack(at(5s), at(4s), 114'768);
  EXPECT_EQ(cubic.window(), 119'134U) << "99.28 segments";
}

// RFC 9438 §4.6 [rfc9438-4.6-3], [rfc9438-4.6-4].
TEST_F(CubicTest, DoesNotGrowWhenTheApplicationIsTheLimit) {
  begin_avoidance();
  ack(at(4s), at(3s), 84'000);
  for (Duration t = 5s; t < 100s; t += 1s) ack(at(t), at(t - 1s), 1200, true);
  EXPECT_EQ(cubic.window(), 114'768U);
  ack(at(101s), at(100s), 114'768);
  EXPECT_EQ(cubic.window(), 114'768U) << "the curve is where it was, and this is its target";
}

// RFC 8511 §3.1, §4.
TEST_F(CubicTest, KeepsMoreAtAMarkThanAtALoss) {
  begin_avoidance();
  cubic.on_ecn_ce(at(4s), at(3500ms));
  EXPECT_EQ(cubic.window(), 71'400U);
  Cubic fresh{kSize};
  fresh.on_ecn_ce(at(2s), at(1s));
  EXPECT_EQ(fresh.window(), 8400U) << "as a loss in slow start";
}

// RFC 9438 §4.8, §4.10; RFC 9002 §7.6.2 [rfc9002-7.6.2-5].
TEST_F(CubicTest, FallsToTheMinimumAndStartsSlowlyAgain) {
  ack(at(1s), at(500ms), 108'000);
  lose(at(2s), at(1500ms), true);
  EXPECT_EQ(cubic.window(), 2400U);
  EXPECT_EQ(cubic.slow_start_threshold(), 84'000U);
  ack(at(2s), at(1900ms), 48'000);
  EXPECT_EQ(cubic.window(), 2400U) << "what was sent before does not open it";
  ack(at(3s), at(2500ms), 2400);
  EXPECT_EQ(cubic.window(), 4800U);
  ack(at(4s), at(3500ms), 79'200);
  ASSERT_EQ(cubic.window(), 84'000U);
  EXPECT_EQ(cubic.state(), "congestion_avoidance");
  ack(at(5s), at(4500ms), 84'000);
  EXPECT_EQ(cubic.window(), 84'635U) << "9/17 of a segment, as the plateau is here and K is 0";
}

// RFC 9438 §4.9.2 [rfc9438-4.9.2-2], [rfc9438-4.9.2-3].
TEST_F(CubicTest, RestoresTheWindowAndTheCurveAfterASpuriousLoss) {
  begin_avoidance();
  ack(at(4s), at(3s), 84'000);
  ASSERT_EQ(cubic.window(), 114'768U);
  lose(at(4100ms), at(3500ms));
  ASSERT_EQ(cubic.window(), 80'337U);
  lose_spuriously(at(4200ms), at(3500ms));
  EXPECT_EQ(cubic.window(), 114'768U);
  EXPECT_EQ(cubic.slow_start_threshold(), 84'000U);
  EXPECT_EQ(cubic.state(), "congestion_avoidance");
  lose_spuriously(at(4300ms), at(3500ms));
  EXPECT_EQ(cubic.window(), 114'768U) << "once for each event";
  ack(at(5s), at(4s), cubic.window());
  ack(at(6s), at(5s), cubic.window());
  EXPECT_EQ(cubic.window(), 119'134U) << "the curve goes on";
}

// RFC 9438 §4.9.2 [rfc9438-4.9.2-4].
TEST_F(CubicTest, RestoresNothingWhereTheWindowIsLargerByNow) {
  begin_avoidance();
  for (Duration t = 4s; t < 10s; t += 1s) ack(at(t), at(t - 500ms), cubic.window());
  const std::uint64_t before = cubic.window();
  ASSERT_GT(before, 120'000U);
  lose_spuriously(at(10s), at(1500ms));
  EXPECT_EQ(cubic.window(), before);
  EXPECT_EQ(cubic.slow_start_threshold(), 84'000U);
}

TEST_F(CubicTest, RecomputesTheInitialWindowForANewSize) {
  cubic.on_mtu_changed(1400);
  EXPECT_EQ(cubic.window(), 14'000U);
  ack(at(2s), at(1s), 1200);
  cubic.on_mtu_changed(1200);
  EXPECT_EQ(cubic.window(), 15'200U) << "the path has spoken";
  for (Duration t = 3s; t < 40s; t += 2s) lose(at(t), at(t - 1ms));
  EXPECT_EQ(cubic.window(), 2400U);
  cubic.on_mtu_changed(9000);
  EXPECT_EQ(cubic.window(), 18'000U) << "two datagrams at least";
}

}  // namespace
}  // namespace qpeer::transport
