// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A server knows whom it turned away, and why. Each reason has an event and a counter.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/async/loopback.hpp"

namespace qpeer::async {
namespace {

using transport::Rejection;

class RejectedClients : public Loopback {
 protected:
  using Tls = std::shared_ptr<crypto::TlsContext>;

  static Tls tls(crypto::TlsConfig config) {
    if (config.alpn.empty()) config.alpn = {std::string(kTestAlpn)};
    auto context = crypto::make_tls_context(std::move(config));
    EXPECT_TRUE(context);
    return context ? std::move(*context) : nullptr;
  }
  static crypto::Credentials issue(const crypto::Credentials& authority) {
    const std::array<std::string, 1> names{"localhost"};
    auto issued = crypto::issue_certificate(authority, names, crypto::KeyType::p256, 10);
    EXPECT_TRUE(issued);
    return issued ? std::move(*issued) : crypto::Credentials{};
  }

  /// Demands certificates of `authority`.
  void open_mutual() {
    AsyncEndpointOptions options;
    options.endpoint.server_tls = tls({.credentials = issue(authority),
                                       .trust = crypto::Trust::private_authority,
                                       .authorities_pem = authority.certificate_pem,
                                       .mutual = true});
    open(std::move(options));
    watch();
  }
  void watch() {
    server->on_rejected_client([this](const RejectedClient& client) { events.push_back(client); });
  }

  /// Dials with that TLS, and expects that the server knows.
  void expect(Tls client_tls, Rejection why) {
    events.clear();
    const auto before = server->stats().rejected;
    connect_options.tls = std::move(client_tls);
    connect_options.server_name = "localhost";
    auto body = [&]() -> Task<void> {
      auto connection = co_await client->connect(server->local_address(), connect_options);
      if (connection) (void)co_await connection->closed();  // TLS 1.3: a client is done early.
    };
    run(loop, body());
    EXPECT_TRUE(turn_until([&] { return !events.empty(); })) << to_string(why);
    ASSERT_EQ(events.size(), 1U) << to_string(why);
    EXPECT_EQ(events[0].why, why) << to_string(events[0].reason);
    EXPECT_EQ(events[0].remote, client->local_address());
    auto expected = before;
    ++expected[static_cast<std::size_t>(why)];
    EXPECT_EQ(server->stats().rejected, expected) << to_string(why);
  }

  crypto::Credentials authority = crypto::make_authority("one", 10);
  crypto::Credentials other_authority = crypto::make_authority("another", 10);
  std::vector<RejectedClient> events;
};

TEST_F(RejectedClients, WithoutACertificate) {
  open_mutual();
  expect(tls({}), Rejection::no_certificate);
}

TEST_F(RejectedClients, WithACertificateOfAnotherAuthority) {
  open_mutual();
  expect(tls({.credentials = issue(other_authority)}), Rejection::bad_certificate);
}

TEST_F(RejectedClients, WhoTrustAnotherAuthority) {
  open_mutual();
  expect(tls({.credentials = issue(authority),
              .trust = crypto::Trust::private_authority,
              .authorities_pem = other_authority.certificate_pem}),
         Rejection::server_not_trusted);
}

TEST_F(RejectedClients, WhoSpeakAnotherProtocol) {
  open_mutual();
  expect(tls({.credentials = issue(authority), .alpn = {"else/1"}}),
         Rejection::no_application_protocol);
}

TEST_F(RejectedClients, AcceptedOnesAreNotReported) {
  open_mutual();
  connect_options.tls = tls({.credentials = issue(authority)});
  auto body = [&]() -> Task<void> {
    Both both = co_await connect();
    both.server.close();
    (void)co_await both.client.closed();
  };
  run(loop, body());
  EXPECT_TRUE(events.empty());
  EXPECT_EQ(server->stats().rejected, transport::RejectionCounts{});
}

TEST_F(RejectedClients, ForWhomAcceptHasNoRoom) {
  AsyncEndpointOptions options;
  options.backlog = 0;
  open(std::move(options));
  watch();
  expect(client_tls(std::string(kTestAlpn)), Rejection::full);
}

// These cost nothing but an answer, so they are only counted.
TEST_F(RejectedClients, ForWhomALimitLeavesNoRoom) {
  AsyncEndpointOptions options;
  options.endpoint.max_connections = 0;
  open(std::move(options));
  watch();
  auto body = [&]() -> Task<void> {
    const auto connection = co_await client->connect(server->local_address(), connect_options);
    EXPECT_FALSE(connection);
  };
  run(loop, body());
  EXPECT_TRUE(events.empty());
  EXPECT_GE(server->stats().rejected[static_cast<std::size_t>(Rejection::full)], 1U);
}

TEST_F(RejectedClients, TheCallbackMayDestroyTheEndpoint) {
  open_mutual();
  server->on_rejected_client([this](const RejectedClient&) { server.reset(); });
  connect_options.tls = tls({});
  auto body = [&]() -> Task<void> {
    auto connection = co_await client->connect(server->local_address(), connect_options);
    if (connection) (void)co_await connection->closed();
  };
  run(loop, body());
  EXPECT_TRUE(turn_until([&] { return !server; }));
}

TEST_F(RejectedClients, SocketsAndDropsAreCounted) {
  auto body = [&]() -> Task<void> {
    Both both = co_await connect();
    both.server.close();
    (void)co_await both.client.closed();
  };
  run(loop, body());
  auto noise = io::UdpSocket::bind(SocketAddress::loopback4(0));
  ASSERT_TRUE(noise);
  const std::array<u8, 30> bytes{0x40};
  EXPECT_TRUE(
      noise->send({.path = {.local = {}, .remote = server->local_address()}, .size = 30}, bytes));
  const auto unknown = static_cast<std::size_t>(DropReason::unknown_connection);
  EXPECT_TRUE(turn_until([&] { return server->stats().dropped[unknown] == 1; }));
  const io::UdpStats stats = server->udp_stats();
  EXPECT_GE(stats.datagrams_received, 3U);
  EXPECT_GE(stats.datagrams_sent, 2U);
  EXPECT_EQ(stats.datagrams_received, server->stats().datagrams_received);
}

}  // namespace
}  // namespace qpeer::async
