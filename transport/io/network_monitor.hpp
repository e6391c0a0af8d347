// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What changes in the network of this machine, as Linux reports it (rtnetlink, without privileges): IP
// addresses that it loses, and whether it gained an address, a default route or a link. A connection that
// only waits for datagrams at a lost address would not notice the loss otherwise, and one that an outage
// cut off would go on only when its next probe is due.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "qpeer/transport/base/address.hpp"

namespace qpeer::io {

/// What changed since the last look.
struct NetworkChanges {
  /// Addresses that this machine lost, each with port 0. Some may be missing when many change at once.
  std::vector<SocketAddress> gone;
  /// There is an address, a default route or a link that was not there: what was cut off may no longer be.
  bool gained = false;
  bool lost_route = false;  ///< A default route is gone.
};

/// Move-only. Closes its descriptor when destroyed. Never blocks. Of one thread at a time.
class NetworkMonitor {
 public:
  /// nullopt where the system does not report it: then only a refused datagram shows the loss.
  [[nodiscard]] static std::optional<NetworkMonitor> open();
  NetworkMonitor(NetworkMonitor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  NetworkMonitor& operator=(NetworkMonitor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~NetworkMonitor();

  /// The descriptor, for an event loop: readable when there are changes.
  [[nodiscard]] int fd() const { return fd_; }
  /// What changed since the last call.
  [[nodiscard]] NetworkChanges take_changes();

 private:
  explicit NetworkMonitor(int fd) : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace qpeer::io
