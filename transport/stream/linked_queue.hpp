// SPDX-License-Identifier: MIT OR BSD-3-Clause
// An intrusive queue: no allocation, and any element leaves in O(1).
#pragma once

#include <cstddef>
#include <optional>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer::transport {

template <class T>
struct QueueLink {
  T* previous = nullptr;
  T* next = nullptr;
  const void* queue = nullptr;  ///< The queue that the element is in, if any.
};

/// Elements hold the links, a queue only its two ends. With each of its links an element is in at most
/// one queue.
template <class T, QueueLink<T> T::* kLink>
class LinkedQueue {
 public:
  LinkedQueue() = default;
  LinkedQueue(const LinkedQueue&) = delete;
  LinkedQueue& operator=(const LinkedQueue&) = delete;

  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  [[nodiscard]] T& front() const {
    QPEER_ASSERT(!empty());
    return *first_;
  }
  [[nodiscard]] bool contains(const T& element) const { return (element.*kLink).queue == this; }

  /// Adds at the back, unless it is in already.
  void push_back(T& element) {
    QueueLink<T>& link = element.*kLink;
    if (link.queue == this) return;
    QPEER_ASSERT(link.queue == nullptr);
    link = {.previous = last_, .next = nullptr, .queue = this};
    (last_ != nullptr ? (last_->*kLink).next : first_) = &element;
    last_ = &element;
  }
  /// Takes it out, if it is in.
  void remove(T& element) {
    QueueLink<T>& link = element.*kLink;
    if (link.queue != this) return;
    (link.previous != nullptr ? (link.previous->*kLink).next : first_) = link.next;
    (link.next != nullptr ? (link.next->*kLink).previous : last_) = link.previous;
    link = {};
  }
  /// The first becomes the last.
  void rotate() {
    if (first_ == last_) return;
    T& element = *first_;
    remove(element);
    push_back(element);
  }

  /// How many there are, by walking through; nullopt where the links do not agree. For assertions.
  [[nodiscard]] std::optional<std::size_t> count() const {
    std::size_t count = 0;
    const T* previous = nullptr;
    for (const T* at = first_; at != nullptr; at = (at->*kLink).next, ++count) {
      if ((at->*kLink).queue != this || (at->*kLink).previous != previous) return std::nullopt;
      previous = at;
    }
    if (previous != last_) return std::nullopt;
    return count;
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
};

}  // namespace qpeer::transport
