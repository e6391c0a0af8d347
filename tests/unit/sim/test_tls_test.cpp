// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The test handshake: the order of real TLS, equal secrets, and the errors it must find.
#include "qpeer/tests/sim/test_tls.hpp"

#include <deque>
#include <map>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/null_keys.hpp"
#include "qpeer/tests/sim/seeded_random.hpp"

namespace qpeer::sim {
namespace {

using crypto::Direction;

/// One end: notes what its session asks for, in order.
struct End final : crypto::TlsHandler {
  struct Flight {
    EncryptionLevel level;
    std::vector<u8> data;
  };
  std::deque<Flight> out;
  std::string log;  ///< "d0" data at level 0, "s2"/"r2" send/receive secret, "p" parameters.
  std::map<std::pair<EncryptionLevel, Direction>, std::vector<u8>> secrets;
  std::string peer_parameters;
  Result answer{};
  std::unique_ptr<crypto::TlsSession> session;

  void on_tls_data(EncryptionLevel level, Bytes data) override {
    const std::string entry = "d" + std::to_string(static_cast<int>(level)) + " ";
    if (!log.ends_with(entry)) log += entry;
    out.push_back({level, {data.begin(), data.end()}});
  }
  void on_tls_secret(EncryptionLevel level, Direction direction, crypto::CipherSuite,
                     Bytes secret) override {
    log +=
        (direction == Direction::send ? "s" : "r") + std::to_string(static_cast<int>(level)) + " ";
    secrets[{level, direction}].assign(secret.begin(), secret.end());
  }
  Result on_tls_transport_parameters(Bytes parameters) override {
    log += "p ";
    peer_parameters = as_text(parameters);
    return answer;
  }
};

struct Handshake {
  SeededRandom random{1};
  End client;
  End server;

