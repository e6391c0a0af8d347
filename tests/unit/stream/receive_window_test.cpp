// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/stream/receive_window.hpp"

#include <deque>

#include <gtest/gtest.h>

namespace qpeer::transport::test {
namespace {

constexpr std::uint64_t kKiB = 1 << 10;
constexpr std::uint64_t kMiB = 1 << 20;
constexpr StreamConfig kConfig{.receive_window = 16 << 20, .initial_receive_window = 128 << 10};

/// Uses up all credit and reads the data, like a bulk transfer.
void carry(ReceiveWindow& window) {
  RecvCredit& credit = window.credit();
  credit.receive(credit.limit() - credit.received());
  credit.consume(credit.received() - credit.consumed());
  window.settle();
  if (!credit.pending()) return;
  const std::uint64_t limit = window.next_limit();
  window.on_limit_sent();
  EXPECT_EQ(credit.limit(), limit);
  EXPECT_TRUE(window.consistent());
}

TEST(ReceiveWindow, IsAtItsMaximumWithoutAPool) {
  ReceiveWindow window(kConfig, {});
  EXPECT_EQ(window.credit().limit(), kConfig.receive_window);
  carry(window);
  EXPECT_EQ(window.credit().outstanding(), kConfig.receive_window);
}

TEST(ReceiveWindow, BeginsSmallAndGrowsWithWhatIsRead) {
  BytePool pool({}, 1'000);
  ReceiveWindow window(kConfig, {.pool = &pool});
  EXPECT_EQ(window.credit().limit(), 128 * kKiB);
  EXPECT_EQ(pool.held(), 128 * kKiB);
  // A sender that doubles what it sends in each round trip, from ten packets on, never meets the limit.
  std::uint64_t sent = 0;
  for (std::uint64_t burst = 14 * kKiB; burst < 4 * kMiB; burst *= 2) {
    ASSERT_LE(sent + burst, window.credit().limit()) << burst;
    sent += burst;
    window.credit().receive(burst);
    window.credit().consume(burst);
    window.settle();
    if (window.credit().pending()) {
      (void)window.next_limit();
      window.on_limit_sent();
    }
    ASSERT_TRUE(window.consistent());
    ASSERT_EQ(pool.held(), window.credit().outstanding());
  }
  for (int i = 0; i < 5; ++i) carry(window);
  EXPECT_EQ(window.credit().outstanding(), kConfig.receive_window);
}

TEST(ReceiveWindow, StaysSmallWhileNothingIsRead) {
  BytePool pool({}, 1'000);
  ReceiveWindow window(kConfig, {.pool = &pool});
  window.credit().receive(128 * kKiB);
  window.credit().on_blocked(128 * kKiB);
  window.settle();
  EXPECT_FALSE(window.credit().pending());
  EXPECT_EQ(pool.held(), 128 * kKiB);
}

/// Reads so much in each of some round trips of 50 ms, a tenth at a time.
Instant read_rounds(ReceiveWindow& window, Instant now, int rounds, std::uint64_t bytes) {
  for (int i = 0; i < 10 * rounds; ++i) {
    now += 5ms;
    window.credit().receive(bytes / 10);
    window.credit().consume(bytes / 10);
    window.settle();
    window.on_time(now, 50ms);
    if (window.credit().pending()) {
      (void)window.next_limit();
      window.on_limit_sent();
    }
    EXPECT_TRUE(window.consistent());
  }
  return now;
}

TEST(ReceiveWindow, AboveItsFreePartIsEightTimesWhatIsReadInARoundTrip) {
  BytePool pool({}, 1'000);
  ReceiveWindow window(kConfig, {.pool = &pool});
  window.on_time(Instant{1s}, 50ms);
  // 1,000 rounds of 10 kB are 10 MB.
  Instant now = read_rounds(window, Instant{1s}, 1'000, 10 * kKiB);
  EXPECT_LE(window.credit().outstanding(), 768 * kKiB);
  now = read_rounds(window, now, 20, 100 * kKiB);
  EXPECT_GE(window.credit().outstanding(), 400 * kKiB);
  EXPECT_LE(window.credit().outstanding(), 800 * kKiB);
  now = read_rounds(window, now, 20, kMiB / 2);
  EXPECT_GE(window.credit().outstanding(), 2 * kMiB);
  EXPECT_LE(window.credit().outstanding(), 4 * kMiB);
  // It fades, and nothing is granted again until what was granted is used up.
  const std::uint64_t limit = window.credit().limit();
  now = read_rounds(window, now, 60, 10 * kKiB);
  EXPECT_EQ(window.credit().limit(), limit);
  now = read_rounds(window, now, 500, 10 * kKiB);
  EXPECT_LE(window.credit().outstanding(), 768 * kKiB);
}

TEST(ReceiveWindow, AfterAPauseItIsSmallAndGrowsAgain) {
  BytePool pool({}, 1'000);
  ReceiveWindow window(kConfig, {.pool = &pool});
  window.on_time(Instant{1s}, 50ms);
  Instant now = read_rounds(window, Instant{1s}, 40, kMiB);
  EXPECT_GE(window.credit().outstanding(), 4 * kMiB);
  now += 60s;
  window.on_time(now, 50ms);
  now = read_rounds(window, now, 100, 100 * kKiB);
  EXPECT_LE(window.credit().outstanding(), 800 * kKiB);
  now = read_rounds(window, now, 40, kMiB / 10);
  now = read_rounds(window, now, 40, kMiB / 3);
  EXPECT_GE(window.credit().outstanding(), kMiB);
}

// Credit that was granted is not taken back; what is read of it is not granted again.
TEST(ReceiveWindow, ShrinksAsItIsReadWhereThePoolIsShort) {
  BytePool pool({.total = 32 << 20, .network = 32 << 20}, 100);
  ReceiveWindow window(kConfig, {.pool = &pool});
  for (int i = 0; i < 20; ++i) carry(window);
  const std::uint64_t alone = window.credit().outstanding();
  EXPECT_GT(alone, 3 * kMiB);
  std::deque<ReceiveWindow> others;
  for (PoolNetwork i = 1; i < 100; ++i) {
    others.emplace_back(kConfig, PoolMember{.pool = &pool, .network = i});
    for (ReceiveWindow& each : others) carry(each);
    EXPECT_LE(pool.held(), pool.limits().total);
    EXPECT_TRUE(pool.consistent());
  }
  EXPECT_EQ(window.credit().outstanding(), alone);
  for (int i = 0; i < 20; ++i) carry(window);
  EXPECT_LT(window.credit().outstanding(), alone / 4);
  // With the others gone it grows again.
  others.clear();
  for (int i = 0; i < 20; ++i) carry(window);
  EXPECT_GE(window.credit().outstanding(), alone);
}

TEST(ReceiveWindow, InAFullPoolIsTheGuaranteedPartAndMoves) {
  BytePool pool({.total = 8 << 20, .network = 0}, 100);
  ReceiveWindow window(kConfig, {.pool = &pool});
  EXPECT_EQ(window.credit().limit(), pool.guaranteed());
  for (int i = 0; i < 100; ++i) carry(window);
  EXPECT_EQ(window.credit().outstanding(), pool.guaranteed());
  EXPECT_GT(window.credit().consumed(), 50 * pool.guaranteed());
}

TEST(ReceiveWindow, HoldsWhatArrivedWhenNothingMoreCan) {
  BytePool pool({}, 1'000);
  ReceiveWindow window(kConfig, {.pool = &pool});
  window.credit().receive(1'000);
  window.credit().consume(400);
  window.settle();
  window.stop();
  EXPECT_EQ(pool.held(), 600U);
  window.credit().consume(600);
  window.settle();
  EXPECT_EQ(pool.held(), 0U);
  EXPECT_TRUE(window.consistent());
}

}  // namespace
}  // namespace qpeer::transport::test
