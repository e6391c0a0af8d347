// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Awaiting a call that blocks.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "qpeer/transport/async/outcome.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/io/background.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async {

/// Awaitable: calls `function` in a thread of its own and gives what it returned. The function must
/// own what it uses: when the task is destroyed meanwhile, it goes on, and its value is dropped. What
/// it throws, the co_await throws. Awaited in the loop's thread.
template <class F>
class [[nodiscard]] InBackground {
 public:
  /// What the function returns.
  using Value = std::invoke_result_t<F&>;

  /// Starts nothing before it is awaited. The loop must outlive it.
  InBackground(io::EventLoop& loop, F function) : loop_(loop), function_(std::move(function)) {}
  InBackground(const InBackground&) = delete;
  InBackground& operator=(const InBackground&) = delete;

  /// Always waits.
  static bool await_ready() { return false; }
  /// Calls the function as io::Background does; `waiter` goes on in the loop's thread when it has ended.
  /// Once.
  void await_suspend(Waiter waiter) {
    call_ = io::Background(
        loop_,
        [outcome = outcome_, function = std::move(function_)]() mutable {
          outcome->keep_result_of(function);
        },
        [waiter] { Trampoline::resume(waiter); });
  }
  /// The function's value, or throws what it threw.
  Value await_resume() { return outcome_->take(); }

 private:
  io::EventLoop& loop_;
  F function_;
  std::shared_ptr<detail::Outcome<Value>> outcome_ = std::make_shared<detail::Outcome<Value>>();
  io::Background call_;
};

/// co_await: `function()`, called in another thread; see InBackground. For calls that block.
template <class F>
InBackground<F> in_background(io::EventLoop& loop, F function) {
  return {loop, std::move(function)};
}

}  // namespace qpeer::async
