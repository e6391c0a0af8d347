// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/event_loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "qpeer/transport/io/finally.hpp"
#include "qpeer/transport/io/system_clock.hpp"
#include "qpeer/transport/io/timer_queue.hpp"

namespace qpeer::io {
namespace {

constexpr std::size_t kMaxEvents = 64;

// What epoll gives back with an event: the slot, and its generation, so that an event of a watch that
// is gone is not taken for one of the next watch in that slot.
constexpr std::uint32_t kWakeSlot = 0xffffffff;
constexpr std::uint32_t kTimerSlot = 0xfffffffe;
constexpr std::uint64_t cookie(std::uint32_t slot, std::uint32_t generation) {
  return std::uint64_t{generation} << 32 | slot;
}

bool has(Interest interest, Interest what) {
  return (std::to_underlying(interest) & std::to_underlying(what)) != 0;
}

std::uint32_t epoll_mask(Interest interest) {
  return (has(interest, Interest::read) ? EPOLLIN | EPOLLRDHUP : 0U) |
         (has(interest, Interest::write) ? EPOLLOUT : 0U);
}

bool control(int epoll, int operation, int fd, std::uint32_t mask, std::uint64_t data) {
  epoll_event event{};
  event.events = mask;
  event.data.u64 = data;
  return ::epoll_ctl(epoll, operation, fd, &event) == 0;
}

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::system_category(), what);
}

void drain(int fd) {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto size = ::read(fd, &count, sizeof count);
}

struct KernelTimespec {
  std::int64_t seconds;
  std::int64_t nanoseconds;
};

KernelTimespec timespec_of(Duration duration) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  return {seconds.count(), (duration - seconds).count()};
}

// -1 with ENOSYS where the kernel or the libc's headers do not know it.
int epoll_pwait2(int epoll, epoll_event* events, int count, const KernelTimespec* timeout) {
#ifdef SYS_epoll_pwait2
  return static_cast<int>(::syscall(SYS_epoll_pwait2, epoll, events, count, timeout, nullptr, 0));
#else
  errno = ENOSYS;
  return (void)epoll, (void)events, (void)count, (void)timeout, -1;
#endif
}

constinit thread_local EventLoop* turning = nullptr;
thread_local std::vector<std::weak_ptr<EventLoop>> made;  // By this thread, the newest last.

}  // namespace

/// While a turn is on the stack.
class EventLoop::Running {
 public:
  explicit Running(EventLoop& loop) : outer_(std::exchange(turning, &loop)) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { turning = outer_; }

 private:
  EventLoop* outer_;
};

struct EventLoop::Slot {
  int fd = -1;
  std::uint32_t generation = 0;
  Interest interest = Interest::none;
  Watch::Callback callback;
};

// --- Watch ---

Watch::Watch(Watch&& other) noexcept
    : loop_(std::exchange(other.loop_, nullptr)), slot_(other.slot_) {}

Watch& Watch::operator=(Watch&& other) noexcept {
  if (this == &other) return *this;
  reset();
  loop_ = std::exchange(other.loop_, nullptr);
  slot_ = other.slot_;
  return *this;
}

void Watch::set_interest(Interest interest) {
  if (loop_ != nullptr) loop_->change_interest(*loop_->slots_[slot_], slot_, interest);
}

void Watch::reset() {
  if (loop_ != nullptr) std::exchange(loop_, nullptr)->unwatch(slot_);
}

// --- EventLoop ---

EventLoop::Descriptor::~Descriptor() {
  if (fd >= 0) ::close(fd);
}

EventLoop::EventLoop(const Options& options)
    : timers_(std::make_unique<TimerQueue>()), use_timerfd_(options.use_timerfd) {
  epoll_.fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_.fd < 0) fail("epoll_create1");
  eventfd_.fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (eventfd_.fd < 0) fail("eventfd");
  timerfd_.fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timerfd_.fd < 0) fail("timerfd");
  if (!control(epoll_.fd, EPOLL_CTL_ADD, eventfd_.fd, EPOLLIN, cookie(kWakeSlot, 0)) ||
      !control(epoll_.fd, EPOLL_CTL_ADD, timerfd_.fd, EPOLLIN, cookie(kTimerSlot, 0))) {
    fail("epoll_ctl");
  }
  alive_ = std::shared_ptr<EventLoop>(std::make_shared<char>(), this);
  std::erase_if(made, [](const auto& each) { return each.expired(); });
  made.push_back(alive_);
}

