// SPDX-License-Identifier: MIT OR BSD-3-Clause
// An authority of our own, and the peers that it vouches for.
#include "qpeer/crypto/authority.hpp"

#include <gtest/gtest.h>
#include <openssl/asn1.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "qpeer/tests/unit/crypto/test_authority.hpp"
#include "qpeer/tests/unit/crypto/tls_pair.hpp"

namespace qpeer::crypto {
namespace {

TlsConfig trusting(const Credentials& authority, const Credentials& own) {
  TlsConfig config;
  config.credentials = own;
  config.alpn = {"qpeer-test"};
  config.trust = Trust::private_authority;
  config.authorities_pem = authority.certificate_pem;
  return config;
}

Credentials issue(const Credentials& authority, std::initializer_list<std::string> names,
                  KeyType type = KeyType::ed25519, unsigned days = 30) {
  const std::vector<std::string> list = names;
  auto made = issue_certificate(authority, list, type, days);
  if (!made) ADD_FAILURE() << made.error();
  return made ? *made : Credentials{};
}

bool accepted(const Credentials& authority, const Credentials& peer, std::string_view name) {
  TlsPair pair{trusting(authority, peer), trusting(authority, peer), name};
  pair.run();
  return pair.complete();
}

class AuthorityTest : public testing::TestWithParam<std::tuple<KeyType, KeyType>> {};

TEST_P(AuthorityTest, VouchesForPeersUnderAllTheirNamesInBothRoles) {
  const auto [of_authority, of_peer] = GetParam();
  const Credentials authority = make_authority("a network", 30, of_authority);
  const Credentials peer =
      issue(authority, {"peer.test", "192.0.2.7", "2001:db8::1", "*.peers.test"}, of_peer);
  for (const char* name :
       {"peer.test", "PEER.test", "192.0.2.7", "2001:db8:0::1", "a.peers.test"}) {
    EXPECT_TRUE(accepted(authority, peer, name)) << name;
  }
  for (const char* name : {"other.test", "192.0.2.8", "2001:db8::2", "peers.test"}) {
    EXPECT_FALSE(accepted(authority, peer, name)) << name;
  }
  EXPECT_TRUE(check_credentials(peer)) << "the leaf does not come first";
}

INSTANTIATE_TEST_SUITE_P(KeyTypes, AuthorityTest,
                         testing::Combine(testing::Values(KeyType::ed25519, KeyType::p256),
                                          testing::Values(KeyType::ed25519, KeyType::p256)));

TEST(Authority, DoesNotVerifyPeersOfAnotherOfTheSameName) {
  const Credentials one = make_authority("same name", 30);
  const Credentials two = make_authority("same name", 30);
  EXPECT_FALSE(accepted(one, issue(two, {"peer.test"}), "peer.test"));
}

// What an authority vouches for cannot vouch in its turn, nor can an authority be made below it.
TEST(Authority, MakesNoAuthorities) {
  const Credentials authority = make_authority("a network", 30);
  const Credentials peer = issue(authority, {"peer.test"});
  const std::vector<std::string> names{"peer.test"};
  const auto refused = issue_certificate(peer, names, KeyType::ed25519, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), "the authority: its certificate is not that of an authority");

  CertificateFields fields;
  fields.common_name = "below";
  fields.ends_in_s = kSecondsPerDay;
  fields.basic_constraints = "critical,CA:TRUE";
  fields.key_usage = "critical,keyCertSign";
  const auto key = generate_key(KeyType::p256);
  const auto issuer = read_certificate(authority.certificate_pem);
  const auto issuer_key = read_private_key(authority.private_key_pem);
  const auto below = build_certificate(fields, key.get(), issuer.get(), issuer_key.get());
  const Credentials lower{to_pem(below.get()), to_pem(key.get())};
  EXPECT_FALSE(accepted(authority, issue(lower, {"peer.test"}), "peer.test")) << "no pathlen";
}

TEST(Authority, ItsChainTravelsWithTheLeafButNotItsRoot) {
  const TestAuthority root;
  CertificateFields fields;
  fields.common_name = "between";
  fields.ends_in_s = kSecondsPerDay;
  fields.basic_constraints = "critical,CA:TRUE,pathlen:0";
  fields.key_usage = "critical,keyCertSign";
  const auto key = generate_key(KeyType::ed25519);
  // A root of its own, without a limit on what is below it.
  CertificateFields top = fields;
  top.common_name = "top";
  top.basic_constraints = "critical,CA:TRUE";
  const auto top_key = generate_key(KeyType::p256);
  const auto top_made = build_certificate(top, top_key.get(), nullptr, nullptr);
  const auto between = build_certificate(fields, key.get(), top_made.get(), top_key.get());
  const Credentials authority{to_pem(between.get()) + to_pem(top_made.get()), to_pem(key.get())};
  const Credentials peer = issue(authority, {"peer.test"});
  EXPECT_EQ(read_certificates(peer.certificate_pem).size(), 2U);
  EXPECT_TRUE(accepted({to_pem(top_made.get()), {}}, peer, "peer.test"));
  EXPECT_EQ(read_certificates(issue(root.credentials(), {"peer.test"}).certificate_pem).size(), 1U);
}

TEST(Authority, CertificatesExpire) {
  const Credentials authority = make_authority("a network", 10);
  const auto days_left = [](const std::string& pem) {
    int days = 0;
    int seconds = 0;
    const auto certificate = read_certificate(pem);
    ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate.get()));
    return days + (seconds >= kSecondsPerDay / 2 ? 1 : 0);
  };
  EXPECT_EQ(days_left(authority.certificate_pem), 10);
  EXPECT_EQ(days_left(issue(authority, {"a"}, KeyType::p256, 3).certificate_pem), 3);
  EXPECT_EQ(days_left(issue(authority, {"a"}, KeyType::p256, 0).certificate_pem), 1);
  EXPECT_EQ(days_left(make_authority("a", ~0U).certificate_pem), int{kMaxDays});
}

