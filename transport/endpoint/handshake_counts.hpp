// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How many clients are in their handshake, in all and by network, so that one network's cannot take
// the places of all others'. RFC 9000 §21.6.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "qpeer/transport/base/address.hpp"

namespace qpeer::transport {

class HandshakeCounts {
 public:
  /// What addresses of one network share: 24 bits of IPv4, 56 of IPv6.
  using Prefix = std::uint64_t;
  static Prefix prefix_of(const SocketAddress& address);

  void add(Prefix prefix);
  void remove(Prefix prefix);

  [[nodiscard]] std::size_t total() const { return total_; }
  [[nodiscard]] std::size_t of(Prefix prefix) const;

  /// Whether the total is the sum of the networks. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  std::map<Prefix, std::size_t> by_prefix_;  ///< A tree: who chooses addresses cannot slow it down.
  std::size_t total_ = 0;
};

}  // namespace qpeer::transport
