// SPDX-License-Identifier: MIT OR BSD-3-Clause
// RttEstimator by the numbers of RFC 9002 §5.
#include "qpeer/transport/recovery/rtt.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/recovery/support.hpp"
#include "qpeer/transport/recovery/loss_detector.hpp"

namespace qpeer::transport {
namespace {

TEST(RttEstimator, StartsFromTheInitialRtt) {
  const RttEstimator rtt{333ms};
  EXPECT_FALSE(rtt.first_sample_at());
  EXPECT_EQ(rtt.smoothed(), 333ms);
  EXPECT_EQ(rtt.variance(), 166'500us);
  EXPECT_EQ(rtt.pto(0ms), 999ms);
}

// RFC 9002 §5.2 [rfc9002-5.2-1].
TEST(RttEstimator, TakesTheFirstSampleWhole) {
  RttEstimator rtt{333ms};
  rtt.update(at(1s), 40ms, 30ms);
  EXPECT_EQ(rtt.latest(), 40ms);
  EXPECT_EQ(rtt.min(), 40ms);
  EXPECT_EQ(rtt.smoothed(), 40ms);
  EXPECT_EQ(rtt.variance(), 20ms);
  EXPECT_EQ(rtt.first_sample_at(), at(1s));
}

TEST(RttEstimator, SmoothsTheFollowingOnes) {
  RttEstimator rtt{333ms};
  rtt.update(at(1s), 40ms, 0ms);
  rtt.update(at(2s), 80ms, 8ms);  // Adjusted: 72 ms, 32 ms off.
  EXPECT_EQ(rtt.variance(), Duration{3 * 20ms + 32ms} / 4);
  EXPECT_EQ(rtt.smoothed(), Duration{7 * 40ms + 72ms} / 8);
  EXPECT_EQ(rtt.first_sample_at(), at(1s));
}

// RFC 9002 §5.2 [rfc9002-5.2-2], [rfc9002-5.2-5]: only persistent congestion sets it anew. The delay
// that the peer reports plays no part in it.
TEST(RttEstimator, KeepsTheLeastSample) {
  RttEstimator rtt{333ms};
  rtt.update(at(1s), 40ms, 0ms);
  rtt.update(at(1s), 60ms, 15ms);
  EXPECT_EQ(rtt.min(), 40ms);
  rtt.update(at(1s), 30ms, 25ms);
  EXPECT_EQ(rtt.min(), 30ms);
}

// RFC 9002 §5.3 [rfc9002-5.3-6].
TEST(RttEstimator, DoesNotBelieveADelayBelowTheMinimum) {
  RttEstimator rtt{333ms};
  rtt.update(at(1s), 40ms, 0ms);
  rtt.update(at(1s), 50ms, 11ms);
  EXPECT_EQ(rtt.smoothed(), Duration{7 * 40ms + 50ms} / 8);
  RttEstimator exact{333ms};
  exact.update(at(1s), 40ms, 0ms);
  exact.update(at(1s), 50ms, 10ms);
  EXPECT_EQ(exact.smoothed(), 40ms);
}

// RFC 9002 §5.2 [rfc9002-5.2-3].
TEST(RttEstimator, StartsTheMinimumAnewAfterPersistentCongestion) {
  RttEstimator rtt{333ms};
  rtt.update(at(1s), 40ms, 0ms);
  rtt.update(at(1s), 400ms, 0ms);
  rtt.on_persistent_congestion();
  EXPECT_EQ(rtt.min(), 400ms);
}

// RFC 9002 §6.1.2 [rfc9002-6.1.2-2], [rfc9002-6.1.2-4]: the larger of latest and smoothed counts.
TEST(RttEstimator, GivesTheTimeThreshold) {
  RttEstimator rtt{333ms};
  rtt.update(at(1s), 80ms, 0ms);
  EXPECT_EQ(loss_delay(rtt), 90ms);
  rtt.update(at(1s), 160ms, 0ms);
  EXPECT_EQ(loss_delay(rtt), 180ms);
  rtt.update(at(1s), 16ms, 0ms);
  EXPECT_EQ(loss_delay(rtt), rtt.smoothed() * 9 / 8);
  RttEstimator tiny{333ms};
  tiny.update(at(1s), 3us, 0ms);
  EXPECT_EQ(loss_delay(tiny), 1ms);
}

}  // namespace
}  // namespace qpeer::transport
