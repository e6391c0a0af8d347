// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which candidates are not dialled for a while, because no dial to them led to a link that lasted.
//
// A pause belongs to an address, not to a peer or a link: it holds when both are forgotten, and in
// whatever role the peer or we come again.
//
// Invariant: at most kMax addresses are kept.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>

#include "qpeer/p2p/back_off.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

class CandidatePauses {
 public:
  static constexpr std::size_t kMax = 1'024;
  /// A failure so long after the last pause is the first of a new row.
  static constexpr Duration kForget = 5min;

  /// The pause begins now; it is longer than the one before.
  void on_failed(Instant now, const SocketAddress& address, Random& random) {
    auto at = pauses_.find(address);
    if (at != pauses_.end() && now - at->second.until >= kForget) {
      pauses_.erase(at);
      at = pauses_.end();
    }
    if (at == pauses_.end()) {
      if (pauses_.size() >= kMax) make_room();
      at = pauses_.try_emplace(address).first;
    }
    Pause& pause = at->second;
    pause.until = std::max(pause.until, now + pause.back_off.on_failure(random));
  }
  void on_success(const SocketAddress& address) { pauses_.erase(address); }
  void clear() { pauses_.clear(); }
  [[nodiscard]] bool holds(Instant now, const SocketAddress& address) const {
    const auto at = pauses_.find(address);
    return at != pauses_.end() && now < at->second.until;
  }
  [[nodiscard]] bool consistent() const { return pauses_.size() <= kMax; }

 private:
  struct Pause {
    BackOff back_off{};
    Instant until{};
  };

  // Removes the pause that ends first.
  void make_room() {
    pauses_.erase(std::ranges::min_element(
        pauses_, {}, [](const auto& address_and_pause) { return address_and_pause.second.until; }));
  }

  std::map<SocketAddress, Pause> pauses_;
};

}  // namespace qpeer::p2p
