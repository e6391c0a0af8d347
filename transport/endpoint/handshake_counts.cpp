// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/endpoint/handshake_counts.hpp"

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::transport {

HandshakeCounts::Prefix HandshakeCounts::prefix_of(const SocketAddress& address) {
  const std::size_t size = address.is_ipv4() ? 3 : 7;
  Reader in(address.octets());
  return std::uint64_t{size} << 56 | in.big_endian(size);
}

}  // namespace qpeer::transport
