// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Finds a stream by its ID: an open-addressed table, at most half full, linear probing.
//
// Removal moves later entries back, so there are no tombstones. Memory follows the number of
// streams open at once, never how many there have been.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/base/ids.hpp"

namespace qpeer::transport {

template <class T>
class StreamIndex {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Null when there is none.
  [[nodiscard]] T* find(StreamId id) const {
    if (size_ == 0) return nullptr;
    for (std::size_t at = home(id);; at = next(at)) {
      const Entry& entry = entries_[at];
      if (entry.value == nullptr || entry.id == id) return entry.value;
    }
  }

  /// `id` must not be in.
  void insert(StreamId id, T* value) {
    QPEER_ASSERT(value != nullptr && find(id) == nullptr);
    if (2 * (size_ + 1) > entries_.size()) grow();
    place({id, value});
    ++size_;
  }

  void erase(StreamId id) {
    if (size_ == 0) return;
    std::size_t hole = home(id);
    while (entries_[hole].value != nullptr && entries_[hole].id != id) hole = next(hole);
    if (entries_[hole].value == nullptr) return;
    for (std::size_t at = next(hole); entries_[at].value != nullptr; at = next(at)) {
      // What lies between its home and `at` may move back to the hole.
      const std::size_t mask = entries_.size() - 1;
      if (((at - home(entries_[at].id)) & mask) < ((at - hole) & mask)) continue;
      entries_[hole] = entries_[at];
      hole = at;
    }
    entries_[hole] = {};
    --size_;
  }

 private:
  struct Entry {
    StreamId id;
    T* value = nullptr;
  };
  static constexpr std::size_t kMinSize = 16;

  [[nodiscard]] std::size_t home(StreamId id) const {
    return static_cast<std::size_t>(id.value * 0x9e3779b97f4a7c15ULL >> 32) & (entries_.size() - 1);
  }
  [[nodiscard]] std::size_t next(std::size_t at) const { return (at + 1) & (entries_.size() - 1); }

  void place(Entry entry) {
    std::size_t at = home(entry.id);
    while (entries_[at].value != nullptr) at = next(at);
    entries_[at] = entry;
  }
  void grow() {
    const std::size_t size = entries_.empty() ? kMinSize : 2 * entries_.size();
    for (const Entry& entry : std::exchange(entries_, std::vector<Entry>(size))) {
      if (entry.value != nullptr) place(entry);
    }
  }

  std::vector<Entry> entries_;
  std::size_t size_ = 0;
};

}  // namespace qpeer::transport
