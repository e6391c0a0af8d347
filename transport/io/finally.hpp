// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What is to be done at the end of a scope, however that is left. Internal to the library.
#pragma once

#include <utility>

namespace qpeer::io {

/// Calls `action` at the end of its scope, however that is left.
template <class F>
class Finally {
 public:
  explicit Finally(F action) : action_(std::move(action)) {}
  Finally(const Finally&) = delete;
  Finally& operator=(const Finally&) = delete;
  ~Finally() { action_(); }

 private:
  F action_;
};

}  // namespace qpeer::io
