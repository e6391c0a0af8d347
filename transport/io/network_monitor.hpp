// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What changes in the network of this machine, as Linux reports it (rtnetlink, without privileges): IP
// addresses that it loses, and whether it gained an address, a default route or a link. A connection that
// only waits for datagrams at a lost address would not notice the loss otherwise, and one that an outage
// cut off would go on only when its next probe is due.
#pragma once

#include <optional>
#include <utility>

#include "qpeer/transport/io/network_changes.hpp"

namespace qpeer::io {

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
