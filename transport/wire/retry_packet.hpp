// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Retry packets, but for the integrity tag, which needs keys. RFC 9000 §17.2.5; RFC 9001 §5.8.
//
//   1 form | 1 fixed | 2 type | 4 unused, version, dcid, scid, token, integrity tag (16)
#pragma once

#include <cstddef>
#include <expected>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/version.hpp"

namespace qpeer::wire {

inline constexpr std::size_t kRetryIntegrityTagSize = 16;

/// A Retry packet. Views into it.
struct RetryPacket {
  Version version = Version::v1;
  ConnectionId destination_connection_id{};
  ConnectionId source_connection_id{};
  Bytes token{};          ///< Never empty.
  Bytes integrity_tag{};  ///< To be checked before anything else is believed.
  Bytes without_tag{};    ///< What the tag covers, after the original connection ID.
};

/// Decodes a Retry packet of version 1 or 2 that fills `packet`.
[[nodiscard]] std::expected<RetryPacket, DropReason> decode_retry(Bytes packet);

/// Writes a Retry packet without its tag. `unused_bits` are the low four of the first byte.
void encode_retry(Writer& out, Version version, Bytes dcid, Bytes scid, Bytes token,
                  u8 unused_bits = 0x0f);

}  // namespace qpeer::wire
