// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Pacer: the rate over long times, bursts, and no waiting where a timer could not keep up.
#include "qpeer/transport/recovery/pacer.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/recovery/support.hpp"

namespace qpeer::transport {
namespace {

constexpr std::uint16_t kSize = 1200;

void send(Pacer& pacer, Instant now, const Pacer::Rate& rate, std::uint64_t size) {
  pacer.refill(now, rate);
  pacer.on_sent(size);
}

TEST(Pacer, DerivesTheRateFromWindowAndRtt) {
  const Pacer::Rate rate = Pacer::rate_of(100'000, 100ms, kSize);
  EXPECT_EQ(rate.bytes_per_second, 1'250'000U);
  EXPECT_EQ(rate.burst, 12'000U);
  EXPECT_EQ(Pacer::rate_of(12'500'000, 100ms, kSize).burst, 312'500U) << "two milliseconds' worth";
}

// RFC 9002 §7.7 [rfc9002-7.7-2], [rfc9002-7.7-3].
TEST(Pacer, LetsTenPacketsGoAndThenWaits) {
  Pacer pacer;
  const Pacer::Rate rate = Pacer::rate_of(100'000, 100ms, kSize);
  EXPECT_EQ(pacer.budget(at(1s), rate), 12'000);
  for (int i = 0; i < 10; ++i) send(pacer, at(1s), rate, kSize);
  EXPECT_EQ(pacer.budget(at(1s), rate), 0);
  // 1200 bytes at 1.25 MB/s.
  const Instant next = pacer.available_at(at(1s), rate, kSize);
  EXPECT_GE(next, at(1s) + 960us);
  EXPECT_LE(next, at(1s) + 961us);
  EXPECT_GE(pacer.budget(next, rate), kSize);
  EXPECT_EQ(pacer.budget(at(1h), rate), 12'000) << "silence saves up no more than a burst";
}

TEST(Pacer, MakesTrainsAsLongAsTheRateAllows) {
  EXPECT_EQ(Pacer::rate_of(100'000, 100ms, kSize).train, 1250U) << "a millisecond's worth";
  EXPECT_EQ(Pacer::rate_of(10'000, 100ms, kSize).train, kSize) << "but a datagram";
  EXPECT_EQ(Pacer::rate_of(12'500'000, 100ms, kSize).train, kMaxTransmitSize) << "and one call";
  Pacer pacer;
  const Pacer::Rate rate = Pacer::rate_of(1'000'000, 100ms, kSize);
  ASSERT_EQ(rate.train, 12'500U);
  EXPECT_EQ(pacer.least(rate, kSize), kSize);
  for (int i = 0; i < 20; ++i) send(pacer, at(1s), rate, kSize);
  ASSERT_EQ(pacer.budget(at(1s), rate), 1000);
  EXPECT_EQ(pacer.least(rate, kSize), rate.train);
  const Instant next = pacer.available_at(at(1s), rate, rate.train);
  EXPECT_GE(next, at(1s) + 920us);
  EXPECT_LE(next, at(1s) + 921us);
  send(pacer, next - 1us, rate, kSize);
  EXPECT_EQ(pacer.least(rate, kSize), rate.train) << "a probe does not wait, nor end the waiting";
  send(pacer, next + 97us, rate, kSize);
  EXPECT_EQ(pacer.least(rate, kSize), kSize) << "the whole train may leave";
}

TEST(Pacer, LetsAnInitialWindowGoOnlyWhileNoRoundTripIsMeasured) {
  Sender sender = Sender::established();
  ASSERT_EQ(sender.recovery.send_allowance(sender.now), 12'000U);
  for (int i = 0; i < 2; ++i) sender.send();
  sender.now += 100ms;
  ASSERT_TRUE(sender.ack({{0, 0}}).has_value());
  sender.now += 10s;
  EXPECT_EQ(sender.recovery.congestion_window(), 13'200U);
  EXPECT_EQ(sender.recovery.send_allowance(sender.now), 6000U) << "half of it after a silence";
  while (sender.recovery.send_allowance(sender.now) != 0) sender.send();
  // The rest over a round trip, at 5/4 of a window each.
  const Instant next = sender.recovery.pacing_deadline(sender.now);
  EXPECT_GE(next, sender.now + 7ms);
  EXPECT_LE(next, sender.now + 8ms);
}

// RFC 9002 §7.7 [rfc9002-7.7-1]: over ten seconds, whatever the timer's steps.
TEST(Pacer, HonoursTheRateOverALongTime) {
  for (const Duration step : {Duration{10us}, Duration{300us}, Duration{1ms}, Duration{1500us}}) {
    for (const std::uint64_t window : {12'000U, 100'000U, 3'000'000U}) {
      Pacer pacer;
      const Pacer::Rate rate = Pacer::rate_of(window, 50ms, kSize);
      std::uint64_t sent = 0;
      Instant now = at(1s);
      const Instant end = now + 10s;
      while (now < end) {
        while (pacer.budget(now, rate) >= kSize) {
          send(pacer, now, rate, kSize);
          sent += kSize;
        }
        const Instant next = pacer.available_at(now, rate, kSize);
        ASSERT_GT(next, now) << "it would spin";
        while (now < next) now += step;
      }
      const double allowed = 10.0 * static_cast<double>(rate.bytes_per_second);
      EXPECT_LE(static_cast<double>(sent), allowed + static_cast<double>(rate.burst) + kSize);
      EXPECT_GE(static_cast<double>(sent), 0.99 * allowed) << "step " << step.count();
    }
  }
}

TEST(Pacer, PaysProbesBackLater) {
  Pacer pacer;
  const Pacer::Rate rate = Pacer::rate_of(100'000, 100ms, kSize);
  for (int i = 0; i < 20; ++i) send(pacer, at(1s), rate, kSize);
  EXPECT_EQ(pacer.budget(at(1s), rate), -12'000);
  EXPECT_GE(pacer.available_at(at(1s), rate, kSize), at(1s) + 10ms);
}

TEST(Pacer, KeepsTheDeadlineReachableAtAnyRate) {
  for (const std::uint64_t window :
       {std::uint64_t{1}, std::uint64_t{2400}, std::uint64_t{1} << 40}) {
    for (const Duration rtt : {Duration{1ns}, Duration{1us}, Duration{333ms}, Duration{60s}}) {
      Pacer pacer;
      const Pacer::Rate rate = Pacer::rate_of(window, rtt, kSize);
      send(pacer, at(1s), rate, rate.burst);
      const Instant next = pacer.available_at(at(1s), rate, kSize);
      EXPECT_GT(next, at(1s));
      EXPECT_GE(pacer.budget(next, rate), kSize);
    }
  }
}

TEST(Pacer, GoesBackInTimeWithoutHarm) {
  Pacer pacer;
  const Pacer::Rate rate = Pacer::rate_of(100'000, 100ms, kSize);
  send(pacer, at(2s), rate, kSize);
  send(pacer, at(1s), rate, kSize);
  EXPECT_EQ(pacer.budget(at(1s), rate), 9600);
}

// At the RTT of a loopback the whole window may leave at once: no timer is that fine.
TEST(Pacer, NeverHoldsATransferBackOnATinyRtt) {
  Sender sender = Sender::established();
  for (int round = 0; round < 200; ++round) {
    const PacketNumber first = sender.next[2];
    while (sender.recovery.send_allowance(sender.now) != 0) sender.send();
    EXPECT_EQ(sender.recovery.pacing_deadline(sender.now), kNever) << "round " << round;
    EXPECT_GT(sender.recovery.bytes_in_flight() + 1200, sender.recovery.congestion_window());
    sender.now += 50us;
    ASSERT_TRUE(sender.ack({{first, sender.next[2] - 1}}).has_value());
    sender.fates.clear();
    if (sender.recovery.congestion_window() > 4'000'000) break;
  }
  EXPECT_GT(sender.recovery.congestion_window(), 4'000'000U);
}

TEST(Pacer, CanBeTurnedOff) {
  Sender sender = Sender::established(Side::client, {.pacing = false});
  sender.send();
  sender.now += 500ms;
  ASSERT_TRUE(sender.ack({{0, 0}}).has_value());
  while (sender.recovery.send_allowance(sender.now) != 0) sender.send();
  EXPECT_EQ(sender.recovery.pacing_deadline(sender.now), kNever);
  EXPECT_GT(sender.recovery.bytes_in_flight() + 1200, sender.recovery.congestion_window());
}

}  // namespace
}  // namespace qpeer::transport
