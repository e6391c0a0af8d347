// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Keys, certificates and hashes that we make ourselves.
#include "qpeer/crypto/identity.hpp"

#include <gtest/gtest.h>

#include <set>

#include "qpeer/tests/unit/crypto/tls_pair.hpp"

namespace qpeer::crypto {
namespace {

class CredentialsTest : public testing::TestWithParam<KeyType> {};

TEST_P(CredentialsTest, AreNewEachTime) {
  const auto a = generate_credentials(GetParam(), "a");
  const auto b = generate_credentials(GetParam(), "a");
  EXPECT_NE(a.private_key_pem, b.private_key_pem);
  EXPECT_NE(a.certificate_pem, b.certificate_pem);
  EXPECT_TRUE(a.certificate_pem.starts_with("-----BEGIN CERTIFICATE-----"));
  EXPECT_TRUE(a.private_key_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
  EXPECT_NE(spki_sha256(a.private_key_pem).value(), spki_sha256(b.private_key_pem).value());
  EXPECT_EQ(spki_sha256(a.private_key_pem).value(), spki_sha256(a.private_key_pem).value());
}

// A self-signed certificate is its own authority: so all that validation looks at is checked, its
// name, time, usage and signature.
TEST_P(CredentialsTest, AreValidForTheirNameInBothRoles) {
  for (const std::string name : {"peer.test", "192.0.2.7", "2001:db8::1"}) {
    TlsConfig config = basic_config();
    config.credentials = generate_credentials(GetParam(), name);
    config.authorities_pem = config.credentials->certificate_pem;
    config.trust = Trust::private_authority;
    TlsPair good{config, config, name};
    good.run();
    EXPECT_TRUE(good.complete()) << name << std::hex << " " << good.client_code() << " "
                                 << good.server_code();
    TlsPair other{config, config, "other.test"};
    other.run();
    EXPECT_FALSE(other.complete()) << name;
  }
}

// A name is never more than a name, whatever stands in it.
TEST_P(CredentialsTest, TakeAnyName) {
  for (const std::string& name : {std::string("a.test,DNS:victim.test"), std::string("a=b\\c/CN=d"),
                                  std::string(), std::string(200, 'x')}) {
    TlsConfig config = basic_config();
    config.credentials = generate_credentials(GetParam(), name);
    config.authorities_pem = config.credentials->certificate_pem;
    config.trust = Trust::private_authority;
    TlsPair pair{config, config, "victim.test"};
    pair.run();
    EXPECT_FALSE(pair.complete()) << name;
    config.trust = Trust::encrypt_only;
    TlsPair any{config, config, "victim.test"};
    any.run();
    EXPECT_TRUE(any.complete()) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(KeyTypes, CredentialsTest,
                         testing::Values(KeyType::ed25519, KeyType::p256));

TEST(Identity, RefusesWhatIsNoKey) {
  EXPECT_FALSE(spki_sha256(""));
  EXPECT_FALSE(spki_sha256("nonsense"));
  EXPECT_FALSE(spki_sha256(generate_credentials(KeyType::p256, "a").certificate_pem));
}

// It would wait at the terminal for a password.
TEST(Identity, RefusesAnEncryptedKeyWithoutAsking) {
  EXPECT_FALSE(
      spki_sha256("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n"
                  "-----END ENCRYPTED PRIVATE KEY-----\n"));
}

// FIPS 180-4's example.
TEST(Sha256, IsThatOfTheStandard) {
  constexpr std::string_view kAbc =
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))), kAbc);
  Sha256 pieces;
  pieces.update(as_bytes("a"));
  pieces.update({});
  Sha256 moved = std::move(pieces);
  moved.update(as_bytes("bc"));
  EXPECT_EQ(to_hex(moved.finish()), kAbc);
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(SystemRandom, FillsAllOfWhatItIsGiven) {
  Random& random = system_random();
  std::set<std::vector<u8>> seen;
  for (int i = 0; i < 100; ++i) {
    std::vector<u8> out(16, 0);
    i % 2 == 0 ? random.fill_public(out) : random.fill_private(out);
    EXPECT_TRUE(seen.insert(out).second);
  }
  random.fill_public({});
  EXPECT_LT(random.uniform(3), 3U);
}

}  // namespace
}  // namespace qpeer::crypto
