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

/// The same for the same secret and purpose; nothing of one tells of another, or of the secret. No
/// two endpoints may have one key for stateless resets: so that its purpose should say which it is,
/// by its address. RFC 9000 §21.11.
[[nodiscard]] StaticKey derive_static_key(Bytes secret, std::string_view purpose);

}  // namespace qpeer::crypto
