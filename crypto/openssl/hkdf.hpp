// SPDX-License-Identifier: MIT OR BSD-3-Clause
// HMAC and the key derivation of TLS 1.3. RFC 2104; RFC 5869; RFC 8446 §7.1.
#pragma once

#include <array>
#include <initializer_list>
#include <string_view>

#include "qpeer/crypto/keys.hpp"
#include "qpeer/crypto/openssl/algorithms.hpp"

namespace qpeer::crypto {

/// HMAC of the concatenated `parts`, of hash_size(hash) bytes.
Secret hmac(Hash hash, Bytes key, std::initializer_list<Bytes> parts);

/// HKDF-Extract.
inline Secret hkdf_extract(Hash hash, Bytes salt, Bytes input_key) {
  return hmac(hash, salt, {input_key});
}

/// HKDF-Expand-Label with an empty context. `out` is at most hash_size(hash) bytes, and `label`
/// (without "tls13 ") at most 32: all that QUIC ever asks for.
void hkdf_expand_label(Hash hash, Bytes secret, std::string_view label, MutableBytes out);

}  // namespace qpeer::crypto
