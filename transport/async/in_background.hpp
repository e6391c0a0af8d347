// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Awaiting a call that blocks.
#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/io/background.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async {

/// Awaitable: calls `function` in a thread of its own and gives what it returned. The function must
/// own what it uses: when the task is destroyed meanwhile, it goes on, and its value is dropped.
template <class F>
class [[nodiscard]] InBackground {
 public:
  using Value = std::invoke_result_t<F&>;

  InBackground(io::EventLoop& loop, F function) : loop_(loop), function_(std::move(function)) {}
  InBackground(const InBackground&) = delete;
  InBackground& operator=(const InBackground&) = delete;

  static bool await_ready() { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    call_ = io::Background(
        loop_,
        [value = value_, function = std::move(function_)]() mutable { value->emplace(function()); },
        [waiter] { Trampoline::resume(waiter); });
  }
  Value await_resume() { return std::move(**value_); }

 private:
  io::EventLoop& loop_;
  F function_;
  std::shared_ptr<std::optional<Value>> value_ = std::make_shared<std::optional<Value>>();
  io::Background call_;
};

template <class F>
InBackground<F> in_background(io::EventLoop& loop, F function) {
  return {loop, std::move(function)};
}

}  // namespace qpeer::async
