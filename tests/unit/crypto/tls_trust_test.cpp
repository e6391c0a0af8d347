// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whom a session believes: the three trust modes, names, mutual authentication, the last word.
#include <gtest/gtest.h>

#include "qpeer/tests/unit/crypto/test_authority.hpp"
#include "qpeer/tests/unit/crypto/tls_pair.hpp"

namespace qpeer::crypto {
namespace {

const TestAuthority& authority() {
  static const TestAuthority made;
  return made;
}

// Both sides with certificates of one authority, which both trust.
TlsConfig trusting(Trust trust = Trust::private_authority, const CertificateRequest& request = {}) {
  TlsConfig config;
  config.credentials = authority().issue(request);
  config.alpn = {"qpeer-test"};
  config.trust = trust;
  config.authorities_pem = authority().certificate_pem();
  return config;
}

TlsConfig issued(const CertificateRequest& request) {
  return trusting(Trust::private_authority, request);
}

// A certificate error of the peer's: found by one side, which is not complete then.
void expect_client_refuses(TlsPair& pair, std::uint64_t code) {
  pair.run();
  EXPECT_EQ(pair.client_code(), code) << std::hex << pair.client_code();
  EXPECT_FALSE(pair.client.session->is_complete());
  EXPECT_FALSE(pair.server.session->is_complete());
  EXPECT_EQ(pair.client.secret(EncryptionLevel::one_rtt, Direction::send), nullptr);
}

void expect_server_refuses(TlsPair& pair, std::uint64_t code) {
  pair.run();
  EXPECT_EQ(pair.server_code(), code) << std::hex << pair.server_code();
  EXPECT_FALSE(pair.server.session->is_complete());
  EXPECT_EQ(pair.server.secret(EncryptionLevel::one_rtt, Direction::receive), nullptr);
}

// RFC 9001 §4.4 [rfc9001-4.4-1] [rfc9001-4.4-2]
TEST(TlsTrust, AcceptsCertificatesOfTheAuthority) {
  for (const Trust trust : {Trust::private_authority, Trust::authorities}) {
    TlsPair pair{trusting(trust), trusting(trust)};
    pair.run();
    EXPECT_TRUE(pair.complete()) << std::hex << pair.client_code() << " " << pair.server_code();
  }
}

TEST(TlsTrust, EachSideLearnsTheOthersKey) {
  for (const KeyType type : {KeyType::ed25519, KeyType::p256}) {
    TlsConfig client = basic_config();
    client.credentials = generate_credentials(type, "client.test");
    TlsConfig server = basic_config();
    server.credentials = generate_credentials(type, "server.test");
    TlsPair pair{client, server};
    pair.run();
    ASSERT_TRUE(pair.complete());
    const auto of_server = pair.client.session->peer_certificate();
    const auto of_client = pair.server.session->peer_certificate();
    EXPECT_EQ(of_server.spki_sha256, spki_sha256(server.credentials->private_key_pem).value());
    EXPECT_EQ(of_client.spki_sha256, spki_sha256(client.credentials->private_key_pem).value());
    EXPECT_EQ(of_client.spki_sha256, sha256(of_client.public_key_spki));
    EXPECT_FALSE(of_client.der.empty());
  }
}

TEST(TlsTrust, RefusesAnotherAuthority) {
  const TestAuthority other{"another authority"};
  TlsConfig client = trusting();
  client.authorities_pem = other.certificate_pem();
  TlsPair at_client{client, trusting()};
  expect_client_refuses(at_client, 0x130);

  TlsConfig server = trusting();
  server.authorities_pem = other.certificate_pem();
  TlsPair at_server{trusting(), server};
  expect_server_refuses(at_server, 0x130);
}

TEST(TlsTrust, RefusesSelfSignedUnderAnAuthority) {
  TlsPair at_client{trusting(), basic_config()};
  expect_client_refuses(at_client, 0x130);
  TlsConfig client = trusting();
  client.credentials = basic_config().credentials;
  TlsPair at_server{client, trusting()};
  expect_server_refuses(at_server, 0x130);
}

// The system's authorities know nothing of ours.
TEST(TlsTrust, SystemAuthoritiesRefuseOurs) {
  TlsConfig client = trusting(Trust::authorities);
  client.authorities_pem.clear();
  const auto made = make_tls_context(client);
  ASSERT_TRUE(made) << to_string(
      made.error());  // The package ca-certificates is there: set-up sees to it.
  TlsPair pair{client, trusting()};
  expect_client_refuses(pair, 0x130);
}

TEST(TlsTrust, RefusesAnotherName) {
  TlsPair pair{trusting(), trusting(), "other.test"};
  expect_client_refuses(pair, 0x12a);
}

TEST(TlsTrust, ChecksAddressesAsAddresses) {
  const TlsConfig server = issued({.name = "192.0.2.7", .name_is_address = true});
  TlsPair good{trusting(), server, "192.0.2.7"};
  good.run();
  EXPECT_TRUE(good.complete());
  EXPECT_TRUE(good.server.session->server_name().empty()) << "an address is no server name";
  TlsPair wrong{trusting(), server, "192.0.2.8"};
  expect_client_refuses(wrong, 0x12a);
  TlsPair wrong_kind{trusting(), issued({.name = "192.0.2.7"}), "192.0.2.7"};
  expect_client_refuses(wrong_kind, 0x12a);
  const TlsConfig server6 = issued({.name = "2001:db8::1", .name_is_address = true});
  TlsPair good6{trusting(), server6, "2001:db8:0::1"};
  good6.run();
  EXPECT_TRUE(good6.complete());
}

TEST(TlsTrust, TakesWildcardsOfOneWholeLabel) {
  TlsPair whole{trusting(), issued({.name = "*.server.test"}), "a.server.test"};
  whole.run();
  EXPECT_TRUE(whole.complete());
  TlsPair part{trusting(), issued({.name = "a*.server.test"}), "ab.server.test"};
  expect_client_refuses(part, 0x12a);
  TlsPair two{trusting(), issued({.name = "*.server.test"}), "a.b.server.test"};
  expect_client_refuses(two, 0x12a);
}

// RFC 9001 §4.4 [rfc9001-4.4-1]: no name to check is no reason to check none.
TEST(TlsTrust, ClientNeedsANameOrAVerifier) {
  TlsConfig client = trusting();
  TlsPair nameless{client, trusting(), ""};
  nameless.run();
  EXPECT_EQ(nameless.client_code(), 0x01U);
  EXPECT_TRUE(nameless.client.log.empty()) << "spoke all the same";
  client.verify_peer = [](const PeerCertificate&) { return true; };
  TlsPair verified{client, trusting(), ""};
  verified.run();
  EXPECT_TRUE(verified.complete());
}

TEST(TlsTrust, RefusesNamesThatCannotBe) {
  for (const std::string& name : {std::string(300, 'a'), std::string("a\0b", 3)}) {
    TlsPair pair{trusting(), trusting(), name};
    pair.run();
    EXPECT_EQ(pair.client_code(), 0x01U);
  }
}

TEST(TlsTrust, RefusesCertificatesOutOfTime) {
  TlsPair expired{trusting(), issued({.starts_in_days = -5, .ends_in_days = -1})};
  expect_client_refuses(expired, 0x12d);
  TlsPair early{trusting(), issued({.starts_in_days = 1})};
  expect_client_refuses(early, 0x12a);
  TlsPair at_server{issued({.starts_in_days = -5, .ends_in_days = -1}), trusting()};
  expect_server_refuses(at_server, 0x12d);
}

TEST(TlsTrust, RefusesCertificatesOfAnotherUsage) {
  TlsPair client{trusting(), issued({.usage = "clientAuth"})};
  expect_client_refuses(client, 0x12b);
  TlsPair server{issued({.usage = "serverAuth"}), trusting()};
  expect_server_refuses(server, 0x12b);
}

// RFC 9001 §4.4 [rfc9001-4.4-3]: in every trust mode.
TEST(TlsTrust, MutualServerInsistsOnACertificate) {
  for (const Trust trust : {Trust::encrypt_only, Trust::private_authority}) {
    TlsConfig client = trusting(trust);
    client.credentials.reset();
    TlsPair pair{client, trusting(trust)};
    expect_server_refuses(pair, 0x174);
  }
}

TEST(TlsTrust, OtherServersDoWithoutOne) {
  TlsConfig client = trusting();
  client.credentials.reset();
  TlsConfig server = trusting();
  server.mutual = false;
  server.verify_peer = [](const PeerCertificate&) { return false; };
  TlsPair pair{client, server};
  pair.run();
  EXPECT_TRUE(pair.complete());
  EXPECT_TRUE(pair.server.session->peer_certificate().der.empty());
}

TEST(TlsTrust, EncryptOnlyTakesAnyCertificate) {
  TlsConfig server = issued({.name = "other", .starts_in_days = -5, .ends_in_days = -1});
  server.trust = Trust::encrypt_only;
  TlsPair pair{basic_config(), server, "whatever.test"};
  pair.run();
  EXPECT_TRUE(pair.complete());
}

// A certificate that is shown without its key: the signature in CertificateVerify is what fails.
TEST(TlsTrust, EncryptOnlyDemandsPossessionOfTheKey) {
  for (const bool at_client : {true, false}) {
    TlsPair pair;
    pair.change = [&](const TlsPeer& from, Flight& flight) {
      const bool theirs = &from == (at_client ? &pair.server : &pair.client);
      if (!theirs || flight.level != EncryptionLevel::handshake) return;
      if (flight.bytes[0] == 15) flight.bytes[20] ^= 1;  // In the signature.
    };
    pair.run();
    EXPECT_EQ(at_client ? pair.client_code() : pair.server_code(), 0x133U);
    EXPECT_FALSE((at_client ? pair.client : pair.server).session->is_complete());
  }
}

TEST(TlsTrust, VerifierHasTheLastWordInEveryMode) {
  for (const Trust trust : {Trust::encrypt_only, Trust::private_authority}) {
    int asked = 0;
    const auto no = [&](const PeerCertificate& peer) {
      ++asked;
      EXPECT_FALSE(peer.public_key_spki.empty());
      return false;
    };
    TlsConfig doubting = trusting(trust);
    doubting.verify_peer = no;
    TlsPair at_client{doubting, trusting(trust)};
    expect_client_refuses(at_client, 0x12a);
    TlsPair at_server{trusting(trust), doubting};
    expect_server_refuses(at_server, 0x12a);
    EXPECT_EQ(asked, 2);
  }
}

TEST(TlsTrust, VerifierIsNotAskedAboutWhatIsInvalid) {
  int asked = 0;
  TlsConfig client = trusting();
  client.verify_peer = [&](const PeerCertificate&) { return ++asked > 0; };
  TlsPair pair{client, trusting(), "other.test"};
  expect_client_refuses(pair, 0x12a);
  EXPECT_EQ(asked, 0);
}

}  // namespace
}  // namespace qpeer::crypto
