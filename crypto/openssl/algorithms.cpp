// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Fetches the algorithms of the three suites, and states their limits.
#include "qpeer/crypto/openssl/algorithms.hpp"

#include <openssl/evp.h>

namespace qpeer::crypto {
namespace {

Handle<EVP_CIPHER> fetch(const char* name) {
  Handle<EVP_CIPHER> cipher{EVP_CIPHER_fetch(nullptr, name, nullptr)};
  require(cipher != nullptr);
  return cipher;
}

// RFC 9001 §6.6 [rfc9001-6.6-10] [rfc9001-6.6-11]: each suite states how many packets one key may
// seal, and how many forgeries a connection may see. ChaCha20-Poly1305 outlasts the packet numbers.
constexpr std::uint64_t kGcmConfidentiality = std::uint64_t{1} << 23;
constexpr std::uint64_t kGcmIntegrity = std::uint64_t{1} << 52;
constexpr std::uint64_t kChaChaConfidentiality = std::uint64_t{1} << 62;
constexpr std::uint64_t kChaChaIntegrity = std::uint64_t{1} << 36;

struct AllSuites {
  SuiteAlgorithms aes128{fetch("AES-128-GCM"), fetch("AES-128-ECB"), 16,           true,
                         Hash::sha256,         kGcmConfidentiality,  kGcmIntegrity};
  SuiteAlgorithms aes256{fetch("AES-256-GCM"), fetch("AES-256-ECB"), 32,           true,
                         Hash::sha384,         kGcmConfidentiality,  kGcmIntegrity};
  SuiteAlgorithms chacha20{fetch("ChaCha20-Poly1305"), fetch("ChaCha20"), 32, false, Hash::sha256,
                           kChaChaConfidentiality,     kChaChaIntegrity};
};

}  // namespace

const SuiteAlgorithms& algorithms_of(CipherSuite suite) {
  // Never destroyed: objects with static lifetime may still need it, and OpenSSL cleans up itself.
  static const AllSuites& all = *new AllSuites;
  switch (suite) {
    case CipherSuite::aes_256_gcm_sha384:
      return all.aes256;
    case CipherSuite::chacha20_poly1305_sha256:
      return all.chacha20;
    default:
      return all.aes128;
  }
}

}  // namespace qpeer::crypto
