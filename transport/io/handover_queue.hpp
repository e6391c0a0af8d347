// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Datagrams that other threads received, and that are for the thread of this queue's loop.
//
//   add() by any thread --> filling --swap, by a posted call--> emptying --> the receiver, in its loop
//
// Bounded, with a lock that is held for the copy of one datagram or for the swap. Nothing is allocated
// after the construction.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::io {

/// add() may be called from any thread, all else in that of the loop. Must outlive the loop that attach() is given.
class HandoverQueue {
 public:
  /// How many datagrams, and how many bytes of them, wait at most; further ones are refused.
  static constexpr std::size_t kMaxDatagrams = 1'024;
  static constexpr std::size_t kMaxBytes = 1 << 20;
  /// The datagrams of one network may take one part in this many of either bound.
  static constexpr std::size_t kNetworkShare = 4;
  /// Called in the loop's thread. The bytes are lent for the call, and may be changed.
  using Receiver = std::move_only_function<void(Instant now, const ReceivedDatagram&)>;

  /// `seed` is random, so that an attacker cannot choose networks whose counts collide.
  explicit HandoverQueue(std::uint64_t seed);
  HandoverQueue(const HandoverQueue&) = delete;
  HandoverQueue& operator=(const HandoverQueue&) = delete;

  /// From now on datagrams are taken, and given to `receiver`. Once; in the loop's thread.
  void attach(EventLoop& loop, Receiver receiver);
  /// From now on no datagram is taken, and those that wait are dropped. In the loop's thread, not from
  /// within the receiver.
  void detach();

  /// Copies the datagram, which came from that network, and wakes the loop. False when there is no room, or
  /// no loop is attached. Any thread.
  bool add(const ReceivedDatagram& datagram, std::uint64_t network);

 private:
  struct Item {
    Path path;
    Ecn ecn = Ecn::not_ect;
    std::size_t offset = 0;
    std::size_t size = 0;
  };
  struct Usage {
    std::uint32_t datagrams = 0;
    std::uint32_t bytes = 0;
    /// Whether one of `size` bytes more stays within a `share`-th of the bounds.
    [[nodiscard]] bool has_room(std::size_t size, std::size_t share) const;
    void add(std::size_t size);
  };
  struct Batch {
    std::vector<Item> items;
    std::unique_ptr<u8[]> bytes;
    Usage used;
    std::array<Usage, 256> by_network;  ///< By a hash of the network; few networks share a place.
    void clear();
  };
  void deliver();

  std::uint64_t seed_;
  std::mutex mutex_;  ///< Guards the next three.
  Batch filling_;
  EventLoop* loop_ = nullptr;
  bool is_posted_ = false;  ///< A call of deliver() is on its way.
  Batch emptying_;          ///< Of the loop's thread, as is the receiver.
  Receiver receiver_;
};

}  // namespace qpeer::io
