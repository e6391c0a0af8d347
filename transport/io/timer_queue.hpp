// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The timers of an EventLoop, in the order in which they fire: a heap whose nodes know their places.
//
// Invariant: a node is in the heap, or due in the firing under way, or nowhere; its index is its position
// there. No node's parent fires after it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::io {

struct Timer::Node {
  enum class Place : u8 { nowhere, heap, due };
  TimerQueue* queue;
  Callback callback;
  Instant deadline = kNever;
  std::uint64_t order = 0;
  std::size_t index = 0;
  Place place = Place::nowhere;
  bool orphaned = false;  ///< Its timer was destroyed by its own callback.

  [[nodiscard]] bool before(const Node& other) const {
    return deadline != other.deadline ? deadline < other.deadline : order < other.order;
  }
};

/// Of the loop's thread.
class TimerQueue {
 public:
  /// kNever when there is none.
  [[nodiscard]] Instant next_deadline() const {
    return heap_.empty() ? kNever : heap_.front()->deadline;
  }
  void arm(Timer::Node& node, Instant deadline);
  void disarm(Timer::Node& node);
  /// Calls the timers whose deadline has come. When a callback throws, the timers behind it fire in the
  /// next turn.
  void fire(Instant now);
  /// The timer of the node is destroyed.
  void free(Timer::Node* node);
  /// Whether the invariant holds. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  void fire(Timer::Node& node, Instant now);
  void sift_up(std::size_t index);
  void sift_down(std::size_t index);
  void place(std::size_t index, Timer::Node* node);

  std::vector<Timer::Node*> heap_;  // The earliest on top.
  std::vector<Timer::Node*> due_;   // Taken from the heap in this turn; null where cancelled.
  Timer::Node* firing_ = nullptr;
  std::uint64_t next_order_ = 0;
};

}  // namespace qpeer::io
