// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A heap of deadlines, one a slot, whose entries can move: the earliest is on top.
//
//   heap_      : entries ordered as a binary heap by (deadline, slot): ties are deterministic
//   position_  : slot -> index in heap_, or kAbsent
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer {

class DeadlineHeap {
 public:
  using Slot = std::uint32_t;

  [[nodiscard]] bool empty() const { return heap_.empty(); }
  /// kNever when empty.
  [[nodiscard]] Instant earliest() const { return heap_.empty() ? kNever : heap_[0].deadline; }
  /// Whose deadline is the earliest; only when not empty.
  [[nodiscard]] Slot top() const {
    QPEER_ASSERT(!empty());
    return heap_[0].slot;
  }

  /// Sets the slot's deadline; kNever removes it.
  void set(Slot slot, Instant deadline) {
    if (slot >= position_.size()) position_.resize(slot + std::size_t{1}, kAbsent);
    const std::size_t at = position_[slot];
    if (at == kAbsent) {
      if (deadline == kNever) return;
      heap_.push_back({deadline, slot});
      position_[slot] = heap_.size() - 1;
      rise(heap_.size() - 1);
    } else if (deadline == kNever) {
      remove(at);
    } else if (heap_[at].deadline != deadline) {
      heap_[at].deadline = deadline;
      sink(rise(at));
    }
  }

  /// Whether it is a heap, and each slot knows its place. For assertions.
  [[nodiscard]] bool consistent() const {
    std::size_t present = 0;
    for (const std::size_t at : position_) present += at != kAbsent ? 1 : 0;
    if (present != heap_.size()) return false;
    for (std::size_t at = 0; at < heap_.size(); ++at) {
      const Entry& entry = heap_[at];
      if (entry.slot >= position_.size() || position_[entry.slot] != at) return false;
      if (entry.deadline == kNever || (at != 0 && entry < heap_[(at - 1) / 2])) return false;
    }
    return true;
  }

 private:
  struct Entry {
    Instant deadline;
    Slot slot;
    friend constexpr auto operator<=>(const Entry&, const Entry&) = default;
  };
  static constexpr std::size_t kAbsent = ~std::size_t{0};

  void place(std::size_t at, Entry entry) {
    heap_[at] = entry;
    position_[entry.slot] = at;
  }
  std::size_t rise(std::size_t at) {
    const Entry entry = heap_[at];
    while (at > 0 && entry < heap_[(at - 1) / 2]) {
      place(at, heap_[(at - 1) / 2]);
      at = (at - 1) / 2;
    }
    place(at, entry);
    return at;
  }
  void sink(std::size_t at) {
    const Entry entry = heap_[at];
    for (std::size_t child = 2 * at + 1; child < heap_.size(); child = 2 * at + 1) {
      if (child + 1 < heap_.size() && heap_[child + 1] < heap_[child]) ++child;
      if (!(heap_[child] < entry)) break;
      place(at, heap_[child]);
      at = child;
    }
    place(at, entry);
  }
  void remove(std::size_t at) {
    position_[heap_[at].slot] = kAbsent;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (at == heap_.size()) return;
    place(at, last);
    sink(rise(at));
  }

  std::vector<Entry> heap_;
  std::vector<std::size_t> position_;
};

}  // namespace qpeer
