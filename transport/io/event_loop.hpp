// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One thread's event loop: descriptors, timers and posted calls over epoll.
//
//   one turn:  wait --> at most 64 ready descriptors --> timers that are due --> posted calls
//
// What a callback arms or posts for "now" happens at the latest in the next turn, which then does
// not wait; so no callback can starve the others. The clock is read once a turn, after the wait.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/time.hpp"

struct epoll_event;

namespace qpeer::io {

class EventLoop;

/// What a watch waits for.
enum class Interest : u8 { none = 0, read = 1, write = 2, read_write = 3 };

/// What a descriptor is ready for. An error or hang-up counts as both, so that the next read or
/// write on it tells.
struct Ready {
  bool readable = false;
  bool writable = false;
};

/// A descriptor that the loop watches (level-triggered), until this handle is destroyed: from then
/// on the callback is not called, not even for an event that is already known. The descriptor
/// stays its owner's, who must destroy the watch before closing it. A callback may destroy its
/// own watch. An empty watch does nothing.
class Watch {
 public:
  using Callback = std::move_only_function<void(Ready, Instant now)>;

  Watch() = default;
  Watch(Watch&& other) noexcept;
  Watch& operator=(Watch&& other) noexcept;
  ~Watch() { reset(); }

  void set_interest(Interest interest);
  void reset();
  explicit operator bool() const { return loop_ != nullptr; }

 private:
  friend class EventLoop;
  Watch(EventLoop& loop, std::uint32_t slot) : loop_(&loop), slot_(slot) {}
  EventLoop* loop_ = nullptr;
  std::uint32_t slot_ = 0;
};

/// A call at a deadline, once for each set(). Destroying it cancels, also from its own callback.
/// Allocates when made, never when set. Timers fire in order of deadline; equal ones in the order
/// they were set.
class Timer {
 public:
  using Callback = std::move_only_function<void(Instant now)>;

  Timer(EventLoop& loop, Callback callback);

  /// Moves the deadline; one in the past fires in the next timer phase. kNever cancels.
  void set(Instant deadline);
  /// Fires in the next timer phase: later in this turn when called from a descriptor's callback,
  /// else in the next turn. Many calls are one.
  void fire_soon() { set(Instant::min()); }
  void cancel() { set(kNever); }
  /// What was set; kNever when idle or fired.
  [[nodiscard]] Instant deadline() const;

 private:
  friend class EventLoop;
  struct Node;
  struct Free {
    void operator()(Node* node) const;
  };
  std::unique_ptr<Node, Free> node_;
};

struct EventLoopOptions {
  bool use_timerfd = false;  ///< Do not try epoll_pwait2, which has nanosecond time-outs.
};

/// Single-threaded but for wake() and stop(). Must outlive its watches and timers. A callback must
/// not run the loop.
class EventLoop {
 public:
  using Options = EventLoopOptions;

  /// Throws std::system_error when the process has no descriptors left: there is nothing to run.
  explicit EventLoop(const Options& options = {});
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Starts to watch `fd`; fails as epoll_ctl does (no permission for files, already watched).
  [[nodiscard]] std::expected<Watch, std::error_code> watch(int fd, Interest interest,
                                                            Watch::Callback callback);

  /// Calls `call` once at the end of this turn, or of the next one when called from a posted call.
  void post(std::move_only_function<void()> call);

  /// Makes the loop turn without waiting, and calls what on_wake() was given. From any thread and
  /// from signal handlers. Several wakes may become one.
  void wake() const noexcept;
  /// What a turn calls after wake(), before its timers.
  void on_wake(std::move_only_function<void()> callback) { on_wake_ = std::move(callback); }

  /// Turns until stop().
  void run();
  /// Turns until `done()` is true (checked between turns), stop(), or `deadline`. Returns done().
  template <class Predicate>
  bool run_until(Predicate&& done, Instant deadline) {
    while (!done()) {
      if (take_stop() || turn(deadline) >= deadline) return done();
    }
    return true;
  }
  /// One turn that waits `max_wait` at most. Returns the time it was at the end of the wait.
  Instant run_once(Duration max_wait);
  /// Ends run() after the current turn; a run() not yet begun ends at once. From any thread and
  /// from signal handlers.
  void stop() noexcept;

  /// The time of the current turn, as the callbacks get it.
  [[nodiscard]] Instant turn_time() const { return turn_time_; }

 private:
  friend class Watch;
  friend class Timer;
  struct Slot;

  Instant turn(Instant wait_until);
  [[nodiscard]] bool take_stop() { return stop_.exchange(false, std::memory_order_acquire); }
  std::size_t wait(Instant until, epoll_event* events);
  int wait_by_timerfd(Instant until, epoll_event* events);
  void dispatch(const epoll_event& event);
  void fire_timers();
  void run_posted();

  void unwatch(std::uint32_t slot);
  void change_interest(Slot& slot, std::uint32_t index, Interest interest);
  void arm(Timer::Node& node, Instant deadline);
  void disarm(Timer::Node& node);
  void sift_up(std::size_t index);
  void sift_down(std::size_t index);
  void place(std::size_t index, Timer::Node* node);

  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<std::uint32_t> free_slots_;
  Slot* running_slot_ = nullptr;
  std::unique_ptr<Slot> removed_;  // The running one, when it removed itself.
  /// Whether the timers are a heap and know their places. For assertions.
  [[nodiscard]] bool timers_are_consistent() const;

  std::vector<Timer::Node*> heap_;  // The earliest on top.
  std::vector<Timer::Node*> due_;   // Taken from the heap in this turn; null where cancelled.
  Timer::Node* firing_ = nullptr;
  std::vector<std::move_only_function<void()>> posted_;
  std::vector<std::move_only_function<void()>> running_posted_;
  std::move_only_function<void()> on_wake_;
  std::uint64_t next_order_ = 0;
  Instant turn_time_{};
  Instant timerfd_deadline_ = kNever;
  int epoll_ = -1;
  int eventfd_ = -1;
  int timerfd_ = -1;
  bool use_timerfd_ = false;
  bool woken_ = false;
  std::atomic<bool> stop_ = false;
};

}  // namespace qpeer::io
