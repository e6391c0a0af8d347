// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the kinds of packets look like. RFC 9000 §17, Table 5.
#pragma once

#include "qpeer/transport/base/ids.hpp"

namespace qpeer::wire {

using qpeer::PacketType;

/// Whether packets of this type start with the long header, RFC 9000 §17.2.
constexpr bool has_long_header(PacketType type) { return type != PacketType::one_rtt; }

}  // namespace qpeer::wire
