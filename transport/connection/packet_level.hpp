// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Packets and levels of encryption: which have which, and what the least packet is. RFC 9001 §4.
#pragma once

#include <cstddef>

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/wire/packet_type.hpp"

namespace qpeer::transport {

/// Less room than this for frames is not worth a packet.
inline constexpr std::size_t kLeastPayload = 32;

/// The level of a packet with keys.
[[nodiscard]] constexpr EncryptionLevel level_of(wire::PacketType type) {
  switch (type) {
    case wire::PacketType::initial:
      return EncryptionLevel::initial;
    case wire::PacketType::zero_rtt:
      return EncryptionLevel::zero_rtt;
    case wire::PacketType::handshake:
      return EncryptionLevel::handshake;
    default:
      return EncryptionLevel::one_rtt;
  }
}

/// The type of the packets of a level.
[[nodiscard]] constexpr wire::PacketType type_of(EncryptionLevel level) {
  switch (level) {
    case EncryptionLevel::initial:
      return wire::PacketType::initial;
    case EncryptionLevel::zero_rtt:
      return wire::PacketType::zero_rtt;
    case EncryptionLevel::handshake:
      return wire::PacketType::handshake;
    default:
      return wire::PacketType::one_rtt;
  }
}

}  // namespace qpeer::transport
