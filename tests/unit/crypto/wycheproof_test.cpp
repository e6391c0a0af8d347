// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The AEADs and HMAC against cases that are chosen to find faults in them.
#include <gtest/gtest.h>

#include "qpeer/crypto/openssl/aead.hpp"
#include "qpeer/crypto/openssl/hkdf.hpp"
#include "qpeer/tests/unit/crypto/hex.hpp"
#include "qpeer/tests/unit/crypto/wycheproof_vectors.hpp"

namespace qpeer::crypto {
namespace {

// The IV is the nonce of packet number 0, and for any other number with the number xored in.
TEST(Wycheproof, Aead) {
  for (const AeadVector& vector : kAeadVectors) {
    SCOPED_TRACE(vector.id);
    constexpr std::uint64_t kNumber = 0x0123456789abcdef;
    auto shifted = from_hex(vector.iv);
    for (std::size_t i = 0; i < 8; ++i) shifted[11 - i] ^= static_cast<u8>(kNumber >> (8 * i));
    const auto plain = make_aead(vector.suite, from_hex(vector.key), from_hex(vector.iv));
    const auto numbered = make_aead(vector.suite, from_hex(vector.key), shifted);
    const auto header = from_hex(vector.header);
    for (const auto& [aead, number] :
         {std::pair{plain.get(), std::uint64_t{0}}, std::pair{numbered.get(), kNumber}}) {
      auto packet = from_hex(vector.sealed);
      ASSERT_EQ(aead->open(number, header, packet), vector.valid);
      if (!vector.valid) continue;
      EXPECT_EQ(to_hex(Bytes(packet).first(packet.size() - kTagSize)), vector.payload);
      aead->seal(number, header, packet);
      EXPECT_EQ(to_hex(packet), vector.sealed);
    }
  }
}

TEST(Wycheproof, Hmac) {
  for (const HmacVector& vector : kHmacVectors) {
    SCOPED_TRACE(vector.id);
    const auto message = from_hex(vector.message);
    const Bytes all{message};
    const auto key = from_hex(vector.key);
    const Secret whole = hmac(vector.hash, key, {all});
    const Secret parts =
        hmac(vector.hash, key, {all.first(all.size() / 3), {}, all.subspan(all.size() / 3)});
    EXPECT_EQ(to_hex(whole.bytes()).starts_with(vector.tag), vector.valid);
    EXPECT_EQ(to_hex(parts.bytes()), to_hex(whole.bytes()));
  }
}

}  // namespace
}  // namespace qpeer::crypto
