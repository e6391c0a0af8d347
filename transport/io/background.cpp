// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/background.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "qpeer/transport/io/thread.hpp"

namespace qpeer::io {
namespace {

// What the thread and the loop share: closed by the last of the two that releases it.
struct Signal {
  Signal() : fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~Signal() {
    if (fd >= 0) ::close(fd);
  }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  void raise() {
    raised.store(true, std::memory_order_release);
    const std::uint64_t one = 1;
    while (::write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
  }
  int fd;
  std::atomic<bool> raised =
      false;  // A loop that reads true sees all that the thread wrote before.
};

bool start_detached(std::move_only_function<void()> body) {
  auto thread = start_thread(std::move(body));
  if (thread) thread->detach();
  return thread.has_value();
}

}  // namespace

struct Background::State {
  explicit State(EventLoop& loop, std::move_only_function<void()> when_done)
      : done(std::move(when_done)), timer(loop, [this](Instant) { finish(); }) {}

  void finish() {
    watch.reset();
    (void)signal->raised.load(std::memory_order_acquire);
    if (done) std::exchange(done, nullptr)();
  }

  std::move_only_function<void()> done;
  std::shared_ptr<Signal> signal = std::make_shared<Signal>();
  Watch watch;
  Timer timer;
};

Background::Background(EventLoop& loop, std::move_only_function<void()> work,
                       std::move_only_function<void()> done)
    : state_(std::make_unique<State>(loop, std::move(done))) {
  State* const state = state_.get();
  auto watch =
      loop.watch(state->signal->fd, Interest::read, [state](Ready, Instant) { state->finish(); });
  // Shared: when the thread cannot be started the work is called here.
  const auto shared = std::make_shared<std::move_only_function<void()>>(std::move(work));
  bool started = false;
  if (watch) {
    state->watch = std::move(*watch);
    started = start_detached([shared, signal = state->signal] {
      std::exchange(*shared, nullptr)();
      signal->raise();
    });
  }
  if (started) return;
  std::exchange(*shared, nullptr)();
  state->timer.fire_soon();
}

Background::Background() = default;
Background::Background(Background&&) noexcept = default;
Background& Background::operator=(Background&&) noexcept = default;
Background::~Background() = default;

}  // namespace qpeer::io
