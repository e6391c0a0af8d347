// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What an endpoint owes its peer over a connection's life: packets without fault, acknowledgements,
// keys of the right level. RFC 9000 §12.3, §13, §17; RFC 9001 §4, §6.
#include <array>
#include <map>
#include <set>
#include <vector>

#include "qpeer/tests/conformance/scene.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::sim {
namespace {

VICTIMS(Life);

/// A transfer of the victim's, of which nothing is acknowledged for a second.
void speaks(Scene& scene) {
  scene.begin();
  scene.victim.sends(20'000);
  scene.run(1s);
}

// What we send ourselves keeps the rules that the peer would have to enforce: [rfc9000-12.3-1]
// [rfc9000-12.3-2] numbers grow, [rfc9000-12.4-1] packets have frames, [rfc9000-12.4-5] of types in
// their shortest form, [rfc9000-12.5-3] [rfc9000-12.5-5] in packets that may hold them,
// [rfc9000-17.2-8] [rfc9000-17.3.1-2] with reserved bits of zero, [rfc9000-17.4-2] [rfc9000-17.4-3]
// and no spinning, on any path [rfc9000-17.4-4]; [rfc9000-12.2-4] a datagram has one connection ID. [rfc9000-19.7-1]
// [rfc9000-19.7-3]: tokens are a server's, and have bytes; [rfc9000-11.2-1] streams are reset only
// by the application; [rfc9000-14.1-1] [rfc9000-14.1-2] Initials that ask for an answer come in
// datagrams of 1200 bytes.
TEST_P(Life, PacketsAreWellFormed) {
  Scene scene(GetParam());
  speaks(scene);
  ASSERT_TRUE(scene.alive(kOneRtt));
  const Adversary& adversary = scene.adversary;
  EXPECT_EQ(adversary.malformed(), 0U);
  EXPECT_GT(adversary.heard().size(), 10U);
  EXPECT_EQ(adversary.count<wire::ResetStreamFrame>(), 0U);
  adversary.each([&](const Adversary::Heard&, const wire::Frame& frame) {
    const auto* const token = std::get_if<wire::NewTokenFrame>(&frame);
    if (token != nullptr) {
      EXPECT_TRUE(GetParam() == Side::server && !token->token.empty());
    }
  });
  std::array<std::optional<PacketNumber>, kPacketNumberSpaces> last;
  std::map<std::size_t, ConnectionId> ids;
  for (const auto& heard : adversary.heard()) {
    auto& before = last[static_cast<std::size_t>(space_of(heard.level))];
    EXPECT_TRUE(!before || heard.number > *before);
    before = heard.number;
    EXPECT_FALSE(heard.payload.empty());
    const bool asks = GetParam() == Side::client || heard.payload[0] == 0x06;
    if (heard.level == kInitial && asks) {
      EXPECT_GE(heard.datagram_size, 1'200U);
    }
    EXPECT_EQ(heard.first_byte & (heard.level == kOneRtt ? 0x38 : 0x0c), 0);
    const auto& id = heard.header.destination_connection_id;
    EXPECT_EQ(ids.try_emplace(heard.datagram, id).first->second, id);
  }
}

// [rfc9001-4-1] [rfc9001-4.9-1] [rfc9001-4.9-2] [rfc9000-2.2-3]: what is sent again is the same,
// and at its own level.
TEST_P(Life, WhatIsSentAgainIsTheSame) {
  Scene scene(GetParam(), {.stage = Stage::handshake, .acknowledges = false});
  scene.begin();
  scene.run(3s);
  scene.adversary.release(kHandshake);
  scene.run(20ms);
  if (GetParam() == Side::client) scene.send(kOneRtt, {0x1e});
  scene.victim.sends(3'000);
  scene.run(3s);
  std::map<std::pair<std::uint64_t, std::uint64_t>, u8> known;  // Of stream or level, and offset.
  std::array<std::size_t, 2> repeated{};
  const auto note = [&](std::size_t kind, std::uint64_t flow, std::uint64_t offset, Bytes data) {
    for (const u8 byte : data) {
      const auto [entry, fresh] = known.try_emplace({flow, offset++}, byte);
      if (!fresh) ++repeated[kind];
      EXPECT_EQ(entry->second, byte);
    }
  };
  scene.adversary.each([&](const Adversary::Heard& packet, const wire::Frame& frame) {
    if (const auto* const crypto = std::get_if<wire::CryptoFrame>(&frame)) {
      note(0, 1'000 + static_cast<std::uint64_t>(packet.level), crypto->offset, crypto->data);
    } else if (const auto* const data = std::get_if<wire::StreamFrame>(&frame)) {
      note(1, data->stream_id.value, data->offset, data->data);
    }
  });
  EXPECT_GT(repeated[0], 100U) << "no handshake data was sent again";
  EXPECT_GT(repeated[1], 100U) << "no stream data was sent again";
}

// [rfc9002-7.5-1] [rfc9002-6.2.4-8]: a full window holds back no probe.
TEST_P(Life, ProbesLeaveWhenTheWindowIsFull) {
  Scene scene(GetParam(), {.acknowledges = false});
  scene.begin();
  scene.victim.sends(100'000);
  scene.run(20ms);
  scene.adversary.forget();
  scene.run(10ms);
  EXPECT_TRUE(scene.adversary.heard().empty()) << "the window is full";
  scene.run(8s);
  EXPECT_GE(scene.adversary.heard().size(), 4U);
}

// [rfc9001-4.9.1-1] [rfc9001-4.9.1-2] [rfc9001-4.9.2-1]
TEST_P(Life, LevelsThatAreOverStayOver) {
  Scene scene(GetParam());
  speaks(scene);
  EncryptionLevel highest = kInitial;
  std::set<EncryptionLevel> levels;
  for (const auto& heard : scene.adversary.heard()) {
    levels.insert(heard.level);
    // A server sends its first 1-RTT data beside the handshake; Initial packets end with that.
    if (heard.level == kInitial && GetParam() == Side::client) {
      EXPECT_EQ(highest, kInitial);
    }
    if (heard.level == kHandshake) {
      EXPECT_LT(heard.at - Instant(1s), 50ms);
    }
    highest = std::max(highest, heard.level);
  }
  EXPECT_EQ(levels.size(), 3U);
  EXPECT_LT(scene.adversary.count<wire::CryptoFrame>(), 20U);
}

// --- acknowledgements ----------------------------------------------------------------------------

// [rfc9000-13.2.6-1] [rfc9000-13.2.6-2] [rfc9000-17.2.3-4]: each space acknowledges its own packets.
// Numbers of one are never those of another here.
TEST_P(Life, AcknowledgementsStayInTheirSpace) {
  Scene scene(GetParam());
  constexpr std::uint64_t kApart = 1'000'000;
  scene.adversary.next_number(kHandshake) = kApart;
  scene.adversary.next_number(kOneRtt) = 2 * kApart;
  scene.begin();
  ASSERT_TRUE(scene.alive(kOneRtt));
  std::array<std::size_t, kPacketNumberSpaces> acks{};
  scene.adversary.each([&](const Adversary::Heard& packet, const wire::Frame& frame) {
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
std::optional<Duration> acknowledged_after(Scene& scene, EncryptionLevel level,
                                           const Octets& frames) {
  scene.adversary.forget();
  const PacketNumber number = scene.adversary.next_number(level);
  const Instant sent = scene.network.now();
  scene.adversary.send(level, frames);
  for (int i = 0; i < 200; ++i) {
    scene.network.run_for(1ms);
    if (scene.adversary.acknowledged(level, number)) return scene.network.now() - sent - 10ms;
  }
  return std::nullopt;
}

// [rfc9000-13.2.1-1] [rfc9000-13.2.1-2]; [rfc9000-13.2.5-1]: the delay that is told is that of the
// endpoint, without the link's.
TEST_P(Life, AcknowledgementsComeInTime) {
  Scene initial(GetParam(), {.stage = Stage::initial});
  initial.begin();
  EXPECT_LE(acknowledged_after(initial, kInitial, kPing).value_or(1s), 1ms);
  Scene handshake(GetParam(), {.stage = Stage::handshake});
  handshake.begin();
  EXPECT_LE(acknowledged_after(handshake, kHandshake, kPing).value_or(1s), 1ms);
  Scene scene(GetParam());
  scene.begin();
  ASSERT_TRUE(scene.alive(kOneRtt));
  const auto alone = acknowledged_after(scene, kOneRtt, kPing);
  ASSERT_TRUE(alone.has_value());
  EXPECT_GT(*alone, 5ms) << "it waits for more to acknowledge";
  EXPECT_LE(*alone, 26ms);  // max_ack_delay.
  const auto ack = scene.adversary.last<wire::AckFrame>();
  ASSERT_TRUE(ack.has_value());
  const Duration told = std::chrono::microseconds(ack->ack_delay << 3);
  EXPECT_LE(told, *alone);
  EXPECT_GE(told, *alone - 1ms);
  // RFC 9221 §5.2 [rfc9221-5.2-1]: a DATAGRAM is in no more of a hurry.
  const auto datagram = acknowledged_after(scene, kOneRtt, {0x31, 1, 0});
  EXPECT_GT(datagram.value_or(0ms), 5ms);
  EXPECT_LE(datagram.value_or(1s), 26ms);
}

// [rfc9000-13.2.1-3] [rfc9000-13.2.1-4] [rfc9000-13.2.1-7]: nobody answers answers, or one packet
// would never end.
TEST_P(Life, AcknowledgementsAreNotAnsweredForever) {
  Scene scene(GetParam());
  scene.begin();
  ASSERT_TRUE(scene.alive(kOneRtt));
  scene.adversary.forget();
  scene.send(kOneRtt, kPing);
  scene.run(2s);
  EXPECT_EQ(scene.adversary.heard().size(), 1U) << "one packet acknowledges one packet";
  // Packets that ask for nothing, with gaps between them.
  scene.adversary.forget();
  for (int i = 0; i < 20; ++i) {
    scene.adversary.next_number(kOneRtt) += 2;
    scene.send(kOneRtt, i % 2 == 0 ? zeros(3) : varints({0x02, 0, 0, 0, 0}));
  }
  EXPECT_TRUE(scene.adversary.heard().empty());
  // Of packets that only acknowledge, few ask for an acknowledgement themselves.
  for (int i = 0; i < 100; ++i) scene.send(kOneRtt, kPing);
  EXPECT_GT(scene.adversary.heard().size(), 90U);
  EXPECT_LT(scene.adversary.count<wire::PingFrame>(), scene.adversary.heard().size() / 2);
}

// [rfc9000-13.2-1] [rfc9000-13.2.1-5]: an acknowledgement that waits goes along with data.
TEST_P(Life, AcknowledgementsGoAlongWithData) {
  Scene scene(GetParam());
  scene.begin();
  ASSERT_TRUE(scene.alive(kOneRtt));
  scene.adversary.forget();
  const PacketNumber number = scene.adversary.next_number(kOneRtt);
  scene.adversary.send(kOneRtt, kPing);
  scene.run(2ms);
  scene.victim.sends(100);
  scene.run(11ms);
  ASSERT_EQ(scene.adversary.heard().size(), 1U);
  EXPECT_EQ(scene.adversary.count<wire::StreamFrame>(), 1U);
  EXPECT_TRUE(scene.adversary.acknowledged(kOneRtt, number));
}

// [rfc9000-13.1-1]: not before all frames are processed: a packet that closes is not acknowledged.
TEST_P(Life, PacketsThatFailAreNotAcknowledged) {
  Scene scene(GetParam());
  scene.begin();
  const PacketNumber number = scene.adversary.next_number(kOneRtt);
  scene.send(kOneRtt, {0x01, 0x1f});
  EXPECT_FALSE(scene.adversary.acknowledged(kOneRtt, number));
}

// RFC 9000 §8.1 [rfc9000-8.1-2] [rfc9000-8.1-3] [rfc9000-14.1-6]: to an address that proved nothing
// no more than three times what came from there, and [rfc9000-8.1-6] a client that has nothing to say
// keeps knocking: with Initials of full size, and with Handshake packets once it can.
TEST(LifeOfServers, AmplificationIsBounded) {
  for (const std::size_t flight : {1'000U, 20'000U}) {
    PeerConfig ours = small_limits();
    ours.tls.server_flight_size = flight;
    ours.endpoint.retry = transport::RetryPolicy::never;
    Scene scene(Side::server, {.stage = Stage::handshake, .acknowledges = false}, ours);
    scene.begin();
    scene.run(20s);
    EXPECT_GT(scene.adversary.bytes(), 2'000U);
    EXPECT_LE(scene.adversary.bytes(), 3U * 2'400U);  // The ClientHello took two datagrams.
  }
}
TEST(LifeOfClients, KnockUntilTheyAreHeard) {
  Scene initial(Side::client, {.stage = Stage::initial});
  initial.begin();  // All is acknowledged.
  initial.adversary.forget();
  initial.run(3s);
  EXPECT_GE(initial.adversary.heard().size(), 2U);
  for (const auto& heard : initial.adversary.heard()) {
    EXPECT_EQ(heard.level, kInitial);
    EXPECT_GE(heard.datagram_size, 1'200U);
  }
  // Until a Handshake packet is acknowledged, which shows that the server has read one.
  Scene handshake(Side::client, {.stage = Stage::handshake});
  handshake.begin();
  handshake.run(3s);
  std::size_t packets = 0;
  for (const auto& heard : handshake.adversary.heard()) packets += heard.level == kHandshake;
  EXPECT_EQ(packets, 1U);
}

// [rfc9001-4.1.2-1] [rfc9000-19.20-1] [rfc9000-13.3-3]: HANDSHAKE_DONE comes with the end of the
// handshake, not before, and until it is acknowledged.
TEST(LifeOfServers, HandshakeDone) {
  Scene scene(Side::server, {.stage = Stage::handshake, .acknowledges = false});
  scene.begin();
  const auto count = [&] { return scene.adversary.count<wire::HandshakeDoneFrame>(); };
  EXPECT_EQ(count(), 0U);
  scene.adversary.release(kHandshake);
  scene.run(15ms);
  EXPECT_EQ(count(), 1U);
  scene.run(5s);
  const std::size_t repeated = count();
  EXPECT_GE(repeated, 3U);
  PacketNumber largest = 0;
  for (const auto& heard : scene.adversary.heard()) {
    if (heard.level == kOneRtt) largest = std::max(largest, heard.number);
  }
  for (const auto& heard : std::vector(scene.adversary.heard())) {
    if (heard.level == kOneRtt) scene.send(kOneRtt, varints({0x02, heard.number, 0, 0, 0}));
  }
  const std::size_t before = count();
  scene.run(5s);
  EXPECT_EQ(count(), before);
}

// [rfc9000-19.17-1] [rfc9000-8.2.2-1] [rfc9000-8.2.2-7]: as often as it was asked, and the same;
// [rfc9000-8.2.1-7] though the question was small, [rfc9000-8.2.2-2] at once, and [rfc9000-8.2.2-5]
// in a datagram that shows what the path carries.
TEST_P(Life, PathChallengesAreAnswered) {
  Scene scene(GetParam());
  scene.begin();
  const Octets data{9, 8, 7, 6, 5, 4, 3, 2};
  scene.adversary.forget();
  scene.adversary.send(kOneRtt, join({{0x1a}, data}));
  scene.run(11ms);
  ASSERT_EQ(scene.adversary.heard().size(), 1U);
  EXPECT_GE(scene.adversary.heard()[0].datagram_size, 1'200U);
  scene.run(3s);
  EXPECT_EQ(scene.adversary.count<wire::PathResponseFrame>(), 1U);
  const auto response = scene.adversary.last<wire::PathResponseFrame>();
  ASSERT_TRUE(response.has_value());
  EXPECT_TRUE(equal(response->data, data));
}

// [rfc9000-5.1.1-2] [rfc9000-5.1.2-2]: each connection ID that the victim gave serves until it is
// retired; those are new ones, [rfc9000-5.1-2].
TEST_P(Life, EachConnectionIdServes) {
  AdversaryConfig config;
  config.parameters = [](wire::TransportParameters& p) { p.active_connection_id_limit = 4; };
  Scene scene(GetParam(), config);
  scene.begin();
  std::set<Octets> ids{scene.adversary.victim_cid()};
  scene.adversary.each([&](const Adversary::Heard&, const wire::Frame& frame) {
    const auto* const one = std::get_if<wire::NewConnectionIdFrame>(&frame);
    if (one == nullptr) return;
    const Bytes id = one->connection_id.bytes();
    EXPECT_TRUE(ids.emplace(id.begin(), id.end()).second) << "given twice";
  });
  EXPECT_EQ(ids.size(), 4U);  // [rfc9000-5.1.1-3]
  for (const Octets& id : ids) {
    const PacketNumber number = scene.adversary.next_number(kOneRtt);
    scene.send(kOneRtt, kPing, {.dcid = id});
    EXPECT_TRUE(scene.adversary.acknowledged(kOneRtt, number));
  }
}

// [rfc9000-7.5-5]: handshake bytes that came before are discarded, but their packet is acknowledged.
TEST_P(Life, PacketsWithStaleHandshakeBytesAreAcknowledged) {
  AdversaryConfig config{.stage = Stage::initial};
  Scene scene(GetParam(), config);
  scene.begin();
  const Octets hello = scene.adversary.held(kInitial);
  ASSERT_GT(hello.size(), 20U);
  const Octets first = join({varints({0x06, 0, 10}), {hello.begin(), hello.begin() + 10}});
  for (int i = 0; i < 3; ++i) {
    const PacketNumber number = scene.adversary.next_number(kInitial);
    scene.send(kInitial, first);
    EXPECT_TRUE(scene.adversary.acknowledged(kInitial, number)) << i;
  }
  scene.adversary.release(kInitial);
  scene.run();
  EXPECT_FALSE(scene.victim.has_session() && scene.victim.session().closed());
}

// --- keys ----------------------------------------------------------------------------------------

// [rfc9001-6.2-1] [rfc9001-6.2-2]: an update is followed before its packet is acknowledged, and
// [rfc9001-6.3-5] [rfc9001-5.5-1] old keys still open what is late.
TEST_P(Life, KeyUpdatesAreFollowed) {
  Scene scene(GetParam());
  scene.begin();
  for (int i = 0; i < 4; ++i) {
    const PacketNumber late = scene.adversary.next_number(kOneRtt)++;
    scene.adversary.update_keys();
    scene.adversary.forget();
    const PacketNumber number = scene.adversary.next_number(kOneRtt);
    scene.send(kOneRtt, kPing);
    EXPECT_TRUE(scene.adversary.acknowledged(kOneRtt, number));
    for (const auto& heard : scene.adversary.heard()) {
      EXPECT_EQ((heard.first_byte & wire::kKeyPhaseBit) != 0, i % 2 == 0);
    }
    scene.send(kOneRtt, kPing, {.number = late, .old_key = true});
    EXPECT_TRUE(scene.adversary.acknowledged(kOneRtt, late));
    EXPECT_TRUE(scene.alive(kOneRtt));
    scene.run(1s);
  }
}

// [rfc9001-5.5-1] [rfc9001-6.4-2]: old keys serve no new numbers: they are not even tried, so that
// nothing is opened that would have to end the connection.
TEST_P(Life, OldKeysOnNewNumbersAreDropped) {
  Scene scene(GetParam());
  scene.begin();
  scene.adversary.update_keys();
  scene.send(kOneRtt, kPing);
  const std::uint64_t before = scene.dropped(DropReason::undecryptable);
  scene.send(kOneRtt, kPing, {.old_key = true});
  EXPECT_EQ(scene.dropped(DropReason::undecryptable), before + 1);
  EXPECT_TRUE(scene.alive(kOneRtt));
}

}  // namespace
}  // namespace qpeer::sim
