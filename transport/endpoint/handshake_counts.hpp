// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How many clients are in their handshake, in all and by network, so that the clients of one network
// cannot take the places of all others. RFC 9000 §21.6.
#pragma once

#include <cstdint>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/counts.hpp"

namespace qpeer::transport {

class HandshakeCounts : public Counts<std::uint64_t> {
 public:
  /// What addresses of one network share: 24 bits of IPv4, 56 of IPv6.
  using Prefix = std::uint64_t;
  static Prefix prefix_of(const SocketAddress& address);
};

}  // namespace qpeer::transport
