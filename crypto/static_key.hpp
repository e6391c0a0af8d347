// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Keys that outlive the process, from a secret that does: for stateless resets and address tokens.
// RFC 9000 §10.3.2, §8.1.4.
#pragma once

#include <array>
#include <string_view>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::crypto {

/// A derived key. A secret.
using StaticKey = std::array<u8, 32>;

/// Derives a key: the same for the same secret and purpose. A key reveals nothing about another one,
/// or about the secret. No two endpoints may have the same key for stateless resets, so the purpose
/// of such a key should contain the endpoint's address. RFC 9000 §21.11.
[[nodiscard]] StaticKey derive_static_key(Bytes secret, std::string_view purpose);

}  // namespace qpeer::crypto
