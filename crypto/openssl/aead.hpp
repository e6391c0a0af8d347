// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Makes packet protection for a given key and IV.
#pragma once

#include <memory>

#include "qpeer/crypto/aead.hpp"
#include "qpeer/crypto/openssl/algorithms.hpp"

namespace qpeer::crypto {

/// `key` is of the suite's key_size, `iv` of kIvSize bytes.
std::unique_ptr<Aead> make_aead(CipherSuite suite, Bytes key, Bytes iv);

/// `key` is of the suite's key_size.
std::unique_ptr<HeaderProtection> make_header_protection(CipherSuite suite, Bytes key);

}  // namespace qpeer::crypto
