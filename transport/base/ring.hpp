// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A queue in one block whose elements keep their index for life: the first ever pushed is 0.
//
//   storage: | 8 | 9 |   |   | 4 | 5 | 6 | 7 |     begin_index() 4, end_index() 10, index & mask
//
// The block doubles when it is full and is never given back before the end, so a queue in use does
// not allocate.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer {

/// `T` must be default-constructible and movable. Free slots hold a default-made T, or for trivial
/// types anything.
template <class T>
class Ring {
 public:
  using Index = std::uint64_t;

  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(end_ - begin_); }
  [[nodiscard]] std::size_t capacity() const { return slots_.size(); }
  /// The index of the oldest element, and one past that of the newest.
  [[nodiscard]] Index begin_index() const { return begin_; }
  [[nodiscard]] Index end_index() const { return end_; }

  /// By the index that push_back gave; it must not have been popped.
  [[nodiscard]] T& operator[](Index index) {
    QPEER_ASSERT(index >= begin_ && index < end_);
    return slots_[slot(index)];
  }
  [[nodiscard]] const T& operator[](Index index) const {
    QPEER_ASSERT(index >= begin_ && index < end_);
    return slots_[slot(index)];
  }
  [[nodiscard]] T& front() { return (*this)[begin_]; }
  [[nodiscard]] const T& front() const { return (*this)[begin_]; }
  [[nodiscard]] T& back() { return (*this)[end_ - 1]; }
  [[nodiscard]] const T& back() const { return (*this)[end_ - 1]; }

  /// Adds the newest and returns its index.
  Index push_back(T value) {
    if (size() == capacity()) reserve(size() + 1);
    slots_[slot(end_)] = std::move(value);
    return end_++;
  }
  void pop_front() {
    QPEER_ASSERT(!empty());
    if constexpr (!std::is_trivially_destructible_v<T>) slots_[slot(begin_)] = T{};
    ++begin_;
  }
  void pop_front_until(Index index) {
    while (begin_ != end_ && begin_ < index) pop_front();
  }
  /// Pops all. Indices go on from where they were.
  void clear() { pop_front_until(end_); }

  /// Room for this many elements at once without a further allocation.
  void reserve(std::size_t count) {
    if (count <= capacity()) return;
    std::vector<T> larger(std::bit_ceil(count < kMinCapacity ? kMinCapacity : count));
    const std::size_t mask = larger.size() - 1;
    for (Index i = begin_; i != end_; ++i) {
      larger[static_cast<std::size_t>(i) & mask] = std::move(slots_[slot(i)]);
    }
    slots_ = std::move(larger);
  }

 private:
  static constexpr std::size_t kMinCapacity = 16;
  [[nodiscard]] std::size_t slot(Index index) const {
    return static_cast<std::size_t>(index) & (slots_.size() - 1);
  }

  std::vector<T> slots_;
  Index begin_ = 0;
  Index end_ = 0;
};

}  // namespace qpeer
