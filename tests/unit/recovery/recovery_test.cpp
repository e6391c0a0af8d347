// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Recovery: fates, RTT samples, losses and the window, one ACK at a time.
#include "qpeer/transport/recovery/recovery.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/recovery/support.hpp"

namespace qpeer::transport {
namespace {

TEST(Recovery, ReportsEachAcknowledgedFrameOnce) {
  Sender sender = Sender::established();
  for (int i = 0; i < 4; ++i) sender.send();
  EXPECT_EQ(sender.recovery.bytes_in_flight(), 4800U);
  sender.now += 50ms;
  const auto outcome = sender.ack({{0, 2}});
  ASSERT_TRUE(outcome.has_value());
  EXPECT_TRUE(outcome->newly_acknowledged);
  EXPECT_TRUE(outcome->ack_eliciting);
  EXPECT_EQ(sender.fates.of(Fate::acked), (Offsets{0, 1, 2}));
  EXPECT_EQ(sender.recovery.bytes_in_flight(), 1200U);
  EXPECT_EQ(sender.recovery.largest_acknowledged(kApplication), 2U);

  const auto again = sender.ack({{0, 2}});
  ASSERT_TRUE(again.has_value());
  EXPECT_FALSE(again->newly_acknowledged);
  EXPECT_EQ(sender.fates.entries.size(), 3U);
}

// RFC 9000 §13.1 [rfc9000-13.1-2]: numbers that were never sent are nobody's to acknowledge.
TEST(Recovery, RefusesAcksOfWhatWasNeverSent) {
  Sender sender = Sender::established();
  EXPECT_FALSE(sender.ack({{0, 0}}).has_value()) << "nothing was sent at all";
  sender.send();
  sender.send();
  const auto result = sender.ack({{0, 2}});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, TransportErrorCode::protocol_violation);
  EXPECT_TRUE(sender.fates.entries.empty()) << "nothing of a bad ACK is believed";
  EXPECT_EQ(sender.recovery.bytes_in_flight(), 2400U);
  EXPECT_FALSE(sender.ack({{0, 0}}, kInitial).has_value()) << "another space";
}

TEST(Recovery, RefusesAcksOfSkippedNumbers) {
  Sender sender = Sender::established();
  sender.send();  // 0
  sender.skip();  // 1
  sender.send();  // 2
  sender.send();  // 3
  EXPECT_FALSE(sender.ack({{1, 1}}).has_value());
  EXPECT_FALSE(sender.ack({{0, 3}}).has_value());
  EXPECT_TRUE(sender.ack({{2, 2}, {0, 0}}).has_value());
  EXPECT_FALSE(sender.ack({{1, 3}}).has_value()) << "also once its neighbours are settled";
  EXPECT_TRUE(sender.ack({{2, 3}, {0, 0}}).has_value());
}

// [rfc9000-13.3-6]: the frames of a packet that arrived after all need not be sent again.
TEST(Recovery, ReportsWhatIsAcknowledgedAfterItsLoss) {
  Sender sender = Sender::established();
  for (int i = 0; i < 5; ++i) sender.send();
  sender.now += 50ms;
  ASSERT_TRUE(sender.ack({{3, 4}}).has_value());
  EXPECT_EQ(sender.fates.of(Fate::lost), (Offsets{0, 1}));
  sender.fates.clear();
  ASSERT_TRUE(sender.ack({{0, 4}}).has_value());
  EXPECT_EQ(sender.fates.of(Fate::acked), (Offsets{0, 1, 2}));
  EXPECT_EQ(sender.recovery.packets_lost(), 2U);
  EXPECT_EQ(sender.recovery.spurious_losses(), 2U);
  sender.fates.clear();
  ASSERT_TRUE(sender.ack({{0, 4}}).has_value());
  EXPECT_TRUE(sender.fates.entries.empty()) << "once";
}

TEST(Recovery, RemembersTheLargestWhenAnOlderAckComesLate) {
  Sender sender = Sender::established();
  for (int i = 0; i < 3; ++i) sender.send();
  sender.now += 50ms;
  ASSERT_TRUE(sender.ack({{2, 2}}).has_value());
  ASSERT_TRUE(sender.ack({{1, 1}}).has_value());
  EXPECT_EQ(sender.recovery.largest_acknowledged(kApplication), 2U);
  EXPECT_FALSE(sender.recovery.largest_acknowledged(kInitial));
}

// RFC 9002 §6.1.1 [rfc9002-6.1.1-1]: lost when three numbers behind, not when two.
TEST(Recovery, DeclaresLossThreePacketsBehind) {
  Sender sender = Sender::established();
  for (int i = 0; i < 4; ++i) sender.send();
  sender.now += 50ms;
  ASSERT_TRUE(sender.ack({{2, 2}}).has_value());
  EXPECT_TRUE(sender.fates.of(Fate::lost).empty());
  ASSERT_TRUE(sender.ack({{2, 3}}).has_value());
  EXPECT_EQ(sender.fates.of(Fate::lost), (Offsets{0}));
  EXPECT_EQ(sender.recovery.packets_lost(), 1U);
  EXPECT_EQ(sender.recovery.bytes_in_flight(), 1200U);
}

// RFC 9002 §6.1.2 [rfc9002-6.1.2-1], [rfc9002-6.1.2-3], [rfc9002-6.1.2-4]: after 9/8 of the RTT,
// by the timer.
TEST(Recovery, DeclaresLossByTime) {
  Sender sender = Sender::established();
  const Instant sent = sender.now;
  sender.send();
  sender.now += 1ms;
  sender.send();
  sender.now += 79ms;
  ASSERT_TRUE(sender.ack({{1, 1}}).has_value());  // RTT 79 ms.
  EXPECT_TRUE(sender.fates.of(Fate::lost).empty());
  EXPECT_EQ(sender.recovery.deadline(), sent + Duration{79ms} * 9 / 8);
  sender.recovery.on_deadline(sender.recovery.deadline() - 1ns, sender.fates);
  EXPECT_TRUE(sender.fates.of(Fate::lost).empty());
  sender.expire();
  EXPECT_EQ(sender.fates.of(Fate::lost), (Offsets{0}));
  EXPECT_EQ(sender.recovery.bytes_in_flight(), 0U);
  EXPECT_EQ(sender.recovery.deadline(), kNever);
}

// RFC 9002 §6.1.2 [rfc9002-6.1.2-2], [rfc9002-6.1.2-5].
TEST(Recovery, NeverDeclaresLossSoonerThanTheGranularity) {
  Sender sender = Sender::established();
  const Instant sent = sender.now;
  sender.send();
  sender.send();
  sender.now += 10us;
  ASSERT_TRUE(sender.ack({{1, 1}}).has_value());
  EXPECT_EQ(sender.recovery.deadline(), sent + 1ms);
}

// RFC 9002 §5.1 [rfc9002-5.1-1], [rfc9002-5.1-2].
TEST(Recovery, SamplesTheRttOnlyOfANewLargestAndAckElicitingPackets) {
  Sender sender = Sender::established();
  sender.send_ack_only();  // 0
  sender.now += 10ms;
  ASSERT_TRUE(sender.ack({{0, 0}}).has_value());
  EXPECT_FALSE(sender.recovery.rtt().first_sample_at());

  sender.send();  // 1
  sender.send();  // 2
  sender.now += 30ms;
  ASSERT_TRUE(sender.ack({{2, 2}}).has_value());
  EXPECT_EQ(sender.recovery.rtt().latest(), 30ms);
  sender.now += 3ms;
  ASSERT_TRUE(sender.ack({{1, 2}}).has_value());
  EXPECT_EQ(sender.recovery.rtt().latest(), 30ms) << "the largest was known before";
}

// RFC 9002 §5.3 [rfc9002-5.3-1], [rfc9002-5.3-4], [rfc9002-5.3-5]: the limit counts from the confirmation on.
TEST(Recovery, LimitsTheAckDelayOnceTheHandshakeIsConfirmed) {
  for (const bool confirmed : {false, true}) {
    Sender sender;
    if (confirmed) sender.recovery.on_handshake_confirmed(sender.now);
    sender.recovery.set_peer_max_ack_delay(10ms);
    sender.send();
    sender.now += 20ms;
    ASSERT_TRUE(sender.ack({{0, 0}}).has_value());
    sender.send();
    sender.now += 100ms;
    ASSERT_TRUE(sender.ack({{0, 1}}, kApplication, 40ms).has_value());
    const Duration adjusted = confirmed ? 90ms : 60ms;
    EXPECT_EQ(sender.recovery.rtt().smoothed(), (7 * Duration{20ms} + adjusted) / 8);
  }
}

// RFC 9002 §5.3 [rfc9002-5.3-3]: peers do not delay these.
TEST(Recovery, IgnoresTheAckDelayOfInitialPackets) {
  Sender sender;
  sender.send(kInitial);
  sender.now += 20ms;
  ASSERT_TRUE(sender.ack({{0, 0}}, kInitial).has_value());
  sender.send(kInitial);
  sender.now += 100ms;
  ASSERT_TRUE(sender.ack({{0, 1}}, kInitial, 40ms).has_value());
  EXPECT_EQ(sender.recovery.rtt().smoothed(), (7 * Duration{20ms} + Duration{100ms}) / 8);
}

// RFC 9002 §7 [rfc9002-7-3], RFC 9406 §3 [rfc9406-3-1].
TEST(Recovery, AllowsAWindowAndNoMore) {
  Sender sender = Sender::established(Side::client, {.pacing = false});
  EXPECT_EQ(sender.recovery.congestion_window(), 12'000U);
  EXPECT_EQ(sender.recovery.send_allowance(sender.now), 12'000U);
  for (int i = 0; i < 9; ++i) sender.send();
  EXPECT_EQ(sender.recovery.send_allowance(sender.now), 1200U);
  sender.send(kApplication, 100);
  EXPECT_EQ(sender.recovery.send_allowance(sender.now), 0U) << "less than a datagram is nothing";
  EXPECT_EQ(sender.recovery.pacing_deadline(sender.now), kNever) << "it is not the pacer";
}

// RFC 9002 §7.7 [rfc9002-7.7-5]: ACKs neither count against the window nor against the pacer.
TEST(Recovery, DoesNotCountAcks) {
  Sender sender = Sender::established();
  for (int i = 0; i < 50; ++i) sender.send_ack_only();
  EXPECT_EQ(sender.recovery.bytes_in_flight(), 0U);
  EXPECT_EQ(sender.recovery.send_allowance(sender.now), 12'000U);
  EXPECT_EQ(sender.recovery.deadline(), kNever);
  EXPECT_FALSE(sender.recovery.ack_eliciting_in_flight());
}

// RFC 9002 §2: padding alone is in flight, but nobody waits for its ACK.
TEST(Recovery, CountsPaddedPacketsWithoutATimer) {
  Sender sender = Sender::established();
  sender.send_packet(kApplication, {.size = 1200, .in_flight = true});
  EXPECT_EQ(sender.recovery.bytes_in_flight(), 1200U);
  EXPECT_FALSE(sender.recovery.ack_eliciting_in_flight());
  EXPECT_EQ(sender.recovery.deadline(), kNever);
}

// RFC 9000 §13.3 [rfc9000-13.3-7]; RFC 9002 §7.3.2 [rfc9002-7.3.2-3]: the window halves at once,
// and one packet may still leave.
TEST(Recovery, ReducesTheWindowOnLossAndLetsOnePacketThrough) {
  Sender sender = Sender::established(Side::client, {.pacing = false});
  for (int i = 0; i < 10; ++i) sender.send();
  sender.now += 50ms;
  ASSERT_TRUE(sender.ack({{3, 3}}).has_value());
  EXPECT_EQ(sender.fates.of(Fate::lost), (Offsets{0}));
  EXPECT_EQ(sender.recovery.congestion_window(), 6000U);
  EXPECT_EQ(sender.recovery.bytes_in_flight(), 9600U);
  EXPECT_EQ(sender.recovery.send_allowance(sender.now), 1200U);
  sender.send();
  EXPECT_EQ(sender.recovery.send_allowance(sender.now), 0U);
}

// RFC 9002 §7.3.2, §B.6: so it is with each recovery period, also when the window cannot fall any more,
// and but once in it.
TEST(Recovery, LetsOnePacketThroughWhereTheWindowIsTheLeast) {
  Sender sender = Sender::established(Side::client, {.pacing = false});
  for (int i = 0; i < 4; ++i) {
    const PacketNumber first = sender.send();
    for (int j = 0; j < 3; ++j) sender.send();
    sender.now += 50ms;
    ASSERT_TRUE(sender.ack({{first + 3, first + 3}}).has_value());
    sender.expire();
  }
  const std::uint64_t least = 2 * 1200;
  ASSERT_EQ(sender.recovery.congestion_window(), least);
  const PacketNumber first = sender.send();
  for (int i = 0; i < 4; ++i) sender.send();
  sender.now += 50ms;
  ASSERT_TRUE(sender.ack({{first + 3, first + 3}}).has_value()) << "the first is lost by number";
  EXPECT_EQ(sender.recovery.congestion_window(), least);
  EXPECT_GT(sender.recovery.bytes_in_flight(), least);
  EXPECT_EQ(sender.recovery.send_allowance(sender.now), 1200U);
  sender.send();
  EXPECT_EQ(sender.recovery.send_allowance(sender.now), 0U);
  sender.expire();
  EXPECT_EQ(sender.recovery.send_allowance(sender.now), 0U) << "the same recovery period";
}

// RFC 9002 §7.8 [rfc9002-7.8-1].
TEST(Recovery, DoesNotGrowAWindowThatIsNotUsed) {
  Sender sender = Sender::established();
  sender.recovery.set_application_limited(true);
  sender.send();
  sender.now += 20ms;
  ASSERT_TRUE(sender.ack({{0, 0}}).has_value());
  EXPECT_EQ(sender.recovery.congestion_window(), 12'000U);
  sender.recovery.set_application_limited(false);
  for (int i = 0; i < 2; ++i) sender.send();
  sender.now += 20ms;
  ASSERT_TRUE(sender.ack({{0, 1}}).has_value());
  EXPECT_EQ(sender.recovery.congestion_window(), 13'200U);
}

// Neither what the peer's limits allow nor our own processor need fill the window: there is always more
// to send, and yet the window says nothing of the path. RFC 9002 §7.8 [rfc9002-7.8-1].
TEST(Recovery, DoesNotGrowAWindowOfWhichLessThanAnEighthIsUsed) {
  Sender sender = Sender::established();
  sender.recovery.set_application_limited(false);
  PacketNumber next = 0;
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 4; ++i) sender.send();
    sender.now += 20ms;
    ASSERT_TRUE(sender.ack({{next, next + 3}}).has_value());
    next += 4;
  }
  EXPECT_GE(sender.recovery.congestion_window(), 8 * 4 * 1200U);
  EXPECT_LE(sender.recovery.congestion_window(), 9 * 4 * 1200U);
}

TEST(Recovery, PacesButNeverPastItsOwnDeadline) {
  Sender sender = Sender::established();
  sender.send();
  sender.now += 100ms;
  ASSERT_TRUE(sender.ack({{0, 0}}).has_value());
  while (sender.recovery.send_allowance(sender.now) != 0) sender.send();
  EXPECT_LE(sender.recovery.bytes_in_flight(), sender.recovery.congestion_window());
  const Instant deadline = sender.recovery.pacing_deadline(sender.now);
  ASSERT_NE(deadline, kNever);
  EXPECT_GT(deadline, sender.now);
  EXPECT_EQ(sender.recovery.send_allowance(deadline - 1us), 0U);
  EXPECT_GE(sender.recovery.send_allowance(deadline), 1200U);
  EXPECT_EQ(sender.recovery.pacing_deadline(deadline), kNever);
}

}  // namespace
}  // namespace qpeer::transport
