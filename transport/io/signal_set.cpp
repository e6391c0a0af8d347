// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/signal_set.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace qpeer::io {

struct SignalSet::State {
  sigset_t blocked;  // By us; others may have been blocked before.
  int fd = -1;
  Watch watch;

  State() { sigemptyset(&blocked); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    watch.reset();
    if (fd >= 0) ::close(fd);
    ::pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
  }
};

std::expected<SignalSet, std::error_code> SignalSet::make(EventLoop& loop,
                                                          std::span<const int> signals,
                                                          Callback callback) {
  auto state = std::make_unique<State>();
  sigset_t wanted;
  sigset_t before;
  sigemptyset(&wanted);
  for (const int signal : signals) {
    if (sigaddset(&wanted, signal) != 0) {
      return std::unexpected(std::error_code{errno, std::system_category()});
    }
  }
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &wanted, &before); error != 0) {
    return std::unexpected(std::error_code{error, std::system_category()});
  }
  for (const int signal : signals) {
    if (sigismember(&before, signal) == 0) sigaddset(&state->blocked, signal);
  }
  state->fd = ::signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
  if (state->fd < 0) return std::unexpected(std::error_code{errno, std::system_category()});
  // One signal a call: the callback may destroy the set.
  auto watch = loop.watch(state->fd, Interest::read,
                          [fd = state->fd, callback = std::move(callback)](Ready, Instant) mutable {
                            signalfd_siginfo info{};
                            if (::read(fd, &info, sizeof info) != sizeof info) return;
                            callback(static_cast<int>(info.ssi_signo));
                          });
  if (!watch) return std::unexpected(watch.error());
  state->watch = std::move(*watch);
  return SignalSet{std::move(state)};
}

SignalSet::SignalSet(std::unique_ptr<State> state) : state_(std::move(state)) {}
SignalSet::SignalSet(SignalSet&&) noexcept = default;
SignalSet& SignalSet::operator=(SignalSet&&) noexcept = default;
SignalSet::~SignalSet() = default;

}  // namespace qpeer::io
