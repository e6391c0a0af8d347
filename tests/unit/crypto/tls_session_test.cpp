// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The handshake: order of secrets, suites, groups, levels, what goes wrong.
#include "qpeer/crypto/tls_session.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "qpeer/tests/unit/crypto/tls_pair.hpp"

namespace qpeer::crypto {
namespace {

constexpr auto kInitial = EncryptionLevel::initial;
constexpr auto kHandshake = EncryptionLevel::handshake;
constexpr auto kOneRtt = EncryptionLevel::one_rtt;

void expect_same_secrets(const TlsPair& pair) {
  for (const auto level : {kHandshake, kOneRtt}) {
    for (const auto direction : {Direction::send, Direction::receive}) {
      const auto back = direction == Direction::send ? Direction::receive : Direction::send;
      const auto* ours = pair.client.secret(level, direction);
      const auto* theirs = pair.server.secret(level, back);
      ASSERT_TRUE(ours != nullptr && theirs != nullptr);
      EXPECT_EQ(ours->secret, theirs->secret);
      EXPECT_EQ(ours->suite, theirs->suite);
    }
  }
}

// RFC 9001 §4.1.4: keys come in this order, and data at the level of the newest send key.
TEST(TlsSession, CompletesInTheOrderOfTheRfc) {
  TlsPair pair;
  pair.run();
  ASSERT_TRUE(pair.complete()) << std::hex << pair.client_code() << " " << pair.server_code();
  expect_same_secrets(pair);
  const auto in_order = [](const std::string& log, std::initializer_list<const char*> steps) {
    std::size_t at = 0;
    for (const char* step : steps) {
      at = log.find(step, at);
      ASSERT_NE(at, std::string::npos) << step << " is out of order in: " << log;
    }
  };
  in_order(pair.client.log,
           {"data0 ", "send2 ", "receive2 ", "parameters ", "data2 ", "send3 ", "receive3 "});
  in_order(pair.server.log, {"parameters ", "data0 ", "send2 ", "receive2 ", "data2 ", "send3 ",
                             "receive3 ", "data3 "});  // The tickets.
  EXPECT_EQ(pair.client.log.find("data3"), std::string::npos);
  EXPECT_EQ(pair.client.session->read_level(), kOneRtt);
  EXPECT_EQ(pair.server.session->read_level(), kOneRtt);
  EXPECT_EQ(pair.client.peer_parameters, "from the server");
  EXPECT_EQ(pair.server.peer_parameters, "from the client");
  EXPECT_EQ(pair.client.session->alpn(), "qpeer-test");
  EXPECT_EQ(pair.server.session->alpn(), "qpeer-test");
  EXPECT_EQ(pair.server.session->server_name(), "server.test");
}

// What is not known yet is empty, and no question ends the process.
TEST(TlsSession, EveryGetterWorksAtEveryStageOfTheHandshake) {
  const auto ask = [](const TlsPeer& peer) {
    EXPECT_FALSE(peer.session->is_complete());
    EXPECT_EQ(peer.session->read_level(), kInitial);
    EXPECT_EQ(peer.session->early_data(), EarlyData::none);
    EXPECT_FALSE(peer.session->is_resumed());
    EXPECT_EQ(peer.session->alpn(), "");
    EXPECT_EQ(peer.session->group(), "");
    EXPECT_TRUE(peer.session->peer_certificate().der.empty());
    return peer.session->server_name();
  };
  TlsPair pair;
  EXPECT_EQ(ask(pair.server), "");
  EXPECT_EQ(ask(pair.client), "server.test");
  pair.change = [&](const TlsPeer& from, Flight& flight) {
    if (&from == &pair.client) flight.bytes.resize(flight.bytes.size() / 2);
  };
  pair.run();
  EXPECT_EQ(ask(pair.server), "") << "half a ClientHello";
  EXPECT_EQ(ask(pair.client), "server.test");
}

// RFC 9001 §4.1.1: the client is done with its Finished, the server not before it has seen that.
TEST(TlsSession, ServerIsNotCompleteBeforeTheClientsFinished) {
  TlsPair pair;
  pair.change = [&](const TlsPeer& from, const Flight& flight) {
    if (&from == &pair.client && flight.level == kHandshake) {
      EXPECT_FALSE(pair.server.session->is_complete());
      EXPECT_EQ(pair.server.secret(kOneRtt, Direction::receive), nullptr);
      EXPECT_NE(pair.server.secret(kOneRtt, Direction::send), nullptr);
    }
  };
  pair.run();
  EXPECT_TRUE(pair.complete());
}

TEST(TlsSession, CompletesWhenBytesComeOneByOne) {
  for (const std::size_t piece : {1, 2, 3, 7, 1000}) {
    TlsPair pair;
    pair.run(piece);
    EXPECT_TRUE(pair.complete()) << "in pieces of " << piece;
  }
}

class TlsSuiteTest : public testing::TestWithParam<CipherSuite> {};

TEST_P(TlsSuiteTest, IsNegotiatedWhenForced) {
  TlsConfig config = basic_config();
  config.cipher_suites = {GetParam()};
  TlsPair pair{config, basic_config()};
  pair.run();
  ASSERT_TRUE(pair.complete());
  expect_same_secrets(pair);
  for (const auto& each : pair.server.secrets) {
    EXPECT_EQ(each.suite, GetParam());
    EXPECT_EQ(each.secret.size(), GetParam() == CipherSuite::aes_256_gcm_sha384 ? 48U : 32U);
  }
}

INSTANTIATE_TEST_SUITE_P(Suites, TlsSuiteTest,
                         testing::Values(CipherSuite::aes_128_gcm_sha256,
                                         CipherSuite::aes_256_gcm_sha384,
                                         CipherSuite::chacha20_poly1305_sha256));

TEST(TlsSession, PrefersTheClientsFirstSuite) {
  TlsConfig config = basic_config();
  config.cipher_suites = {CipherSuite::chacha20_poly1305_sha256, CipherSuite::aes_128_gcm_sha256};
  TlsPair pair{config, basic_config()};
  pair.run();
  ASSERT_TRUE(pair.complete());
  EXPECT_EQ(pair.client.secrets[0].suite, CipherSuite::chacha20_poly1305_sha256);
  TlsPair plain;
  plain.run();
  EXPECT_EQ(plain.client.secrets[0].suite, CipherSuite::aes_128_gcm_sha256);
}

// RFC 9001 §5.3 [rfc9001-5.3-2]: unknown suites in an offer do no harm; none in common does.
TEST(TlsSession, FailsWithoutACommonSuite) {
  TlsConfig client = basic_config();
  client.cipher_suites = {CipherSuite::chacha20_poly1305_sha256};
  TlsConfig server = basic_config();
  server.cipher_suites = {CipherSuite::aes_128_gcm_sha256};
  TlsPair pair{client, server};
  pair.run();
  EXPECT_EQ(pair.server_code(), 0x128U);
}

TEST(TlsSession, OffersAHybridGroupByDefault) {
  TlsPair pair;
  ASSERT_TRUE(pair.client.session->start());
  std::size_t size = 0;
  for (const Flight& flight : pair.client.sent) size += flight.bytes.size();
  EXPECT_GT(size, 1200U) << "X25519MLKEM768 does not fit one datagram";
  pair.client.sent.clear();
  TlsPair whole;
  whole.run();
  ASSERT_TRUE(whole.complete());
  EXPECT_EQ(whole.client.session->group(), "X25519MLKEM768");
  EXPECT_EQ(whole.server.session->group(), "X25519MLKEM768");
}

TEST(TlsSession, SurvivesHelloRetryRequest) {
  TlsConfig client = basic_config();
  client.groups = "*X25519MLKEM768:P-384";
  TlsConfig server = basic_config();
  server.groups = "P-384";
  for (const std::size_t piece : {1, 100'000}) {
    TlsPair pair{client, server};
    pair.run(piece);
    ASSERT_TRUE(pair.complete()) << std::hex << pair.client_code() << " " << pair.server_code();
    expect_same_secrets(pair);
    EXPECT_EQ(pair.server.session->group(), "secp384r1");
    EXPECT_EQ(pair.server.parameter_calls, 1) << "they are told once, though they come twice";
    EXPECT_EQ(pair.server.log.find("data0 "), pair.server.log.find("parameters ") + 11);
    EXPECT_NE(pair.server.log.rfind("data0 "), pair.server.log.find("data0 ")) << "no retry";
  }
}

TEST(TlsSession, FailsWithoutACommonGroup) {
  TlsConfig client = basic_config();
  client.groups = "X25519";
  TlsConfig server = basic_config();
  server.groups = "P-384";
  TlsPair pair{client, server};
  pair.run();
  EXPECT_EQ(pair.server_code(), 0x128U);
}

// RFC 9001 §8.1 [rfc9001-8.1-2] [rfc9001-8.1-6]
TEST(TlsSession, FailsWithoutACommonProtocol) {
  TlsConfig client = basic_config();
  client.alpn = {"h3", "hq-interop"};
  TlsPair pair{client, basic_config()};
  pair.run();
  EXPECT_EQ(pair.server_code(), 0x178U);
  EXPECT_FALSE(pair.server.session->is_complete());
  EXPECT_TRUE(pair.server.session->alpn().empty());
}

// RFC 9001 §8.1 [rfc9001-8.1-5]: the server's preference decides.
TEST(TlsSession, ChoosesTheServersFirstProtocol) {
  TlsConfig client = basic_config();
  client.alpn = {"a", "b", "c"};
  TlsConfig server = basic_config();
  server.alpn = {"x", "c", "b"};
  TlsPair pair{client, server};
  pair.run();
  ASSERT_TRUE(pair.complete());
  EXPECT_EQ(pair.client.session->alpn(), "c");
}

TEST(TlsSession, AnswerToTransportParametersSurfaces) {
  for (const bool at_client : {true, false}) {
    TlsPair pair;
    (at_client ? pair.client : pair.server).parameters_answer =
        fail(TransportErrorCode::transport_parameter_error, "test");
    pair.run();
    EXPECT_EQ(at_client ? pair.client_code() : pair.server_code(), 0x08U);
  }
}

TEST(TlsSession, KeyLogHasTheSecrets) {
  std::vector<std::string> lines;
  TlsConfig config = basic_config();
  config.key_log = [&](std::string_view line) { lines.emplace_back(line); };
  TlsPair pair{config, basic_config()};
  pair.run();
  ASSERT_TRUE(pair.complete());
  const auto* secret = pair.client.secret(kOneRtt, Direction::send);
  bool found = false;
  for (const auto& line : lines) {
    EXPECT_EQ(line.find('\n'), std::string::npos);
    found |= line.starts_with("CLIENT_TRAFFIC_SECRET_0 ") && line.ends_with(to_hex(secret->secret));
  }
  EXPECT_TRUE(found);
}

TEST(TlsSession, MayBeDroppedAtAnyPoint) {
  for (int stop = 0; stop < 12; ++stop) {
    TlsPair pair;
    int flights = 0;
    pair.change = [&](const TlsPeer&, Flight& flight) {
      if (flights++ >= stop) flight.bytes.clear();
    };
    pair.run();
  }
  TlsPair untouched;
}

// [rfc9001-5.3-1] [rfc9001-5.4.1-1]: suites without header protection of ours cannot be configured.
TEST(TlsContext, NamesThePartOfAConfigurationThatIsWrong) {
  const auto wrong = [](auto change) -> std::optional<ConfigPart> {
    TlsConfig config = basic_config();
    change(config);
    const auto made = make_tls_context(config);
    if (made) return std::nullopt;
    EXPECT_FALSE(to_string(made.error()).empty());
    return made.error().part;
  };
  EXPECT_EQ(wrong([](auto& c) { c.alpn.clear(); }), ConfigPart::alpn);
  EXPECT_EQ(wrong([](auto& c) { c.alpn = {""}; }), ConfigPart::alpn);
  EXPECT_EQ(wrong([](auto& c) { c.alpn = {std::string(256, 'a')}; }), ConfigPart::alpn);
  EXPECT_EQ(wrong([](auto& c) { c.cipher_suites.clear(); }), ConfigPart::cipher_suites);
  EXPECT_EQ(wrong([](auto& c) { c.cipher_suites = {CipherSuite{0x1304}}; }),
            ConfigPart::cipher_suites);
  EXPECT_EQ(wrong([](auto& c) { c.groups = "no-such-group"; }), ConfigPart::groups);
  EXPECT_EQ(wrong([](auto& c) { c.groups = std::string("X25519\0:P-256", 13); }),
            ConfigPart::groups);
  EXPECT_EQ(wrong([](auto& c) { c.credentials->certificate_pem = "nonsense"; }),
            ConfigPart::credentials);
  EXPECT_EQ(wrong([](auto& c) { c.credentials->private_key_pem = "nonsense"; }),
            ConfigPart::credentials);
  EXPECT_EQ(wrong([](auto& c) {
              c.credentials->private_key_pem =
                  generate_credentials(KeyType::ed25519, "other").private_key_pem;
            }),
            ConfigPart::credentials);
  EXPECT_EQ(wrong([](auto& c) { c.trust = Trust::private_authority; }), ConfigPart::trust);
  EXPECT_EQ(wrong([](auto& c) {
              c.trust = Trust::private_authority;
              c.authorities_pem = "nonsense";
            }),
            ConfigPart::trust);
  EXPECT_EQ(wrong([](auto&) {}), std::nullopt);
}

TEST(TlsContext, ServerNeedsCredentials) {
  TlsConfig config = basic_config();
  config.credentials.reset();
  TlsPeer server{context_of(config), Side::server, ""};
  EXPECT_EQ(TlsPair::code(server.session->start()), 0x01U);
  EXPECT_FALSE(server.session->on_data(kInitial, std::vector<u8>(4, 1)));
}

TEST(TlsContext, MayGoBeforeItsSessions) {
  auto context = context_of(basic_config());
  TlsPeer client{context, Side::client, "server.test"};
  context.reset();
  EXPECT_TRUE(client.session->start());
}

}  // namespace
}  // namespace qpeer::crypto
