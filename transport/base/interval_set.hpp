// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A set of unsigned numbers kept as half-open ranges: what of a stream arrived, what was
// acknowledged.
//
//   [begin, end)   [begin, end)   [begin, end)     ascending; never empty, never touching
//
// Few ranges lie in the object itself; more move to one block that grows and is never given back
// before the end, so a set in use does not allocate. The number of ranges is bounded: an operation
// that would need more is refused and changes nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer {

class IntervalSet {
 public:
  /// The numbers from `begin` up to, but not with, `end`.
  struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    [[nodiscard]] constexpr std::uint64_t size() const { return end - begin; }
    friend constexpr bool operator==(const Range&, const Range&) = default;
  };

  static constexpr std::size_t kInlineRanges = 4;
  static constexpr std::size_t kDefaultMaxRanges = 1024;

  explicit IntervalSet(std::size_t max_ranges = kDefaultMaxRanges) : max_ranges_(max_ranges) {}
  /// What was moved from is empty, with the same bound.
  IntervalSet(IntervalSet&& other) noexcept { take(other); }
  IntervalSet& operator=(IntervalSet&& other) noexcept {
    if (this != &other) take(other);
    return *this;
  }

  /// Adds the numbers of [begin, end). False, and nothing changed, when that would take more
  /// ranges than the set may have. An empty range is no change.
  [[nodiscard]] bool insert(std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) return true;
    Range* const ranges = data();
    if (count_ != 0 && begin >= ranges[count_ - 1].begin && begin <= ranges[count_ - 1].end) {
      ranges[count_ - 1].end = std::max(ranges[count_ - 1].end, end);  // In order: the usual case.
      return true;
    }
    const std::size_t first = first_ending_at_or_after(begin);
    std::size_t last = first;  // One past the ranges that the new one touches.
    while (last < count_ && ranges[last].begin <= end) ++last;
    if (first == last) return open(first, {begin, end});
    ranges[first].begin = std::min(ranges[first].begin, begin);
    ranges[first].end = std::max(ranges[last - 1].end, end);
    close(first + 1, last);
    return true;
  }

  /// Removes the numbers of [begin, end). False, and nothing changed, when that would split a
  /// range and so take more of them than the set may have.
  [[nodiscard]] bool erase(std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) return true;
    std::size_t first = first_ending_after(begin);
    Range* ranges = data();
    if (first == count_ || ranges[first].begin >= end) return true;
    if (ranges[first].begin < begin && ranges[first].end > end) {
      const Range right{end, ranges[first].end};
      if (!open(first + 1, right)) return false;
      data()[first].end = begin;
      return true;
    }
    if (ranges[first].begin < begin) ranges[first++].end = begin;
    std::size_t last = first;  // One past the ranges that vanish.
    while (last < count_ && ranges[last].end <= end) ++last;
    if (last < count_ && ranges[last].begin < end) ranges[last].begin = end;
    close(first, last);
    return true;
  }

  void clear() { count_ = 0; }

  [[nodiscard]] bool contains(std::uint64_t value) const {
    const std::size_t at = first_ending_after(value);
    return at < count_ && data()[at].begin <= value;
  }

  [[nodiscard]] bool empty() const { return count_ == 0; }
  /// How many ranges there are.
  [[nodiscard]] std::size_t size() const { return count_; }
  /// The lowest and the highest range; only when not empty.
  [[nodiscard]] const Range& front() const {
    QPEER_ASSERT(count_ != 0);
    return data()[0];
  }
  [[nodiscard]] const Range& back() const {
    QPEER_ASSERT(count_ != 0);
    return data()[count_ - 1];
  }
  [[nodiscard]] const Range& operator[](std::size_t at) const {
    QPEER_ASSERT(at < count_);
    return data()[at];
  }
  /// Ascending; any change ends the iteration.
  [[nodiscard]] const Range* begin() const { return data(); }
  [[nodiscard]] const Range* end() const { return data() + count_; }

  /// Whether the ranges are as the map above draws them. For assertions.
  [[nodiscard]] bool consistent() const {
    if (count_ > max_ranges_ || count_ > capacity_) return false;
    const Range* const ranges = data();
    for (std::size_t i = 0; i < count_; ++i) {
      if (ranges[i].begin >= ranges[i].end) return false;
      if (i != 0 && ranges[i].begin <= ranges[i - 1].end) return false;
    }
    return true;
  }

 private:
  [[nodiscard]] Range* data() { return block_ ? block_.get() : inline_.data(); }
  [[nodiscard]] const Range* data() const { return block_ ? block_.get() : inline_.data(); }

  [[nodiscard]] std::size_t first_ending_at_or_after(std::uint64_t value) const {
    const auto before = [value](const Range& range) { return range.end < value; };
    return static_cast<std::size_t>(std::partition_point(begin(), end(), before) - begin());
  }
  [[nodiscard]] std::size_t first_ending_after(std::uint64_t value) const {
    const auto before = [value](const Range& range) { return range.end <= value; };
    return static_cast<std::size_t>(std::partition_point(begin(), end(), before) - begin());
  }

  /// Makes room at `at` for one more range.
  bool open(std::size_t at, Range range) {
    if (count_ >= max_ranges_) return false;
    if (count_ == capacity_) grow();
    Range* const ranges = data();
    std::move_backward(ranges + at, ranges + count_, ranges + count_ + 1);
    ranges[at] = range;
    ++count_;
    return true;
  }
  /// Removes the ranges [first, last).
  void close(std::size_t first, std::size_t last) {
    Range* const ranges = data();
    std::move(ranges + last, ranges + count_, ranges + first);
    count_ -= last - first;
  }
  void grow() {
    auto larger = std::make_unique<Range[]>(capacity_ * 2);
    std::copy(begin(), end(), larger.get());
    block_ = std::move(larger);
    capacity_ *= 2;
  }
  void take(IntervalSet& other) {
    inline_ = other.inline_;
    block_ = std::move(other.block_);
    count_ = std::exchange(other.count_, 0);
    capacity_ = std::exchange(other.capacity_, kInlineRanges);
    max_ranges_ = other.max_ranges_;
  }

  std::array<Range, kInlineRanges> inline_{};
  std::unique_ptr<Range[]> block_;
  std::size_t count_ = 0;
  std::size_t capacity_ = kInlineRanges;
  std::size_t max_ranges_ = kDefaultMaxRanges;
};

}  // namespace qpeer
