// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which IP addresses this machine loses, as Linux reports it (rtnetlink, without privileges). Datagrams
// to an address that is gone never arrive, and who only waits for some learns it from nothing else.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "qpeer/transport/base/address.hpp"

namespace qpeer::io {

/// Move-only. Closes its descriptor when destroyed. Never blocks. Of one thread at a time.
class AddressMonitor {
 public:
  /// nullopt where the system gives none: then a refused datagram has to show it.
  [[nodiscard]] static std::optional<AddressMonitor> open();
  AddressMonitor(AddressMonitor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  AddressMonitor& operator=(AddressMonitor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~AddressMonitor();

  /// The descriptor, for an event loop: readable when there are changes.
  [[nodiscard]] int fd() const { return fd_; }
  /// The addresses that went since the last call, each with port 0. Some may be missing when many change
  /// at once.
  [[nodiscard]] std::vector<SocketAddress> take_gone();

 private:
  explicit AddressMonitor(int fd) : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace qpeer::io
