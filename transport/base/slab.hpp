// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A pool of objects with stable addresses, named by small integers that are used again.
//
//   blocks_ : [ T T T ... ] [ T T T ... ] ...     slot = block * kBlock + position
//   The free slots form a stack through `next`. Iteration is in slot order: deterministic.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer {

template <class T, std::size_t kBlock = 16>
class Slab {
 public:
  using Slot = std::uint32_t;
  static constexpr Slot kNone = ~Slot{0};

  Slab() = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() { clear(); }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  /// How many objects fit without another allocation.
  [[nodiscard]] std::size_t capacity() const { return blocks_.size() * kBlock; }

  /// Makes a T from `arguments` and names it. The address stays until erase().
  template <class... A>
  Slot emplace(A&&... arguments) {
    if (free_ == kNone) add_block();
    const Slot slot = free_;
    Cell& cell = at(slot);
    std::construct_at(cell.object(), std::forward<A>(arguments)...);
    free_ = cell.next;
    cell.live = true;
    ++size_;
    return slot;
  }

  /// Destroys the object; its slot is the next to be given out.
  void erase(Slot slot) {
    Cell& cell = at(slot);
    QPEER_ASSERT(cell.live);
    std::destroy_at(cell.object());
    cell.live = false;
    cell.next = std::exchange(free_, slot);
    --size_;
  }

  void clear() {
    for (Slot slot = 0; slot < capacity(); ++slot) {
      if (at(slot).live) erase(slot);
    }
  }

  [[nodiscard]] bool contains(Slot slot) const { return slot < capacity() && at(slot).live; }
  [[nodiscard]] T& operator[](Slot slot) {
    QPEER_ASSERT(contains(slot));
    return *at(slot).object();
  }
  [[nodiscard]] const T& operator[](Slot slot) const {
    QPEER_ASSERT(contains(slot));
    return *at(slot).object();
  }

  /// Calls `visit(T&)` for every object in order of slots. It may erase the one it is given.
  template <class F>
  void for_each(F&& visit) {
    for (Slot slot = 0; slot < capacity(); ++slot) {
      if (at(slot).live) visit(*at(slot).object());
    }
  }
  /// Calls `visit(const T&)` for every object in order of slots.
  template <class F>
  void for_each(F&& visit) const {
    for (Slot slot = 0; slot < capacity(); ++slot) {
      if (at(slot).live) visit(*at(slot).object());
    }
  }

  /// Whether each slot is either live or free, and counted so. For assertions.
  [[nodiscard]] bool consistent() const {
    std::size_t live = 0;
    for (Slot slot = 0; slot < capacity(); ++slot) live += at(slot).live ? 1 : 0;
    std::size_t free = 0;
    for (Slot slot = free_; slot != kNone; slot = at(slot).next) {
      if (slot >= capacity() || at(slot).live || ++free > capacity()) return false;
    }
    return live == size_ && live + free == capacity();
  }

 private:
  struct Cell {
    alignas(T) std::array<std::byte, sizeof(T)> storage;
    Slot next = kNone;
    bool live = false;

    T* object() { return std::launder(reinterpret_cast<T*>(storage.data())); }
    const T* object() const { return std::launder(reinterpret_cast<const T*>(storage.data())); }
  };
  using Block = std::array<Cell, kBlock>;

  Cell& at(Slot slot) { return (*blocks_[slot / kBlock])[slot % kBlock]; }
  const Cell& at(Slot slot) const { return (*blocks_[slot / kBlock])[slot % kBlock]; }

  void add_block() {
    const auto first = static_cast<Slot>(capacity());
    blocks_.push_back(std::make_unique<Block>());
    for (Slot i = kBlock; i-- > 0;) at(first + i).next = std::exchange(free_, first + i);
  }

  std::vector<std::unique_ptr<Block>> blocks_;
  Slot free_ = kNone;
  std::size_t size_ = 0;
};

}  // namespace qpeer
