// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Persistent congestion: everything lost over three PTOs. RFC 9002 §7.6.
#include <gtest/gtest.h>

#include "qpeer/tests/unit/recovery/support.hpp"

namespace qpeer::transport {
namespace {

constexpr std::uint64_t kMinimum = 2400;

/// RTT 100 ms, ACK delay 100 ms. The ACK that tells of the losses is the second sample, which
/// makes the variation 37.5 ms and the duration 3 * (100 + 150 + 100) ms.
constexpr Duration kDuration = 1050ms;

Sender with_rtt() {
  Sender sender = Sender::established();
  sender.recovery.set_peer_max_ack_delay(100ms);
  sender.send();
  sender.now += 100ms;
  EXPECT_TRUE(sender.ack({{0, 0}}).has_value());
  sender.fates.clear();
  return sender;
}

/// Losses at 0 and `span`, and then an ACK that shows them.
void lose_over(Sender& sender, Duration span) {
  sender.now += 1ms;
  sender.send();
  sender.now += span;
  sender.send();
  sender.now += 1ms;
  PacketNumber last = 0;
  for (int i = 0; i < 3; ++i) last = sender.send();
  sender.now += 100ms;
  ASSERT_TRUE(sender.ack({{last, last}}).has_value());
}

// RFC 9002 §7.6.1 [rfc9002-7.6.1-1], §7.6.2 [rfc9002-7.6.2-5].
// [rfc9002-7.4-2]: lost after something was acknowledged, they count.
TEST(PersistentCongestion, NeedsMoreThanThreePtos) {
  Sender within = with_rtt();
  lose_over(within, kDuration);
  EXPECT_EQ(within.recovery.packets_lost(), 2U);
  EXPECT_GT(within.recovery.congestion_window(), kMinimum);

  Sender beyond = with_rtt();
  lose_over(beyond, kDuration + 1ms);
  EXPECT_EQ(beyond.recovery.packets_lost(), 2U);
  EXPECT_EQ(beyond.recovery.congestion_window(), kMinimum);
}

// RFC 9002 §5.2 [rfc9002-5.2-3]: the path may have become a longer one.
TEST(PersistentCongestion, StartsTheMinimumRttAnew) {
  Sender sender = with_rtt();
  sender.now += 1ms;
  sender.send();
  sender.now += 60s;
  for (int i = 0; i < 4; ++i) sender.send();
  sender.now += 700ms;
  ASSERT_TRUE(sender.ack({{5, 5}}).has_value());
  EXPECT_EQ(sender.recovery.congestion_window(), kMinimum);
  EXPECT_EQ(sender.recovery.rtt().min(), 700ms);
}

// RFC 9002 §7.6.2 [rfc9002-7.6.2-2]: what was sent before any RTT was known proves nothing.
TEST(PersistentCongestion, NeedsAnEarlierRttSample) {
  Sender sender = Sender::established();
  lose_over(sender, 60s);
  EXPECT_EQ(sender.recovery.packets_lost(), 2U);
  EXPECT_GT(sender.recovery.congestion_window(), kMinimum);
}

TEST(PersistentCongestion, IsNoneWhereAPacketBetweenArrived) {
  Sender sender = with_rtt();
  sender.now += 1ms;
  sender.send();  // 1
  sender.now += 700ms;
  sender.send();  // 2, which arrives
  sender.now += 700ms;
  sender.send();  // 3
  for (int i = 0; i < 3; ++i) sender.send();
  sender.now += 100ms;
  ASSERT_TRUE(sender.ack({{6, 6}, {2, 2}}).has_value());
  EXPECT_EQ(sender.recovery.packets_lost(), 2U);
  EXPECT_GT(sender.recovery.congestion_window(), kMinimum);
}

// RFC 9002 §7.6.2 [rfc9002-7.6.2-3]: also when it was of another space.
TEST(PersistentCongestion, IsNoneWhereAPacketOfAnotherSpaceArrived) {
  Sender sender = with_rtt();
  sender.now += 1ms;
  sender.send();  // 1
  sender.now += 700ms;
  sender.send(kHandshake);
  sender.now += 100ms;
  ASSERT_TRUE(sender.ack({{0, 0}}, kHandshake).has_value());
  sender.now += 700ms;
  sender.send();  // 2
  for (int i = 0; i < 3; ++i) sender.send();
  sender.now += 100ms;
  ASSERT_TRUE(sender.ack({{5, 5}}).has_value());
  EXPECT_EQ(sender.recovery.packets_lost(), 2U);
  EXPECT_GT(sender.recovery.congestion_window(), kMinimum);
}

// RFC 9002 §7.6.2 [rfc9002-7.6.2-1].
TEST(PersistentCongestion, CountsOnlyPacketsThatAskForAnAck) {
  Sender sender = with_rtt();
  sender.now += 1ms;
  sender.send_packet(kApplication, {.size = 1200, .in_flight = true});
  sender.now += 1300ms;
  sender.send();
  for (int i = 0; i < 3; ++i) sender.send();
  sender.now += 100ms;
  ASSERT_TRUE(sender.ack({{5, 5}}).has_value());
  EXPECT_EQ(sender.recovery.packets_lost(), 2U);
  EXPECT_GT(sender.recovery.congestion_window(), kMinimum);
}

// RFC 9002 §7.6.3: the example, with its times in seconds.
TEST(PersistentCongestion, EstablishesTheExampleOfTheRfc) {
  Sender sender = Sender::established();
  sender.recovery.set_peer_max_ack_delay(1400ms);  // 0.2 + 4 * 0.1 + 1.4 = 2 s a PTO.
  const Instant start = sender.now;
  sender.send();  // #1 is number 0 here, and so on.
  sender.now = start + 200ms;
  ASSERT_TRUE(sender.ack({{0, 0}}).has_value());
  for (const Duration sent : {1s, 2s, 3s, 4s, 5s, 6s, 8s, 12s}) {
    sender.now = start + sent;
    sender.send();
  }
  sender.now = start + 12'200ms;
  ASSERT_TRUE(sender.ack({{8, 8}}).has_value());
  EXPECT_EQ(sender.recovery.packets_lost(), 7U);
  EXPECT_EQ(sender.recovery.congestion_window(), kMinimum);
}

}  // namespace
}  // namespace qpeer::transport
