// SPDX-License-Identifier: MIT OR BSD-3-Clause
// BBRv3 before a bottleneck: its phases, and what it learns of the path. draft-ietf-ccwg-bbr §5.
#include "qpeer/transport/recovery/bbr/bbr.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "qpeer/tests/unit/recovery/bottleneck.hpp"
#include "qpeer/tests/unit/recovery/support.hpp"

namespace qpeer::transport {
namespace {

using State = Bbr::State;
constexpr std::uint64_t kRate = 1'250'000;     // Bytes a second of the bottleneck.
constexpr std::uint64_t kBdp = 50'000 + 1200;  // With 40 ms, and the packet that is being served.

class BbrTest : public testing::Test {
 protected:
  /// Runs until it is in this state; false when that takes longer.
  bool run_until(State state, Duration most = 10s) {
    const Instant end = path.now + most;
    while (path.now < end && bbr.phase() != state) path.run(1ms);
    return bbr.phase() == state;
  }
  /// The states that it goes through in that time.
  std::vector<State> states(Duration time) {
    std::vector<State> seen{bbr.phase()};
    path.run(time, [&] {
      if (bbr.phase() != seen.back()) seen.push_back(bbr.phase());
    });
    return seen;
  }

  Bbr bbr{1200, 7};
  Bottleneck path{bbr};
};

TEST_F(BbrTest, BeginsWithTheInitialWindow) {
  EXPECT_EQ(bbr.phase(), State::startup);
  EXPECT_EQ(bbr.state(), "startup");
  EXPECT_EQ(bbr.window(), 12'000U);
  EXPECT_TRUE(bbr.wants_rate_samples());
  EXPECT_TRUE(bbr.consistent());
  bbr.on_mtu_changed(1400);
  EXPECT_EQ(bbr.window(), 14'000U);
}

TEST_F(BbrTest, GoesThroughItsPhasesInOrder) {
  const auto seen = states(5s);
  // Drain leaves nothing for the first probe_bw_down to do.
  const std::vector<State> first{
      State::startup,     State::drain,         State::probe_bw_cruise, State::probe_bw_refill,
      State::probe_bw_up, State::probe_bw_down, State::probe_bw_cruise, State::probe_bw_refill};
  ASSERT_GE(seen.size(), first.size());
  EXPECT_TRUE(std::equal(first.begin(), first.end(), seen.begin()));
}

TEST_F(BbrTest, LearnsBandwidthAndRoundTrip) {
  ASSERT_TRUE(run_until(State::probe_bw_cruise));
  EXPECT_NEAR(double(bbr.max_bw()), double(kRate), 0.02 * kRate);
  EXPECT_NEAR(double(bbr.min_rtt().count()), 41e6, 0.1e6);
  EXPECT_NEAR(double(*bbr.pacing_rate()), 0.99 * kRate, 0.02 * kRate);
  EXPECT_EQ(path.lost, 0U);
  path.run(20s);
  const std::uint64_t before = path.delivered;
  path.run(20s);
  EXPECT_GT(double(path.delivered - before), 0.93 * 20 * kRate);
}

// There is never anything to send, for the receiver allows no more; but what it allows fills the path.
TEST_F(BbrTest, LearnsThePathAlsoWhenTheReceiverLimitsTheFlight) {
  path.credit = 2 * kBdp;
  ASSERT_TRUE(run_until(State::probe_bw_cruise));
  EXPECT_NEAR(double(bbr.max_bw()), double(kRate), 0.02 * kRate);
}

TEST_F(BbrTest, KeepsTheQueueShort) {
  ASSERT_TRUE(run_until(State::probe_bw_cruise));
  std::uint64_t acks = 0;
  std::uint64_t with_queue = 0;
  path.run(20s, [&] {
    ++acks;
    if (path.flight > 2 * kBdp) ++with_queue;
  });
  EXPECT_LT(with_queue, acks / 50);
}

TEST_F(BbrTest, FindsMoreBandwidthAndLess) {
  ASSERT_TRUE(run_until(State::probe_bw_cruise));
  path.bytes_per_second = 2 * kRate;
  path.run(12s);
  EXPECT_NEAR(double(bbr.max_bw()), 2.0 * kRate, 0.1 * kRate);
  path.bytes_per_second = kRate / 2;
  path.run(12s);
  EXPECT_NEAR(double(bbr.max_bw()), 0.5 * kRate, 0.1 * kRate);
}

TEST_F(BbrTest, ProbesTheRoundTripEachFiveSecondsWithHalfOfTheFlight) {
  ASSERT_TRUE(run_until(State::probe_rtt, 7s));
  const Instant began = path.now;
  path.run(100ms);
  EXPECT_LE(path.flight, kBdp / 2 + 1200);
  EXPECT_EQ(bbr.phase(), State::probe_rtt);
  ASSERT_TRUE(run_until(State::probe_bw_cruise, 1s));
  EXPECT_GE(path.now - began, 200ms);
  EXPECT_LT(path.now - began, 400ms);
  path.run(100ms);
  EXPECT_GT(bbr.window(), kBdp);
  path.run(4s);
  const Instant after = path.now;
  ASSERT_TRUE(run_until(State::probe_rtt, 7s));
  EXPECT_LT(path.now - after, 2s);
}

TEST_F(BbrTest, SeesALongerRoundTripWithinTwoProbes) {
  ASSERT_TRUE(run_until(State::probe_bw_cruise));
  path.round_trip = 80ms;
  path.run(16s);
  EXPECT_NEAR(double(bbr.min_rtt().count()), 81e6, 0.5e6);
}

TEST_F(BbrTest, LeavesStartupWhenTooMuchIsLost) {
  path.buffer = 4ms;
  path.bytes_per_second = 10 * kRate;
  ASSERT_TRUE(run_until(State::drain));
  EXPECT_GT(path.lost, 0U);
  EXPECT_NE(bbr.bounds().inflight_longterm(), bbr::kInfinity);
}

TEST_F(BbrTest, StaysInStartupWhereLittleIsLostAtRandom) {
  path.lose_each = 100;
  ASSERT_TRUE(run_until(State::drain));
  EXPECT_NEAR(double(bbr.max_bw()), double(kRate), 0.05 * kRate);
  EXPECT_EQ(bbr.bounds().inflight_longterm(), bbr::kInfinity);
}

TEST_F(BbrTest, UsesThePathInSpiteOfOnePercentOfLosses) {
  path.lose_each = 100;
  path.run(5s);
  const std::uint64_t before = path.delivered;
  path.run(30s);
  EXPECT_GT(double(path.delivered - before), 0.8 * 30 * kRate);
}

TEST_F(BbrTest, BoundsTheFlightWhereProbesLoseTooMuch) {
  ASSERT_TRUE(run_until(State::probe_bw_cruise));
  path.buffer = 2ms;
  ASSERT_TRUE(run_until(State::probe_bw_up));
  ASSERT_TRUE(run_until(State::probe_bw_down, 1s));
  EXPECT_NE(bbr.bounds().inflight_longterm(), bbr::kInfinity);
  EXPECT_GE(bbr.bounds().inflight_longterm(), kBdp * 6 / 10);
  const std::uint64_t before = path.delivered;
  path.run(20s);
  EXPECT_GT(double(path.delivered - before), 0.8 * 20 * kRate);
}

TEST_F(BbrTest, TakesMarksForLosses) {
  ASSERT_TRUE(run_until(State::probe_bw_up));
  path.mark_each = 20;  // Above 2 %.
  ASSERT_TRUE(run_until(State::probe_bw_down, 1s));
  EXPECT_NE(bbr.bounds().inflight_longterm(), bbr::kInfinity);
  EXPECT_EQ(path.lost, 0U);
  ASSERT_TRUE(run_until(State::probe_bw_cruise, 1s));
  path.run(200ms);
  EXPECT_NE(bbr.bounds().bw_shortterm(), bbr::kInfinity);
}

TEST_F(BbrTest, UsesThePathInSpiteOfFewMarks) {
  path.mark_each = 1000;
  path.run(5s);
  const std::uint64_t before = path.delivered;
  path.run(30s);
  EXPECT_GT(double(path.delivered - before), 0.85 * 30 * kRate);
}

TEST_F(BbrTest, SlowsDownWhileItCruisesWhereMuchIsLost) {
  ASSERT_TRUE(run_until(State::probe_bw_cruise));
  path.bytes_per_second = kRate / 2;
  path.buffer = 5ms;
  path.run(1s);
  EXPECT_LT(bbr.bw(), bbr.max_bw());
  EXPECT_NEAR(double(bbr.bw()), 0.5 * kRate, 0.1 * kRate);
}

TEST_F(BbrTest, ReturnsToStartupWhenTheLossesWereSpurious) {
  path.buffer = 4ms;
  path.bytes_per_second = 10 * kRate;
  bool undone = false;
  path.run(3s, [&] {
    if (undone || bbr.phase() != State::drain) return;
    undone = true;
    path.buffer = 1s;
    EXPECT_NE(bbr.bounds().inflight_longterm(), bbr::kInfinity);
    bbr.on_spurious_loss({.now = path.now});
    EXPECT_EQ(bbr.phase(), State::startup);
    EXPECT_EQ(bbr.bounds().inflight_longterm(), bbr::kInfinity);
    bbr.on_spurious_loss({.now = path.now});  // Nothing is left to be undone.
    EXPECT_EQ(bbr.phase(), State::startup);
  });
  EXPECT_TRUE(undone);
  EXPECT_NEAR(double(bbr.max_bw()), 10.0 * kRate, 0.5 * kRate);
}

TEST_F(BbrTest, ProbesAgainWhenTheLossesOfAProbeWereSpurious) {
  ASSERT_TRUE(run_until(State::probe_bw_cruise));
  path.buffer = 2ms;
  ASSERT_TRUE(run_until(State::probe_bw_up));
  ASSERT_TRUE(run_until(State::probe_bw_down, 1s));
  ASSERT_NE(bbr.bounds().inflight_longterm(), bbr::kInfinity);
  bbr.on_spurious_loss({.now = path.now});
  EXPECT_EQ(bbr.phase(), State::probe_bw_refill);
  EXPECT_EQ(bbr.bounds().inflight_longterm(), bbr::kInfinity);
  EXPECT_EQ(bbr.bounds().bw_shortterm(), bbr::kInfinity);
}

TEST_F(BbrTest, DoesNotTakeAnApplicationsSilenceForAFullPath) {
  for (int i = 0; i < 40; ++i) {
    path.sending = true;
    path.send();
    path.send();
    path.pause();
    path.run(100ms);
  }
  EXPECT_EQ(bbr.phase(), State::startup);
  path.sending = true;
  ASSERT_TRUE(run_until(State::probe_bw_cruise));
  EXPECT_NEAR(double(bbr.max_bw()), double(kRate), 0.05 * kRate);
}

TEST_F(BbrTest, ContinuesAfterSilenceAtItsBandwidthWithoutAProbeOfTheRoundTrip) {
  ASSERT_TRUE(run_until(State::probe_bw_cruise));
  path.pause();
  path.run(8s);
  ASSERT_EQ(path.flight, 0U);
  path.sending = true;
  path.run(20ms);
  EXPECT_NEAR(double(*bbr.pacing_rate()), 0.99 * kRate, 0.02 * kRate);
  path.run(200ms);
  EXPECT_NE(bbr.phase(), State::probe_rtt);
  EXPECT_GT(bbr.window(), kBdp);
}

// RFC 9002 §7.6.2 [rfc9002-7.6.2-5].
TEST_F(BbrTest, FallsToFourPacketsOnPersistentCongestionAndComesBack) {
  ASSERT_TRUE(run_until(State::probe_bw_cruise));
  bbr.on_loss({.now = path.now,
               .lost_bytes = 1200,
               .largest_lost_sent_at = path.now - 1ms,
               .persistent_congestion = true});
  EXPECT_EQ(bbr.window(), 4800U);
  path.run(500ms);
  EXPECT_GT(bbr.window(), kBdp);
}

TEST_F(BbrTest, FollowsTheSizeOfDatagrams) {
  ASSERT_TRUE(run_until(State::probe_bw_cruise));
  const std::uint64_t before = bbr.window();
  bbr.on_mtu_changed(1472);
  EXPECT_EQ(bbr.window(), before);
  bbr.on_mtu_changed(60'000);
  EXPECT_EQ(bbr.window(), 240'000U);
  EXPECT_TRUE(bbr.consistent());
}

}  // namespace
}  // namespace qpeer::transport
