// SPDX-License-Identifier: MIT OR BSD-3-Clause
// When coroutines that are ready go on: never within the call that made them ready, but at the end of
// the event under way, else in the loop's next turn.
//
//   schedule(waiting) --> ready --> drain() at the end of the event --> each attempts, and resumes
//                               --> timer, where no event is under way --> the same
#pragma once

#include <memory>

#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async {

/// Of the loop's thread. The loop must outlive it. A coroutine that goes on may destroy it.
class Scheduler {
 public:
  /// No coroutine is ready yet.
  explicit Scheduler(io::EventLoop& loop);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  ~Scheduler();

  /// Operations that wait there make another attempt: soon, in their order.
  void schedule(WaitList& waiting);

  /// While a Hold exists the timer resumes nothing: its owner calls drain() at its end.
  class Hold {
   public:
    /// The scheduler must outlive it. Several may exist at a time.
    explicit Hold(Scheduler& scheduler) : scheduler_(scheduler) { ++scheduler.holds_; }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    /// The timer resumes what is left, as after an exception that ended the event.
    ~Hold();

   private:
    Scheduler& scheduler_;
  };

  /// Resumes ready coroutines, at most kMaxResumed: tasks that make each other ready for ever do not
  /// keep the loop from turning. Does nothing when it is under way already. An exception that leaves a
  /// spawned task leaves this function; the timer resumes the other coroutines.
  void drain();

  /// The one it was made with.
  [[nodiscard]] io::EventLoop& loop() const { return loop_; }

  /// How many coroutines one drain() resumes, at most.
  static constexpr unsigned kMaxResumed = 256;

 private:
  void arm();

  io::EventLoop& loop_;
  ReadyList ready_;
  io::Timer timer_;
  unsigned holds_ = 0;
  bool draining_ = false;
  // Set by the destructor, for a drain() that is on the stack.
  std::shared_ptr<bool> gone_ = std::make_shared<bool>(false);
};

}  // namespace qpeer::async
