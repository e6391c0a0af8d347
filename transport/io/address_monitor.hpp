// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which IP addresses this machine loses, as Linux reports it (rtnetlink, without privileges). A connection
// that only waits for datagrams at such an address would not notice the loss otherwise.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "qpeer/transport/base/address.hpp"

namespace qpeer::io {

/// Move-only. Closes its descriptor when destroyed. Never blocks. Of one thread at a time.
class AddressMonitor {
 public:
  /// nullopt where the system does not report it: then only a refused datagram shows the loss.
  [[nodiscard]] static std::optional<AddressMonitor> open();
  AddressMonitor(AddressMonitor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  AddressMonitor& operator=(AddressMonitor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~AddressMonitor();

  /// The descriptor, for an event loop: readable when there are changes.
  [[nodiscard]] int fd() const { return fd_; }
  /// The addresses lost since the last call, each with port 0. Some may be missing when many change at
  /// once.
  [[nodiscard]] std::vector<SocketAddress> take_gone();

 private:
  explicit AddressMonitor(int fd) : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace qpeer::io
