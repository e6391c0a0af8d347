// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What an endpoint owes its peer from the first packet to the last: packets without fault, of the
// right level and in time. RFC 9000 §8, §12.3, §13, §17; RFC 9001 §4.
#include <array>
#include <map>
#include <set>
#include <vector>

#include "qpeer/tests/conformance/conformance_fixture.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::sim {
namespace {

VICTIMS(Lifetime);

/// A transfer of the victim's, of which nothing is acknowledged for a second.
void speaks(ConformanceFixture& fixture) {
  fixture.begin();
  fixture.victim.sends(20'000);
  fixture.run(1s);
}

// What we send ourselves keeps the rules that the peer would have to enforce: [rfc9000-12.3-1]
// [rfc9000-12.3-2] numbers grow, [rfc9000-12.4-1] packets have frames, [rfc9000-12.4-5] of types in
// their shortest form, [rfc9000-12.5-3] [rfc9000-12.5-5] in packets that may hold them,
// [rfc9000-17.2-8] [rfc9000-17.3.1-2] with reserved bits of zero, [rfc9000-17.4-2] [rfc9000-17.4-3]
// and no spinning, on any path [rfc9000-17.4-4]; [rfc9000-12.2-4] a datagram has one connection ID. [rfc9000-19.7-1]
// [rfc9000-19.7-3]: tokens are a server's, and have bytes; [rfc9000-11.2-1] streams are reset only
// by the application; [rfc9000-14.1-1] [rfc9000-14.1-2] Initials that ask for an answer come in
// datagrams of 1200 bytes.
TEST_P(Lifetime, PacketsAreWellFormed) {
  ConformanceFixture fixture(GetParam());
  speaks(fixture);
  ASSERT_TRUE(fixture.alive(kOneRtt));
  const Adversary& adversary = fixture.adversary;
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
TEST_P(Lifetime, WhatIsSentAgainIsTheSame) {
  ConformanceFixture fixture(GetParam(), {.stage = Stage::handshake, .acknowledges = false});
  fixture.begin();
  fixture.run(3s);
  fixture.adversary.release(kHandshake);
  fixture.run(20ms);
  if (GetParam() == Side::client) fixture.send(kOneRtt, {0x1e});
  fixture.victim.sends(3'000);
  fixture.run(3s);
  std::map<std::pair<std::uint64_t, std::uint64_t>, u8> known;  // Of stream or level, and offset.
  std::array<std::size_t, 2> repeated{};
  const auto note = [&](std::size_t kind, std::uint64_t flow, std::uint64_t offset, Bytes data) {
    for (const u8 byte : data) {
      const auto [entry, fresh] = known.try_emplace({flow, offset++}, byte);
      if (!fresh) ++repeated[kind];
      EXPECT_EQ(entry->second, byte);
    }
  };
  fixture.adversary.each([&](const Adversary::Heard& packet, const wire::Frame& frame) {
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
TEST_P(Lifetime, ProbesLeaveWhenTheWindowIsFull) {
  ConformanceFixture fixture(GetParam(), {.acknowledges = false});
  fixture.begin();
  fixture.victim.sends(100'000);
  fixture.run(20ms);
  fixture.adversary.forget();
  fixture.run(10ms);
  EXPECT_TRUE(fixture.adversary.heard().empty()) << "the window is full";
  fixture.run(8s);
  EXPECT_GE(fixture.adversary.heard().size(), 4U);
}

// [rfc9001-4.9.1-1] [rfc9001-4.9.1-2] [rfc9001-4.9.2-1]
TEST_P(Lifetime, LevelsThatAreOverStayOver) {
  ConformanceFixture fixture(GetParam());
  speaks(fixture);
  EncryptionLevel highest = kInitial;
  std::set<EncryptionLevel> levels;
  for (const auto& heard : fixture.adversary.heard()) {
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
  EXPECT_LT(fixture.adversary.count<wire::CryptoFrame>(), 20U);
}

// RFC 9000 §8.1 [rfc9000-8.1-2] [rfc9000-8.1-3] [rfc9000-14.1-6]: to an address that proved nothing
// no more than three times what came from there, and [rfc9000-8.1-6] a client that has no data to send
// sends probes: with Initials of full size, and with Handshake packets once it can.
TEST(LifetimeOfServers, AmplificationIsBounded) {
  for (const std::size_t flight : {1'000U, 20'000U}) {
    PeerConfig ours = small_limits();
    ours.tls.server_flight_size = flight;
    ours.endpoint.retry = transport::RetryPolicy::never;
    ConformanceFixture fixture(Side::server, {.stage = Stage::handshake, .acknowledges = false},
                               ours);
    fixture.begin();
    fixture.run(20s);
    EXPECT_GT(fixture.adversary.bytes(), 2'000U);
    EXPECT_LE(fixture.adversary.bytes(), 3U * 2'400U);  // The ClientHello took two datagrams.
  }
}
TEST(LifetimeOfClients, KnockUntilTheyAreHeard) {
  ConformanceFixture initial(Side::client, {.stage = Stage::initial});
  initial.begin();  // All is acknowledged.
  initial.adversary.forget();
  initial.run(3s);
  EXPECT_GE(initial.adversary.heard().size(), 2U);
  for (const auto& heard : initial.adversary.heard()) {
    EXPECT_EQ(heard.level, kInitial);
    EXPECT_GE(heard.datagram_size, 1'200U);
  }
  // Until a Handshake packet is acknowledged, which shows that the server has read one.
  ConformanceFixture handshake(Side::client, {.stage = Stage::handshake});
  handshake.begin();
  handshake.run(3s);
  std::size_t packets = 0;
  for (const auto& heard : handshake.adversary.heard()) packets += heard.level == kHandshake;
  EXPECT_EQ(packets, 1U);
}

// [rfc9001-4.1.2-1] [rfc9000-19.20-1] [rfc9000-13.3-3]: HANDSHAKE_DONE comes with the end of the
// handshake, not before, and until it is acknowledged.
TEST(LifetimeOfServers, HandshakeDone) {
  ConformanceFixture fixture(Side::server, {.stage = Stage::handshake, .acknowledges = false});
  fixture.begin();
  const auto count = [&] { return fixture.adversary.count<wire::HandshakeDoneFrame>(); };
  EXPECT_EQ(count(), 0U);
  fixture.adversary.release(kHandshake);
  fixture.run(15ms);
  EXPECT_EQ(count(), 1U);
  fixture.run(5s);
  const std::size_t repeated = count();
  EXPECT_GE(repeated, 3U);
  PacketNumber largest = 0;
  for (const auto& heard : fixture.adversary.heard()) {
    if (heard.level == kOneRtt) largest = std::max(largest, heard.number);
  }
  for (const auto& heard : std::vector(fixture.adversary.heard())) {
    if (heard.level == kOneRtt) fixture.send(kOneRtt, varints({0x02, heard.number, 0, 0, 0}));
  }
  const std::size_t before = count();
  fixture.run(5s);
  EXPECT_EQ(count(), before);
}

// [rfc9000-19.17-1] [rfc9000-8.2.2-1] [rfc9000-8.2.2-7]: as often as it was asked, and the same;
// [rfc9000-8.2.1-7] though the question was small, [rfc9000-8.2.2-2] at once, and [rfc9000-8.2.2-5]
// in a datagram that shows what the path carries.
TEST_P(Lifetime, PathChallengesAreAnswered) {
  ConformanceFixture fixture(GetParam());
  fixture.begin();
  const Octets data{9, 8, 7, 6, 5, 4, 3, 2};
  fixture.adversary.forget();
  fixture.adversary.send(kOneRtt, join({{0x1a}, data}));
  fixture.run(11ms);
  ASSERT_EQ(fixture.adversary.heard().size(), 1U);
  EXPECT_GE(fixture.adversary.heard()[0].datagram_size, 1'200U);
  fixture.run(3s);
  EXPECT_EQ(fixture.adversary.count<wire::PathResponseFrame>(), 1U);
  const auto response = fixture.adversary.last<wire::PathResponseFrame>();
  ASSERT_TRUE(response.has_value());
  EXPECT_TRUE(equal(response->data, data));
}

// [rfc9000-5.1.1-2] [rfc9000-5.1.2-2]: each connection ID that the victim gave serves until it is
// retired; those are new ones, [rfc9000-5.1-2].
TEST_P(Lifetime, EachConnectionIdServes) {
  AdversaryConfig config;
  config.parameters = [](wire::TransportParameters& p) { p.active_connection_id_limit = 4; };
  ConformanceFixture fixture(GetParam(), config);
  fixture.begin();
  std::set<Octets> ids{fixture.adversary.victim_cid()};
  fixture.adversary.each([&](const Adversary::Heard&, const wire::Frame& frame) {
    const auto* const one = std::get_if<wire::NewConnectionIdFrame>(&frame);
    if (one == nullptr) return;
    const Bytes id = one->connection_id.bytes();
    EXPECT_TRUE(ids.emplace(id.begin(), id.end()).second) << "given twice";
  });
  EXPECT_EQ(ids.size(), 4U);  // [rfc9000-5.1.1-3]
  for (const Octets& id : ids) {
    const PacketNumber number = fixture.adversary.next_number(kOneRtt);
    fixture.send(kOneRtt, kPing, {.dcid = id});
    EXPECT_TRUE(fixture.adversary.acknowledged(kOneRtt, number));
  }
}

// [rfc9000-7.5-5]: handshake bytes that came before are discarded, but their packet is acknowledged.
TEST_P(Lifetime, PacketsWithStaleHandshakeBytesAreAcknowledged) {
  AdversaryConfig config{.stage = Stage::initial};
  ConformanceFixture fixture(GetParam(), config);
  fixture.begin();
  const Octets hello = fixture.adversary.held(kInitial);
  ASSERT_GT(hello.size(), 20U);
  const Octets first = join({varints({0x06, 0, 10}), {hello.begin(), hello.begin() + 10}});
  for (int i = 0; i < 3; ++i) {
    const PacketNumber number = fixture.adversary.next_number(kInitial);
    fixture.send(kInitial, first);
    EXPECT_TRUE(fixture.adversary.acknowledged(kInitial, number)) << i;
  }
  fixture.adversary.release(kInitial);
  fixture.run();
  EXPECT_FALSE(fixture.victim.has_session() && fixture.victim.session().closed());
}

}  // namespace
}  // namespace qpeer::sim
