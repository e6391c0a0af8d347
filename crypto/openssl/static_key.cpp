// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/crypto/static_key.hpp"

#include "qpeer/crypto/openssl/hkdf.hpp"

namespace qpeer::crypto {

StaticKey derive_static_key(Bytes secret, std::string_view purpose) {
  const Secret full = hmac(Hash::sha256, secret, {as_bytes("qpeer static key"), as_bytes(purpose)});
  StaticKey out{};
  copy(full.bytes(), out);
  return out;
}

}  // namespace qpeer::crypto
