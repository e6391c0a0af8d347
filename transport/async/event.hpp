// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A flag that tasks wait for.
#pragma once

#include "qpeer/transport/async/scheduler.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async {

namespace detail {

/// What Event::wait gives to co_await.
class [[nodiscard]] EventWait final : public Operation {
 public:
  EventWait(WaitList& waiting, const bool& is_set) : Operation(waiting), is_set_(is_set) {}
  void await_resume() const {}

 private:
  bool attempt() override { return is_set_; }
  const bool& is_set_;
};

}  // namespace detail

/// Stays set until reset(), so that a wait that begins after set() does not wait. Of the loop's
/// thread; from another one, post the set() to the loop. Must outlive the tasks that wait for it.
class Event {
 public:
  /// Not set. The loop must outlive it.
  explicit Event(io::EventLoop& loop) : scheduler_(loop) {}

  /// All tasks that wait go on in the loop's next turn, if it is still set then.
  void set() {
    is_set_ = true;
    scheduler_.schedule(waiting_);
  }
  /// Clears the flag: a wait that begins from now on waits.
  void reset() { is_set_ = false; }
  /// Whether it is set now.
  [[nodiscard]] bool is_set() const { return is_set_; }
  /// co_await: waits until it is set.
  [[nodiscard]] detail::EventWait wait() { return {waiting_, is_set_}; }

 private:
  bool is_set_ = false;
  WaitList waiting_;
  Scheduler scheduler_;
};

}  // namespace qpeer::async