EventLoop::~EventLoop() {
  {
    const std::scoped_lock lock(posted_mutex_);
    takes_posts_ = false;
  }
  // Calls that still wait may hold watches and timers, and may post when they are destroyed: so they
  // are destroyed while the loop is still complete.
  running_posted_.clear();
  posted_.clear();
  on_wake_ = nullptr;
}

std::expected<Watch, std::error_code> EventLoop::watch(int fd, Interest interest,
                                                       Watch::Callback callback) {
  const bool reuse = !free_slots_.empty();
  const auto index = reuse ? free_slots_.back() : static_cast<std::uint32_t>(slots_.size());
  const std::uint32_t generation = next_generation_++;
  if (!control(epoll_.fd, EPOLL_CTL_ADD, fd, epoll_mask(interest), cookie(index, generation))) {
    return std::unexpected(std::error_code{errno, std::system_category()});
  }
  auto slot = std::make_unique<Slot>(Slot{fd, generation, interest, std::move(callback)});
  if (interest == Interest::none) control(epoll_.fd, EPOLL_CTL_DEL, fd, 0, 0);
  if (reuse) {
    free_slots_.pop_back();
    slots_[index] = std::move(slot);
  } else {
    slots_.push_back(std::move(slot));
  }
  return Watch{*this, index};
}

void EventLoop::unwatch(std::uint32_t index) {
  std::unique_ptr<Slot> slot = std::move(slots_[index]);
  if (slot->interest != Interest::none) control(epoll_.fd, EPOLL_CTL_DEL, slot->fd, 0, 0);
  free_slots_.push_back(index);
  if (running_slot_ == slot.get()) removed_ = std::move(slot);
}

// A descriptor without an interest is removed from epoll, which would report errors and hang-ups of it
// without end.
void EventLoop::change_interest(Slot& slot, std::uint32_t index, Interest interest) {
  if (slot.interest == interest) return;
  const int operation = slot.interest == Interest::none ? EPOLL_CTL_ADD
                        : interest == Interest::none    ? EPOLL_CTL_DEL
                                                        : EPOLL_CTL_MOD;
  slot.interest = interest;
  control(epoll_.fd, operation, slot.fd, epoll_mask(interest), cookie(index, slot.generation));
}

EventLoop* EventLoop::current() {
  if (turning != nullptr) return turning;
  while (!made.empty() && made.back().expired()) made.pop_back();
  return made.empty() ? nullptr : made.back().lock().get();
}

Instant EventLoop::next_deadline() const {
  if (woken_ || has_posted()) return Instant::min();
  return timers_->next_deadline();
}

bool EventLoop::has_posted() const {
  const std::scoped_lock lock(posted_mutex_);
  return !posted_.empty() || running_call_ < running_posted_.size();
}

void EventLoop::post(std::move_only_function<void()> call) {
  {
    const std::scoped_lock lock(posted_mutex_);
    if (!takes_posts_) return;
    posted_.push_back(std::move(call));
  }
  if (turning != this) interrupt_wait();
}

void EventLoop::wake() const noexcept {
  woken_.store(true, std::memory_order_release);
  interrupt_wait();
}

void EventLoop::interrupt_wait() const noexcept {
  const int error = errno;  // A signal handler must not change it.
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto size = ::write(eventfd_.fd, &one, sizeof one);
  errno = error;
}

void EventLoop::on_wake(std::move_only_function<void()> callback) {
  using Callback = std::move_only_function<void()>;
  on_wake_ = callback ? std::make_shared<Callback>(std::move(callback)) : nullptr;
}

void EventLoop::stop() noexcept {
  stop_.store(true, std::memory_order_release);
  interrupt_wait();
}

