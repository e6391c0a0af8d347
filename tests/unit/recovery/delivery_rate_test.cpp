// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Samples computed by hand: of the sampler alone, and as Recovery feeds it.
#include "qpeer/transport/recovery/delivery_rate.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/recovery/support.hpp"

namespace qpeer::transport {
namespace {

/// A sampler with its packets of 1,000 bytes.
struct Path {
  struct Packet {
    Instant sent_at;
    DeliverySnapshot snapshot;
  };
  Packet send(Duration when) {
    flight += 1000;
    return {at(when), rate.on_packet_sent(at(when), 1000, flight)};
  }
  void ack(Duration when, const Packet& packet) {
    flight -= 1000;
    rate.on_packet_acked(at(when), packet.sent_at, 1000, packet.snapshot);
  }
  LostPacket lose(Duration when, const Packet& packet) {
    flight -= 1000;
    return rate.on_packet_lost(at(when), 1000, packet.snapshot);
  }
  RateSample sample(Duration when) { return rate.take_sample(at(when), 10ms, flight); }

  DeliveryRate rate;
  std::uint64_t flight = 0;
};

TEST(DeliveryRate, OfOnePacketIsItsSizeOverItsRoundTrip) {
  Path path;
  const auto packet = path.send(0ms);
  path.ack(100ms, packet);
  const RateSample sample = path.sample(100ms);
  EXPECT_EQ(sample.delivery_rate, 10'000U);
  EXPECT_EQ(sample.delivered, 1000U);
  EXPECT_EQ(sample.newly_acked, 1000U);
  EXPECT_EQ(sample.rtt, 100ms);
  EXPECT_EQ(sample.interval, 100ms);
  EXPECT_EQ(sample.tx_in_flight, 1000U);
  EXPECT_EQ(sample.prior_delivered, 0U);
  EXPECT_EQ(sample.total_delivered, 1000U);
  EXPECT_FALSE(sample.is_app_limited);
  EXPECT_TRUE(path.rate.consistent());
}

TEST(DeliveryRate, OfAFullPathIsThatOfTheBottleneck) {
  // 100 ms there and back, a packet every 10 ms: 100,000 bytes a second.
  Path path;
  std::vector<Path::Packet> packets;
  for (int i = 0; i < 10; ++i) packets.push_back(path.send(i * 10ms));
  for (int i = 0; i < 30; ++i) {
    const Duration now = 100ms + i * 10ms;
    path.ack(now, packets[static_cast<std::size_t>(i)]);
    const RateSample sample = path.sample(now);
    packets.push_back(path.send(now));
    if (i < 10) continue;
    // From the packet's own sending on: ten were delivered, the last of them now.
    EXPECT_EQ(sample.delivered, 10'000U);
    EXPECT_EQ(sample.interval, 100ms);
    EXPECT_EQ(sample.delivery_rate, 100'000U);
    EXPECT_EQ(sample.tx_in_flight, 10'000U);
  }
}

TEST(DeliveryRate, IsNotRaisedByACKsThatComeTogether) {
  // Sent over 90 ms, acknowledged at once: what was sent at the end measures over the sending.
  Path path;
  std::vector<Path::Packet> packets;
  for (int i = 0; i < 10; ++i) packets.push_back(path.send(i * 10ms));
  for (const auto& packet : packets) path.ack(190ms, packet);
  const RateSample sample = path.sample(190ms);
  EXPECT_EQ(sample.newly_acked, 10'000U);
  EXPECT_EQ(sample.delivered, 10'000U);
  EXPECT_EQ(sample.interval, 190ms);
  EXPECT_EQ(sample.rtt, 100ms);
  // The next round is sent in a burst: the time between the ACKs counts.
  packets.clear();
  for (int i = 0; i < 10; ++i) packets.push_back(path.send(200ms));
  path.ack(300ms, packets[0]);
  EXPECT_EQ(path.sample(300ms).delivery_rate, 10'000U);
  for (int i = 1; i < 10; ++i) path.ack(310ms, packets[static_cast<std::size_t>(i)]);
  EXPECT_EQ(path.sample(310ms).interval, 110ms);
}

TEST(DeliveryRate, IsOfTheNewestPacketOfAnAck) {
  Path path;
  const auto first = path.send(0ms);
  const auto second = path.send(20ms);
  path.ack(120ms, second);
  path.ack(120ms, first);  // Ranges of an ACK descend.
  const RateSample sample = path.sample(120ms);
  EXPECT_EQ(sample.rtt, 100ms);
  EXPECT_EQ(sample.delivered, 2000U);
  // Of those sent at one time it is the later one.
  const auto third = path.send(200ms);
  const auto fourth = path.send(200ms);
  path.ack(300ms, fourth);
  path.ack(300ms, third);
  EXPECT_EQ(path.sample(300ms).tx_in_flight, 2000U);
}

TEST(DeliveryRate, TellsWhatTheApplicationHeldBack) {
  Path path;
  const auto before = path.send(0ms);
  path.rate.mark_application_limited(path.flight);
  EXPECT_TRUE(path.rate.is_application_limited());
  const auto after = path.send(50ms);
  path.ack(100ms, before);
  EXPECT_FALSE(path.sample(100ms).is_app_limited);  // Sent before the gap.
  EXPECT_TRUE(path.rate.is_application_limited());
  path.ack(150ms, after);
  EXPECT_TRUE(path.sample(150ms).is_app_limited);
  EXPECT_FALSE(path.rate.is_application_limited());  // More than was in flight then has come.
  const auto later = path.send(160ms);
  path.ack(260ms, later);
  EXPECT_FALSE(path.sample(260ms).is_app_limited);
}

TEST(DeliveryRate, CountsNoIdleTime) {
  Path path;
  const auto first = path.send(0ms);
  path.ack(100ms, first);
  (void)path.sample(100ms);
  const auto second = path.send(10s);
  path.ack(10s + 100ms, second);
  EXPECT_EQ(path.sample(10s + 100ms).delivery_rate, 10'000U);
}

TEST(DeliveryRate, TellsWhatWasLostSinceThePacketWasSent) {
  Path path;
  const auto first = path.send(0ms);
  const auto second = path.send(10ms);
  path.rate.mark_application_limited(path.flight);
  const auto third = path.send(20ms);
  const LostPacket lost = path.lose(130ms, second);
  EXPECT_EQ(lost.lost, 1000U);
  EXPECT_EQ(lost.tx_in_flight, 2000U);
  EXPECT_EQ(lost.size, 1000U);
  EXPECT_EQ(lost.order, 2U);
  EXPECT_FALSE(lost.is_app_limited);
  path.ack(130ms, third);
  const RateSample sample = path.sample(130ms);
  EXPECT_EQ(sample.lost, 1000U);
  EXPECT_EQ(sample.newly_lost, 1000U);
  EXPECT_EQ(sample.bytes_in_flight, 1000U);
  EXPECT_EQ(sample.tx_in_flight, 3000U);
  EXPECT_EQ(path.lose(140ms, first).lost, 2000U);
  const auto again = path.send(150ms);  // What is sent again is a packet of its own.
  path.rate.on_marked(500);
  path.ack(250ms, again);
  const RateSample later = path.sample(250ms);
  EXPECT_EQ(later.lost, 0U);
  EXPECT_EQ(later.newly_lost, 1000U);
  EXPECT_EQ(later.marked, 500U);
  EXPECT_EQ(later.newly_marked, 500U);
  EXPECT_EQ(later.delivered, 1000U);
  EXPECT_TRUE(path.rate.consistent());
}

TEST(DeliveryRate, CountsWhatWasThoughtLostAsDelivered) {
  Path path;
  const auto first = path.send(0ms);
  const auto second = path.send(10ms);
  path.lose(110ms, first);
  path.rate.on_spurious_loss(at(110ms), 1000);
  path.ack(110ms, second);
  const RateSample sample = path.sample(110ms);
  EXPECT_EQ(sample.delivered, 2000U);
  EXPECT_EQ(sample.newly_acked, 2000U);
  EXPECT_EQ(sample.lost, 1000U);
  EXPECT_TRUE(path.rate.consistent());
}

TEST(DeliveryRate, IsNoneWithinLessThanTheLeastRoundTrip) {
  Path path;
  const auto packet = path.send(0ms);
  path.ack(9ms, packet);
  EXPECT_EQ(path.sample(9ms).delivery_rate, 0U);
}

// --- as Recovery feeds it ------------------------------------------------------------------------

struct Sampled {
  Sampled() {
    auto made = std::make_unique<RateRecorder>();
    controller = made.get();
    sender.emplace(Side::client, RecoveryConfig{.pacing = false}, std::move(made));
    sender->recovery.on_handshake_confirmed(sender->now);
  }
  Sender* operator->() { return &*sender; }

  RateRecorder* controller = nullptr;
  std::optional<Sender> sender;
};

TEST(DeliveryRateOfRecovery, SamplesEachAckAndEachLoss) {
  Sampled path;
  for (int i = 0; i < 5; ++i) path->send();
  path->now += 100ms;
  ASSERT_TRUE(path->ack({{.smallest = 4, .largest = 4}}));
  EXPECT_EQ(path.controller->losses, 2);  // 0 and 1, by the packet threshold.
  EXPECT_EQ(path.controller->lost.tx_in_flight, 2400U);
  EXPECT_EQ(path.controller->lost.lost, 2400U);
  EXPECT_EQ(path.controller->last.lost, 2400U);
  EXPECT_EQ(path.controller->last.newly_lost, 2400U);
  EXPECT_EQ(path.controller->last.tx_in_flight, 6000U);
  EXPECT_EQ(path.controller->last.delivery_rate, 12'000U);
  EXPECT_EQ(path.controller->last.rtt, 100ms);
  EXPECT_TRUE(path->recovery.consistent());
}

TEST(DeliveryRateOfRecovery, CountsPacketsOfAllSpacesAndTakesAHandshakeForNoFullPath) {
  Sampled path;
  path->send(kInitial);
  path->send(kHandshake);
  path->send(kApplication);
  path->now += 100ms;
  ASSERT_TRUE(path->ack({{.smallest = 0, .largest = 0}}, kInitial));
  EXPECT_TRUE(path.controller->last.is_app_limited);
  EXPECT_EQ(path.controller->last.tx_in_flight, 1200U);
  ASSERT_TRUE(path->ack({{.smallest = 0, .largest = 0}}, kApplication));
  EXPECT_EQ(path.controller->last.tx_in_flight, 3600U);
  EXPECT_EQ(path.controller->last.delivered, 2400U);
  path->recovery.discard_space(path->now, kHandshake, path->fates);
  EXPECT_TRUE(path->recovery.consistent());
  path->send(kApplication);
  path->now += 100ms;
  ASSERT_TRUE(path->ack({{.smallest = 1, .largest = 1}}));
  EXPECT_EQ(path.controller->last.tx_in_flight, 1200U);
}

TEST(DeliveryRateOfRecovery, CountsNoPacketOfAnotherPath) {
  Sampled path;
  path->send();
  path->send();
  auto made = std::make_unique<RateRecorder>();
  const RateRecorder* const second = made.get();
  auto old = path->recovery.change_path(
      path->now, path->recovery.make_path({.pacing = false}, std::move(made)));
  path->send();
  path->now += 100ms;
  ASSERT_TRUE(path->ack({{.smallest = 0, .largest = 2}}));
  EXPECT_EQ(path.controller->acks, 0);
  EXPECT_EQ(second->last.newly_acked, 1200U);
  EXPECT_EQ(second->last.tx_in_flight, 1200U);
  // Sampling can begin with a later path, too, while packets are on their way.
  Sender plain{Side::client, {.pacing = false}};
  plain.send();
  plain.send();
  auto sampled = std::make_unique<RateRecorder>();
  const RateRecorder* const third = sampled.get();
  (void)plain.recovery.change_path(plain.now,
                                   plain.recovery.make_path({.pacing = false}, std::move(sampled)));
  plain.send();
  plain.now += 100ms;
  ASSERT_TRUE(plain.ack({{.smallest = 1, .largest = 2}}));
  EXPECT_EQ(third->last.newly_acked, 1200U);
  EXPECT_TRUE(plain.recovery.consistent());
}

TEST(DeliveryRateOfRecovery, KnowsWhenTheApplicationHasNothingToSend) {
  Sampled path;
  path->send();
  path->recovery.set_application_limited(true);
  path->send();
  path->now += 100ms;
  ASSERT_TRUE(path->ack({{.smallest = 0, .largest = 0}}));
  EXPECT_FALSE(path.controller->last.is_app_limited);
  ASSERT_TRUE(path->ack({{.smallest = 1, .largest = 1}}));
  EXPECT_TRUE(path.controller->last.is_app_limited);
  EXPECT_EQ(path.controller->restarts, 0);
  path->recovery.set_application_limited(true);
  path->now += 10s;
  path->send();
  EXPECT_EQ(path.controller->restarts, 1);
  path->send();
  EXPECT_EQ(path.controller->restarts, 1);
}

TEST(DeliveryRateOfRecovery, CountsMarksAsFullDatagrams) {
  Sampled path;
  for (int i = 0; i < 4; ++i) {
    path->send_packet(kApplication,
                      {.size = 1200, .ack_eliciting = true, .in_flight = true, .ecn = Ecn::ect0});
  }
  path->now += 100ms;
  ASSERT_TRUE(path->ack({{.smallest = 0, .largest = 3}}, kApplication, {},
                        wire::EcnCounts{.ect0 = 2, .ce = 2}));
  EXPECT_EQ(path.controller->last.newly_marked, 2400U);
  EXPECT_EQ(path.controller->last.marked, 2400U);
}

}  // namespace
}  // namespace qpeer::transport
