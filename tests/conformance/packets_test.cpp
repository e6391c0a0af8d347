// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Headers and packets that break a rule, and those that come at the wrong time: all but a few are
// dropped without a word. RFC 9000 §5.2, §7.2, §12.2, §12.3, §17; RFC 9001 §4.9, §5.7.
#include <set>
#include <vector>

#include "qpeer/tests/conformance/conformance_fixture.hpp"

namespace qpeer::sim {
namespace {

const Octets kOther{1, 2, 3, 4, 5, 6, 7, 8};

VICTIMS(Packets);

TEST_P(Packets, WithBitsThatMustBeZero) {
  const std::vector<FrameCase> cases{
      {"rfc9000-17.2-8 rfc9000-17.2-9",
       "Initial",
       kInitial,
       kPing,
       closes(protocol_violation),
       {.first_byte_flips = 0x04}},
      {"rfc9000-17.2-9",
       "Initial, the other",
       kInitial,
       kPing,
       closes(protocol_violation),
       {.first_byte_flips = 0x08}},
      {"rfc9000-17.2-9",
       "Handshake",
       kHandshake,
       kPing,
       closes(protocol_violation),
       {.first_byte_flips = 0x0c}},
      {"rfc9000-17.3.1-2 rfc9000-17.3.1-3",
       "1-RTT",
       kOneRtt,
       kPing,
       closes(protocol_violation),
       {.first_byte_flips = 0x08}},
      {"rfc9000-17.3.1-3",
       "1-RTT, the other",
       kOneRtt,
       kPing,
       closes(protocol_violation),
       {.first_byte_flips = 0x10}},
      {"rfc9000-17.4-5",
       "the spin bit is nobody's concern",
       kOneRtt,
       kPing,
       goes_on(),
       {.first_byte_flips = 0x20}},
      {"",
       "reserved bits of a forgery close nothing",
       kOneRtt,
       kPing,
       drops(DropReason::undecryptable),
       {.first_byte_flips = 0x18, .forged = true}},
  };
  run_cases(GetParam(), cases);
}

TEST_P(Packets, ThatAreNotValid) {
  const std::vector<FrameCase> cases{
      {"rfc9000-17.2-1",
       "Initial without the Fixed Bit",
       kInitial,
       kPing,
       drops(DropReason::malformed_header),
       {.first_byte_flips = 0x40}},
      {"rfc9000-17.2-1",
       "Handshake without the Fixed Bit",
       kHandshake,
       kPing,
       drops(DropReason::malformed_header),
       {.first_byte_flips = 0x40}},
      {"rfc9000-17.3.1-1",
       "1-RTT without the Fixed Bit",
       kOneRtt,
       kPing,
       drops(DropReason::malformed_header),
       {.first_byte_flips = 0x40}},
      {"rfc9001-5.5-1",
       "a forged Handshake packet",
       kHandshake,
       kPing,
       drops(DropReason::undecryptable),
       {.forged = true}},
      {"rfc9001-5.5-1",
       "a forged 1-RTT packet",
       kOneRtt,
       kPing,
       drops(DropReason::undecryptable),
       {.forged = true}},
      {"rfc9001-5.5-2",
       "a forged update of keys",
       kOneRtt,
       kPing,
       drops(DropReason::undecryptable),
       {.first_byte_flips = 0x04}},
      {"rfc9000-12.3-4 rfc9000-12.3-2",
       "a Handshake number again",
       kHandshake,
       kPing,
       drops(DropReason::duplicate),
       {.number = 0}},
      {"rfc9000-12.3-4 rfc9000-12.3-2",
       "a 1-RTT number again",
       kOneRtt,
       kPing,
       drops(DropReason::duplicate),
       {.number = 0}},
      {"rfc9000-7.2-3 rfc9000-7.2-6",
       "a Handshake packet from another Source Connection ID",
       kHandshake,
       kPing,
       drops(DropReason::unexpected_packet),
       {.scid = kOther}},
      {"rfc9000-5.2.1-2",
       "a Handshake packet of another version",
       kHandshake,
       kPing,
       drops(DropReason::unsupported_version),
       {.version = Version::v2}},
  };
  for (const FrameCase& one : cases) {
    // The numbers that come again have come once: the handshake's own.
    AdversaryConfig config;
    config.stage = one.level == kInitial     ? Stage::initial
                   : one.level == kHandshake ? Stage::handshake
                                             : Stage::connected;
    ConformanceFixture fixture(GetParam(), config);
    SCOPED_TRACE(testing::Message() << one.what << " [" << one.ids << "]");
    fixture.begin();
    if (one.level != kInitial) fixture.send(one.level, kPing, {.number = 0});
    const std::uint64_t before = fixture.dropped(*one.expected.drop);
    fixture.send(one.level, one.frames, one.options);
    fixture.expect(one.level, one.expected, before);
  }
}

// [rfc9000-7.2-3] [rfc9000-7.2-6] [rfc9000-7.2-4] [rfc9000-7.2-5]: what the first Initial said of
// connection IDs stays said.
TEST_P(Packets, InitialsThatChangeTheConnectionId) {
  ConformanceFixture fixture(GetParam(), {.stage = Stage::initial});
  fixture.begin();
  fixture.send(kInitial, kPing);
  ASSERT_TRUE(fixture.alive(kInitial));
  const std::uint64_t before = fixture.dropped(DropReason::unexpected_packet);
  fixture.send(kInitial, kPing, {.scid = kOther});
  EXPECT_EQ(fixture.dropped(DropReason::unexpected_packet), before + 1);
  fixture.adversary.forget();
  EXPECT_TRUE(fixture.alive(kInitial));
  for (const auto& heard : fixture.adversary.heard()) {
    EXPECT_TRUE(equal(heard.header.destination_connection_id.bytes(), fixture.adversary.cid()));
  }
}

// RFC 9000 §17.2 [rfc9000-17.2-6] [rfc9000-17.2-2]
TEST_P(Packets, WithConnectionIdsOfMoreThan20Bytes) {
  ConformanceFixture fixture(GetParam());
  fixture.begin();
  Octets datagram = join({{0xc0, 0, 0, 0, 1, 21}, zeros(21), {0}, zeros(1'200)});
  const std::uint64_t before = fixture.dropped(DropReason::malformed_header);
  fixture.adversary.send_raw(datagram);
  // And one that names the victim, but has a long ID of its own.
  datagram = join({{0xc0, 0, 0, 0, 1, 8}, fixture.adversary.victim_cid(), {21}, zeros(1'200)});
  fixture.adversary.send_raw(datagram);
  fixture.run();
  EXPECT_GE(fixture.dropped(DropReason::malformed_header), before + 1);
  EXPECT_TRUE(fixture.alive(kOneRtt));
}

// [rfc9001-4.9.1-1] [rfc9001-4.9.2-1]: keys of a level that is over are gone.
TEST_P(Packets, OfLevelsThatAreOver) {
  ConformanceFixture fixture(GetParam());
  fixture.begin();
  ASSERT_TRUE(fixture.alive(kOneRtt));
  for (const EncryptionLevel level : {kInitial, kHandshake}) {
    const std::uint64_t before = fixture.dropped(DropReason::keys_unavailable);
    // With frames that would close: nobody reads them.
    fixture.send(level, {0x21});
    EXPECT_EQ(fixture.dropped(DropReason::keys_unavailable), before + 1);
  }
  EXPECT_TRUE(fixture.alive(kOneRtt));
}

// [rfc9001-4.9.1-1]: those of Initials go with the first Handshake packet that the client sends and the
// server processes, long before the handshake is over.
TEST_P(Packets, InitialsEndWithTheFirstHandshakePacket) {
  // Even an acknowledgement would be a Handshake packet.
  ConformanceFixture fixture(GetParam(), {.stage = Stage::handshake, .acknowledges = false});
  fixture.begin();
  ASSERT_TRUE(fixture.alive(kInitial));
  ASSERT_TRUE(fixture.alive(kHandshake));
  EXPECT_FALSE(fixture.victim.has_session() && fixture.victim.session().connected());
  const std::uint64_t before = fixture.dropped(DropReason::keys_unavailable);
  fixture.send(kInitial, {0x21});
  EXPECT_EQ(fixture.dropped(DropReason::keys_unavailable), before + 1);
  EXPECT_TRUE(fixture.alive(kHandshake));
}

// [rfc9001-5.7-1] [rfc9001-5.7-2] [rfc9001-5.7-5]: 1-RTT packets wait for the end of the handshake,
// even where their keys are there; [rfc9000-13.1-1] nor are they acknowledged before, and
// [rfc9000-13.2.5-2] the time that they waited is told.
TEST_P(Packets, OfOneRttBeforeTheEndOfTheHandshake) {
  ConformanceFixture fixture(GetParam(), {.stage = Stage::handshake});
  fixture.begin();
  ASSERT_TRUE(fixture.adversary.can_send(kOneRtt));
  const Ids ids(GetParam());
  fixture.send(kOneRtt, join({varints({0x0e, ids.bidi(), 0, 3}), zeros(3)}));
  EXPECT_FALSE(fixture.adversary.acknowledged(kOneRtt, 0));
  EXPECT_TRUE(!fixture.victim.has_session() || fixture.victim.session().streams.empty());
  fixture.adversary.release(kHandshake);
  fixture.run();
  ASSERT_TRUE(fixture.victim.has_session());
  EXPECT_TRUE(fixture.victim.session().connected());
  EXPECT_EQ(fixture.victim.session().streams.size(), 1U) << "it waited for its keys";
  std::optional<std::uint64_t> delay;
  fixture.adversary.each([&](const Adversary::Heard& packet, const wire::Frame& frame) {
    const auto* const ack = std::get_if<wire::AckFrame>(&frame);
    if (ack != nullptr && packet.level == kOneRtt && !delay) delay = ack->ack_delay << 3;
  });
  EXPECT_GE(delay.value_or(0), 100'000U);
  EXPECT_TRUE(fixture.alive(kOneRtt));
  EXPECT_TRUE(fixture.adversary.acknowledged(kOneRtt, 0));
}

// [rfc9000-12.2-5] [rfc9000-12.2-6] [rfc9000-12.2-7]: each packet of a datagram for itself.
TEST_P(Packets, ThatShareADatagram) {
  ConformanceFixture fixture(GetParam(), {.stage = Stage::handshake});
  fixture.begin();
  Adversary& adversary = fixture.adversary;
  const PacketOptions bad{.forged = true};
  const PacketOptions elsewhere{.dcid = kOther};
  const PacketNumber first = adversary.next_number(kHandshake);
  adversary.send_raw(join(
      {adversary.packet(kHandshake, kPing, bad), adversary.packet(kHandshake, kPing, elsewhere),
       adversary.packet(kHandshake, kPing), adversary.packet(kHandshake, kPing)}));
  fixture.run();
  EXPECT_FALSE(adversary.acknowledged(kHandshake, first)) << "it was forged";
  EXPECT_FALSE(adversary.acknowledged(kHandshake, first + 1)) << "it was for somebody else";
  EXPECT_TRUE(adversary.acknowledged(kHandshake, first + 2));
  EXPECT_TRUE(adversary.acknowledged(kHandshake, first + 3));
  // Garbage of unknown length behind a packet takes nothing from it.
  const PacketNumber last = adversary.next_number(kHandshake);
  adversary.send_raw(join({adversary.packet(kHandshake, kPing), Octets(40, 0xff)}));
  fixture.run();
  EXPECT_TRUE(adversary.acknowledged(kHandshake, last));
}

// [rfc9000-17.2.2-1]: tokens are for servers; and ours sends none.
TEST(PacketsOfServers, InitialsWithAToken) {
  ConformanceFixture fixture(Side::client, {.stage = Stage::initial});
  fixture.begin();
  const std::uint64_t before = fixture.dropped(DropReason::unexpected_packet);
  fixture.send(kInitial, kPing, {.token = {1, 2, 3}});
  EXPECT_EQ(fixture.dropped(DropReason::unexpected_packet), before + 1);
  EXPECT_TRUE(fixture.alive(kInitial));
  ConformanceFixture ours(Side::server);
  ours.begin();
  std::size_t initials = 0;
  for (const auto& heard : ours.adversary.heard()) {
    if (heard.level != kInitial) continue;
    EXPECT_EQ(heard.header.token.size(), 0U);
    ++initials;
  }
  EXPECT_GT(initials, 0U);
}

}  // namespace
}  // namespace qpeer::sim
