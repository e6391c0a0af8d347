// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a client may not do in 0-RTT packets, with OpenSSL's TLS and keys. RFC 9000 §12.4, §17.2.3;
// RFC 9001 §4.6, §5.6, §8.3.
#include <memory>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/tests/conformance/conformance_fixture.hpp"
#include "qpeer/transport/connection/session_ticket.hpp"

namespace qpeer::sim {
namespace {

constexpr EncryptionLevel kZeroRtt = EncryptionLevel::zero_rtt;

std::shared_ptr<crypto::TlsContext> context(Side side) {
  static const auto kCredentials =
      crypto::generate_credentials(crypto::KeyType::ed25519, "peer.example");
  crypto::TlsConfig config;
  config.credentials = kCredentials;
  config.alpn = {"sim"};
  config.tickets.early_data = side == Side::server;
  auto made = crypto::make_tls_context(config);
  EXPECT_TRUE(made.has_value());
  return made ? *made : nullptr;
}

/// An adversary that was there once, and comes again with 0-RTT keys.
struct Again {
  explicit Again(Stage stage = Stage::connected)
      : tls(context(Side::client)), fixture(Side::server, first(tls), server()) {
    fixture.begin();
    fixture.run();
    EXPECT_FALSE(fixture.adversary.sessions().empty());
    AdversaryConfig config = first(tls);
    config.stage = stage;
    if (!fixture.adversary.sessions().empty())
      config.session = fixture.adversary.sessions().front();
    adversary = std::make_unique<Adversary>(fixture.network, config);
    adversary->dials(fixture.victim.address());
    EXPECT_TRUE(adversary->can_send(kZeroRtt));
  }
  static AdversaryConfig first(const std::shared_ptr<crypto::TlsContext>& tls) {
    return {.real_tls = tls, .keys = &crypto::openssl_keys()};
  }
  static PeerConfig server() {
    PeerConfig config = small_limits();
    config.real_server_tls = context(Side::server);
    config.keys = &crypto::openssl_keys();
    return config;
  }
  [[nodiscard]] Session& session() { return fixture.victim.session(1); }

