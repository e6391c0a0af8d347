// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Waiting for a time.
#pragma once

#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::async {

/// Awaitable: goes on when `deadline` has come, at once if that is past. Of the loop's thread.
class [[nodiscard]] Sleep {
 public:
  /// `deadline` is of the clock of io::now(). The loop must outlive it.
  Sleep(io::EventLoop& loop, Instant deadline)
      : deadline_(deadline), timer_(loop, [this](Instant) { Trampoline::resume(waiter_); }) {}
  Sleep(const Sleep&) = delete;
  Sleep& operator=(const Sleep&) = delete;

  /// Whether the deadline has come already.
  [[nodiscard]] bool await_ready() const { return deadline_ <= io::now(); }
  /// Arms the timer, which resumes `waiter`.
  void await_suspend(Waiter waiter) {
    waiter_ = waiter;
    timer_.set(deadline_);
  }
  /// Gives nothing.
  static void await_resume() {}

 private:
  Instant deadline_;
  Waiter waiter_;
  io::Timer timer_;
};

/// Awaitable: goes on in the loop's next turn, so that others have theirs. Of the loop's thread.
class [[nodiscard]] Yield {
 public:
  /// The loop must outlive it.
  explicit Yield(io::EventLoop& loop)
      : timer_(loop, [this](Instant) { Trampoline::resume(waiter_); }) {}
  Yield(const Yield&) = delete;
  Yield& operator=(const Yield&) = delete;

  /// Always waits.
  static constexpr bool await_ready() noexcept { return false; }
  /// `waiter` is resumed in the loop's next timer phase.
  void await_suspend(Waiter waiter) {
    waiter_ = waiter;
    timer_.fire_soon();
  }
  /// Gives nothing.
  static void await_resume() {}

 private:
  Waiter waiter_;
  io::Timer timer_;
};

/// co_await: lets the loop turn once.
inline Yield yield(io::EventLoop& loop) { return Yield(loop); }

/// co_await: waits until `deadline`, of the clock of io::now().
inline Sleep sleep_until(io::EventLoop& loop, Instant deadline) { return {loop, deadline}; }
/// co_await: waits for `time`, from now; none when it is not positive, without end when it is
/// Duration::max().
inline Sleep sleep_for(io::EventLoop& loop, Duration time) { return {loop, io::after(time)}; }

}  // namespace qpeer::async
