// SPDX-License-Identifier: MIT OR BSD-3-Clause
// AckFrequency: what we ask for and when, and what we do with requests.
// draft-ietf-quic-ack-frequency §4, §7, §8.
#include "qpeer/transport/connection/ack_frequency.hpp"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <variant>
#include <vector>

#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::transport {
namespace {

Instant at(Duration time) { return Instant{} + time; }

struct Sent {
  wire::AckFrequencyFrame frame;
  SentFrame note;
};

std::optional<Sent> write(AckFrequency& frequency) {
  std::array<u8, 100> storage{};
  PacketWriter out{storage, wire::PacketType::one_rtt};
  if (!frequency.has_frames()) return std::nullopt;
  frequency.write_frames(out);
  EXPECT_FALSE(frequency.has_frames());
  Reader in{Bytes(storage).first(out.size())};
  const auto frame = wire::decode_frame(in, wire::PacketType::one_rtt);
  return Sent{std::get<wire::AckFrequencyFrame>(*frame), out.sent_frames().front()};
}

AckFrequency::Situation bulk(Duration now, std::uint64_t packets = 100) {
  return {.now = at(now),
          .flight = packets * 1200,
          .packet_size = 1200,
          .smoothed_rtt = 40ms,
          .packet_threshold = 3};
}

AckFrequency with_peer() {
  AckFrequency frequency;
  frequency.set_peer(1ms, 26ms);
  return frequency;
}

// [draft-ietf-quic-ack-frequency-7-1], [draft-ietf-quic-ack-frequency-7-2]
TEST(AckFrequency, AsksForThreeAcksARoundTrip) {
  AckFrequency frequency = with_peer();
  EXPECT_EQ(frequency.max_ack_delay(), 26ms);
  frequency.update(bulk(1s));
  const auto sent = write(frequency);
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->frame.sequence_number, 0U);
  EXPECT_EQ(sent->frame.ack_eliciting_threshold, 32U);
  EXPECT_EQ(sent->frame.requested_max_ack_delay, 13'334U) << "rounded up";
  EXPECT_EQ(sent->frame.reordering_threshold, 3U);
  EXPECT_EQ(frequency.max_ack_delay(), 26ms) << "as long as it is not known to hold";
  frequency.on_fate(sent->note, Fate::acked);
  EXPECT_EQ(frequency.max_ack_delay(), Duration{40ms} / 3);
  EXPECT_TRUE(frequency.consistent());
}

TEST(AckFrequency, AsksNothingOfWhoTakesNoSuchFrames) {
  AckFrequency frequency;
  frequency.set_peer(std::nullopt, 25ms);
  frequency.update(bulk(1s));
  EXPECT_FALSE(frequency.has_frames());
  std::array<u8, 10> storage{};
  PacketWriter out{storage, wire::PacketType::one_rtt};
  frequency.write_immediate(out);
  EXPECT_TRUE(out.empty());
}

// [draft-ietf-quic-ack-frequency-4-1], [draft-ietf-quic-ack-frequency-9-1]
TEST(AckFrequency, AsksAgainWhenMuchIsDifferentAndOnceARoundTrip) {
  AckFrequency frequency = with_peer();
  frequency.update(bulk(1s));
  ASSERT_TRUE(write(frequency));
  frequency.update(bulk(1s + 10ms, 1000));
  EXPECT_FALSE(frequency.has_frames()) << "within the round trip";
  frequency.update(bulk(1s + 50ms, 150));
  const auto second = write(frequency);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->frame.sequence_number, 1U);
  EXPECT_EQ(second->frame.ack_eliciting_threshold, 332U) << "of the largest flight";
  frequency.update(bulk(2s, 900));
  EXPECT_FALSE(frequency.has_frames());
  frequency.update(bulk(3s, 4));
  EXPECT_EQ(write(frequency)->frame.ack_eliciting_threshold, 1U) << "the default";
  // A path that loses packets: each is acknowledged at once.
  AckFrequency::Situation lossy = bulk(4s, 4);
  lossy.packets_lost = 1;
  frequency.update(lossy);
  const auto small = write(frequency);
  ASSERT_TRUE(small);
  EXPECT_EQ(small->frame.ack_eliciting_threshold, 0U);
  EXPECT_EQ(small->frame.requested_max_ack_delay, 1'000U);
  EXPECT_EQ(small->frame.reordering_threshold, 1U);
  // And one that reorders more.
  AckFrequency::Situation reordered = bulk(5s, 20);
  reordered.packets_lost = 1;
  reordered.packet_threshold = 50;
  frequency.update(reordered);
  EXPECT_EQ(write(frequency)->frame.reordering_threshold, 50U);
}

TEST(AckFrequency, AsksNothingForALittleData) {
  AckFrequency frequency = with_peer();
  for (int i = 0; i < 100; ++i) {
    frequency.update(bulk(1s + i * 100ms, AckFrequency::kBulk - 1));
    EXPECT_FALSE(frequency.has_frames());
  }
}

TEST(AckFrequency, StaysWithinWhatThePeerCanAndOffers) {
  AckFrequency frequency = with_peer();
  AckFrequency::Situation near = bulk(1s);
  near.smoothed_rtt = 1ms;
  frequency.update(near);
  EXPECT_EQ(write(frequency)->frame.requested_max_ack_delay, 1'000U);
  AckFrequency far = with_peer();
  AckFrequency::Situation slow = bulk(1s, 100'000);
  slow.smoothed_rtt = 600ms;
  far.update(slow);
  const auto sent = write(far);
  EXPECT_EQ(sent->frame.requested_max_ack_delay, 26'000U);
  EXPECT_EQ(sent->frame.ack_eliciting_threshold, AckFrequency::kMaxThreshold - 1);
}

TEST(AckFrequency, RepeatsOnlyTheNewestThatIsLost) {
  AckFrequency frequency = with_peer();
  frequency.update(bulk(1s));
  const auto first = write(frequency);
  frequency.on_fate(first->note, Fate::lost);
  EXPECT_TRUE(frequency.has_frames());
  const auto again = write(frequency);
  EXPECT_EQ(again->frame.sequence_number, 0U);
  frequency.update(bulk(2s, 1000));
  const auto second = write(frequency);
  frequency.on_fate(again->note, Fate::lost);
  EXPECT_FALSE(frequency.has_frames());
  frequency.on_fate(second->note, Fate::acked);
  frequency.on_fate(second->note, Fate::lost);
  EXPECT_FALSE(frequency.has_frames());
}

// [draft-ietf-quic-ack-frequency-4-3], [draft-ietf-quic-ack-frequency-4-4],
// [draft-ietf-quic-ack-frequency-4-5]: values that cannot be, and requests out of order.
TEST(AckFrequency, ObeysTheNewestRequestAndRefusesImpossibleOnes) {
  AckFrequency frequency;
  AckTracker acks{25ms};
  const auto request = [&](std::uint64_t sequence, std::uint64_t threshold, std::uint64_t delay) {
    return frequency.on_frame({.sequence_number = sequence,
                               .ack_eliciting_threshold = threshold,
                               .requested_max_ack_delay = delay,
                               .reordering_threshold = 3},
                              acks);
  };
  for (const std::uint64_t delay :
       {std::uint64_t{0}, std::uint64_t{999}, std::uint64_t{(1U << 14) * 1000}, kMaxVarint}) {
    const Result result = request(0, 1, delay);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, TransportErrorCode::protocol_violation);
  }
  ASSERT_TRUE(request(5, 0, 1'000));
  ASSERT_TRUE(request(4, 100, 20'000)) << "older, and without effect";
  ASSERT_TRUE(request(5, 100, 20'000));
  acks.on_packet_received(at(1s), 0, true, Ecn::not_ect);
  EXPECT_TRUE(acks.ack_due(at(1s)));
  acks.on_ack_sent(at(1s));
  ASSERT_TRUE(request(kMaxVarint, kMaxVarint, (1U << 14) * 1000 - 1));
  for (PacketNumber number = 1; number < 1000; ++number) {
    acks.on_packet_received(at(1s), number, true, Ecn::not_ect);
  }
  EXPECT_FALSE(acks.ack_due(at(1s))) << "the peer alone suffers from it";
  EXPECT_TRUE(acks.ack_due(acks.deadline()));
}

}  // namespace
}  // namespace qpeer::transport
