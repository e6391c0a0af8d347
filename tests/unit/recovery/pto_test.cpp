// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The probe timeout: when, in which space, how it backs off and what it reports.
#include "qpeer/transport/recovery/pto.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/recovery/support.hpp"

namespace qpeer::transport {
namespace {

/// RTT 100 ms from one sample, so that a PTO is 100 + 4 * 50 = 300 ms and the ACK delay.
Sender with_rtt_of_100ms(Side side = Side::client) {
  Sender sender = Sender::established(side);
  sender.recovery.set_peer_max_ack_delay(25ms);
  sender.send();
  sender.now += 100ms;
  EXPECT_TRUE(sender.ack({{0, 0}}).has_value());
  sender.fates.clear();
  return sender;
}

// RFC 9002 §6.2.2 [rfc9002-6.2.2-2]: one second before any sample.
TEST(Pto, StartsAtThreeTimesTheInitialRtt) {
  Sender sender;
  EXPECT_EQ(sender.recovery.deadline(), kNever);
  sender.send(kInitial);
  EXPECT_EQ(sender.recovery.deadline(), sender.now + 999ms);
}

// RFC 9002 §6.2.1 [rfc9002-6.2.1-1].
TEST(Pto, AddsVariationAndAckDelayToTheRtt) {
  Sender sender = with_rtt_of_100ms();
  EXPECT_EQ(sender.recovery.deadline(), kNever) << "nothing is outstanding";
  EXPECT_EQ(sender.recovery.pto(), 325ms);
  sender.send();
  EXPECT_EQ(sender.recovery.deadline(), sender.now + 325ms);

  RttEstimator steady{100ms};
  for (int i = 0; i < 100; ++i) steady.update(at(1s), 0ms, 0ms);
  EXPECT_GE(steady.pto(Duration::zero()), kGranularity);
}

// Application data has no timer before the handshake is confirmed. When all that was sent of the handshake
// is acknowledged or lost, and that data fills the window, nothing else would ever be sent.
TEST(Pto, ProbesTheHandshakeWhileOnlyWhatThePeerCannotReadIsInFlight) {
  for (const Side side : {Side::client, Side::server}) {
    Sender sender{side};
    sender.recovery.on_handshake_keys();
    sender.recovery.on_address_validated_by_peer(sender.now);
    EXPECT_EQ(sender.recovery.deadline(), kNever);
    sender.send(kHandshake);
    sender.now += 10ms;
    for (int i = 0; i < 10; ++i) sender.send();
    sender.now += 90ms;
    ASSERT_TRUE(sender.ack({{0, 0}}, kHandshake).has_value());
    EXPECT_EQ(sender.recovery.deadline(), sender.now - 90ms + 300ms);
    sender.expire();
    EXPECT_EQ(sender.recovery.probes(kHandshake), 1U);
    EXPECT_EQ(sender.recovery.probes(kApplication), 1U);
    sender.recovery.on_handshake_confirmed(sender.now);
    EXPECT_NE(sender.recovery.deadline(), kNever);
  }
}

// RFC 9002 §6.2.1 [rfc9002-6.2.1-4]: each ack-eliciting packet sent starts it anew.
TEST(Pto, RestartsWithEachAckElicitingPacket) {
  Sender sender = with_rtt_of_100ms();
  sender.send();
  sender.now += 200ms;
  sender.send();
  EXPECT_EQ(sender.recovery.deadline(), sender.now + 325ms);
  const Instant deadline = sender.recovery.deadline();
  sender.now += 10ms;
  sender.send_ack_only();
  EXPECT_EQ(sender.recovery.deadline(), deadline);
}

// RFC 9002 §6.2 [rfc9002-6.2-1], §6.2.4 [rfc9002-6.2.4-1], [rfc9002-6.2.4-2], [rfc9002-6.2.4-6].
TEST(Pto, AsksForTwoProbesWithTheOldestFramesAndLosesNothing) {
  Sender sender = with_rtt_of_100ms();
  for (int i = 0; i < 4; ++i) sender.send();  // 1 to 4.
  const std::uint64_t window = sender.recovery.congestion_window();
  sender.expire();
  EXPECT_EQ(sender.recovery.probes(kApplication), 2U);
  EXPECT_EQ(sender.recovery.probes(kInitial), 0U);
  EXPECT_TRUE(sender.fates.entries.empty()) << "[rfc9002-6.2.4-5] new data goes first";
  EXPECT_TRUE(sender.recovery.replace_oldest(sender.now, kApplication, sender.fates));
  EXPECT_TRUE(sender.recovery.replace_oldest(sender.now, kApplication, sender.fates));
  EXPECT_EQ(sender.fates.of(Fate::lost), (Offsets{1, 2}));
  EXPECT_EQ(sender.recovery.bytes_in_flight(), 4800U) << "the packets stay outstanding";
  EXPECT_EQ(sender.recovery.packets_lost(), 0U);
  EXPECT_EQ(sender.recovery.congestion_window(), window);

  sender.send_ack_only();
  EXPECT_EQ(sender.recovery.probes(kApplication), 2U) << "[rfc9002-6.2.4-3] that is no probe";
  sender.send();
  EXPECT_EQ(sender.recovery.probes(kApplication), 1U);
  EXPECT_EQ(sender.recovery.bytes_in_flight(), 6000U) << "[rfc9002-7.5-2]";
  sender.send();
  EXPECT_EQ(sender.recovery.probes(kApplication), 0U);

  sender.fates.clear();
  sender.now += 20ms;
  ASSERT_TRUE(sender.ack({{1, 2}}).has_value());
  EXPECT_EQ(sender.fates.of(Fate::acked), (Offsets{1, 2})) << "they were only slow";
}

// What a probe carries again is not sent a third time while the probe is on its way; when the probe
// is lost, it is.
TEST(Pto, ReplacesEachPacketOnce) {
  Sender sender = with_rtt_of_100ms();
  const PacketNumber packet = sender.send();
  sender.expire();
  EXPECT_TRUE(sender.recovery.replace_oldest(sender.now, kApplication, sender.fates));
  EXPECT_EQ(sender.fates.of(Fate::lost), (Offsets{packet}));
  const PacketNumber probe = sender.send();
  EXPECT_FALSE(sender.recovery.replace_oldest(sender.now, kApplication, sender.fates))
      << "the second probe is no copy of the first";
  sender.send();
  const PacketNumber last = sender.send();
  sender.fates.clear();
  sender.now += 100ms;
  ASSERT_TRUE(sender.ack({{last, last}}).has_value());
  EXPECT_EQ(sender.fates.of(Fate::lost), Offsets{})
      << "the time threshold is not over for the probe";
  sender.expire();
  EXPECT_EQ(sender.fates.of(Fate::lost), (Offsets{probe, probe + 1}));
  EXPECT_EQ(sender.recovery.packets_lost(), 3U);
}

// RFC 9002 §6.2.1 [rfc9002-6.2.1-5]: the back-off starts anew with the first packet after a silence.
TEST(Pto, StartsAnewOnASignOfLife) {
  Sender sender = with_rtt_of_100ms();
  sender.recovery.on_packet_received(sender.now);
  sender.send();
  for (int i = 0; i < 5; ++i) {
    sender.expire();
    sender.send();
  }
  EXPECT_EQ(sender.recovery.pto_count(), 5U);
  sender.recovery.on_packet_received(sender.now);
  EXPECT_EQ(sender.recovery.pto_count(), 0U);
  EXPECT_EQ(sender.recovery.deadline(), sender.now + sender.recovery.pto());
  // A peer that sends all the time and acknowledges nothing does not stop the back-off.
  for (int i = 0; i < 5; ++i) {
    const Instant deadline = sender.recovery.deadline();
    while (sender.now + 50ms < deadline) {
      sender.now += 50ms;
      sender.recovery.on_packet_received(sender.now);
    }
    sender.expire();
    sender.send();
  }
  EXPECT_EQ(sender.recovery.pto_count(), 5U);
}

TEST(Pto, ProbesAtOnceWhenTheNetworkChanges) {
  Sender sender = with_rtt_of_100ms();
  sender.recovery.on_network_changed(sender.now);
  EXPECT_EQ(sender.recovery.probes(kApplication), 0U) << "there is nothing to be probed";
  sender.send();
  for (int i = 0; i < 5; ++i) {
    sender.expire();
    sender.send();
    sender.send();
  }
  sender.now += 1s;
  sender.recovery.on_network_changed(sender.now);
  EXPECT_EQ(sender.recovery.pto_count(), 0U);
  EXPECT_EQ(sender.recovery.probes(kApplication), 2U);
}

// RFC 9002 §6.2.1 [rfc9002-6.2.1-5]: twice as long each time, until an ACK comes.
TEST(Pto, DoublesUntilAcknowledged) {
  Sender sender = with_rtt_of_100ms();
  sender.send();
  const Instant sent = sender.now;
  for (const int factor : {1, 2, 4, 8}) {
    EXPECT_EQ(sender.recovery.deadline(), sent + factor * Duration{325ms});
    sender.expire();
  }
  const PacketNumber probe = sender.send();
  sender.now += 100ms;
  ASSERT_TRUE(sender.ack({{probe, probe}}).has_value());
  sender.send();
  EXPECT_EQ(sender.recovery.deadline(), sender.now + sender.recovery.pto());
}

// RFC 9002 §6.2.1 [rfc9002-6.2.1-5], within what RFC 8961 §4 allows: after a long outage the next probe
// is never further away than a minute.
TEST(Pto, BacksOffToAMinuteAtMost) {
  Sender sender = with_rtt_of_100ms();
  sender.send();
  const Instant sent = sender.now;
  for (int i = 0; i < 7; ++i) sender.expire();
  EXPECT_EQ(sender.now, sent + 64 * Duration{325ms});
  for (int i = 0; i < 3; ++i) {
    sender.send();
    EXPECT_EQ(sender.recovery.deadline(),
              sender.now + (i == 0 ? Duration{128 * 325ms} : Duration{60s}));
    sender.expire();
  }
}

// A path slower than that is waited for.
TEST(Pto, WaitsAWholeRoundTripHoweverLong) {
  RttEstimator rtt{50s};
  const Pto pto;
  Pto::Conditions conditions{
      .now = at(1s), .handshake_confirmed = true, .peer_validated_address = true};
  conditions.outstanding[static_cast<std::size_t>(kApplication)] = true;
  conditions.last_sent_at[static_cast<std::size_t>(kApplication)] = at(1s);
  EXPECT_EQ(pto.next(conditions, rtt).at, at(151s));
}

TEST(Pto, StopsGrowingBeforeItOverflows) {
  Sender sender = with_rtt_of_100ms();
  sender.send();
  Instant previous = sender.now;
  for (int i = 0; i < 200; ++i) {
    EXPECT_GT(sender.recovery.deadline(), sender.now - 1ns);
    previous = sender.now;
    sender.expire();
    sender.send();
    ASSERT_GE(sender.now, previous);
  }
}

TEST(Pto, ForgetsUnsentProbesWhenAnAckComes) {
  Sender sender = with_rtt_of_100ms();
  const PacketNumber number = sender.send();
  sender.expire();
  EXPECT_EQ(sender.recovery.probes(kApplication), 2U);
  ASSERT_TRUE(sender.ack({{number, number}}).has_value());
  EXPECT_EQ(sender.recovery.probes(kApplication), 0U);
  EXPECT_EQ(sender.recovery.deadline(), kNever);
}

// RFC 9002 §6.2.1 [rfc9002-6.2.1-6]: one timer, and the time threshold has it.
TEST(Pto, WaitsWhileATimeThresholdRuns) {
  Sender sender = with_rtt_of_100ms();
  sender.send();
  sender.send();
  const Instant sent = sender.now;
  sender.now += 100ms;
  ASSERT_TRUE(sender.ack({{2, 2}}).has_value());
  EXPECT_EQ(sender.recovery.deadline(), sent + Duration{100ms} * 9 / 8);
  sender.expire();
  EXPECT_EQ(sender.recovery.probes(kApplication), 0U);
  EXPECT_EQ(sender.recovery.packets_lost(), 1U);
}

// RFC 9002 §6.2.1 [rfc9002-6.2.1-2], [rfc9002-6.2.1-3].
TEST(Pto, PrefersTheEarlierHandshakeSpaceAndWaitsWithApplicationData) {
  Sender sender{Side::server};
  sender.send(kApplication);
  EXPECT_EQ(sender.recovery.deadline(), kNever) << "the handshake is not confirmed";
  sender.now += 10ms;
  sender.send(kInitial);
  const Instant initial = sender.now;
  sender.now += 10ms;
  sender.send(kHandshake);
  EXPECT_EQ(sender.recovery.deadline(), initial + 999ms);
  sender.recovery.on_handshake_confirmed(sender.now);
  EXPECT_LE(sender.recovery.deadline(), initial + 999ms);
}

// RFC 9002 §6.2.4 [rfc9002-6.2.4-4]: spaces with data in flight join in.
TEST(Pto, ProbesAllSpacesWithDataInFlight) {
  Sender sender{Side::server};
  sender.send(kInitial);
  sender.send(kHandshake);
  sender.send(kHandshake);
  sender.expire();
  EXPECT_EQ(sender.recovery.probes(kInitial), 1U);
  EXPECT_EQ(sender.recovery.probes(kHandshake), 1U);
  EXPECT_EQ(sender.recovery.probes(kApplication), 0U);
  // The back-off holds in every space.
  const Instant sent = at(1s);
  EXPECT_EQ(sender.recovery.deadline(), sent + 2 * Duration{999ms});
  sender.expire();
  EXPECT_EQ(sender.recovery.deadline(), sent + 4 * Duration{999ms});
}

// RFC 9002 §6.2.2.1 [rfc9002-6.2.2.1-2], [rfc9002-6.2.2.1-3]: the server may need our bytes.
TEST(Pto, KeepsAClientProbingUntilItsAddressIsValidated) {
  Sender sender;
  sender.send(kInitial);
  sender.now += 50ms;
  ASSERT_TRUE(sender.ack({{0, 0}}, kInitial).has_value());
  EXPECT_FALSE(sender.recovery.ack_eliciting_in_flight());
  EXPECT_EQ(sender.recovery.deadline(), sender.now + 150ms);
  sender.expire();
  EXPECT_EQ(sender.recovery.probes(kInitial), 1U);
  sender.send(kInitial);
  sender.recovery.on_handshake_keys();
  sender.now += 1ms;
  ASSERT_TRUE(sender.ack({{1, 1}}, kInitial).has_value());
  sender.recovery.discard_space(sender.now, kInitial, sender.fates);
  sender.expire();
  EXPECT_EQ(sender.recovery.probes(kHandshake), 1U);
  EXPECT_EQ(sender.recovery.probes(kInitial), 0U);
  sender.recovery.on_address_validated_by_peer(sender.now);
  EXPECT_EQ(sender.recovery.deadline(), kNever);
}

TEST(Pto, KeepsAClientProbingThoughEarlyDataIsInFlight) {
  Sender sender;
  sender.send(kInitial);
  sender.send(kApplication);  // 0-RTT.
  sender.now += 50ms;
  ASSERT_TRUE(sender.ack({{0, 0}}, kInitial).has_value());
  EXPECT_EQ(sender.recovery.deadline(), sender.now + 150ms);
}

// RFC 9002 §6.2.1: ACKs of Initial packets leave a client's back-off as it is.
TEST(Pto, KeepsTheBackOffOfAnUnvalidatedClient) {
  Sender sender;
  sender.send(kInitial);
  sender.expire();
  sender.send(kInitial);
  sender.now += 100ms;
  ASSERT_TRUE(sender.ack({{1, 1}}, kInitial).has_value());
  sender.send(kInitial);
  EXPECT_EQ(sender.recovery.deadline(), sender.now + 2 * Duration{300ms});
  sender.send(kHandshake);
  sender.now += 100ms;
  ASSERT_TRUE(sender.ack({{0, 0}}, kHandshake).has_value()) << "this proves the validation";
  sender.send(kHandshake);
  const Instant initial = sender.now - 100ms;  // When the outstanding Initial packet left.
  EXPECT_EQ(sender.recovery.deadline(), initial + sender.recovery.rtt().pto(0ms));
}

// RFC 9002 §6.2.2.1 [rfc9002-6.2.2.1-1].
TEST(Pto, IsOffWhileAServerMayNotSend) {
  Sender sender{Side::server};
  sender.send(kInitial);
  const Instant deadline = sender.recovery.deadline();
  sender.recovery.set_amplification_blocked(sender.now, true);
  EXPECT_EQ(sender.recovery.deadline(), kNever);
  sender.now += 5s;
  sender.recovery.on_deadline(sender.now, sender.fates);
  EXPECT_EQ(sender.recovery.probes(kInitial), 0U);
  sender.recovery.set_amplification_blocked(sender.now, false);
  EXPECT_EQ(sender.recovery.deadline(), deadline) << "long past: it runs at once";
  sender.recovery.on_deadline(sender.now, sender.fates);
  EXPECT_EQ(sender.recovery.probes(kInitial), 1U);
}

// RFC 9002 §6.4 [rfc9002-6.4-1], §6.2.2 [rfc9002-6.2.2-4].
TEST(Pto, DiscardedKeysTakeTheirPacketsTimersAndBackOffAlong) {
  Sender sender{Side::server};
  sender.send(kInitial);
  sender.send(kInitial);
  sender.send(kHandshake);
  sender.expire();
  EXPECT_EQ(sender.recovery.probes(kInitial), 2U);
  sender.fates.clear();
  sender.recovery.discard_space(sender.now, kInitial, sender.fates);
  EXPECT_EQ(sender.fates.of(Fate::discarded), (Offsets{0, 1}));
  EXPECT_EQ(sender.recovery.probes(kInitial), 0U);
  EXPECT_EQ(sender.recovery.bytes_in_flight(), 1200U);
  EXPECT_EQ(sender.recovery.deadline(), at(1s) + 999ms) << "no back-off any more";
}

// RFC 9002 §6.3: a Retry starts over, without congestion.
TEST(Pto, RetryReportsAllLostWithoutCongestion) {
  Sender sender;
  sender.send(kInitial);
  sender.expire();
  sender.send(kInitial);
  sender.fates.clear();
  const std::uint64_t window = sender.recovery.congestion_window();
  sender.recovery.reset_space(sender.now, kInitial, sender.fates);
  EXPECT_EQ(sender.fates.of(Fate::lost), (Offsets{0, 1}));
  EXPECT_EQ(sender.recovery.bytes_in_flight(), 0U);
  EXPECT_EQ(sender.recovery.congestion_window(), window);
  EXPECT_EQ(sender.recovery.packets_lost(), 0U);
  EXPECT_EQ(sender.send(kInitial), 2U) << "numbers go on";
  EXPECT_EQ(sender.recovery.deadline(), sender.now + 999ms);
}

}  // namespace
}  // namespace qpeer::transport
