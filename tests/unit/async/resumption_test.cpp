// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Tickets and early data through the handles, on real sockets. RFC 9001 §4.5, §4.6.
#include <gtest/gtest.h>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/tests/unit/async/loopback.hpp"

namespace qpeer::async {
namespace {

class AsyncResumptionTest : public Loopback {
 protected:
  void SetUp() override {
    crypto::TlsConfig config;
    config.credentials = crypto::generate_credentials(crypto::KeyType::ed25519, "server");
    config.alpn = {std::string(kTestAlpn)};
    config.mutual = false;
    config.tickets.early_data = true;
    open({.endpoint = {.connection = {.max_datagram_frame_size = 65'535},
                       .server_tls = *crypto::make_tls_context(config)}});
  }

  /// What a first connection is given.
  Task<void> become_acquainted() {
    Both both = co_await connect();
    EXPECT_FALSE(both.client.info().resumed);
    auto ticket = co_await both.client.session_ticket();
    EXPECT_TRUE(ticket.has_value());
    connect_options.session_ticket = *ticket;
    connect_options.early_data = transport::EarlyDataPolicy::resend;
  }

  /// A request that leaves with the handshake; whether it was taken.
  Task<bool> ask_early() {
    auto connection = client->connect_early(server->local_address(), connect_options);
    auto stream = co_await connection->open_early_stream();
    (void)co_await stream->write(as_bytes("early"));
    (void)stream->finish();
    auto accepted = co_await server->accept();
    auto incoming = co_await accepted->accept_stream();
    const auto request = co_await incoming->read_all(100);
    EXPECT_EQ(as_text(*request), "early");
    const bool early = accepted->is_early(*incoming);
    (void)co_await incoming->write(as_bytes("answer"));
    (void)incoming->finish();
    const auto answer = co_await stream->read_all(100);
    EXPECT_EQ(as_text(*answer), "answer");
    EXPECT_TRUE((co_await connection->established()).has_value());
    EXPECT_TRUE((co_await accepted->established()).has_value());
    EXPECT_EQ(connection->early_data_accepted().value_or(false), early);
    EXPECT_EQ(connection->info().resumed, accepted->info().resumed);
    EXPECT_EQ(connection->info().alpn, kTestAlpn);
    co_return early;
  }
};

TEST_F(AsyncResumptionTest, AnEarlyRequestIsAnswered) {
  run(loop, become_acquainted());
  EXPECT_TRUE(run(loop, ask_early()));
}

TEST_F(AsyncResumptionTest, WithoutATicketTheRequestIsSentAfterTheHandshake) {
  connect_options.early_data = transport::EarlyDataPolicy::resend;
  EXPECT_FALSE(run(loop, ask_early()));
}

TEST_F(AsyncResumptionTest, ARejectedEarlyRequestIsSentAgain) {
  run(loop, become_acquainted());
  const auto ticket = connect_options.session_ticket;
  SetUp();  // Another server.
  connect_options.session_ticket = ticket;
  connect_options.early_data = transport::EarlyDataPolicy::resend;
  EXPECT_FALSE(run(loop, ask_early()));
}

TEST_F(AsyncResumptionTest, ARejectionIsReportedWhereThePolicySaysSo) {
  run(loop, become_acquainted());
  const auto ticket = connect_options.session_ticket;
  SetUp();  // Another server.
  connect_options.session_ticket = ticket;
  connect_options.early_data = EarlyDataPolicy::report;
  auto body = [this]() -> Task<void> {
    auto connection = client->connect_early(server->local_address(), connect_options);
    auto first = co_await connection->open_early_stream();
    auto other = co_await connection->open_early_stream();
    (void)co_await first->write(as_bytes("early"));
    (void)first->finish();
    EXPECT_TRUE((co_await connection->established()).has_value());
    EXPECT_EQ(connection->early_data_accepted(), false);
    EXPECT_EQ((co_await first->read_all(9)).error(), StreamError::closed);
    EXPECT_EQ((co_await first->finished()).error(), StreamError::closed);
    EXPECT_EQ((co_await other->write(as_bytes("late"))).error(), StreamError::closed);
    EXPECT_EQ(other->reset(1).error(), StreamError::closed);
    auto second = co_await connection->open_stream();
    EXPECT_EQ(second->id(), first->id());
    {
      const AsyncStream gone = std::move(*first);
    }
    (void)co_await second->write(as_bytes("again"));
    (void)second->finish();
    auto accepted = co_await server->accept();
    auto incoming = co_await accepted->accept_stream();
    const auto request = co_await incoming->read_all(9);
    EXPECT_EQ(as_text(*request), "again");
    EXPECT_FALSE(accepted->is_early(*incoming));
    EXPECT_TRUE((co_await second->finished()).has_value());
  };
  run(loop, body());
}

TEST_F(AsyncResumptionTest, EarlyDatagramsAreMarked) {
  run(loop, become_acquainted());
  auto body = [this]() -> Task<void> {
    auto connection = client->connect_early(server->local_address(), connect_options);
    EXPECT_EQ(connection->send_datagram(as_bytes("soon")), std::unexpected(DatagramError::closed));
    EXPECT_TRUE(connection->send_early_datagram(as_bytes("early")).has_value());
    auto accepted = co_await server->accept();
    auto datagram = co_await accepted->receive_datagram();
    EXPECT_EQ(as_text(*datagram), "early");
    EXPECT_TRUE(accepted->was_datagram_early());
    EXPECT_TRUE((co_await connection->established()).has_value());
    EXPECT_TRUE(connection->send_datagram(as_bytes("late")).has_value());
    datagram = co_await accepted->receive_datagram();
    EXPECT_EQ(as_text(*datagram), "late");
    EXPECT_FALSE(accepted->was_datagram_early());
  };
  run(loop, body());
}

TEST_F(AsyncResumptionTest, EarlyConnectionsEndAsOthersDo) {
  auto body = [this]() -> Task<void> {
    connect_options.connection.handshake_timeout = 50ms;
    const SocketAddress nobody = mute.local_address();
    auto connection = client->connect_early(nobody, connect_options);
    EXPECT_FALSE((co_await connection->open_early_stream()).has_value());
    EXPECT_FALSE((co_await connection->established()).has_value());
    EXPECT_FALSE((co_await connection->session_ticket()).has_value());
  };
  run(loop, body());
}

}  // namespace
}  // namespace qpeer::async
