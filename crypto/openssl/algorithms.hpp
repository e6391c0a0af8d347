// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The algorithms behind each cipher suite, fetched from OpenSSL once for the whole process: a fetch
// by name costs more than sealing a packet.
#pragma once

#include <cstddef>

#include "qpeer/crypto/aead.hpp"
#include "qpeer/crypto/openssl/handles.hpp"

namespace qpeer::crypto {

inline constexpr std::size_t kIvSize = 12;
inline constexpr std::size_t kMaxKeySize = 32;

enum class Hash : u8 { sha256, sha384 };

constexpr std::size_t hash_size(Hash hash) { return hash == Hash::sha256 ? 32 : 48; }

/// What a cipher suite is made of. RFC 9001 §5.3, §5.4.3, §5.4.4, §6.6.
struct SuiteAlgorithms {
  Handle<evp_cipher_st> aead;
  Handle<evp_cipher_st> header_protection;
  std::size_t key_size = 0;  ///< Of both.
  bool header_protection_is_aes = true;
  Hash hash = Hash::sha256;
  std::uint64_t confidentiality_limit = 0;
  std::uint64_t integrity_limit = 0;
};

/// Safe from any thread. Lives until the process ends.
const SuiteAlgorithms& algorithms_of(CipherSuite suite);

constexpr Hash hash_of(CipherSuite suite) {
  return suite == CipherSuite::aes_256_gcm_sha384 ? Hash::sha384 : Hash::sha256;
}

}  // namespace qpeer::crypto
