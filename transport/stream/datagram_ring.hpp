// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Byte strings in the order in which they came, each in one piece, in one block that is used again
// and again.
//
//   |  free  | a | b | c |  free  |       or, once the next did not fit behind:   | d | free | b | c | - |
//
// The block grows while it is needed, to the limit and one byte string more: then whatever is within
// the limit fits, wherever the others lie. An account of a pool is charged what the block and the list
// of byte strings take, whether they are full or empty. An empty ring keeps both for what comes next,
// unless the pool is crowded: see give_back_if_crowded().
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ring.hpp"
#include "qpeer/transport/stream/byte_pool.hpp"

namespace qpeer::transport {

class DatagramRing {
 public:
  static constexpr std::size_t kMaxSize = 65'535;
  /// Added to the size of each byte string, so that the number of empty ones is bounded too.
  static constexpr std::size_t kOverhead = 16;
  /// A larger limit counts as this.
  static constexpr std::size_t kMaxLimit = 1 << 30;

  explicit DatagramRing(std::size_t limit, const PoolMember& pool = {})
      : account_(pool), limit_(std::min(limit, kMaxLimit)) {}

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t count() const { return entries_.size(); }
  /// Whether one of `size` bytes is within the limit; alone() as if nothing else were there.
  [[nodiscard]] bool fits(std::size_t size) const {
    return alone(size) && used_ + cost(size) <= limit_;
  }
  [[nodiscard]] bool alone(std::size_t size) const {
    return size <= kMaxSize && cost(size) <= limit_;
  }
  /// The size of the block.
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  /// Charged to the account.
  [[nodiscard]] std::uint64_t held() const { return account_.held(); }

  /// Appends a copy; fits() must be true. `mark` is kept for the owner. False, and nothing is appended,
  /// when more memory is needed than the pool has room for.
  bool push_back(Bytes data, bool mark = false) {
    QPEER_ASSERT(fits(data.size()));
    if (entries_.size() == entries_.capacity() && !grow_list()) return false;
    std::optional<std::size_t> begin = place(data.size());
    if (!begin) {
      if (!grow_block(data.size())) return false;
      begin = place(data.size());
      QPEER_INVARIANT(begin, return false);
    }
    copy(data, {block_.get() + *begin, data.size()});
    entries_.push_back({.begin = static_cast<std::uint32_t>(*begin),
                        .size = static_cast<std::uint16_t>(data.size()),
                        .mark = mark});
    used_ += cost(data.size());
    return true;
  }
  [[nodiscard]] Bytes front() const {
    return {block_.get() + entries_.front().begin, entries_.front().size};
  }
  [[nodiscard]] bool front_mark() const { return entries_.front().mark; }
  /// The bytes that front() showed stay as they are until the next call of another function that changes
  /// the ring.
  void pop_front() {
    QPEER_ASSERT(!empty());
    used_ -= cost(entries_.front().size);
    entries_.pop_front();
  }
  /// An empty ring whose account is one that should give back does so. If each owner calls this whenever
  /// its ring is empty, empty rings hold at most half of what accounts share.
  void give_back_if_crowded() {
    if (empty() && account_.should_give_back()) [[unlikely]]
      clear();
  }
  /// Forgets all, and gives the memory back.
  void clear() {
    entries_ = {};
    block_.reset();
    used_ = capacity_ = 0;
    account_.give_back(account_.held());
  }

  /// Whether the sums are right and no two share bytes. For assertions.
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
      least = entry.begin + std::size_t{entry.size};
      if (least > most) return false;
      used += cost(entry.size);
    }
    return used == used_ && used_ <= limit_ &&
           account_.held() == capacity_ + entries_.capacity() * sizeof(Entry);
  }

 private:
  struct Entry {
    std::uint32_t begin = 0;
    std::uint16_t size = 0;
    bool mark = false;
  };
  static constexpr std::size_t kSmallest = 2'048;
  static constexpr std::size_t kShortestList = 16;
  static constexpr std::size_t cost(std::size_t size) { return size + kOverhead; }

  /// Where the block has room for `size` bytes behind the newest.
  [[nodiscard]] std::optional<std::size_t> place(std::size_t size) const {
    if (capacity_ == 0) return std::nullopt;
    if (entries_.empty()) return size <= capacity_ ? std::optional<std::size_t>(0) : std::nullopt;
    const std::size_t oldest = entries_.front().begin;
    const std::size_t end = entries_.back().begin + std::size_t{entries_.back().size};
    const bool wrapped = entries_.back().begin < oldest;
    if (!wrapped && size <= capacity_ - end) return end;
    // Strictly below the oldest, so that a wrapped ring shows it even where strings are empty.
    const std::size_t begin = wrapped ? end : 0;
    return begin + size < oldest ? std::optional(begin) : std::nullopt;
  }
  [[nodiscard]] bool take(std::uint64_t size) {
    if (size > account_.room()) return false;
    account_.take(size);
    return true;
  }
  [[nodiscard]] bool grow_list() {
    const std::size_t longer = std::max(kShortestList, 2 * entries_.capacity());
    if (!take((longer - entries_.capacity()) * sizeof(Entry))) return false;
    entries_.reserve(longer);
    return true;
  }
  /// To a block that holds all there are, and `size` bytes more behind them.
  [[nodiscard]] bool grow_block(std::size_t size) {
    const std::size_t needed = used_ - count() * kOverhead + size;
    std::size_t larger = std::max(kSmallest, 2 * capacity_);
    while (larger < needed) larger *= 2;
    larger = std::min(larger, limit_ + std::size_t{kMaxSize});
    QPEER_ASSERT(larger > capacity_);
    if (!take(larger - capacity_)) return false;
    auto block = std::make_unique_for_overwrite<u8[]>(larger);
    std::size_t end = 0;
    for (auto i = entries_.begin_index(); i != entries_.end_index(); ++i) {
      Entry& entry = entries_[i];
      copy({block_.get() + entry.begin, entry.size}, {block.get() + end, entry.size});
      entry.begin = static_cast<std::uint32_t>(end);
      end += entry.size;
    }
    block_ = std::move(block);
    capacity_ = larger;
    return true;
  }

  PoolAccount account_;
  std::size_t limit_;
  std::size_t used_ = 0;
  std::size_t capacity_ = 0;
  std::unique_ptr<u8[]> block_;
  Ring<Entry> entries_;
};

}  // namespace qpeer::transport
