// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Counts in all and for each key, such as a peer or a network: for limits that keep one of them from
// taking the places of all others.
//
// Invariant: total() is the sum over all keys; no key is kept with the count zero.
#pragma once

#include <cstddef>
#include <map>

namespace qpeer {

/// A tree rather than a hash table, so that a peer which chooses the keys cannot slow it down.
template <class Key>
class Counts {
 public:
  void add(const Key& key) {
    ++each_[key];
    ++total_;
  }
  /// No effect when none is counted for `key`.
  void remove(const Key& key) {
    const auto found = each_.find(key);
    if (found == each_.end()) return;
    if (--found->second == 0) each_.erase(found);
    --total_;
  }

  [[nodiscard]] std::size_t total() const { return total_; }
  [[nodiscard]] std::size_t of(const Key& key) const {
    const auto found = each_.find(key);
    return found == each_.end() ? 0 : found->second;
  }

  /// Whether the invariant holds. For assertions.
  [[nodiscard]] bool consistent() const {
    std::size_t sum = 0;
    for (const auto& [key, count] : each_) {
      if (count == 0) return false;
      sum += count;
    }
    return sum == total_;
  }

 private:
  std::map<Key, std::size_t> each_;
  std::size_t total_ = 0;
};

}  // namespace qpeer
