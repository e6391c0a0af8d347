// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Handshake by itself, with a TLS session that the test controls. RFC 9001 §4; RFC 9000 §7.
#include "qpeer/transport/connection/handshake.hpp"

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/connection/handshake_fixture.hpp"

namespace qpeer::transport::test {
namespace {

using crypto::Direction;

// [rfc9001-4.9.2-1]: a client waits for HANDSHAKE_DONE.
TEST(Handshake, OfAClientIsConfirmedByItsServer) {
  HandshakeFixture client(Side::client);
  EXPECT_TRUE(client.handshake.can_send(Level::initial));
  EXPECT_FALSE(client.handshake.can_send(Level::handshake));
  EXPECT_FALSE(client.handshake.allows_streams());
  client.run();
  EXPECT_TRUE(client.observer.handshake_keys);
  EXPECT_EQ(client.observer.completed, 1);
  EXPECT_EQ(client.observer.confirmed, 0);
  EXPECT_TRUE(client.handshake.allows_streams());
  EXPECT_TRUE(client.handshake.can_receive(Level::one_rtt));
  EXPECT_FALSE(client.handshake.done().has_frames()) << "only servers send it";
  client.handshake.confirm(kNow);
  client.handshake.confirm(kNow);
  client.check();
  EXPECT_EQ(client.observer.confirmed, 1);
  EXPECT_EQ(client.observer.discarded.size(), 2U);
  EXPECT_FALSE(client.handshake.can_send(Level::initial));
  EXPECT_FALSE(client.handshake.can_receive(Level::handshake));
}

// [rfc9001-4.1.2-1].
TEST(Handshake, OfAServerIsConfirmedOnceItIsComplete) {
  HandshakeFixture server(Side::server);
  EXPECT_FALSE(server.handshake.done().has_frames());
  server.run();
  EXPECT_TRUE(server.handshake.is_confirmed());
  EXPECT_EQ(server.observer.confirmed, 1);
  EXPECT_TRUE(server.handshake.done().has_frames());
}

TEST(HandshakeDone, IsSentUntilItIsAcknowledged) {
  HandshakeDone done;
  EXPECT_FALSE(done.has_frames());
  done.send();
  std::vector<u8> storage(20);
  PacketWriter out(storage, PacketType::one_rtt);
  done.write_frames(out);
  EXPECT_FALSE(done.has_frames());
  done.on_fate({}, Fate::lost);
  EXPECT_TRUE(done.has_frames());
  PacketWriter again(storage, PacketType::one_rtt);
  done.write_frames(again);
  done.on_fate({}, Fate::acked);
  done.on_fate({}, Fate::lost);
  EXPECT_FALSE(done.has_frames()) << "the client has it";
}

TEST(Handshake, PassesThePeersParametersOnWithTheTimeOfTheCall) {
  HandshakeFixture client(Side::client);
  client.run();
  EXPECT_EQ(client.observer.parameters_at, std::vector<Instant>{kNow});
  EXPECT_EQ(client.observer.max_data, 1000U);
  EXPECT_EQ(client.handshake.peer_parameters().initial_max_data, 1000U);
  const auto ours = wire::TransportParameters::decode(client.tls->sent_parameters, Side::client);
  ASSERT_TRUE(ours);
  EXPECT_EQ(ours->initial_max_data, 77U) << "the observer fills its part in";
  EXPECT_EQ(ours->initial_source_connection_id, kClientId);
}

// [rfc9000-7.3-4].
TEST(Handshake, ConnectionIdsMustBeThoseOfThePackets) {
  const auto outcome = [](Side side, auto&& change) {
    HandshakeFixture fixture(side);
    fixture.handshake.on_packet_authenticated(kNow, fixture.header(PacketType::initial), kPto);
    wire::TransportParameters parameters = fixture.peer_parameters();
    change(parameters);
    return code_of(fixture.crypto(Level::initial, [&] {
      return HandshakeFixture::receive_parameters(fixture.session(), parameters);
    }));
  };
  constexpr auto kError = TransportErrorCode::transport_parameter_error;
  for (const Side side : {Side::client, Side::server}) {
    EXPECT_EQ(outcome(side, [](auto&) {}), TransportErrorCode::no_error);
    EXPECT_EQ(outcome(side, [](auto& p) { p.initial_source_connection_id = id_of(9); }), kError);
  }
  EXPECT_EQ(outcome(Side::client, [](auto& p) { p.original_destination_connection_id = id_of(9); }),
            kError);
  EXPECT_EQ(outcome(Side::client, [](auto& p) { p.retry_source_connection_id = id_of(9); }),
            kError);
}

// [rfc9001-4.1.3-1]: nothing may follow at a level that TLS has left.
TEST(Handshake, DataAfterItsKeysIsAnError) {
  HandshakeFixture client(Side::client);
  client.run();
  const std::array<u8, 4> data{};
  const Result late = client.handshake.on_frame(kNow, Level::initial, {.offset = 4, .data = data});
  EXPECT_EQ(code_of(late), TransportErrorCode::protocol_violation);
  client.handshake.confirm(kNow);
  EXPECT_TRUE(client.handshake.on_frame(kNow, Level::initial, {.offset = 8, .data = data}))
      << "its keys are gone: the packet had others";
}

// --- early data ----------------------------------------------------------------------------------

TEST(Handshake, EarlyDataIsSentUnderTheRememberedLimits) {
  HandshakeFixture client(Side::client, with_ticket(EarlyDataPolicy::resend));
  EXPECT_EQ(client.tls->offered_session, (std::vector<u8>{7, 7}));
  EXPECT_EQ(client.handshake.early_data(), EarlyData::offered);
  EXPECT_TRUE(client.handshake.can_send(Level::zero_rtt));
  EXPECT_TRUE(client.handshake.allows_streams());
  EXPECT_EQ(client.observer.max_data, 500U);
  EXPECT_TRUE(client.observer.limits_remembered);
  client.session().early = EarlyData::accepted;
  client.run();
  EXPECT_EQ(client.handshake.early_data(), EarlyData::accepted);
  EXPECT_EQ(client.observer.early, std::vector{EarlyData::accepted});
  EXPECT_EQ(client.observer.max_data, 1000U);
  EXPECT_FALSE(client.observer.limits_remembered);
  EXPECT_FALSE(client.handshake.can_send(Level::zero_rtt)) << "1-RTT keys replace them";
}

// [rfc9000-7.4.1-5].
TEST(Handshake, EarlyDataIsNotAcceptedUnderLowerLimits) {
  HandshakeFixture client(Side::client, with_ticket(EarlyDataPolicy::resend));
  client.handshake.on_packet_authenticated(kNow, client.header(PacketType::initial), kPto);
  client.session().early = EarlyData::accepted;
  const Result result = client.crypto(Level::initial, [&] {
    wire::TransportParameters lower = client.peer_parameters();
    lower.initial_max_data = 499;
    return HandshakeFixture::receive_parameters(client.session(), lower);
  });
  EXPECT_EQ(code_of(result), TransportErrorCode::protocol_violation);
}

// [rfc9001-4.6.2-2].
TEST(Handshake, RejectedEarlyDataWasNeverSent) {
  for (const auto policy : {EarlyDataPolicy::resend, EarlyDataPolicy::report}) {
    HandshakeFixture client(Side::client, with_ticket(policy));
    client.spaces.application().next_packet_number = 5;
    client.session().early = EarlyData::rejected;
    client.handshake.on_packet_authenticated(kNow, client.header(PacketType::initial), kPto);
    EXPECT_TRUE(client.crypto(Level::initial, [&] {
      return HandshakeFixture::receive_parameters(client.session(), client.peer_parameters());
    }));
    client.check();
    EXPECT_EQ(client.observer.early, std::vector{EarlyData::rejected});
    EXPECT_FALSE(client.handshake.can_send(Level::zero_rtt));
    EXPECT_EQ(client.handshake.allows_streams(), policy == EarlyDataPolicy::resend);
    EXPECT_TRUE(client.handshake.acknowledges_rejected({.largest_acknowledged = 4}));
    EXPECT_FALSE(client.handshake.acknowledges_rejected({.largest_acknowledged = 5}));
  }
}

// [rfc9001-4.9.3-4].
TEST(Handshake, AServersEarlyKeysLastThreePtosMore) {
  HandshakeFixture server(Side::server);
  server.session().handler.on_tls_secret(Level::zero_rtt, Direction::receive, kSuite, kSecret);
  EXPECT_EQ(server.observer.early, std::vector{EarlyData::accepted});
  EXPECT_TRUE(server.handshake.can_receive(Level::zero_rtt));
  EXPECT_EQ(server.handshake.deadline(), kNever);
  server.run();
  server.handshake.on_packet_authenticated(kNow, {.type = PacketType::one_rtt}, kPto);
  server.handshake.on_packet_authenticated(kNow + 1s, {.type = PacketType::one_rtt}, kPto);
  server.check();
  EXPECT_EQ(server.handshake.deadline(), kNow + 3 * kPto);
  server.handshake.on_deadline(kNow + 3 * kPto - 1ns);
  EXPECT_TRUE(server.handshake.can_receive(Level::zero_rtt));
  server.handshake.on_deadline(kNow + 3 * kPto);
  server.check();
  EXPECT_FALSE(server.handshake.can_receive(Level::zero_rtt));
  EXPECT_EQ(server.handshake.deadline(), kNever);
}

// [rfc9369-5-2], [rfc9000-7.4.1-9].
TEST(Handshake, TicketsServeOneVersionAndNoLowerLimits) {
  HandshakeFixture server(Side::server);
  crypto::TlsHandler& handler = server.session().handler;
  const std::vector<u8> ticket = handler.tls_ticket_data();
  EXPECT_EQ(handler.on_tls_ticket(ticket), crypto::TicketUse::resume_with_early_data);
  EXPECT_EQ(handler.on_tls_ticket({}), crypto::TicketUse::refuse);
  auto remembered = TicketData::decode(ticket);
  ASSERT_TRUE(remembered);
  ++remembered->parameters.initial_max_data;
  EXPECT_EQ(handler.on_tls_ticket(remembered->encode()), crypto::TicketUse::resume)
      << "the limit is lower now";
  ConnectionSetup later;
  later.version = Version::v2;
  HandshakeFixture other(Side::server, later);
  EXPECT_EQ(other.session().handler.on_tls_ticket(ticket), crypto::TicketUse::refuse);

  HandshakeFixture client(Side::client);
  client.run();
  const std::array<u8, 3> session{4, 5, 6};
  client.session().handler.on_tls_session(session);
  ASSERT_EQ(client.observer.tickets.size(), 1U);
  const auto kept = SessionTicket::decode(client.observer.tickets[0]);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->session, (std::vector<u8>{4, 5, 6}));
  EXPECT_EQ(kept->parameters.initial_max_data, 1000U);
}

}  // namespace
}  // namespace qpeer::transport::test
