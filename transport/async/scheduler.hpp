// SPDX-License-Identifier: MIT OR BSD-3-Clause
// When those who may go on do so: never within the call that made them ready, but at the end of the
// event under way, else in the loop's next turn.
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
  /// Nobody is ready yet.
  explicit Scheduler(io::EventLoop& loop);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  ~Scheduler();

  /// Those who wait there attempt again what they want: soon, in their order.
  void schedule(WaitList& waiting);

  /// While one exists, nothing goes on by the timer: whoever made it calls drain() at its end.
  class Hold {
   public:
    /// The scheduler must outlive it. Several may exist at a time.
    explicit Hold(Scheduler& scheduler) : scheduler_(scheduler) { ++scheduler.holds_; }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    /// Of what is left, when an exception ends the event, the timer takes care.
    ~Hold();

   private:
    Scheduler& scheduler_;
  };

  /// Lets those go on that may, at most kMaxResumed: tasks that make each other ready for ever do not
  /// keep the loop from turning. From within itself it does nothing. An exception that leaves a
  /// spawned task leaves it. The others go on by the timer.
  void drain();

  /// The one it was made with.
  [[nodiscard]] io::EventLoop& loop() const { return loop_; }

  /// How many go on at a time.
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