TEST(Authority, RefusesNamesThatNobodyCanDial) {
  const Credentials authority = make_authority("a network", 30);
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("a..b"), std::string(".a"),
        std::string("-a"), std::string("a-"), std::string("a,DNS:b"), std::string("a/b"),
        std::string("a.*"), std::string("*"), std::string("a*.b"), std::string("a\0b", 3),
        std::string("192.0.2.1\0.a", 12), std::string("::1\0", 4), std::string(64, 'a'),
        std::string("1:2"), std::string("b\xc3\xbc")}) {
    const auto made = issue_certificate(authority, std::vector{name}, KeyType::ed25519, 1);
    ASSERT_FALSE(made) << name;
    EXPECT_EQ(made.error(), "\"" + name + "\" is neither a DNS name nor an IP address");
  }
  EXPECT_EQ(issue_certificate(authority, {}, KeyType::ed25519, 1).error(),
            "a certificate needs a name");
}

TEST(Authority, RefusesAuthoritiesThatCannotBe) {
  const auto why = [](const Credentials& authority) {
    const auto made = issue_certificate(authority, std::vector<std::string>{"a"}, KeyType::p256, 1);
    return made ? "nothing is wrong" : made.error();
  };
  const Credentials one = make_authority("one", 30);
  const Credentials two = make_authority("two", 30);
  EXPECT_EQ(why({}), "the authority: there is no readable certificate");
  EXPECT_EQ(why({one.certificate_pem, two.private_key_pem}),
            "the authority: the private key is not that of the certificate");
  CertificateFields fields;
  fields.starts_in_s = -3 * kSecondsPerDay;
  fields.ends_in_s = -kSecondsPerDay;
  fields.basic_constraints = "critical,CA:TRUE";
  fields.key_usage = "critical,keyCertSign";
  const auto key = generate_key(KeyType::p256);
  const auto old = build_certificate(fields, key.get(), nullptr, nullptr);
  EXPECT_EQ(why({to_pem(old.get()), to_pem(key.get())}),
            "the authority: its certificate has expired");
}

// An intermediate certificate goes along with the leaf. TLS refuses to send one whose key is too weak.
TEST(Authority, RefusesAnAuthorityWhoseCertificateTlsCannotSend) {
  constexpr unsigned kWeakBits = 1'024;
  const TestAuthority root;
  const auto root_certificate = read_certificate(root.certificate_pem());
  const auto root_key = read_private_key(root.credentials().private_key_pem);
  CertificateFields fields;
  fields.common_name = "between";
  fields.ends_in_s = kSecondsPerDay;
  fields.basic_constraints = "critical,CA:TRUE,pathlen:0";
  fields.key_usage = "critical,keyCertSign";
  const Handle<EVP_PKEY> key{EVP_RSA_gen(kWeakBits)};
  ASSERT_NE(key, nullptr);
  const auto between = build_certificate(fields, key.get(), root_certificate.get(), root_key.get());
  ASSERT_NE(between, nullptr);
  const auto made = issue_certificate({to_pem(between.get()), to_pem(key.get())},
                                      std::vector<std::string>{"a"}, KeyType::p256, 1);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error(), "the authority: a certificate of the chain is not usable for TLS");
}

}  // namespace
}  // namespace qpeer::crypto