void EventLoop::run() {
  while (!take_stop()) turn(kNever);
}

Instant EventLoop::run_once(Duration max_wait) {
  if (max_wait <= Duration::zero()) return turn(Instant::min());
  return turn(io::after(max_wait));
}

Instant EventLoop::turn(Instant wait_until) {
  const Running running(*this);
  const Instant until = std::min(wait_until, next_deadline());
  std::array<epoll_event, kMaxEvents> events;
  const std::size_t count = wait(until, events.data());
  turn_time_ = io::now();
  for (std::size_t i = 0; i < count; ++i) dispatch(events[i]);
  if (woken_.exchange(false, std::memory_order_acquire)) call_on_wake();
  timers_->fire(turn_time_);
  run_posted();
  return turn_time_;
}

std::size_t EventLoop::wait(Instant until, epoll_event* events) {
  int count = 0;
  if (until <= turn_time_) {
    count = ::epoll_wait(epoll_.fd, events, kMaxEvents, 0);
  } else if (until == kNever) {
    count = ::epoll_wait(epoll_.fd, events, kMaxEvents, -1);
  } else if (use_timerfd_) {
    count = wait_by_timerfd(until, events);
  } else {
    const KernelTimespec timeout = timespec_of(std::max(until - io::now(), Duration::zero()));
    count = epoll_pwait2(epoll_.fd, events, kMaxEvents, &timeout);
    if (count < 0 && errno != EINTR) {  // ENOSYS before Linux 5.11; EPERM in some sandboxes.
      use_timerfd_ = true;
      count = wait_by_timerfd(until, events);
    }
  }
  return static_cast<std::size_t>(std::max(count, 0));
}

int EventLoop::wait_by_timerfd(Instant until, epoll_event* events) {
  if (until != timerfd_deadline_) {
    const KernelTimespec at = timespec_of(until.time_since_epoch());
    itimerspec setting{};
    setting.it_value.tv_sec = static_cast<time_t>(at.seconds);
    setting.it_value.tv_nsec = static_cast<long>(at.nanoseconds);
    ::timerfd_settime(timerfd_.fd, TFD_TIMER_ABSTIME, &setting, nullptr);
    timerfd_deadline_ = until;
  }
  return ::epoll_wait(epoll_.fd, events, kMaxEvents, -1);
}

void EventLoop::dispatch(const epoll_event& event) {
  const auto index = static_cast<std::uint32_t>(event.data.u64);
  if (index == kWakeSlot) {
    drain(eventfd_.fd);
    return;
  }
  if (index == kTimerSlot) {
    drain(timerfd_.fd);
    timerfd_deadline_ = kNever;
    return;
  }
  Slot* const slot = slots_[index].get();
  if (slot == nullptr || slot->generation != event.data.u64 >> 32) return;
  const bool failed = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
  const Ready ready{
      .readable = has(slot->interest, Interest::read) &&
                  (failed || (event.events & (EPOLLIN | EPOLLRDHUP)) != 0),
      .writable =
          has(slot->interest, Interest::write) && (failed || (event.events & EPOLLOUT) != 0),
  };
  if (!ready.readable && !ready.writable) return;
  running_slot_ = slot;
  const Finally finally([this] {
    running_slot_ = nullptr;
    removed_.reset();
  });
  slot->callback(ready, turn_time_);
}

void EventLoop::call_on_wake() {
  // Held here: the callback may replace itself.
  if (const auto callback = on_wake_) (*callback)();
}

void EventLoop::run_posted() {
  if (running_call_ ==
      running_posted_.size()) {  // Otherwise a call threw: those behind it come first.
    running_posted_.clear();
    running_call_ = 0;
    const std::scoped_lock lock(posted_mutex_);
    running_posted_.swap(posted_);
  }
  while (running_call_ < running_posted_.size()) {
    // Moved out, so that the call is destroyed when it has returned.
    auto call = std::move(running_posted_[running_call_++]);
    call();
  }
}

}  // namespace qpeer::io
