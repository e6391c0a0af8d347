// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The same over the real thing: OpenSSL's TLS and AEADs under virtual time.
#include <string>

#include <gtest/gtest.h>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

using crypto::CipherSuite;

std::shared_ptr<crypto::TlsContext> context(std::string_view name, CipherSuite suite) {
  crypto::TlsConfig config;
  config.credentials = crypto::generate_credentials(crypto::KeyType::ed25519, name);
  config.alpn = {"sim"};
  config.cipher_suites = {suite};
  auto made = crypto::make_tls_context(std::move(config));
  EXPECT_TRUE(made.has_value()) << (made ? "" : to_string(made.error()));
  return made ? *made : nullptr;
}

PeerConfig real_config(CipherSuite suite = CipherSuite::aes_128_gcm_sha256) {
  PeerConfig config;
  config.real_client_tls = context("client.example", suite);
  config.real_server_tls = context("server.example", suite);
  config.keys = &crypto::openssl_keys();
  return config;
}

SIMULATE(RealTls, TransferWithEachCipherSuite) {
  for (const CipherSuite suite : {CipherSuite::aes_128_gcm_sha256, CipherSuite::aes_256_gcm_sha384,
                                  CipherSuite::chacha20_poly1305_sha256}) {
    const PeerConfig config = real_config(suite);
    auto [client, server] =
        network.pair(Link{.delay = 10ms, .rate = 50_mbit, .loss = 0.02}, config, config);
    client.sends(300_KiB);
    server.sends(300_KiB);
    ASSERT_TRUE(run_until(server.received(300_KiB), 20s));
    ASSERT_TRUE(run_until(client.received(300_KiB), 20s));
    EXPECT_EQ(client.connection().cipher_suite(), suite);
    EXPECT_EQ(server.connection().cipher_suite(), suite);
    EXPECT_FALSE(client.connection().peer_certificate().public_key_spki.empty());
    EXPECT_FALSE(server.connection().peer_certificate().public_key_spki.empty());
  }
}

SIMULATE(RealTls, HandshakeTakesOneRoundTrip) {
  const PeerConfig config = real_config();
  auto [client, server] = network.pair(Link{.delay = 50ms}, config, config);
  const Instant start = network.now();
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  EXPECT_EQ(*client.session().connected_at, start + 100ms);
  EXPECT_EQ(client.connection().key_exchange_group(), "X25519MLKEM768");
}

// [rfc9369-3-1]
SIMULATE(RealTls, VersionTwo) {
  PeerConfig config = real_config();
  config.connection.version = Version::v2;
  auto [client, server] = network.pair(Link{}, config, config);
  client.sends(10_KiB);
  EXPECT_TRUE(run_until(server.received(10_KiB), 5s));
}

// [rfc9369-4-3]: the server's transport parameters are made when the client's are read.
SIMULATE(RealTls, ServerMovesTheClientToAnotherVersion) {
  for (const auto& [from, to] :
       {std::pair{Version::v1, Version::v2}, std::pair{Version::v2, Version::v1}}) {
    PeerConfig config = real_config();
    config.connection.version = from;
    config.endpoint.connection.preferred_version = to;
    auto [client, server] = network.pair(Link{}, config, config);
    client.sends(10_KiB);
    ASSERT_TRUE(run_until(server.received(10_KiB), 5s));
    EXPECT_EQ(client.connection().version(), to);
    EXPECT_EQ(server.connection().version(), to);
    EXPECT_EQ(client.connection().peer_parameters().version_information->chosen_version, to);
  }
}

TEST(RealTls, HandshakeSurvivesLossAndCorruption) {
  const PeerConfig real = real_config();
  for (std::uint64_t seed = 0; seed < 25; ++seed) {
    PeerNetwork network(seed);
    PeerConfig config = real;
    config.connection.handshake_timeout = 60s;
    config.endpoint.connection.handshake_timeout = 60s;
    auto [client, server] = network.pair(
        Link{.delay = 10ms, .loss = 0.2, .reorder = 0.1, .duplicate = 0.1, .corrupt = 0.1}, config,
        config);
    client.sends(10_KiB);
    EXPECT_TRUE(network.run_until(server.received(10_KiB), 60s)) << "QPEER_SEED=" << seed;
  }
}

SIMULATE(RealTls, RetryAndKeyUpdates) {
  PeerConfig config = real_config();
  config.endpoint.retry = transport::RetryPolicy::always;
  auto [client, server] =
      network.pair(Link{.delay = 10ms, .rate = 20_mbit, .reorder = 0.1}, config, config);
  client.sends(3_MiB);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  EXPECT_EQ(server.endpoint().stats().accepted, 1U);
  int updates = 0;
  for (int i = 0; i < 20 && updates < 3; ++i) {
    run_for(50ms);
    updates += (updates % 2 == 0 ? client : server).connection().initiate_key_update() ? 1 : 0;
  }
  EXPECT_EQ(updates, 3);
  ASSERT_TRUE(run_until(server.received(3_MiB), 20s));
  EXPECT_TRUE(run_until([&] { return client.session().stats().key_updates == 3; }, 5s));
}

SIMULATE(RealTls, StatelessResetOfARestartedServer) {
  PeerConfig config = real_config();
  config.endpoint.reset_key.fill(9);
  auto [client, server] = network.pair(Link{.delay = 10ms}, config, config);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  server.restart();
  client.sends(10_KiB);
  ASSERT_TRUE(run_until(client.closed(), 5s));
  EXPECT_EQ(client.session().close->kind, transport::CloseReason::Kind::stateless_reset);
}

// [rfc9000-7-1]: the server is authenticated; the tests of TlsSession and TlsTrust show the rest.
SIMULATE(RealTls, ServerThatIsNotTheOneIsRefused) {
  PeerConfig config = real_config();
  crypto::TlsConfig picky;
  picky.credentials = crypto::generate_credentials(crypto::KeyType::ed25519, "client.example");
  picky.alpn = {"sim"};
  picky.verify_peer = [](const crypto::PeerCertificate&) { return false; };
  config.real_client_tls = crypto::make_tls_context(std::move(picky)).value();
  auto [client, server] = network.pair(Link{}, config, config);
  ASSERT_TRUE(run_until([&] { return client.closed()() && server.closed()(); }, 5s));
  EXPECT_EQ(client.session().close->kind, transport::CloseReason::Kind::local_transport);
  EXPECT_EQ(client.session().close->code & 0xff00, 0x100U);
  EXPECT_EQ(server.session().close->kind, transport::CloseReason::Kind::peer_transport);
}

}  // namespace
}  // namespace qpeer::sim
