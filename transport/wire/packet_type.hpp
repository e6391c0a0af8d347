// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The kinds of packets. RFC 9000 §17, Table 5.
#pragma once

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::wire {

enum class PacketType : u8 { initial, zero_rtt, handshake, retry, version_negotiation, one_rtt };

/// Whether packets of this type start with the long header, RFC 9000 §17.2.
constexpr bool has_long_header(PacketType type) { return type != PacketType::one_rtt; }

}  // namespace qpeer::wire
