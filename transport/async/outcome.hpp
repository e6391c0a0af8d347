// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What came of an awaited expression: its value or its exception. Internal to async.
#pragma once

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace qpeer::async::detail {

template <class T>
struct Outcome {
  using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
  /// Gives the value, or throws the exception. Once.
  T take() {
    if (error) std::rethrow_exception(error);
    if constexpr (!std::is_void_v<T>) return std::move(*value);
  }
  /// The same, with a value where T is void.
  Value take_value() {
    if (error) std::rethrow_exception(error);
    return std::move(*value);
  }

  /// Calls `function`, and keeps what it gives or throws.
  template <class F>
  void keep_result_of(F& function) {
    try {
      if constexpr (std::is_void_v<T>) {
        function();
        value.emplace();
      } else {
        value.emplace(function());
      }
    } catch (...) {
      error = std::current_exception();
    }
  }

  std::optional<Value> value;
  std::exception_ptr error;
};

}  // namespace qpeer::async::detail
