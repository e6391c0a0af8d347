// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What changed in the network of this machine, and when somebody is told of it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::io {

/// What changed since the last look.
struct NetworkChanges {
  static constexpr std::size_t kMaxGone = 256;

  /// Addresses that this machine lost, each with port 0. Some may be missing when many change at once.
  std::vector<SocketAddress> gone{};
  /// There is an address, a default route or a link that was not there: what was cut off may no longer be.
  bool gained = false;
  bool lost_route = false;  ///< A default route is gone.

  [[nodiscard]] bool any() const { return !gone.empty() || gained || lost_route; }
  /// Whether what was sent from this address may have gone nowhere meanwhile.
  [[nodiscard]] bool may_have_cut(const SocketAddress& local) const {
    if (!local.valid()) return false;
    return lost_route || std::ranges::any_of(gone, [&](const SocketAddress& each) {
             return each.same_host(local);
           });
  }
  void add_gone(const SocketAddress& address) {
    const bool is_new = std::ranges::find(gone, address) == gone.end();
    if (is_new && gone.size() < kMaxGone) gone.push_back(address);
  }
  NetworkChanges& operator+=(const NetworkChanges& later) {
    for (const SocketAddress& address : later.gone) add_gone(address);
    gained = gained || later.gained;
    lost_route = lost_route || later.lost_route;
    return *this;
  }
};

/// The first change is handed out at once; those of the next 100 ms together, at its end, and so on. A machine
/// on which containers start and stop, each with links of its own, has many. Calls in the order of time, of one
/// thread.
class PacedNetworkChanges {
 public:
  static constexpr Duration kPause = std::chrono::milliseconds(100);

  void add(const NetworkChanges& changes) { waiting_ += changes; }
  /// What has not been handed out, if it is time.
  std::optional<NetworkChanges> take(Instant now) {
    if (!waiting_.any() || now < paused_until_) return std::nullopt;
    paused_until_ = now + kPause;
    return std::exchange(waiting_, {});
  }
  /// When take() has something; kNever while there is nothing.
  [[nodiscard]] Instant next() const { return waiting_.any() ? paused_until_ : kNever; }

 private:
  NetworkChanges waiting_;
  Instant paused_until_ = Instant::min();
};

}  // namespace qpeer::io
