// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A list of bounded length that lies where its owner lies: no heap.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include "qpeer/transport/base/precondition.hpp"

namespace qpeer {

/// At most `Capacity` elements; `T` must be default-constructible. Free slots hold a default-made
/// T, so lists are equal when their elements are.
template <class T, std::size_t Capacity>
class InlineVector {
 public:
  /// As standard containers name it.
  using value_type = T;
  constexpr InlineVector() = default;

  /// The most elements.
  static constexpr std::size_t capacity() { return Capacity; }
  /// How many elements there are.
  [[nodiscard]] constexpr std::size_t size() const { return size_; }
  /// Whether there are none.
  [[nodiscard]] constexpr bool empty() const { return size_ == 0; }
  /// Whether no element can be added.
  [[nodiscard]] constexpr bool full() const { return size_ == Capacity; }

  /// False, and nothing done, when the list is full.
  constexpr bool push_back(T value) {
    if (full()) return false;
    elements_[size_++] = std::move(value);
    return true;
  }
  /// Removes all elements.
  constexpr void clear() { *this = {}; }

  /// `at` must be less than size().
  [[nodiscard]] constexpr T& operator[](std::size_t at) {
    precondition(at < size_, "at < size()");
    return elements_[at];
  }
  /// `at` must be less than size().
  [[nodiscard]] constexpr const T& operator[](std::size_t at) const {
    precondition(at < size_, "at < size()");
    return elements_[at];
  }
  /// All elements; the view is valid while the list is.
  [[nodiscard]] constexpr std::span<const T> span() const { return {begin(), size_}; }
  /// The first element.
  [[nodiscard]] constexpr const T* data() const { return elements_.data(); }
  /// The first element.
  [[nodiscard]] constexpr T* begin() { return elements_.data(); }
  /// Past the last element.
  [[nodiscard]] constexpr T* end() { return elements_.data() + size_; }
  /// The first element.
  [[nodiscard]] constexpr const T* begin() const { return elements_.data(); }
  /// Past the last element.
  [[nodiscard]] constexpr const T* end() const { return elements_.data() + size_; }

  friend constexpr bool operator==(const InlineVector&, const InlineVector&) = default;

 private:
  std::array<T, Capacity> elements_{};
  std::size_t size_ = 0;
};

}  // namespace qpeer
