// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How many bytes are kept for peers: a limit for each of them, one for each network that they come
// from, and one for all, so that neither a peer nor a host with many keys can take all the room.
//
// Invariant: total() is the sum of what is charged to the peers, and of what is charged to the
// networks. None of them is charged zero.
#pragma once

#include <cstddef>
#include <map>
#include <utility>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/transport/base/address.hpp"

namespace qpeer::p2p {

/// To whom bytes are charged.
struct Account {
  PeerId peer{};
  SocketAddress network{};  ///< Its /24 or /48: see site_of().
};

/// Of one peer, of one network, of all. They may change while the budget is used.
struct ByteLimits {
  const std::size_t& peer;
  const std::size_t& network;
  const std::size_t& total;
};

class ByteBudget {
 public:
  explicit ByteBudget(ByteLimits limits) : limits_(limits) {}

  void charge(const Account& account, std::size_t size) {
    if (size == 0) return;
    peers_[account.peer] += size;
    networks_[account.network] += size;
    total_ += size;
  }
  void discharge(const Account& account, std::size_t size) {
    if (size == 0) return;
    room_was_made_ = true;
    total_ -= size;
    take(peers_, account.peer, size);
    take(networks_, account.network, size);
  }

  [[nodiscard]] std::size_t total() const { return total_; }
  /// What is kept for a peer stays charged when its link has ended.
  [[nodiscard]] std::size_t charged_to(const PeerId& peer) const { return value(peers_, peer); }
  [[nodiscard]] std::size_t charged_to(const SocketAddress& network) const {
    return value(networks_, network);
  }

  [[nodiscard]] bool is_full() const { return total_ >= limits_.total; }
  [[nodiscard]] bool is_full(const SocketAddress& network) const {
    return charged_to(network) >= limits_.network;
  }
  /// Whether one of the three limits is reached.
  [[nodiscard]] bool is_full(const Account& account) const {
    return is_full() || is_full(account.network) || charged_to(account.peer) >= limits_.peer;
  }

  /// Whether something was discharged since the last take_room_was_made().
  [[nodiscard]] bool room_was_made() const { return room_was_made_; }
  bool take_room_was_made() { return std::exchange(room_was_made_, false); }

  [[nodiscard]] bool consistent() const { return sum_is_total(peers_) && sum_is_total(networks_); }

 protected:
  [[nodiscard]] const ByteLimits& limits() const { return limits_; }

 private:
  template <class Key>
  using Charges = std::map<Key, std::size_t>;

  template <class Key>
  static void take(Charges<Key>& from, const Key& key, std::size_t size) {
    const auto at = from.find(key);
    at->second -= size;
    if (at->second == 0) from.erase(at);
  }
  template <class Key>
  static std::size_t value(const Charges<Key>& of, const Key& key) {
    const auto at = of.find(key);
    return at == of.end() ? 0 : at->second;
  }
  template <class Key>
  [[nodiscard]] bool sum_is_total(const Charges<Key>& charges) const {
    std::size_t sum = 0;
    for (const auto& [key, size] : charges) {
      if (size == 0) return false;
      sum += size;
    }
    return sum == total_;
  }

  ByteLimits limits_;
  Charges<PeerId> peers_;
  Charges<SocketAddress> networks_;
  std::size_t total_ = 0;
  bool room_was_made_ = false;
};

}  // namespace qpeer::p2p
