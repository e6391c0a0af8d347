// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Acknowledgements: when they come, of what, and that they stay short. RFC 9000 §13.2.
#include <array>
#include <optional>
#include <vector>

#include "qpeer/tests/conformance/conformance_fixture.hpp"

namespace qpeer::sim {
namespace {

VICTIMS(Acknowledgements);

// [rfc9000-13.2.6-1] [rfc9000-13.2.6-2] [rfc9000-17.2.3-4]: each space acknowledges its own packets.
// Numbers of one are never those of another here.
TEST_P(Acknowledgements, StayInTheirSpace) {
  ConformanceFixture fixture(GetParam());
  constexpr std::uint64_t kApart = 1'000'000;
  fixture.adversary.next_number(kHandshake) = kApart;
  fixture.adversary.next_number(kOneRtt) = 2 * kApart;
  fixture.begin();
  ASSERT_TRUE(fixture.alive(kOneRtt));
  std::array<std::size_t, kPacketNumberSpaces> acks{};
  fixture.adversary.each([&](const Adversary::Heard& packet, const wire::Frame& frame) {
    const auto* const ack = std::get_if<wire::AckFrame>(&frame);
    if (ack == nullptr) return;
    const auto space = static_cast<std::size_t>(space_of(packet.level));
    ack->for_each_range([&](PacketNumber smallest, PacketNumber largest) {
      EXPECT_EQ(smallest / kApart, space);
      EXPECT_EQ(largest / kApart, space);
    });
    ++acks[space];
  });
  EXPECT_GT(acks[0], 0U);
  // A server has no Handshake keys any more once it has read the client's last message.
  if (GetParam() == Side::client) {
    EXPECT_GT(acks[1], 0U);
  }
  EXPECT_GT(acks[2], 0U);
}

/// How long the acknowledgement of a packet takes at the victim; the link takes 10 ms back.
std::optional<Duration> acknowledged_after(ConformanceFixture& fixture, EncryptionLevel level,
                                           const Octets& frames) {
  fixture.adversary.forget();
  const PacketNumber number = fixture.adversary.next_number(level);
  const Instant sent = fixture.network.now();
  fixture.adversary.send(level, frames);
  for (int i = 0; i < 200; ++i) {
    fixture.network.run_for(1ms);
    if (fixture.adversary.acknowledged(level, number)) return fixture.network.now() - sent - 10ms;
  }
  return std::nullopt;
}

// [rfc9000-13.2.1-1] [rfc9000-13.2.1-2]; [rfc9000-13.2.5-1]: the delay that is reported is that of the
// endpoint, without the link's.
TEST_P(Acknowledgements, ComeInTime) {
  ConformanceFixture initial(GetParam(), {.stage = Stage::initial});
  initial.begin();
  EXPECT_LE(acknowledged_after(initial, kInitial, kPing).value_or(1s), 1ms);
  ConformanceFixture handshake(GetParam(), {.stage = Stage::handshake});
  handshake.begin();
  EXPECT_LE(acknowledged_after(handshake, kHandshake, kPing).value_or(1s), 1ms);
  ConformanceFixture fixture(GetParam());
  fixture.begin();
  ASSERT_TRUE(fixture.alive(kOneRtt));
  const auto alone = acknowledged_after(fixture, kOneRtt, kPing);
  ASSERT_TRUE(alone.has_value());
  EXPECT_GT(*alone, 5ms) << "it waits for more to acknowledge";
  EXPECT_LE(*alone, 26ms);  // max_ack_delay.
  const auto ack = fixture.adversary.last<wire::AckFrame>();
  ASSERT_TRUE(ack.has_value());
  const Duration reported = std::chrono::microseconds(ack->ack_delay << 3);
  EXPECT_LE(reported, *alone);
  EXPECT_GE(reported, *alone - 1ms);
  // RFC 9221 §5.2 [rfc9221-5.2-1]: a DATAGRAM is in no more of a hurry.
  const auto datagram = acknowledged_after(fixture, kOneRtt, {0x31, 1, 0});
  EXPECT_GT(datagram.value_or(0ms), 5ms);
  EXPECT_LE(datagram.value_or(1s), 26ms);
}

// [rfc9000-13.2.1-3] [rfc9000-13.2.1-4] [rfc9000-13.2.1-7]: acknowledgements are not acknowledged, or one packet
// would never end.
TEST_P(Acknowledgements, AreNotAnsweredForever) {
  ConformanceFixture fixture(GetParam());
  fixture.begin();
  ASSERT_TRUE(fixture.alive(kOneRtt));
  fixture.adversary.forget();
  fixture.send(kOneRtt, kPing);
  fixture.run(2s);
  EXPECT_EQ(fixture.adversary.heard().size(), 1U) << "one packet acknowledges one packet";
  // Packets that ask for nothing, with gaps between them.
  fixture.adversary.forget();
  for (int i = 0; i < 20; ++i) {
    fixture.adversary.next_number(kOneRtt) += 2;
    fixture.send(kOneRtt, i % 2 == 0 ? zeros(3) : varints({0x02, 0, 0, 0, 0}));
  }
  EXPECT_TRUE(fixture.adversary.heard().empty());
  // Of packets that only acknowledge, few ask for an acknowledgement themselves.
  for (int i = 0; i < 100; ++i) fixture.send(kOneRtt, kPing);
  EXPECT_GT(fixture.adversary.heard().size(), 90U);
  EXPECT_LT(fixture.adversary.count<wire::PingFrame>(), fixture.adversary.heard().size() / 2);
}

// [rfc9000-13.2-1] [rfc9000-13.2.1-5]: an acknowledgement that waits goes along with data.
TEST_P(Acknowledgements, GoAlongWithData) {
  ConformanceFixture fixture(GetParam());
  fixture.begin();
  ASSERT_TRUE(fixture.alive(kOneRtt));
  fixture.adversary.forget();
  const PacketNumber number = fixture.adversary.next_number(kOneRtt);
  fixture.adversary.send(kOneRtt, kPing);
  fixture.run(2ms);
  fixture.victim.sends(100);
  fixture.run(11ms);
  ASSERT_EQ(fixture.adversary.heard().size(), 1U);
  EXPECT_EQ(fixture.adversary.count<wire::StreamFrame>(), 1U);
  EXPECT_TRUE(fixture.adversary.acknowledged(kOneRtt, number));
}

// [rfc9000-13.1-1]: not before all frames are processed: a packet that closes is not acknowledged.
TEST_P(Acknowledgements, AreNotSentForPacketsThatFail) {
  ConformanceFixture fixture(GetParam());
  fixture.begin();
  const PacketNumber number = fixture.adversary.next_number(kOneRtt);
  fixture.send(kOneRtt, {0x01, 0x21});
  EXPECT_FALSE(fixture.adversary.acknowledged(kOneRtt, number));
}

// RFC 9000 §13.2.4: after 64 packets that only acknowledge, the next one has a PING. Its acknowledgement
// lets the victim forget the ranges that it reported before. [rfc9000-13.2.1-3]: the others have none.
TEST_P(Acknowledgements, AskForAnAcknowledgementAfterSixtyFour) {
  constexpr std::size_t kCycle = 65;
  ConformanceFixture fixture(GetParam());
  fixture.begin();
  fixture.run(1s);
  Adversary& adversary = fixture.adversary;
  ++adversary.next_number(kOneRtt);  // A gap, so that there are two ranges from here on.
  fixture.send(kOneRtt, kPing);
  ASSERT_GT(adversary.last<wire::AckFrame>()->range_count, 0U);
  adversary.forget();
  for (std::size_t i = 0; i < 3 * kCycle; ++i) fixture.send(kOneRtt, kPing);
  EXPECT_EQ(adversary.heard().size(), 3 * kCycle) << "one for each, and no more";
  EXPECT_EQ(adversary.count<wire::AckFrame>(), 3 * kCycle);
  EXPECT_EQ(adversary.count<wire::PingFrame>(), 3U);
  EXPECT_EQ(adversary.last<wire::AckFrame>()->range_count, 0U) << "the range before the gap";
}

}  // namespace
}  // namespace qpeer::sim
