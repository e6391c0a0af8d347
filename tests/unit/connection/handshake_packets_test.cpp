// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which packets a handshake takes; Retry and Version Negotiation. RFC 9000 §6.2, §7.2, §17.2.
#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/connection/handshake_fixture.hpp"
#include "qpeer/transport/wire/retry_packet.hpp"
#include "qpeer/transport/wire/version_negotiation.hpp"

namespace qpeer::transport::test {
namespace {

// RFC 9287 §3.1: a server whose configuration has changed drops packets without the QUIC Bit. A client
// that gets no answer sets it, until the server says again that it takes both.
TEST(Handshake, WithoutAnAnswerTheQuicBitIsSet) {
  const auto zeros = [](HandshakeFixture& client) {
    int out = 0;
    for (int i = 0; i < 200; ++i) out += client.handshake.next_quic_bit() ? 0 : 1;
    return out;
  };
  ConnectionSetup setup;
  setup.token_greases_quic_bit = true;
  HandshakeFixture client(Side::client, std::move(setup));
  EXPECT_GT(zeros(client), 0) << "the token says that the server takes both";
  client.handshake.on_pto();
  EXPECT_EQ(zeros(client), 0);
  client.handshake.on_packet_authenticated(kNow, client.header(PacketType::initial), kPto);
  EXPECT_TRUE(client.crypto(Level::initial, [&] {
    auto parameters = client.peer_parameters();
    parameters.grease_quic_bit = true;
    return HandshakeFixture::receive_parameters(client.session(), parameters);
  }));
  EXPECT_GT(zeros(client), 0);
  client.handshake.on_pto();
  EXPECT_GT(zeros(client), 0) << "what the server said holds for this connection";
}

TEST(Handshake, TakesLongHeaderPacketsOfItsPeerOnly) {
  HandshakeFixture server(Side::server);
  wire::ProtectedHeader initial = server.header(PacketType::initial);
  EXPECT_EQ(server.handshake.refuses(initial, 1200), std::nullopt);
  EXPECT_EQ(server.handshake.refuses(initial, 1199), DropReason::too_small);
  EXPECT_EQ(server.handshake.refuses(server.header(PacketType::handshake), 100), std::nullopt);
  initial.source_connection_id = id_of(9);
  EXPECT_EQ(server.handshake.refuses(initial, 1200), DropReason::unexpected_packet);
  initial.version = Version{0x1234};
  EXPECT_EQ(server.handshake.refuses(initial, 1200), DropReason::unsupported_version);

  HandshakeFixture client(Side::client);
  wire::ProtectedHeader answer = client.header(PacketType::initial);
  const std::array<u8, 2> token{};
  answer.token = token;
  EXPECT_EQ(client.handshake.refuses(answer, 1200), DropReason::unexpected_packet);
  answer.token = {};
  EXPECT_EQ(client.handshake.refuses(answer, 100), std::nullopt);
  client.handshake.on_packet_authenticated(kNow, answer, kPto);
  EXPECT_EQ(client.observer.remote_cid, kServerId);
  answer.source_connection_id = id_of(9);
  EXPECT_EQ(client.handshake.refuses(answer, 100), DropReason::unexpected_packet);
}

TEST(Handshake, KnowsForWhichLevelsKeysMayStillCome) {
  HandshakeFixture client(Side::client);
  EXPECT_TRUE(client.handshake.awaits_keys(Level::handshake));
  EXPECT_TRUE(client.handshake.awaits_keys(Level::one_rtt));
  EXPECT_FALSE(client.handshake.awaits_keys(Level::zero_rtt)) << "only servers get those";
  client.run();
  EXPECT_FALSE(client.handshake.awaits_keys(Level::one_rtt));
  HandshakeFixture server(Side::server);
  EXPECT_TRUE(server.handshake.awaits_keys(Level::zero_rtt));
  EXPECT_FALSE(server.handshake.awaits_keys(Level::one_rtt))
      << "the client has not seen our handshake";
  server.run();
  EXPECT_FALSE(server.handshake.awaits_keys(Level::zero_rtt));
}

std::vector<u8> retry_packet(Bytes token, const ConnectionId& source = id_of(8)) {
  std::vector<u8> packet(100 + token.size());
  Writer out(packet);
  wire::encode_retry(out, Version::v1, kClientId.bytes(), source.bytes(), token);
  const auto tag =
      crypto::openssl_keys().retry_integrity_tag(Version::v1, kFirstId.bytes(), out.written());
  out.bytes(tag);
  packet.resize(out.size());
  return packet;
}

// [rfc9000-17.2.5.2-1], [rfc9000-17.2.5.2-2], [rfc9000-8.1.3-2].
TEST(Handshake, ARetryIsTakenOnce) {
  HandshakeFixture client(Side::client);
  const std::array<u8, 5> token{1, 2, 3, 4, 5};
  const auto packet = retry_packet(token);
  const auto header = client.header(PacketType::retry);
  auto forged = packet;
  forged.back() ^= 1;
  EXPECT_EQ(drop_of(client.handshake.on_retry(kNow, header, forged)), DropReason::undecryptable);
  ASSERT_TRUE(client.handshake.on_retry(kNow, header, packet));
  client.check();
  EXPECT_EQ(client.observer.remote_cid, id_of(8));
  EXPECT_EQ(client.observer.reset, std::vector{PacketNumberSpace::initial});
  const auto initial = client.handshake.long_header(Level::initial, id_of(8));
  EXPECT_TRUE(equal(initial.token, token));
  EXPECT_EQ(drop_of(client.handshake.on_retry(kNow, header, packet)),
            DropReason::unexpected_packet);

  HandshakeFixture late(Side::client);
  late.handshake.on_packet_authenticated(kNow, late.header(PacketType::initial), kPto);
  EXPECT_EQ(drop_of(late.handshake.on_retry(kNow, header, packet)), DropReason::unexpected_packet);
  HandshakeFixture server(Side::server);
  EXPECT_EQ(drop_of(server.handshake.on_retry(kNow, header, packet)),
            DropReason::unexpected_packet);
}

// [rfc9000-17.2.3-1].
TEST(Handshake, EarlyDataIsSentAgainAfterARetry) {
  HandshakeFixture client(Side::client, with_ticket(EarlyDataPolicy::resend));
  const std::array<u8, 5> token{1, 2, 3, 4, 5};
  ASSERT_TRUE(
      client.handshake.on_retry(kNow, client.header(PacketType::retry), retry_packet(token)));
  client.check();
  EXPECT_EQ(client.observer.reset,
            (std::vector{PacketNumberSpace::initial, PacketNumberSpace::application}))
      << "the Initial is sent before";
  EXPECT_TRUE(client.handshake.can_send(Level::zero_rtt));
  EXPECT_EQ(client.handshake.early_data(), EarlyData::offered);
}

TEST(Handshake, ATokenThatLeavesNoRoomEndsTheConnection) {
  HandshakeFixture client(Side::client);
  const std::vector<u8> token(1150);
  const auto acceptance =
      client.handshake.on_retry(kNow, client.header(PacketType::retry), retry_packet(token));
  ASSERT_FALSE(acceptance);
  const auto* reason = std::get_if<CloseReason>(&acceptance.error());
  ASSERT_NE(reason, nullptr);
  EXPECT_EQ(reason->code, static_cast<std::uint64_t>(TransportErrorCode::invalid_token));
}

std::vector<u8> negotiation_packet(std::vector<Version> versions) {
  std::vector<u8> packet(100);
  Writer out(packet);
  wire::encode_version_negotiation(out, 0, kClientId.bytes(), kFirstId.bytes(), versions);
  packet.resize(out.size());
  return packet;
}

// [rfc9000-6.2-3], [rfc9368-2.1-5], [rfc9369-5-1].
TEST(Handshake, VersionNegotiationRestartsTheHandshake) {
  ConnectionSetup setup;
  setup.token = {1, 2};
  HandshakeFixture client(Side::client, setup);
  EXPECT_EQ(drop_of(client.handshake.on_version_negotiation(
                kNow, negotiation_packet({Version::v1, Version::v2}))),
            DropReason::unexpected_packet)
      << "it has the version that was chosen";
  ASSERT_TRUE(client.handshake.on_version_negotiation(kNow, negotiation_packet({Version::v2})));
  client.check();
  EXPECT_EQ(client.tls->sessions, 2);
  EXPECT_EQ(client.handshake.version(), Version::v2);
  EXPECT_NE(client.observer.remote_cid, kFirstId) << "another first connection ID";
  EXPECT_TRUE(client.handshake.long_header(Level::initial, kServerId).token.empty());
  EXPECT_EQ(
      drop_of(client.handshake.on_version_negotiation(kNow, negotiation_packet({Version::v1}))),
      DropReason::unexpected_packet)
      << "once";

  HandshakeFixture lonely(Side::client);
  const auto none =
      lonely.handshake.on_version_negotiation(kNow, negotiation_packet({Version{0x0a0a0a0a}}));
  ASSERT_FALSE(none);
  const auto* reason = std::get_if<CloseReason>(&none.error());
  ASSERT_NE(reason, nullptr);
  EXPECT_EQ(reason->kind, CloseReason::Kind::version_negotiation);
}

}  // namespace
}  // namespace qpeer::transport::test
