// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Signals as events of the loop, so that a program can shut down properly.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <system_error>

#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::io {

/// Blocks signals (SIGINT, SIGTERM, ...), and gives them to a callback in the loop's thread instead. They
/// are blocked in the thread that makes the set, and in the threads that it starts later; so make the set
/// before other threads. The destructor, which the callback may cause, unblocks what the set blocked. Of
/// the loop's thread.
class SignalSet {
 public:
  /// Called in the loop's thread with the number of a signal, such as SIGINT.
  using Callback = std::move_only_function<void(int signal)>;

  /// `callback` gets each signal, one a call. Fails as signalfd does, and with EINVAL for what is no signal.
  [[nodiscard]] static std::expected<SignalSet, std::error_code> make(EventLoop& loop,
                                                                      std::span<const int> signals,
                                                                      Callback callback);
  SignalSet(SignalSet&&) noexcept;
  SignalSet& operator=(SignalSet&&) noexcept;
  ~SignalSet();

 private:
  struct State;
  explicit SignalSet(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace qpeer::io
