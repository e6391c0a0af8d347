// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Keys and packet protection against the packets of RFC 9001 Appendix A and RFC 9369 Appendix A.
#include "qpeer/crypto/keys.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/crypto/hex.hpp"
#include "qpeer/tests/unit/crypto/rfc_vectors.hpp"

namespace qpeer::crypto {
namespace {

// Protects a packet as a sender does, and checks the steps that the RFC shows.
std::vector<u8> protect(PacketKeys& keys, const PacketVector& vector) {
  const auto header = from_hex(vector.header);
  auto packet = header;
  const auto payload = from_hex(vector.payload);
  packet.insert(packet.end(), payload.begin(), payload.end());
  packet.resize(header.size() + vector.payload_size + kTagSize);
  keys.aead->seal(vector.packet_number, header, MutableBytes(packet).subspan(header.size()));

  const std::size_t number_at = header.size() - vector.packet_number_size;
  const Bytes sample = Bytes(packet).subspan(number_at + 4, HeaderProtection::kSampleSize);
  EXPECT_EQ(to_hex(sample), vector.sample);
  const auto mask = keys.header_protection->mask(sample);
  EXPECT_EQ(to_hex(mask), vector.mask);
  packet[0] ^= mask[0] & ((packet[0] & 0x80) != 0 ? 0x0f : 0x1f);
  for (std::size_t i = 0; i < vector.packet_number_size; ++i) packet[number_at + i] ^= mask[1 + i];
  return packet;
}

// Removes packet protection; the header is taken from the vector.
bool opens(PacketKeys& keys, const PacketVector& vector, std::vector<u8> packet) {
  const auto header = from_hex(vector.header);
  const MutableBytes sealed = MutableBytes(packet).subspan(header.size());
  if (!keys.aead->open(vector.packet_number, header, sealed)) return false;
  const auto payload = from_hex(vector.payload);
  EXPECT_EQ(to_hex(sealed.first(payload.size())), vector.payload);
  for (std::size_t i = payload.size(); i < vector.payload_size; ++i) EXPECT_EQ(sealed[i], 0);
  return true;
}

class AppendixATest : public testing::TestWithParam<AppendixA> {
 protected:
  PacketKeys initial_keys(const Secret& secret) const {
    return openssl_keys().packet_keys(GetParam().version, CipherSuite::aes_128_gcm_sha256, secret);
  }
  InitialSecrets secrets() const {
    return openssl_keys().initial_secrets(GetParam().version,
                                          from_hex(GetParam().destination_connection_id));
  }
};

// RFC 9001 §5.2 [rfc9001-5.2-1] [rfc9001-5.2-2]: HKDF of TLS 1.3, and a salt of each version's own.
TEST_P(AppendixATest, InitialSecretsAreThoseOfTheRfc) {
  const InitialSecrets found = secrets();
  EXPECT_EQ(to_hex(found.client.bytes()), GetParam().client_secret);
  EXPECT_EQ(to_hex(found.server.bytes()), GetParam().server_secret);
}

// RFC 9369 §3.3 [rfc9001-9.6-1]: keys, IVs and masks by each version's labels.
TEST_P(AppendixATest, ClientInitialIsThatOfTheRfc) {
  PacketKeys keys = initial_keys(secrets().client);
  const auto& vector = GetParam().client_initial;
  const auto packet = protect(keys, vector);
  EXPECT_EQ(to_hex(packet), vector.packet);
  EXPECT_TRUE(opens(keys, vector, packet));
}

TEST_P(AppendixATest, ServerInitialIsThatOfTheRfc) {
  PacketKeys keys = initial_keys(secrets().server);
  const auto& vector = GetParam().server_initial;
  const auto packet = protect(keys, vector);
  EXPECT_EQ(to_hex(packet), vector.packet);
  EXPECT_TRUE(opens(keys, vector, packet));
}

TEST_P(AppendixATest, ChaChaShortHeaderPacketIsThatOfTheRfc) {
  const Secret secret{from_hex(GetParam().chacha_secret)};
  constexpr auto kSuite = CipherSuite::chacha20_poly1305_sha256;
  PacketKeys keys = openssl_keys().packet_keys(GetParam().version, kSuite, secret);
  const auto& vector = GetParam().chacha_short;
  const auto packet = protect(keys, vector);
  EXPECT_EQ(to_hex(packet), vector.packet);
  EXPECT_TRUE(opens(keys, vector, packet));
}

TEST_P(AppendixATest, NextSecretIsThatOfTheRfc) {
  const Secret secret{from_hex(GetParam().chacha_secret)};
  constexpr auto kSuite = CipherSuite::chacha20_poly1305_sha256;
  const Secret next = openssl_keys().next_secret(GetParam().version, kSuite, secret);
  EXPECT_EQ(to_hex(next.bytes()), GetParam().chacha_next_secret);
}

TEST_P(AppendixATest, RetryTagIsThatOfTheRfc) {
  const auto packet = from_hex(GetParam().retry.packet);
  const auto original = from_hex(GetParam().retry.original_destination_connection_id);
  const Bytes without_tag = Bytes(packet).first(packet.size() - kTagSize);
  const auto tag = openssl_keys().retry_integrity_tag(GetParam().version, original, without_tag);
  EXPECT_EQ(to_hex(tag), to_hex(Bytes(packet).last(kTagSize)));
  const auto other = openssl_keys().retry_integrity_tag(
      GetParam().version, Bytes(original).first(original.size() - 1), without_tag);
  EXPECT_NE(to_hex(other), to_hex(tag)) << "the original connection ID is not authenticated";
}

INSTANTIATE_TEST_SUITE_P(Versions, AppendixATest, testing::Values(kRfc9001, kRfc9369),
                         [](const auto& test) {
                           return test.param.version == Version::v1 ? "Rfc9001" : "Rfc9369";
                         });

// RFC 9001 §6.1: a key update changes the packet protection keys of every suite, for good.
TEST(KeyFactory, NextAeadDoesNotOpenWhatThePreviousSealed) {
  for (const auto suite : {CipherSuite::aes_128_gcm_sha256, CipherSuite::aes_256_gcm_sha384,
                           CipherSuite::chacha20_poly1305_sha256}) {
    const std::vector<u8> octets(suite == CipherSuite::aes_256_gcm_sha384 ? 48 : 32, 7);
    const Secret secret{octets};
    const Secret next = openssl_keys().next_secret(Version::v1, suite, secret);
    EXPECT_EQ(next.bytes().size(), octets.size());
    auto first = openssl_keys().next_aead(Version::v1, suite, secret);
    auto second = openssl_keys().next_aead(Version::v1, suite, next);
    std::vector<u8> packet(40, 1);
    first->seal(9, {}, packet);
    auto attempt = packet;
    EXPECT_FALSE(second->open(9, {}, attempt));
    EXPECT_TRUE(first->open(9, {}, packet));
  }
}

TEST(KeyFactory, VersionsDeriveDifferentKeysFromOneSecret) {
  const Secret secret{std::vector<u8>(32, 7)};
  auto v1 = openssl_keys().next_aead(Version::v1, CipherSuite::aes_128_gcm_sha256, secret);
  auto v2 = openssl_keys().next_aead(Version::v2, CipherSuite::aes_128_gcm_sha256, secret);
  std::vector<u8> packet(40, 1);
  v1->seal(9, {}, packet);
  EXPECT_FALSE(v2->open(9, {}, packet));
}

TEST(Secret, TakesAtMostItsCapacity) {
  EXPECT_EQ(Secret{std::vector<u8>(60, 1)}.bytes().size(), Secret::kMaxSize);
  EXPECT_TRUE(Secret{}.bytes().empty());
}

}  // namespace
}  // namespace qpeer::crypto
