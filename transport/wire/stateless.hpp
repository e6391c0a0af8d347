// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Stateless resets: random bytes that look like a short header packet and end in a token.
// RFC 9000 §10.3.
#pragma once

#include <cstddef>
#include <optional>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/wire/header.hpp"

namespace qpeer::wire {

/// The smallest stateless reset: 38 unpredictable bits, the two fixed ones, and the token.
inline constexpr std::size_t kMinStatelessResetSize = 21;

/// Makes a stateless reset of `out`, which the caller has filled with at least
/// kMinStatelessResetSize unpredictable bytes. Its size is the caller's to choose, below that of
/// the packet it answers.
constexpr void encode_stateless_reset(MutableBytes out, const StatelessResetToken& token) {
  // RFC 9000 §10.3 [rfc9000-10.3-8]: only the two bits that every short header has are set.
  out[0] = static_cast<u8>((out[0] & ~kLongFormBit) | kFixedBit);
  copy(token, out.last(token.size()));
}

/// The token of a datagram, should it be a stateless reset; nullopt when it is too small for one.
/// To be compared in constant time with the tokens of the IDs in use.
constexpr std::optional<StatelessResetToken> reset_token_of(Bytes datagram) {
  // RFC 9000 §10.3 [rfc9000-10.3-7]. [rfc9000-10.3-9]: the header form is not looked at, since
  // another version may send its resets with a long header.
  if (datagram.size() < kMinStatelessResetSize) return std::nullopt;
  StatelessResetToken token{};
  copy(datagram.last(token.size()), token);
  return token;
}

}  // namespace qpeer::wire
