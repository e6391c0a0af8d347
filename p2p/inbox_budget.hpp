// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How much of what peers sent is kept until the application takes it: a limit for each peer, and one
// for all.
//
// Invariant: total() is the sum of what is charged to the peers, and none of them is charged zero.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/p2p/node_config.hpp"

namespace qpeer::p2p {

class InboxBudget {
 public:
  explicit InboxBudget(const NodeConfig& config) : config_(config) {}

  void charge(const PeerId& peer, std::size_t size) {
    if (size == 0) return;
    charged_[peer] += size;
    total_ += size;
  }
  void discharge(const PeerId& peer, std::size_t size) {
    if (size == 0) return;
    room_was_made_ = true;
    total_ -= size;
    const auto at = charged_.find(peer);
    at->second -= size;
    if (at->second == 0) charged_.erase(at);
  }

  /// How much more may be kept of the peer's message; of its `oldest` one, so that something gets
  /// whole, beyond the limit of the peer. When is_full() only ask for the oldest of all.
  [[nodiscard]] std::size_t room(const PeerId& peer, bool oldest) const {
    if (total_ >= config_.max_inbox_total + config_.max_message_size) return 0;
    const std::size_t for_all =
        is_full() ? config_.max_message_size : config_.max_inbox_total - total_;
    const std::size_t held = charged_to(peer);
    if (held < config_.max_inbox_bytes) return std::min(for_all, config_.max_inbox_bytes - held);
    return oldest && held < config_.max_inbox_bytes + config_.max_message_size ? for_all : 0;
  }
  [[nodiscard]] bool is_full() const { return total_ >= config_.max_inbox_total; }
  [[nodiscard]] std::size_t total() const { return total_; }
  /// Outlasts the link: what waits is still there.
  [[nodiscard]] std::size_t charged_to(const PeerId& peer) const {
    const auto at = charged_.find(peer);
    return at == charged_.end() ? 0 : at->second;
  }

  /// Whether something was discharged since the last take_room_was_made().
  [[nodiscard]] bool room_was_made() const { return room_was_made_; }
  bool take_room_was_made() { return std::exchange(room_was_made_, false); }

  [[nodiscard]] bool consistent() const {
    std::size_t sum = 0;
    for (const auto& [peer, size] : charged_) {
      if (size == 0) return false;
      sum += size;
    }
    return sum == total_;
  }

 private:
  const NodeConfig& config_;
  std::map<PeerId, std::size_t> charged_;
  std::size_t total_ = 0;
  bool room_was_made_ = false;
};

}  // namespace qpeer::p2p
