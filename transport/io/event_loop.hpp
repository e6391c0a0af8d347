// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One thread's event loop: descriptors, timers and posted calls over epoll.
//
//   one turn:  wait --> at most 64 ready descriptors --> timers that are due --> posted calls
//
// What a callback arms or posts for "now" happens at the latest in the next turn, which then does
// not wait; so no callback can starve the others. The clock is read once a turn, after the wait.
//
// A callback may throw. The exception leaves run(), run_once() or poll(); what the turn had still to do
// is done in the next one, and nothing is called twice.
//
// A foreign loop can drive this one: it watches native_handle() for reading, waits no longer than
// next_deadline(), and calls poll() after each wait.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/time.hpp"

struct epoll_event;

namespace qpeer::io {

class EventLoop;
class TimerQueue;

/// What a watch waits for.
enum class Interest : u8 { none = 0, read = 1, write = 2, read_write = 3 };

/// What a descriptor is ready for. An error or hang-up counts as both, so that the next read or
/// write on it gives the error.
struct Ready {
  bool readable = false;  ///< Only where Interest::read was asked for; the end of the input counts.
  bool writable = false;  ///< Only where Interest::write was asked for.
};

/// A descriptor that the loop watches (level-triggered), until this handle is destroyed: from then
/// on the callback is not called, not even for an event that is already known. The descriptor
/// stays its owner's, who must destroy the watch before closing it. A callback may destroy its
/// own watch. An empty watch does nothing. All calls, the destructor's too, in the loop's thread.
class Watch {
 public:
  /// Called in the loop's thread; `now` is EventLoop::turn_time().
  using Callback = std::move_only_function<void(Ready, Instant now)>;

  Watch() = default;
  /// The watch goes on under the new handle; `other` is empty.
  Watch(Watch&& other) noexcept;
  Watch& operator=(Watch&& other) noexcept;
  ~Watch() { reset(); }

  /// What to wait for from now on; Interest::none keeps the watch and reports nothing.
  void set_interest(Interest interest);
  /// Ends the watch, as its destructor does.
  void reset();
  /// Whether it watches; not so after a move or reset().
  explicit operator bool() const { return loop_ != nullptr; }

 private:
  friend class EventLoop;
  Watch(EventLoop& loop, std::uint32_t slot) : loop_(&loop), slot_(slot) {}
  EventLoop* loop_ = nullptr;
  std::uint32_t slot_ = 0;
};

/// A call at a deadline, once for each set(). Destroying it cancels, also from its own callback.
/// Allocates when made, never when set. Timers fire in order of deadline; equal ones in the order
/// they were set. All calls, the destructor's too, in the loop's thread.
class Timer {
 public:
  /// Called in the loop's thread; `now` is EventLoop::turn_time().
  using Callback = std::move_only_function<void(Instant now)>;

  /// Idle until set(). The loop must outlive it.
  Timer(EventLoop& loop, Callback callback);

  /// Moves the deadline; one in the past fires in the next timer phase. kNever cancels.
  void set(Instant deadline);
  /// Fires in the next timer phase: later in this turn when called from a descriptor's callback,
  /// else in the next turn. Many calls are one.
  void fire_soon() { set(Instant::min()); }
  /// Does not fire until the next set().
  void cancel() { set(kNever); }
  /// What was set; kNever when idle or fired.
  [[nodiscard]] Instant deadline() const;

 private:
  friend class TimerQueue;
  struct Node;
  struct Free {
    void operator()(Node* node) const;
  };
  std::unique_ptr<Node, Free> node_;
};

/// How the loop waits. The default is right but for tests.
struct EventLoopOptions {
  bool use_timerfd = false;  ///< Do not try epoll_pwait2, which has nanosecond time-outs.
};

/// Belongs to one thread: the one that turns it. post(), wake() and stop() may be called from any
/// thread. Must outlive its watches and timers. A callback must not turn the loop.
class EventLoop {
 public:
  /// What the constructor takes.
  using Options = EventLoopOptions;

