// Tickets and early data through the handles, on real sockets. RFC 9001 §4.5, §4.6.
#include <gtest/gtest.h>

#include "crypto/identity.hpp"
#include "tests/unit/async/loopback.hpp"

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
    open({.endpoint = {.server_tls = *crypto::make_tls_context(config)}});
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

TEST_F(AsyncResumptionTest, WithoutATicketItComesLater) {
  connect_options.early_data = transport::EarlyDataPolicy::resend;
  EXPECT_FALSE(run(loop, ask_early()));
}

TEST_F(AsyncResumptionTest, RejectedItComesAgain) {
  run(loop, become_acquainted());
  const auto ticket = connect_options.session_ticket;
  SetUp();  // Another server.
  connect_options.session_ticket = ticket;
  connect_options.early_data = transport::EarlyDataPolicy::resend;
  EXPECT_FALSE(run(loop, ask_early()));
}

TEST_F(AsyncResumptionTest, EarlyConnectionsEndAsOthersDo) {
  auto body = [this]() -> Task<void> {
    connect_options.connection.handshake_timeout = 50ms;
    const auto nobody = SocketAddress::loopback4(9);
    auto connection = client->connect_early(nobody, connect_options);
    EXPECT_FALSE((co_await connection->open_early_stream()).has_value());
    EXPECT_FALSE((co_await connection->established()).has_value());
    EXPECT_FALSE((co_await connection->session_ticket()).has_value());
  };
  run(loop, body());
}

}  // namespace
}  // namespace qpeer::async