  std::shared_ptr<crypto::TlsContext> tls;
  ConformanceFixture fixture;
  std::unique_ptr<Adversary> adversary;
};

Octets stream(std::uint64_t id, std::uint64_t offset, std::size_t size) {
  return join({varints({0x0e, id, offset, size}), zeros(size)});
}

TEST(Early, FramesThatMayNotBeThere) {
  const std::vector<FrameCase> cases{
      {"rfc9000-12.4-3 rfc9000-12.5-6", "ACK", kZeroRtt, varints({0x02, 0, 0, 0, 0}),
       closes(protocol_violation, 0x02)},
      {"rfc9001-8.3-2 rfc9000-12.5-6", "CRYPTO", kZeroRtt, varints({0x06, 0, 1, 0}),
       closes(protocol_violation, 0x06)},
      {"rfc9000-12.4-3 rfc9000-12.5-6", "NEW_TOKEN", kZeroRtt, varints({0x07, 1, 0}),
       closes(protocol_violation, 0x07)},
      {"rfc9000-12.4-3 rfc9000-12.5-6", "RETIRE_CONNECTION_ID", kZeroRtt, varints({0x19, 0}),
       closes(protocol_violation, 0x19)},
      {"rfc9000-12.4-3 rfc9000-12.5-6", "PATH_RESPONSE", kZeroRtt, join({{0x1b}, zeros(8)}),
       closes(protocol_violation, 0x1b)},
      {"rfc9000-12.4-3 rfc9000-12.5-6",
       "HANDSHAKE_DONE",
       kZeroRtt,
       {0x1e},
       closes(protocol_violation, 0x1e)},
      {"rfc9000-12.4-4", "an unknown one", kZeroRtt, {0x21}, closes(frame_encoding_error, 0x21)},
      {"rfc9000-12.4-2", "none at all", kZeroRtt, {}, closes(protocol_violation)},
      {"rfc9000-17.2.3-5", "more than the stream's remembered limit", kZeroRtt, stream(0, 1'000, 1),
       closes(flow_control_error, 0x0e)},
      {"rfc9000-17.2.3-5", "more streams than were remembered", kZeroRtt, stream(16, 0, 1),
       closes(stream_limit_error, 0x0e)},
      {"rfc9000-17.2-9",
       "reserved bits",
       kZeroRtt,
       kPing,
       closes(protocol_violation),
       {.first_byte_flips = 0x04}},
  };
  for (const FrameCase& one : cases) {
    SCOPED_TRACE(testing::Message() << one.what << " [" << one.ids << "]");
    Again again;
    again.adversary->send(kZeroRtt, one.frames, one.options);
    again.fixture.run();
    expect_closed(again.session(), *again.adversary, one.expected);
  }
}

// [rfc9000-13.2.6-3] [rfc9001-5.6-5]: what came in 0-RTT is acknowledged in 1-RTT packets; and
// [rfc9001-4.9.3-4] soon after the handshake none is read any more.
TEST(Early, AcknowledgementsAreInOneRtt) {
  Again again;
  Adversary& adversary = *again.adversary;
  adversary.send(kZeroRtt, stream(0, 0, 10));
  again.fixture.run();
  EXPECT_TRUE(again.session().confirmed_at.has_value());
  EXPECT_TRUE(adversary.acknowledged(kOneRtt, 0));
  for (const auto& heard : adversary.heard()) EXPECT_NE(heard.level, kZeroRtt);
  again.fixture.run(3s);
  const std::uint64_t before = again.fixture.dropped(DropReason::keys_unavailable);
  const PacketNumber late = adversary.next_number(kZeroRtt);
  adversary.send(kZeroRtt, {0x21});
  again.fixture.run();
  EXPECT_FALSE(adversary.acknowledged(kOneRtt, late));
  EXPECT_EQ(again.fixture.dropped(DropReason::keys_unavailable), before + 1);
  EXPECT_FALSE(again.session().closed());
}

// [rfc9001-8.3-1]: our TLS says nothing of the end of early data: the packets' type does.
TEST(Early, HasNoMessageAtItsEnd) {
  Again again(Stage::handshake);
  again.adversary->send(kZeroRtt, stream(0, 0, 10));
  again.fixture.run();
  const Octets& held = again.adversary->held(kHandshake);
  ASSERT_FALSE(held.empty());
  constexpr u8 kEndOfEarlyData = 5;
  for (Reader in{held}; !in.empty();) {
    EXPECT_NE(in.byte(), kEndOfEarlyData);
    in.bytes(in.big_endian(3));
  }
}

// [rfc9001-4.6.2-2]: who rejected early data cannot have read it; [rfc9001-5.6-4] none is sent after.
TEST(Early, AnAcknowledgementOfWhatWasRejected) {
  PeerConfig ours = small_limits();
  ours.real_client_tls = context(Side::client);
  ours.keys = &crypto::openssl_keys();
  const AdversaryConfig config{.side = Side::server,
                               .real_tls = context(Side::server),
                               .keys = &crypto::openssl_keys(),
                               .acknowledges = false};
  ConformanceFixture fixture(Side::client, config, ours);
  fixture.begin();
  fixture.run();
  ASSERT_FALSE(fixture.victim.session().tickets.empty());
  fixture.victim.config().session_ticket = fixture.victim.session().tickets.front();
  fixture.victim.config().early_data = transport::EarlyDataPolicy::resend;
  std::size_t early = 0;
  fixture.network.on_send(
      [&](const Passing& datagram) { early += (datagram.payload[0] & 0xf0) == 0xd0 ? 1 : 0; });
  Adversary again(fixture.network, config);
  Session& session = fixture.victim.connect(again.address());
  ASSERT_TRUE(session.sends_early(5'000).has_value());
  fixture.run();
  ASSERT_EQ(session.early_data_accepted, false);
  EXPECT_GT(early, 2U);
  const std::size_t before = early;
  fixture.run(3s);  // All is lost, as nothing is acknowledged, and sent again.
  EXPECT_EQ(early, before);
  again.send(kOneRtt, varints({0x02, 0, 0, 0, 0}));
  fixture.run();
  expect_closed(session, again, closes(protocol_violation, 0x02));
}

// [rfc9000-9.6.2-6]: a preferred address is of one connection.
TEST(Early, TicketsKnowNoPreferredAddress) {
  PeerConfig ours = small_limits();
  ours.real_client_tls = context(Side::client);
  ours.keys = &crypto::openssl_keys();
  AdversaryConfig config{.real_tls = context(Side::server), .keys = &crypto::openssl_keys()};
  config.parameters = [](wire::TransportParameters& p) {
    p.preferred_address = wire::PreferredAddress{.ipv4 = SocketAddress::ipv4({10, 9, 9, 9}, 443),
                                                 .connection_id = ConnectionId(Octets(8, 0x77))};
  };
  ConformanceFixture fixture(Side::client, config, ours);
  fixture.begin();
  fixture.run();
  ASSERT_FALSE(fixture.victim.session().tickets.empty());
  const auto ticket = transport::SessionTicket::decode(fixture.victim.session().tickets.front());
  ASSERT_TRUE(ticket.has_value());
  EXPECT_FALSE(ticket->parameters.preferred_address.has_value());
}

// [rfc9001-5.6-6]: a client drops them, whatever key they have.
TEST(Early, PacketsFromAServer) {
  ConformanceFixture fixture(Side::client, {.stage = Stage::handshake});
  fixture.begin();
  Adversary& adversary = fixture.adversary;
  const std::uint64_t before = fixture.dropped(DropReason::keys_unavailable);
  // A Handshake packet under another type.
  fixture.send(kHandshake, kPing, {.first_byte_flips = 0x30});
  EXPECT_EQ(fixture.dropped(DropReason::keys_unavailable), before + 1);
  EXPECT_EQ(wire::long_packet_type(
                adversary.packet(kHandshake, kPing, {.first_byte_flips = 0x30})[0], Version::v1),
            wire::PacketType::zero_rtt);
  EXPECT_TRUE(fixture.alive(kHandshake));
}

}  // namespace
}  // namespace qpeer::sim
