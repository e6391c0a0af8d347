// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Packet protection beyond the RFC's examples: every suite, every bit, limits, batches.
#include "qpeer/crypto/aead.hpp"

#include <gtest/gtest.h>

#include <random>

#include "qpeer/crypto/keys.hpp"
#include "qpeer/tests/unit/crypto/hex.hpp"
#include "qpeer/transport/base/ids.hpp"

namespace qpeer::crypto {
namespace {

class SuiteTest : public testing::TestWithParam<CipherSuite> {
 protected:
  PacketKeys keys(u8 seed = 1) const {
    const std::size_t size = GetParam() == CipherSuite::aes_256_gcm_sha384 ? 48 : 32;
    return openssl_keys().packet_keys(Version::v1, GetParam(), Secret{std::vector<u8>(size, seed)});
  }
};

TEST_P(SuiteTest, OpensWhatItSealedAtEverySizeAndNumber) {
  PacketKeys send = keys();
  PacketKeys receive = keys();
  for (const std::size_t size : {0, 1, 15, 16, 17, 1200, 1452, 65'000}) {
    for (const std::uint64_t number :
         {std::uint64_t{0}, std::uint64_t{1} << 32, kMaxPacketNumber}) {
      std::vector<u8> plain(size);
      for (std::size_t i = 0; i < size; ++i) plain[i] = static_cast<u8>(i * 7 + number);
      const std::vector<u8> header(size % 30, 0x42);
      auto packet = plain;
      packet.resize(size + kTagSize);
      send.aead->seal(number, header, packet);
      ASSERT_TRUE(receive.aead->open(number, header, packet));
      packet.resize(size);
      EXPECT_EQ(packet, plain);
    }
  }
}

TEST_P(SuiteTest, RejectsEveryFlippedBitAndOtherNumbers) {
  PacketKeys keys = this->keys();
  const std::vector<u8> header{0x40, 1, 2, 3};
  std::vector<u8> packet(24 + kTagSize, 5);
  keys.aead->seal(77, header, packet);
  for (std::size_t bit = 0; bit < packet.size() * 8; ++bit) {
    auto forged = packet;
    forged[bit / 8] ^= static_cast<u8>(1U << (bit % 8));
    EXPECT_FALSE(keys.aead->open(77, header, forged)) << "accepted with bit " << bit << " flipped";
  }
  for (std::size_t bit = 0; bit < header.size() * 8; ++bit) {
    auto forged = header;
    forged[bit / 8] ^= static_cast<u8>(1U << (bit % 8));
    auto attempt = packet;
    EXPECT_FALSE(keys.aead->open(77, forged, attempt)) << "header bit " << bit;
  }
  for (std::size_t bit = 0; bit < 62; ++bit) {
    auto attempt = packet;
    EXPECT_FALSE(keys.aead->open(77 ^ 1ULL << bit, header, attempt)) << "number bit " << bit;
  }
  EXPECT_TRUE(keys.aead->open(77, header, packet)) << "a failure must not spoil the context";
}

TEST_P(SuiteTest, RejectsWhatIsShorterThanATag) {
  PacketKeys keys = this->keys();
  for (std::size_t size = 0; size < kTagSize; ++size) {
    std::vector<u8> packet(size, 1);
    EXPECT_FALSE(keys.aead->open(0, {}, packet));
  }
}

// One object may seal and open in turn: tokens do, packets of one direction do not.
TEST_P(SuiteTest, SealsAndOpensInTurn) {
  PacketKeys keys = this->keys();
  for (std::uint64_t number = 0; number < 20; ++number) {
    std::vector<u8> packet(50, static_cast<u8>(number));
    keys.aead->seal(number, {}, packet);
    ASSERT_TRUE(keys.aead->open(number, {}, packet));
    EXPECT_EQ(packet[33], number);
  }
}

TEST_P(SuiteTest, MasksInABatchAreThoseOneByOne) {
  PacketKeys keys = this->keys();
  std::mt19937_64 random{GetParam() == CipherSuite::aes_128_gcm_sha256 ? 1U : 2U};
  for (const std::size_t count : {0, 1, 2, 16, 63, 64, 65, 200}) {
    std::vector<HeaderProtection::Sample> samples(count);
    for (auto& sample : samples) {
      for (u8& byte : sample) byte = static_cast<u8>(random());
    }
    std::vector<HeaderProtection::Mask> masks(count);
    keys.header_protection->masks(samples, masks);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(masks[i], keys.header_protection->mask(samples[i])) << i << " of " << count;
    }
  }
}

// RFC 9001 §6.6 [rfc9001-6.6-10] [rfc9001-6.6-11]
TEST_P(SuiteTest, LimitsAreThoseOfTheRfc) {
  PacketKeys keys = this->keys();
  const bool gcm = GetParam() != CipherSuite::chacha20_poly1305_sha256;
  EXPECT_EQ(keys.aead->confidentiality_limit(), gcm ? 8'388'608U : 4'611'686'018'427'387'904U);
  EXPECT_EQ(keys.aead->integrity_limit(), gcm ? 4'503'599'627'370'496U : 68'719'476'736U);
}

INSTANTIATE_TEST_SUITE_P(Suites, SuiteTest,
                         testing::Values(CipherSuite::aes_128_gcm_sha256,
                                         CipherSuite::aes_256_gcm_sha384,
                                         CipherSuite::chacha20_poly1305_sha256),
                         [](const auto& test) {
                           switch (test.param) {
                             case CipherSuite::aes_128_gcm_sha256:
                               return "Aes128";
                             case CipherSuite::aes_256_gcm_sha384:
                               return "Aes256";
                             default:
                               return "ChaCha20";
                           }
                         });

}  // namespace
}  // namespace qpeer::crypto