  explicit Handshake(TestTlsConfig client_config = {}, TestTlsConfig server_config = {}) {
    client.session = make_test_tls(random, std::move(client_config))
                         ->new_session(Side::client, "name", as_bytes("client's"), client);
    server.session = make_test_tls(random, std::move(server_config))
                         ->new_session(Side::server, "", as_bytes("server's"), server);
  }
  /// Carries everything across in pieces; the first error of either side.
  Result run(std::size_t piece = 1'000) {
    if (auto result = client.session->start(); !result) return result;
    while (!client.out.empty() || !server.out.empty()) {
      for (auto [from, to] : {std::pair{&client, &server}, std::pair{&server, &client}}) {
        while (!from->out.empty()) {
          const End::Flight flight = std::move(from->out.front());
          from->out.pop_front();
          Bytes rest = flight.data;
          while (!rest.empty()) {
            const Bytes part = rest.first(std::min(piece, rest.size()));
            rest = rest.subspan(part.size());
            if (auto result = to->session->on_data(flight.level, part); !result) return result;
          }
        }
      }
    }
    return {};
  }
};

TransportErrorCode code_of(const Result& result) {
  return result ? TransportErrorCode::no_error : result.error().code;
}

TEST(TestTls, FollowsTheOrderOfRealTls) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{10'000}}) {
    Handshake handshake;
    ASSERT_TRUE(handshake.run(piece));
    EXPECT_EQ(handshake.client.log, "d0 s2 r2 p d2 s3 r3 ");
    EXPECT_EQ(handshake.server.log, "p d0 s2 r2 d2 s3 r3 d3 ");
    EXPECT_TRUE(handshake.client.session->is_complete());
    EXPECT_TRUE(handshake.server.session->is_complete());
  }
}

TEST(TestTls, BothEndsAgree) {
  Handshake handshake({.identity = "alice"}, {.identity = "bob"});
  ASSERT_TRUE(handshake.run());
  auto& [random, client, server] = handshake;
  for (const EncryptionLevel level : {EncryptionLevel::handshake, EncryptionLevel::one_rtt}) {
    EXPECT_EQ((client.secrets[{level, Direction::send}]),
              (server.secrets[{level, Direction::receive}]));
    EXPECT_EQ((client.secrets[{level, Direction::receive}]),
              (server.secrets[{level, Direction::send}]));
    EXPECT_NE((client.secrets[{level, Direction::send}]),
              (client.secrets[{level, Direction::receive}]));
  }
  EXPECT_EQ(client.peer_parameters, "server's");
  EXPECT_EQ(server.peer_parameters, "client's");
  EXPECT_EQ(server.session->server_name(), "name");
  EXPECT_EQ(client.session->alpn(), "sim");
  EXPECT_EQ(server.session->alpn(), "sim");
  EXPECT_EQ(as_text(client.session->peer_certificate().der), "bob");
  EXPECT_EQ(as_text(server.session->peer_certificate().der), "alice");
}

TEST(TestTls, MessagesHaveTheSizesAskedFor) {
  Handshake handshake({.client_hello_size = 2'000}, {.server_flight_size = 10'000});
  ASSERT_TRUE(handshake.client.session->start());
  ASSERT_EQ(handshake.client.out.front().data.size(), 2'000U);
  ASSERT_TRUE(handshake.server.session->on_data(EncryptionLevel::initial,
                                                handshake.client.out.front().data));
  std::size_t flight = 0;
  for (const auto& part : handshake.server.out) {
    if (part.level == EncryptionLevel::handshake) flight += part.data.size();
  }
  EXPECT_EQ(flight, 10'000U);
}

TEST(TestTls, FindsEveryChangedByte) {
  Handshake sample;
  ASSERT_TRUE(sample.client.session->start());
  const std::vector<u8> hello = sample.client.out.front().data;
  for (std::size_t i = 0; i < hello.size(); ++i) {
    Handshake handshake;
    std::vector<u8> changed = hello;
    changed[i] ^= 0x10;
    const Result result = handshake.server.session->on_data(EncryptionLevel::initial, changed);
    const bool waits = result && handshake.server.log.empty();  // A length that asks for more.
    EXPECT_TRUE(waits || code_of(result) == crypto_error(50)) << "byte " << i;
  }
}

TEST(TestTls, RefusesWhatTlsRefuses) {
  EXPECT_EQ(code_of(Handshake({.alpn = {"a"}}, {.alpn = {"b"}}).run()), TransportErrorCode{0x178});
  EXPECT_EQ(code_of(Handshake({.send_transport_parameters = false}, {}).run()),
            TransportErrorCode{0x16d});
  EXPECT_EQ(code_of(Handshake({}, {.send_transport_parameters = false}).run()),
            TransportErrorCode{0x16d});
  const auto refuse = [](const crypto::PeerCertificate&) { return false; };
  EXPECT_EQ(code_of(Handshake({.verify_peer = refuse}, {}).run()), crypto_error(42));
  EXPECT_EQ(code_of(Handshake({}, {.verify_peer = refuse}).run()), crypto_error(42));
  EXPECT_EQ(code_of(Handshake({.identity = ""}, {}).run()), crypto_error(116));
  EXPECT_EQ(code_of(Handshake({.identity = ""}, {.mutual = false}).run()),
            TransportErrorCode::no_error);
  Handshake unwilling;
  unwilling.server.answer = fail(TransportErrorCode::transport_parameter_error, "no");
  EXPECT_EQ(code_of(unwilling.run()), TransportErrorCode::transport_parameter_error);
}

TEST(TestTls, ServerChoosesTheFirstOfItsProtocolsThatIsOffered) {
  Handshake handshake({.alpn = {"x", "b", "a"}}, {.alpn = {"a", "b"}});
  ASSERT_TRUE(handshake.run());
  EXPECT_EQ(handshake.client.session->alpn(), "a");
}

TEST(NullKeys, OpensOnlyWhatWasSealedAlike) {
  NullKeys keys;
  const Version version = Version::v1;
  const auto suite = crypto::CipherSuite::aes_128_gcm_sha256;
  const auto secrets = keys.initial_secrets(version, as_bytes("destination"));
  auto aead = keys.next_aead(version, suite, secrets.client);
  const auto sealed = [&] {
    std::vector<u8> packet(64, 7);
    aead->seal(5, as_bytes("header"), packet);
    return packet;
  };
  auto packet = sealed();
  EXPECT_TRUE(aead->open(5, as_bytes("header"), packet));
  EXPECT_TRUE(equal(Bytes(packet).first(48), std::vector<u8>(48, 7)));
  EXPECT_FALSE(aead->open(6, as_bytes("header"), packet = sealed()));
  EXPECT_FALSE(aead->open(5, as_bytes("Header"), packet = sealed()));
  EXPECT_FALSE(aead->open(5, as_bytes("header"), MutableBytes(packet).first(15)));
  for (std::size_t i = 0; i < 64; ++i) {
    packet = sealed();
    packet[i] ^= 1;
    EXPECT_FALSE(aead->open(5, as_bytes("header"), packet)) << i;
  }
  packet = sealed();
  EXPECT_FALSE(keys.next_aead(version, suite, secrets.server)->open(5, as_bytes("header"), packet));
  const auto next = keys.next_secret(version, suite, secrets.client);
  EXPECT_FALSE(keys.next_aead(version, suite, next)->open(5, as_bytes("header"), packet));
  EXPECT_TRUE(NullKeys({.accept_any_tag = true})
                  .next_aead(version, suite, next)
                  ->open(5, as_bytes("header"), packet));
}

}  // namespace
}  // namespace qpeer::sim
