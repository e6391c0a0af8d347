// SPDX-License-Identifier: MIT OR BSD-3-Clause
// NewReno's window, byte by byte. RFC 9002 §7, Appendix B.
#include "qpeer/transport/recovery/new_reno.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/recovery/support.hpp"

namespace qpeer::transport {
namespace {

constexpr std::uint16_t kSize = 1200;

class NewRenoTest : public testing::Test {
 protected:
  void ack(Instant now, Instant sent_at, std::uint64_t bytes, bool application_limited = false) {
    reno.on_ack({.now = now,
                 .acked_bytes = bytes,
                 .largest_acked_sent_at = sent_at,
                 .bytes_in_flight = bytes,
                 .application_limited = application_limited});
  }
  void lose(Instant now, Instant sent_at, bool persistent = false) {
    reno.on_loss({.now = now,
                  .lost_bytes = kSize,
                  .largest_lost_sent_at = sent_at,
                  .persistent_congestion = persistent});
  }

  NewReno reno{kSize};
};

// RFC 9002 §7.2 [rfc9002-7.2-1], [rfc9002-7.2-4].
TEST_F(NewRenoTest, StartsAndEndsWithTheWindowsOfTheRfc) {
  EXPECT_EQ(NewReno::initial_window(1200), 12'000U);
  EXPECT_EQ(NewReno::initial_window(1472), 14'720U);
  EXPECT_EQ(NewReno::initial_window(1500), 14'720U);
  EXPECT_EQ(NewReno::initial_window(9000), 18'000U);
  EXPECT_EQ(NewReno::minimum_window(1200), 2400U);
  EXPECT_EQ(reno.window(), 12'000U);
  EXPECT_TRUE(reno.in_slow_start());
  EXPECT_FALSE(reno.pacing_rate());
}

TEST_F(NewRenoTest, GrowsByWhatIsAcknowledgedInSlowStart) {
  ack(at(2s), at(1s), 3000);
  EXPECT_EQ(reno.window(), 15'000U);
  ack(at(2s), at(1s), 15'000);
  EXPECT_EQ(reno.window(), 30'000U);
}

// RFC 9002 §7.3.1 [rfc9002-7.3.1-1], §7.3.2 [rfc9002-7.3.2-1], [rfc9002-7.3.2-2].
TEST_F(NewRenoTest, HalvesOnceARoundTrip) {
  lose(at(2s), at(1s));
  EXPECT_EQ(reno.window(), 6000U);
  EXPECT_EQ(reno.slow_start_threshold(), 6000U);
  lose(at(2500ms), at(2s));
  EXPECT_EQ(reno.window(), 6000U) << "sent before the period began";
  ack(at(3s), at(2s), 6000);
  EXPECT_EQ(reno.window(), 6000U) << "likewise";
  lose(at(4s), at(3s));
  EXPECT_EQ(reno.window(), 3000U);
  lose(at(6s), at(5s));
  EXPECT_EQ(reno.window(), 2400U) << "never below two datagrams";
}

TEST_F(NewRenoTest, TakesCongestionExperiencedAsALoss) {
  reno.on_ecn_ce(at(2s), at(1s));
  EXPECT_EQ(reno.window(), 6000U);
  reno.on_ecn_ce(at(3s), at(2s));
  EXPECT_EQ(reno.window(), 6000U);
}

// RFC 8511 §3.1, §4.
TEST_F(NewRenoTest, KeepsMoreAtAMarkInAvoidance) {
  lose(at(2s), at(1s));
  ASSERT_EQ(reno.window(), 6000U);
  reno.on_ecn_ce(at(4s), at(3s));
  EXPECT_EQ(reno.window(), 4800U);
  EXPECT_EQ(reno.slow_start_threshold(), 4800U);
}

// RFC 9002 §7.3.3 [rfc9002-7.3.3-1].
TEST_F(NewRenoTest, GrowsByOneDatagramAWindowInAvoidance) {
  lose(at(2s), at(1s));
  for (int i = 0; i < 4; ++i) ack(at(4s), at(3s), 1200);
  EXPECT_EQ(reno.window(), 6000U);
  ack(at(4s), at(3s), 1200);
  EXPECT_EQ(reno.window(), 7200U);
  for (int i = 0; i < 5; ++i) ack(at(5s), at(4s), 1200);
  EXPECT_EQ(reno.window(), 7200U);
  ack(at(5s), at(4s), 1200);
  EXPECT_EQ(reno.window(), 8400U);
}

// RFC 9002 §7.6.2 [rfc9002-7.6.2-5].
TEST_F(NewRenoTest, FallsToTheMinimumAndStartsSlowlyAgain) {
  ack(at(1s), at(500ms), 36'000);
  lose(at(2s), at(1s), true);
  EXPECT_EQ(reno.window(), 2400U);
  EXPECT_EQ(reno.slow_start_threshold(), 24'000U);
  ack(at(2s), at(1900ms), 48'000);
  EXPECT_EQ(reno.window(), 2400U) << "what was sent before does not open it";
  ack(at(3s), at(2500ms), 2400);
  EXPECT_EQ(reno.window(), 4800U);
  EXPECT_TRUE(reno.in_slow_start());
}

// RFC 9002 §7.8 [rfc9002-7.8-1].
TEST_F(NewRenoTest, DoesNotGrowWhenTheApplicationIsTheLimit) {
  ack(at(2s), at(1s), 1200, true);
  EXPECT_EQ(reno.window(), 12'000U);
  lose(at(2s), at(1s));
  for (int i = 0; i < 50; ++i) ack(at(4s), at(3s), 1200, true);
  EXPECT_EQ(reno.window(), 6000U);
}

TEST_F(NewRenoTest, RestoresTheWindowAfterASpuriousLoss) {
  lose(at(2s), at(1s));
  ASSERT_EQ(reno.window(), 6000U);
  reno.on_spurious_loss({.now = at(2100ms), .bytes = kSize, .largest_lost_sent_at = at(1s)});
  EXPECT_EQ(reno.window(), 12'000U);
  EXPECT_EQ(reno.slow_start_threshold(), std::nullopt);
  EXPECT_EQ(reno.state(), "slow_start");
  reno.on_spurious_loss({.now = at(2200ms), .bytes = kSize, .largest_lost_sent_at = at(1s)});
  EXPECT_EQ(reno.window(), 12'000U) << "once for each event";
  lose(at(2300ms), at(1900ms));
  EXPECT_EQ(reno.window(), 6000U) << "the event that was undone began no recovery period";
}

TEST_F(NewRenoTest, KeepsTheReductionThatMarksConfirmed) {
  lose(at(2s), at(1s));
  reno.on_ecn_ce(at(2050ms), at(1500ms));
  reno.on_spurious_loss({.now = at(2100ms), .bytes = kSize, .largest_lost_sent_at = at(1s)});
  EXPECT_EQ(reno.window(), 6000U);
}

TEST_F(NewRenoTest, NamesItsStateForTheLog) {
  EXPECT_EQ(reno.state(), "slow_start");
  EXPECT_EQ(reno.slow_start_threshold(), std::nullopt);
  lose(at(2s), at(1s));
  EXPECT_EQ(reno.state(), "recovery");
  ack(at(3s), at(2500ms), kSize);
  EXPECT_EQ(reno.state(), "congestion_avoidance");
}

// RFC 9002 §7.2 [rfc9002-7.2-2], [rfc9002-7.2-3].
TEST_F(NewRenoTest, RecomputesTheInitialWindowForANewSize) {
  reno.on_mtu_changed(1400);
  EXPECT_EQ(reno.window(), 14'000U);
  reno.on_mtu_changed(1200);
  EXPECT_EQ(reno.window(), 12'000U);
  ack(at(2s), at(1s), 1200);
  reno.on_mtu_changed(1400);
  EXPECT_EQ(reno.window(), 13'200U) << "the path has spoken";
  for (Duration t = 3s; t < 40s; t += 2s) lose(at(t), at(t - 1ms));
  EXPECT_EQ(reno.window(), 2800U);
  reno.on_mtu_changed(9000);
  EXPECT_EQ(reno.window(), 18'000U) << "two datagrams at least";
}

}  // namespace
}  // namespace qpeer::transport
