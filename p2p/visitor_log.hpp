// SPDX-License-Identifier: MIT OR BSD-3-Clause
// From which addresses connections came to us lately: a firewall in front of one may be open to us
// because of that, so that dialling it proves less.
//
// Invariant: at most kMaxVisitors addresses, and no visit ends before it began.
#pragma once

#include <cstddef>
#include <map>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

class VisitorLog {
 public:
  /// A hole in a firewall lasts about so long after the last packet.
  static constexpr Duration kVisitorTime = 5min;
  static constexpr std::size_t kMaxVisitors = 4'096;

  void on_visit(Instant now, const SocketAddress& from);
  /// Whether a peer came from `address` before `when`, and the hole of that may still be open.
  [[nodiscard]] bool came_before(Instant now, const SocketAddress& address, Instant when) const;

  /// Whether anything came from that host, and the hole of that may still be open.
  [[nodiscard]] bool came_from_host(Instant now, const SocketAddress& address) const;

  [[nodiscard]] std::size_t size() const { return visits_.size(); }
  [[nodiscard]] bool consistent() const;

 private:
  struct Visit {
    Instant first{};
    Instant last = Instant::min();
  };
  std::map<SocketAddress, Visit> visits_;
};

}  // namespace qpeer::p2p
