// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Byte strings in the order in which they came, each in one piece, in one block that is used again
// and again.
//
//   |  free  | a | b | c |  free  |       or, once the next did not fit behind:   | d | free | b | c | - |
//
// The block grows while it is needed, to the limit and one byte string more: then whatever is within
// the limit fits, wherever the others lie. It is given back at the end only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ring.hpp"

namespace qpeer::transport {

class DatagramRing {
 public:
  static constexpr std::size_t kMaxSize = 65'535;
  /// Added to the size of each byte string, so that the number of empty ones is bounded too.
  static constexpr std::size_t kOverhead = 16;

  explicit DatagramRing(std::size_t limit) : limit_(limit) {}

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t count() const { return entries_.size(); }
  /// Whether one of `size` bytes is within the limit; alone() as if nothing else were there.
  [[nodiscard]] bool fits(std::size_t size) const {
    return alone(size) && used_ + cost(size) <= limit_;
  }
  [[nodiscard]] bool alone(std::size_t size) const {
    return size <= kMaxSize && cost(size) <= limit_;
  }

  /// Appends a copy; fits() must be true. `mark` is kept for the owner.
  void push_back(Bytes data, bool mark = false) {
    QPEER_ASSERT(fits(data.size()));
    std::optional<std::size_t> begin = place(data.size());
    while (!begin) {
      grow();
      begin = place(data.size());
    }
    copy(data, {block_.get() + *begin, data.size()});
    entries_.push_back({*begin, static_cast<std::uint32_t>(data.size()), mark});
    used_ += cost(data.size());
  }
  [[nodiscard]] Bytes front() const {
    return {block_.get() + entries_.front().begin, entries_.front().size};
  }
  [[nodiscard]] bool front_mark() const { return entries_.front().mark; }
  /// The bytes that front() showed stay as they are until the next push_back().
  void pop_front() {
    QPEER_ASSERT(!empty());
    used_ -= cost(entries_.front().size);
    entries_.pop_front();
  }

  /// Whether the sum is right and no two share bytes. For assertions.
  [[nodiscard]] bool consistent() const {
    std::size_t used = 0;
    std::size_t least = 0;  // Where the next may begin.
    std::size_t most = capacity_;
    for (auto i = entries_.begin_index(); i != entries_.end_index(); ++i) {
      const Entry& entry = entries_[i];
      if (entry.begin < least) {  // Around the end, once, and then below the oldest.
        if (most != capacity_) return false;
        most = entries_.front().begin;
      }
      least = entry.begin + entry.size;
      if (least > most) return false;
      used += cost(entry.size);
    }
    return used == used_ && used_ <= limit_;
  }

 private:
  struct Entry {
    std::size_t begin = 0;
    std::uint32_t size = 0;
    bool mark = false;
  };
  static constexpr std::size_t kSmallest = 4'096;
  static constexpr std::size_t cost(std::size_t size) { return size + kOverhead; }

  /// Where the block has room for `size` bytes behind the newest.
  [[nodiscard]] std::optional<std::size_t> place(std::size_t size) const {
    if (capacity_ == 0) return std::nullopt;
    if (entries_.empty()) return size <= capacity_ ? std::optional<std::size_t>(0) : std::nullopt;
    const std::size_t oldest = entries_.front().begin;
    const std::size_t end = entries_.back().begin + entries_.back().size;
    const bool wrapped = entries_.back().begin < oldest;
    if (!wrapped && size <= capacity_ - end) return end;
    // Strictly below the oldest, so that a wrapped ring shows it even where strings are empty.
    const std::size_t begin = wrapped ? end : 0;
    return begin + size < oldest ? std::optional(begin) : std::nullopt;
  }
  void grow() {
    const std::size_t larger =
        std::min(std::max(kSmallest, 2 * capacity_), limit_ + std::size_t{kMaxSize});
    QPEER_ASSERT(larger > capacity_);
    auto block = std::make_unique_for_overwrite<u8[]>(larger);
    std::size_t end = 0;
    for (auto i = entries_.begin_index(); i != entries_.end_index(); ++i) {
      Entry& entry = entries_[i];
      copy({block_.get() + entry.begin, entry.size}, {block.get() + end, entry.size});
      entry.begin = end;
      end += entry.size;
    }
    block_ = std::move(block);
    capacity_ = larger;
  }

  std::size_t limit_;
  std::size_t used_ = 0;
  std::size_t capacity_ = 0;
  std::unique_ptr<u8[]> block_;
  Ring<Entry> entries_;
};

}  // namespace qpeer::transport
