// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The end: who is told of it, at which level, with which code; and the silence after it.
// RFC 9000 §10, §11, §20.1.
#include <set>
#include <vector>

#include "qpeer/tests/conformance/conformance_fixture.hpp"

namespace qpeer::sim {
namespace {

using transport::CloseReason;

VICTIMS(Ends);

Octets stream(std::uint64_t id, std::uint64_t offset, std::size_t size) {
  return join({varints({0x0e, id, offset, size}), zeros(size)});
}

// --- the end -------------------------------------------------------------------------------------

/// The levels at which the end was told.
std::set<EncryptionLevel> told_at(const Adversary& adversary) {
  std::set<EncryptionLevel> levels;
  adversary.each([&](const Adversary::Heard& packet, const wire::Frame& frame) {
    if (std::holds_alternative<wire::ConnectionCloseFrame>(frame)) levels.insert(packet.level);
  });
  return levels;
}

// [rfc9000-10.2.2-1] [rfc9000-10.2.2-3]
TEST_P(Ends, ADrainingEndpointIsSilent) {
  for (const Octets& close : {varints({0x1c, 0, 0, 0}), varints({0x1d, 7, 0})}) {
    ConformanceFixture fixture(GetParam());
    fixture.begin();
    fixture.victim.sends(50'000);
    fixture.run(1s);
    fixture.adversary.send(kOneRtt, close);
    fixture.run(15ms);  // What was on its way.
    ASSERT_TRUE(fixture.victim.session().closed());
    const std::size_t heard = fixture.adversary.datagrams();
    for (int i = 0; i < 50; ++i) fixture.adversary.send(kOneRtt, kPing);
    fixture.run(15ms);
    EXPECT_EQ(fixture.adversary.datagrams(), heard);
  }
}

// [rfc9000-10.2.1-1] [rfc9000-10.2.1-5] [rfc9000-10.2.1-7] [rfc9000-11.1-1] [rfc9000-11.1-2]: it is
// told again to who goes on, ever more rarely.
TEST_P(Ends, AClosingEndpointAnswersRarely) {
  ConformanceFixture fixture(GetParam());
  fixture.begin();
  fixture.send(kOneRtt, {0x21});
  ASSERT_TRUE(fixture.victim.session().closed());
  // [rfc9000-10.2-1] [rfc9000-10.2-3]: three PTOs, which are 100 ms at least with our delays.
  EXPECT_EQ(fixture.victim.endpoint().stats().connections, 1U);
  const std::size_t datagrams = fixture.adversary.datagrams();
  const std::size_t bytes = fixture.adversary.bytes();
  std::size_t sent = 0;
  for (int i = 0; i < 64; ++i) {
    const Octets packet = fixture.adversary.packet(kOneRtt, join({kPing, zeros(30)}));
    sent += packet.size();
    fixture.adversary.send_raw(packet);
    fixture.run(100us);
  }
  fixture.run(20ms);
  const std::size_t answers = fixture.adversary.datagrams() - datagrams;
  EXPECT_GE(answers, 2U);
  EXPECT_LE(answers, 8U);
  EXPECT_LE(fixture.adversary.bytes() - bytes, 3 * sent);
  // [rfc9000-10.2-4]: and then it is forgotten.
  fixture.run(31s);
  EXPECT_EQ(fixture.victim.endpoint().stats().connections, 0U);
}

// [rfc9000-10.2.3-1]: once confirmed, in 1-RTT packets alone.
TEST_P(Ends, TheEndIsToldInOneRtt) {
  ConformanceFixture fixture(GetParam());
  fixture.begin();
  fixture.victim.session().closes(42, "bye");
  fixture.run();
  EXPECT_EQ(told_at(fixture.adversary), std::set{kOneRtt});
  const auto close = fixture.adversary.last<wire::ConnectionCloseFrame>();
  ASSERT_TRUE(close.has_value());
  EXPECT_TRUE(close->application);
  EXPECT_EQ(close->error_code, 42U);
  EXPECT_EQ(as_text(close->reason_phrase), "bye");
}

// [rfc9000-10.2.3-3] [rfc9000-10.2.3-5]: before that, in all that the client may be able to read:
// it may have no Handshake keys yet, and has no Initial keys once it sent with those.
TEST(EndsOfServers, TheEndIsToldAtEachLevelOfTheHandshake) {
  ConformanceFixture fixture(Side::server, {.stage = Stage::handshake, .acknowledges = false});
  fixture.begin();
  fixture.send(kInitial, {0x21});
  EXPECT_EQ(told_at(fixture.adversary), (std::set{kInitial, kHandshake}));
  ConformanceFixture later(Side::server, {.stage = Stage::handshake});
  later.begin();
  later.send(kHandshake, {0x21});
  EXPECT_EQ(told_at(later.adversary), std::set{kHandshake});
}

// [rfc9000-10.2.3-4] [rfc9000-10.2.3-6] [rfc9000-10.2.3-7]: what the application says is for 1-RTT.
TEST(EndsOfClients, TheApplicationsEndBeforeConfirmation) {
  ConformanceFixture fixture(Side::client, {.stage = Stage::handshake});
  fixture.begin();
  fixture.adversary.release(kHandshake);
  fixture.run(15ms);
  ASSERT_TRUE(fixture.victim.session().connected());
  ASSERT_FALSE(fixture.victim.session().confirmed_at.has_value());
  fixture.victim.session().closes(42, "secret");
  fixture.run();
  EXPECT_EQ(told_at(fixture.adversary), (std::set{kHandshake, kOneRtt}));
  fixture.adversary.each([&](const Adversary::Heard& packet, const wire::Frame& frame) {
    const auto* const close = std::get_if<wire::ConnectionCloseFrame>(&frame);
    if (close == nullptr) return;
    const bool open = packet.level == kOneRtt;
    EXPECT_EQ(close->application, open);
    EXPECT_EQ(close->error_code, open ? 42U : std::to_underlying(application_error));
    EXPECT_EQ(close->reason_phrase.empty(), !open);
  });
}

// [rfc9000-10.1-1]: however short the time that the peer asks for.
TEST_P(Ends, TheIdleTimeoutIsNoShorterThanThreePtos) {
  AdversaryConfig config;
  config.parameters = [](wire::TransportParameters& p) { p.max_idle_timeout_ms = 1; };
  ConformanceFixture fixture(GetParam(), config);
  fixture.begin();
  ASSERT_TRUE(fixture.alive(kOneRtt));
  fixture.run(20ms);
  EXPECT_FALSE(fixture.victim.session().closed());
  fixture.run(2s);
  ASSERT_TRUE(fixture.victim.session().closed());
  EXPECT_EQ(fixture.victim.session().close->kind, CloseReason::Kind::idle_timeout);
}

// --- error codes ---------------------------------------------------------------------------------

/// RFC 9000 §20.1: a cause of each code that a peer can bring about.
struct Cause {
  TransportErrorCode code;
  std::uint64_t frame_type;
  std::function<void(ConformanceFixture&)> act;
  AdversaryConfig config{};
  std::function<void(PeerConfig&)> ours{};
};

void send_all(ConformanceFixture& fixture, const Octets& frames) { fixture.send(kOneRtt, frames); }

// [rfc9000-11-1] [rfc9000-11-2] [rfc9000-11.1-1]: and the same code for nothing else: the rows of
// this folder expect all others. [rfc9000-10.3-2] [rfc9000-11-4]: always by CONNECTION_CLOSE.
TEST_P(Ends, EachErrorCodeHasItsCause) {
  const Side side = GetParam();
  const Ids ids(side);
  NullKeys fragile({.integrity_limit = 3});
  const std::vector<Cause> causes{
      {flow_control_error, 0x0e,
       [&](ConformanceFixture& s) { send_all(s, stream(ids.bidi(), 1'000, 1)); }},
      {internal_error,
       0x0e,  // More gaps than anybody's network makes: it is we who cannot go on.
       [&](ConformanceFixture& s) {
         for (std::uint64_t i = 0; i <= 4'096; ++i) {
           s.adversary.send(kOneRtt, stream(ids.bidi(), 2 * i + 1, 1));
         }
         s.run();
       },
       {},
       [](PeerConfig& p) { p.connection.streams = p.endpoint.connection.streams = {}; }},
      {stream_limit_error, 0x0e,
       [&](ConformanceFixture& s) { send_all(s, stream(ids.bidi(4), 0, 1)); }},
      {stream_state_error, 0x0e,
       [&](ConformanceFixture& s) { send_all(s, stream(ids.victim_uni(), 0, 1)); }},
      {final_size_error, 0x04,
       [&](ConformanceFixture& s) {
         send_all(s, join({stream(ids.bidi(), 0, 2), varints({0x04, ids.bidi(), 0, 1})}));
       }},
      {frame_encoding_error, 0x21, [](ConformanceFixture& s) { send_all(s, {0x21}); }},
      {transport_parameter_error,
       0x06,
       [](ConformanceFixture&) {},
       {.parameters = [](wire::TransportParameters& p) { p.active_connection_id_limit = 1; }}},
      {connection_id_limit_error, 0x18,
       [](ConformanceFixture& s) {
         for (u8 i = 1; i < 6; ++i) {
           s.adversary.send(kOneRtt, join({{0x18, i, 0, 8}, Octets(8, i), Octets(16, i)}));
         }
         s.run();
       }},
      {protocol_violation, 0x02,
       [](ConformanceFixture& s) { send_all(s, varints({0x02, 1 << 20, 0, 0, 0})); }},
      {crypto_buffer_exceeded, 0x06,
       [](ConformanceFixture& s) { send_all(s, varints({0x06, 1 << 24, 1, 0})); }},
      {key_update_error, 0,
       [](ConformanceFixture& s) {
         s.adversary.next_number(kOneRtt) = 100;
         s.adversary.update_keys();
         s.send(kOneRtt, kPing);
         s.run(2s);
         // [rfc9001-6.4-1]: newer keys on an older number.
         s.adversary.update_keys();
         s.send(kOneRtt, kPing, {.number = 50});
       }},
      {aead_limit_reached,
       0,  // [rfc9001-6.6-6] [rfc9001-6.6-7]
       [](ConformanceFixture& s) {
         for (int i = 0; i < 3; ++i) s.send(kOneRtt, kPing, {.forged = true});
       },
       {},
       [&](PeerConfig& p) { p.keys = &fragile; }},
      {alert(50),
       0x06,  // What TLS cannot decode. [rfc9001-4.8-1]
       [](ConformanceFixture& s) {
         s.send(kHandshake, join({varints({0x06, 0, 40}), {20, 0, 0, 36}, zeros(36)}));
       },
       {.stage = Stage::handshake}},
      {alert(10), 0x06,  // A message at the wrong time; so too a KeyUpdate, [rfc9001-6-3].
       [](ConformanceFixture& s) {
         Octets message{24, 0, 0, 9, 1};
         const std::uint64_t sum = checksum(0, message);
         for (int i = 7; i >= 0; --i) message.push_back(static_cast<u8>(sum >> (8 * i)));
         s.adversary.send_post_handshake(message);
         s.run();
       }},
      {alert(109), 0x06, [](ConformanceFixture&) {}, {.tls = {.send_transport_parameters = false}}},
  };
  for (const Cause& cause : causes) {
    SCOPED_TRACE(to_string(cause.code));
    PeerConfig ours = small_limits();
    if (cause.ours) cause.ours(ours);
    ConformanceFixture fixture(side, cause.config, ours);
    fixture.begin();
    cause.act(fixture);
    fixture.expect(kOneRtt, closes(cause.code, cause.frame_type));
    EXPECT_EQ(fixture.victim.endpoint().stats().stateless_resets_sent, 0U);
  }
}

TEST(EndsOfServers, ErrorCodesBeforeThereIsAConnection) {
  PeerConfig full = small_limits();
  full.endpoint.max_connections = 0;
  ConformanceFixture refused(Side::server, {.stage = Stage::handshake}, full);
  refused.begin();
  const auto refusal = refused.adversary.last<wire::ConnectionCloseFrame>();
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->error_code, std::to_underlying(connection_refused));
  EXPECT_FALSE(refusal->application);
  EXPECT_EQ(refusal->frame_type, 0U);
  // RFC 9001 §8.1 [rfc9001-8.1-2] [rfc9001-8.1-6]
  ConformanceFixture foreign(Side::server, {.tls = {.alpn = {"another"}}});
  foreign.begin();
  foreign.expect(kInitial, closes(alert(120), 0x06));
}

}  // namespace
}  // namespace qpeer::sim
