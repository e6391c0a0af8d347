// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whom a peer speaks to: each mode of trust against each kind of peer, dialling and accepting.
#include "qpeer/p2p/trust.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "qpeer/crypto/authority.hpp"
#include "qpeer/crypto/identity.hpp"
#include "qpeer/tests/unit/base/folder.hpp"
#include "qpeer/tests/unit/crypto/test_authority.hpp"
#include "qpeer/tests/unit/crypto/tls_pair.hpp"

namespace qpeer::p2p {
namespace {

using crypto::CipherSuite;
using crypto::Flight;
using crypto::TestAuthority;
using crypto::TlsPair;
using crypto::TlsPeer;
using enum TrustMode;

constexpr std::array kModes{authorities, private_authority, encrypt_only, pinned};
constexpr std::string_view kName = "server.test";  // As TestAuthority issues it unasked.
constexpr u8 kCertificate = 11;                    // RFC 8446 §4.
constexpr u8 kCertificateVerify = 15;

// The alerts of RFC 8446 §6, in CRYPTO_ERROR.
constexpr std::uint64_t kBadCertificate = 0x12a;
constexpr std::uint64_t kUnsupportedCertificate = 0x12b;
constexpr std::uint64_t kExpired = 0x12d;
constexpr std::uint64_t kUnknownAuthority = 0x130;
constexpr std::uint64_t kCertificateRequired = 0x174;

const TestAuthority& authority() {
  static const TestAuthority made;
  return made;
}

bool has_authorities(TrustMode mode) { return mode == authorities || mode == private_authority; }

Identity identity_of(crypto::Credentials credentials) {
  const PeerId id{crypto::check_credentials(credentials).value()};
  return {std::move(credentials), id};
}

Identity issued(const crypto::CertificateRequest& request) {
  return identity_of(authority().issue(request));
}

Identity good_identity() { return issued({}); }

Trust trust_of(TrustMode mode, std::vector<PeerId> allowed = {}) {
  Trust trust{.mode = mode, .authorities_pem = {}, .allowed = std::move(allowed)};
  if (has_authorities(mode)) trust.authorities_pem = authority().certificate_pem();
  return trust;
}

PeerTls tls_of(const Identity& identity, const Trust& trust, PeerTlsOptions options = {}) {
  auto made = make_peer_tls(identity, trust, std::move(options));
  if (!made) throw std::runtime_error{to_string(made.error())};
  return *std::move(made);
}

/// What became of a peer of some kind under `trust`: 0 when it was taken, else the error with which
/// it was refused.
std::uint64_t dial(const Identity& peer, const Trust& trust, std::string_view name = kName) {
  TlsPair pair{tls_of(good_identity(), trust).client, tls_of(peer, Trust::encrypt_only()).server,
               name};
  pair.run();
  EXPECT_EQ(pair.complete(), pair.client_code() == 0);
  EXPECT_EQ(pair.client.session->is_complete(), pair.client_code() == 0);
  return pair.client_code();
}

std::uint64_t accept(const Identity& peer, const Trust& trust) {
  TlsPair pair{tls_of(peer, Trust::encrypt_only()).client, tls_of(good_identity(), trust).server,
               kName};
  pair.run();
  EXPECT_EQ(pair.complete(), pair.server_code() == 0);
  EXPECT_EQ(pair.server.session->is_complete(), pair.server_code() == 0);
  return pair.server_code();
}

struct Kind {
  const char* name;
  Identity (*make)();
  std::uint64_t at_authorities;  ///< With which error those with authorities refuse it.
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

const std::array kKinds{
    Kind{"good", good_identity, 0},
    Kind{"expired", [] { return issued({.starts_in_days = -9, .ends_in_days = -1}); }, kExpired},
    Kind{"not yet valid", [] { return issued({.starts_in_days = 1}); }, kBadCertificate},
    Kind{"of another authority", [] { return identity_of(TestAuthority("another").issue({})); },
         kUnknownAuthority},
    Kind{"of an authority of the same name", [] { return identity_of(TestAuthority().issue({})); },
         kUnknownAuthority},
    Kind{"self-signed", make_identity, kUnknownAuthority},
    Kind{"self-signed, with the name",
         [] { return identity_of(crypto::generate_credentials(crypto::KeyType::p256, kName)); },
         kUnknownAuthority},
};

class TrustTest : public testing::TestWithParam<std::tuple<TrustMode, Kind>> {};

// Without authorities nothing is read in a certificate but its key.
TEST_P(TrustTest, VerifiesThePeerInBothDirections) {
  const auto& [mode, kind] = GetParam();
  const std::uint64_t expected = has_authorities(mode) ? kind.at_authorities : 0;
  EXPECT_EQ(dial(kind.make(), trust_of(mode)), expected);
  EXPECT_EQ(dial(kind.make(), trust_of(mode), ""), expected) << "dialled by its id";
  EXPECT_EQ(accept(kind.make(), trust_of(mode)), expected);
}

INSTANTIATE_TEST_SUITE_P(Modes, TrustTest,
                         testing::Combine(testing::ValuesIn(kModes), testing::ValuesIn(kKinds)));

class TrustModeTest : public testing::TestWithParam<TrustMode> {};

TEST_P(TrustModeTest, ChecksNamesOnlyWithAuthoritiesAndOnlyOfTheDialled) {
  const Identity other = issued({.name = "other.test"});
  const std::uint64_t refused = has_authorities(GetParam()) ? kBadCertificate : 0;
  EXPECT_EQ(dial(other, trust_of(GetParam())), refused);
  EXPECT_EQ(dial(other, trust_of(GetParam()), "other.test"), 0U);
  EXPECT_EQ(dial(other, trust_of(GetParam()), ""), 0U) << "dialled by its id";
  EXPECT_EQ(accept(other, trust_of(GetParam())), 0U);
  const PeerTls tls = tls_of(good_identity(), trust_of(GetParam()));
  EXPECT_EQ(tls.checks_names(), has_authorities(GetParam()));
  EXPECT_EQ(tls.needs_expected_id(), GetParam() == pinned);
}

TEST_P(TrustModeTest, ChecksAddressesAsNames) {
  const Identity peer = issued({.name = "192.0.2.7", .name_is_address = true});
  EXPECT_EQ(dial(peer, trust_of(GetParam()), "192.0.2.7"), 0U);
  EXPECT_EQ(dial(peer, trust_of(GetParam()), "192.0.2.8"),
            has_authorities(GetParam()) ? kBadCertificate : 0U);
}

// A certificate for servers alone does not make its owner somebody who may dial, nor the reverse.
TEST_P(TrustModeTest, ChecksTheUsageOfEachSide) {
  const Identity server = issued({.usage = "serverAuth"});
  const Identity client = issued({.usage = "clientAuth"});
  const std::uint64_t refused = has_authorities(GetParam()) ? kUnsupportedCertificate : 0;
  EXPECT_EQ(dial(server, trust_of(GetParam())), 0U);
  EXPECT_EQ(dial(client, trust_of(GetParam())), refused);
  EXPECT_EQ(accept(client, trust_of(GetParam())), 0U);
  EXPECT_EQ(accept(server, trust_of(GetParam())), refused);
}

TEST_P(TrustModeTest, SpeaksOnlyToThoseAllowed) {
  const Identity peer = good_identity();
  const Identity other = good_identity();
  const Trust only = trust_of(GetParam(), {PeerId{{9}}, peer.id, PeerId{{1}}});
  EXPECT_EQ(dial(peer, only), 0U);
  EXPECT_EQ(accept(peer, only), 0U);
  EXPECT_EQ(dial(other, only), kBadCertificate);
  EXPECT_EQ(dial(other, only, ""), kBadCertificate);
  EXPECT_EQ(accept(other, only), kBadCertificate);
}

TEST_P(TrustModeTest, BeingAllowedIsNotEnough) {
  const Identity expired = issued({.starts_in_days = -9, .ends_in_days = -1});
  const std::uint64_t expected = has_authorities(GetParam()) ? kExpired : 0;
  EXPECT_EQ(dial(expired, trust_of(GetParam(), {expired.id})), expected);
  EXPECT_EQ(accept(expired, trust_of(GetParam(), {expired.id})), expected);
}

TEST_P(TrustModeTest, RefusesDiallersWithoutACertificate) {
  crypto::TlsConfig config;
  config.alpn = {"qpeer/1"};
  TlsPair pair{crypto::context_of(config), tls_of(good_identity(), trust_of(GetParam())).server,
               kName};
  pair.run();
  EXPECT_EQ(pair.server_code(), kCertificateRequired) << std::hex << pair.server_code();
  EXPECT_FALSE(pair.server.session->is_complete());
}

// No TLS library sends none, so it is taken out on the way: emptied, or gone with its proof.
TEST_P(TrustModeTest, RefusesAcceptorsWithoutACertificate) {
  for (const bool empty : {true, false}) {
    const PeerTls tls = tls_of(good_identity(), trust_of(GetParam()));
    TlsPair pair{tls.client, tls.server, kName};
    int changed = 0;
    pair.change = [&](const TlsPeer& from, Flight& flight) {
      if (&from != &pair.server || flight.level != EncryptionLevel::handshake) return;
      const u8 type = flight.bytes.at(0);
      if (type != kCertificate && type != kCertificateVerify) return;
      ++changed;
      flight.bytes.clear();
      if (empty && type == kCertificate) flight.bytes = {kCertificate, 0, 0, 4, 0, 0, 0, 0};
    };
    pair.run();
    EXPECT_EQ(changed, empty ? 1 : 2);  // Refused at once, or when the proof is missed.
    EXPECT_NE(pair.client_code(), 0U);
    EXPECT_FALSE(pair.client.session->is_complete());
  }
}

// What pinning compares once connected: each side knows the other's id, and it is proved.
TEST_P(TrustModeTest, EachSideLearnsTheOthersId) {
  const PeerTls one = tls_of(good_identity(), trust_of(GetParam()));
  const PeerTls two = tls_of(good_identity(), trust_of(GetParam()));
  TlsPair pair{one.client, two.server, kName};
  pair.run();
  ASSERT_TRUE(pair.complete());
  EXPECT_EQ(PeerId{pair.client.session->peer_certificate().spki_sha256}, two.id);
  EXPECT_EQ(PeerId{pair.server.session->peer_certificate().spki_sha256}, one.id);
  EXPECT_NE(one.id, two.id);
}

TEST_P(TrustModeTest, DemandsPossessionOfTheKeyOnBothSides) {
  for (const bool of_server : {true, false}) {
    const PeerTls tls = tls_of(good_identity(), trust_of(GetParam()));
    TlsPair pair{tls.client, tls.server, kName};
    pair.change = [&](const TlsPeer& from, Flight& flight) {
      if (&from != (of_server ? &pair.server : &pair.client)) return;
      if (flight.level != EncryptionLevel::handshake) return;
      if (flight.bytes.at(0) == kCertificateVerify) flight.bytes.at(20) ^= 1;
    };
    pair.run();
    EXPECT_EQ(of_server ? pair.client_code() : pair.server_code(), 0x133U);
    EXPECT_FALSE((of_server ? pair.client : pair.server).session->is_complete());
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, TrustModeTest, testing::ValuesIn(kModes));

// --- what else goes into the contexts ------------------------------------------------------------

class SystemAuthorities : public InFolder {};

TEST_F(SystemAuthorities, AreThoseThatTheSystemNames) {
  EXPECT_EQ(dial(good_identity(), Trust::authorities()), kUnknownAuthority);
  EXPECT_EQ(accept(good_identity(), Trust::authorities()), kUnknownAuthority);
  make("bundle", authority().certificate_pem());
  ASSERT_EQ(::setenv("SSL_CERT_FILE", (folder + "/bundle").c_str(), 1), 0);
  EXPECT_EQ(dial(good_identity(), Trust::authorities()), 0U);
  EXPECT_EQ(accept(good_identity(), Trust::authorities()), 0U);
  EXPECT_EQ(dial(make_identity(), Trust::authorities()), kUnknownAuthority);
  ASSERT_EQ(::setenv("SSL_CERT_FILE", (folder + "/missing").c_str(), 1), 0);
  EXPECT_FALSE(make_peer_tls(make_identity(), Trust::authorities()));
  ASSERT_EQ(::unsetenv("SSL_CERT_FILE"), 0);
}

// The whole way of a private network: an authority, two peers, and one who is not of them.
TEST(PeerTls, PeersOfOneAuthorityMeet) {
  const crypto::Credentials root = crypto::make_authority("a network", 30);
  const auto peer_named = [](const crypto::Credentials& by, const std::string& name) {
    return identity_of(
        crypto::issue_certificate(by, std::vector{name}, crypto::KeyType::ed25519, 30).value());
  };
  const Trust trust = Trust::private_authority(root.certificate_pem);
  const PeerTls a = tls_of(peer_named(root, "a.test"), trust);
  const PeerTls b = tls_of(peer_named(root, "b.test"), trust);
  TlsPair there{a.client, b.server, "b.test"};
  there.run();
  EXPECT_TRUE(there.complete());
  TlsPair back{b.client, a.server, ""};
  back.run();
  EXPECT_TRUE(back.complete());
  const PeerTls stranger =
      tls_of(peer_named(crypto::make_authority("a network", 30), "b.test"), trust);
  TlsPair wrong{a.client, stranger.server, "b.test"};
  wrong.run();
  EXPECT_EQ(wrong.client_code(), kUnknownAuthority);
}

TEST(PeerTls, SpeaksTheProtocolThatItIsGiven) {
  const Identity identity = make_identity();
  const PeerTls usual = tls_of(identity, Trust::pinned());
  TlsPair pair{usual.client, usual.server, ""};
  pair.run();
  EXPECT_EQ(pair.client.session->alpn(), "qpeer/1");
  PeerTlsOptions options;
  options.alpn = "other/1";
  const PeerTls other = tls_of(identity, Trust::pinned(), options);
  TlsPair unlike{usual.client, other.server, ""};
  unlike.run();
  EXPECT_EQ(unlike.server_code(), 0x178U);
}

TEST(PeerTls, TakesCipherSuitesAndAKeyLog) {
  std::vector<std::string> lines;
  PeerTlsOptions options;
  options.cipher_suites = {CipherSuite::chacha20_poly1305_sha256};
  options.key_log = [&](std::string_view line) { lines.emplace_back(line); };
  const Identity identity = make_identity();
  const PeerTls some = tls_of(identity, Trust::pinned(), options);
  TlsPair pair{some.client, tls_of(identity, Trust::pinned()).server, ""};
  pair.run();
  ASSERT_TRUE(pair.complete());
  EXPECT_EQ(pair.server.secrets.back().suite, CipherSuite::chacha20_poly1305_sha256);
  EXPECT_FALSE(lines.empty());
}

TEST(PeerTls, SaysWhatIsWrong) {
  const auto why = [](const Identity& identity, const Trust& trust, std::string alpn = "a") {
    PeerTlsOptions options;
    options.alpn = std::move(alpn);
    const auto made = make_peer_tls(identity, trust, options);
    return made ? "nothing is wrong" : to_string(made.error());
  };
  const Identity good = make_identity();
  EXPECT_EQ(why(good, Trust::pinned()), "nothing is wrong");
  EXPECT_EQ(why({}, Trust::pinned()), "the identity: there is no readable certificate");
  Identity mixed = good;
  mixed.credentials.private_key_pem = make_identity().credentials.private_key_pem;
  EXPECT_EQ(why(mixed, Trust::pinned()),
            "the identity: the private key is not that of the certificate");
  Identity misnamed = good;
  misnamed.id = make_identity().id;
  EXPECT_EQ(why(misnamed, Trust::pinned()), "the identity: its id is not that of its key");
  EXPECT_EQ(why(good, Trust::private_authority("")),
            "a private authority is trusted, but its certificate is not given");
  EXPECT_EQ(why(good, Trust::private_authority("nonsense")),
            "no certificate among the authorities");
  EXPECT_EQ(why(good, Trust::authorities("nonsense")), "no certificate among the authorities");
  EXPECT_EQ(why(good, Trust::pinned(), ""), "an ALPN name must be of 1 to 255 bytes");
}

}  // namespace
}  // namespace qpeer::p2p