  /// Throws std::system_error when the process has no descriptors left: there is nothing to run.
  explicit EventLoop(const Options& options = {});
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Starts to watch `fd`; fails as epoll_ctl does (no permission for files, already watched).
  [[nodiscard]] std::expected<Watch, std::error_code> watch(int fd, Interest interest,
                                                            Watch::Callback callback);

  /// Calls `call` once, in the loop's thread: at the end of this turn, or of the next one when posted
  /// by a posted call or by another thread. In the order of posting. Any thread; the call sees what the
  /// posting thread wrote before. Calls that were never made are destroyed with the loop, and so is what
  /// their destructors post. Other threads must have ended their posts and wakes before the loop is
  /// destroyed.
  void post(std::move_only_function<void()> call);

  /// Makes the loop turn without waiting, and calls what on_wake() was given. From any thread and
  /// from signal handlers. Several wakes may become one.
  void wake() const noexcept;
  /// What a turn calls after wake(), before its timers; it may set another. nullptr for nothing.
  /// Loop's thread.
  void on_wake(std::move_only_function<void()> callback);

  /// Turns until stop(). An exception of a callback leaves it, and it may be called again.
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
  /// One turn that does not wait. Returns the time it was.
  Instant poll() { return run_once({}); }

  /// For a foreign loop: an epoll descriptor that is readable when a turn has something to do before
  /// next_deadline(), also because another thread posted or woke. It stays the loop's.
  [[nodiscard]] int native_handle() const { return epoll_.fd; }
  /// When the next turn has something to do although no descriptor is ready: the earliest timer's
  /// deadline, Instant::min() when calls are posted, kNever when there is neither.
  [[nodiscard]] Instant next_deadline() const;
  /// The loop that this thread is turning; between turns the newest that this thread made, nullptr
  /// when there is none. Any thread.
  [[nodiscard]] static EventLoop* current();

  /// Ends run() after the current turn; a run() not yet begun ends at once. From any thread and
  /// from signal handlers.
  void stop() noexcept;

  /// The time of the current turn, as the callbacks get it.
  [[nodiscard]] Instant turn_time() const { return turn_time_; }

 private:
  friend class Watch;
  friend class Timer;
  struct Slot;
  class Running;
  /// Closed with the loop, and when the constructor throws.
  struct Descriptor {
    Descriptor() = default;
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor();
    int fd = -1;
  };

  Instant turn(Instant wait_until);
  [[nodiscard]] bool take_stop() { return stop_.exchange(false, std::memory_order_acquire); }
  std::size_t wait(Instant until, epoll_event* events);
  int wait_by_timerfd(Instant until, epoll_event* events);
  void dispatch(const epoll_event& event);
  void call_on_wake();
  void run_posted();
  [[nodiscard]] bool has_posted() const;
  void interrupt_wait() const noexcept;

  void unwatch(std::uint32_t slot);
  void change_interest(Slot& slot, std::uint32_t index, Interest interest);

  Descriptor epoll_;
  Descriptor eventfd_;
  Descriptor timerfd_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::uint32_t next_generation_ = 0;  // Of slots.
  Slot* running_slot_ = nullptr;
  std::unique_ptr<Slot> removed_;  // The running one, when it removed itself.
  std::unique_ptr<TimerQueue> timers_;
  mutable std::mutex posted_mutex_;  // Guards posted_ and takes_posts_.
  bool takes_posts_ = true;
  std::vector<std::move_only_function<void()>> posted_;
  std::vector<std::move_only_function<void()>> running_posted_;
  std::size_t running_call_ = 0;  // Of running_posted_; those before it were called.
  std::shared_ptr<std::move_only_function<void()>> on_wake_;
  Instant turn_time_{};
  Instant timerfd_deadline_ = kNever;
  bool use_timerfd_ = false;
  mutable std::atomic<bool> woken_ = false;
  std::atomic<bool> stop_ = false;
  std::shared_ptr<EventLoop> alive_;  // Owns nothing: expires with the loop.
};

}  // namespace qpeer::io
