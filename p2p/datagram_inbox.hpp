// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Datagrams of peers that wait for the application, in the order in which they came. When there are too
// many, one of the peer with the most is dropped: a flood takes the places of its own sender only.
//
// Invariant: size() is at most kCapacity, and the sum of what is counted for the peers.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "qpeer/p2p/node_event.hpp"
#include "qpeer/transport/base/address.hpp"

namespace qpeer::p2p {

class DatagramInbox {
 public:
  static constexpr std::size_t kCapacity = 256;

  /// `network` is the peer's, a /24 or /48. Beyond the capacity a datagram is dropped: the oldest of the
  /// peer that has the most, in the network that has the most.
  void push(const SocketAddress& network, Datagram datagram);
  /// The oldest; nullopt when there is none.
  [[nodiscard]] std::optional<Datagram> pop();
  [[nodiscard]] std::size_t size() const { return queue_.size(); }

  /// Whether the invariant holds. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  /// The network first, so that its peers stand together.
  using Sender = std::pair<SocketAddress, PeerId>;
  struct Entry {
    SocketAddress network;
    Datagram datagram;
  };
  void count_one_less(const Sender& sender);
  [[nodiscard]] Sender sender_of_most() const;

  std::deque<Entry> queue_;
  std::map<Sender, std::size_t> counts_;  ///< None is zero.
};

}  // namespace qpeer::p2p
