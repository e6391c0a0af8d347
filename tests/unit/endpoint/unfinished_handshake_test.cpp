// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The getters of a connection whose handshake is at its beginning.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <variant>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"

namespace qpeer::transport {
namespace {

constexpr Instant kNow{1s};

class UnfinishedHandshake : public testing::Test {
 protected:
  static std::shared_ptr<crypto::TlsContext> tls() {
    crypto::TlsConfig config;
    config.credentials = crypto::generate_credentials(crypto::KeyType::ed25519, "server.test");
    config.alpn = {"test"};
    const auto made = crypto::make_tls_context(std::move(config));
    EXPECT_TRUE(made);
    return *made;
  }
  /// The first train of the client.
  std::vector<u8> first_flight() {
    EXPECT_TRUE(client.connect(kNow, address, {.tls = context}));
    std::vector<u8> storage(kMaxTransmitSize);
    TransmitBuffer out{storage};
    const auto transmit = client.poll_transmit(kNow, out);
    EXPECT_TRUE(transmit);
    storage.resize(transmit->size);
    return storage;
  }

  const SocketAddress address = SocketAddress::loopback4(4433);
  const std::shared_ptr<crypto::TlsContext> context = tls();
  Endpoint client{{}, crypto::openssl_keys(), crypto::system_random()};
  Endpoint server{{.server_tls = context}, crypto::openssl_keys(), crypto::system_random()};
};

/// Calls every getter of Connection.
void ask_everything(const Connection& connection, Side side) {
  EXPECT_EQ(connection.side(), side);
  EXPECT_EQ(connection.version(), Version::v1);
  EXPECT_EQ(connection.path().remote, SocketAddress::loopback4(4434));
  EXPECT_FALSE(connection.is_connected());
  EXPECT_FALSE(connection.is_confirmed());
  EXPECT_FALSE(connection.is_resumed());
  EXPECT_EQ(connection.early_data(), crypto::EarlyData::none);
  EXPECT_EQ(connection.close_reason().has_value(), connection.is_closed());
  EXPECT_TRUE(connection.peer_certificate().der.empty());
  EXPECT_EQ(connection.alpn(), "");
  EXPECT_EQ(connection.server_name(), "");
  EXPECT_EQ(connection.key_exchange_group(), "");
  (void)connection.cipher_suite();
  EXPECT_FALSE(connection.peer_parameters().stateless_reset_token);
  EXPECT_GT(connection.stats().packets_received, 0U);
  EXPECT_FALSE(connection.is_early(StreamId{0}));
  EXPECT_EQ(connection.reset_code(StreamId{0}), 0U);
  EXPECT_FALSE(connection.max_datagram_payload());
  EXPECT_FALSE(connection.was_datagram_early());
  (void)connection.receives_datagrams();
}

// A client whose key share needs two datagrams, and whose second one is lost for good.
TEST_F(UnfinishedHandshake, EveryGetterWorksWithHalfAClientHello) {
  std::vector<u8> flight = first_flight();
  ASSERT_GT(flight.size(), 1200U) << "the ClientHello fits in one datagram";
  const MutableBytes first = MutableBytes(flight).first(1200);
  server.on_datagram(kNow, {.path = {.local = address, .remote = SocketAddress::loopback4(4434)},
                            .payload = first});
  ASSERT_EQ(server.stats().accepted, 1U);
  std::optional<EndpointEvent> closed;
  for (int i = 0; i < 1000 && !closed; ++i) {
    std::array<u8, kMaxTransmitSize> storage{};
    TransmitBuffer out{storage};
    const Instant now = i == 0 ? kNow : server.next_deadline();
    ASSERT_NE(now, kNever);
    server.on_deadline(now);
    while (server.poll_transmit(now, out)) continue;
    closed = server.poll_event();
  }
  ASSERT_TRUE(closed);
  const auto& activity = std::get<ConnectionActivity>(*closed);
  ASSERT_TRUE(std::holds_alternative<Closed>(activity.event));
  const Connection* const connection = server.find(activity.connection);
  ASSERT_NE(connection, nullptr);
  EXPECT_TRUE(connection->is_closed());
  ask_everything(*connection, Side::server);
}

}  // namespace
}  // namespace qpeer::transport
