// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/endpoint/handshake_counts.hpp"

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::transport {

HandshakeCounts::Prefix HandshakeCounts::prefix_of(const SocketAddress& address) {
  const std::size_t size = address.is_ipv4() ? 3 : 7;
  Reader in(address.octets());
  return std::uint64_t{size} << 56 | in.big_endian(size);
}

void HandshakeCounts::add(Prefix prefix) {
  ++by_prefix_[prefix];
  ++total_;
}

void HandshakeCounts::remove(Prefix prefix) {
  const auto found = by_prefix_.find(prefix);
  if (found == by_prefix_.end()) return;
  if (--found->second == 0) by_prefix_.erase(found);
  --total_;
}

std::size_t HandshakeCounts::of(Prefix prefix) const {
  const auto found = by_prefix_.find(prefix);
  return found == by_prefix_.end() ? 0 : found->second;
}

bool HandshakeCounts::consistent() const {
  std::size_t total = 0;
  for (const auto& [prefix, count] : by_prefix_) {
    if (count == 0) return false;
    total += count;
  }
  return total == total_;
}

}  // namespace qpeer::transport
