// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A call that blocks, in a thread of its own; its end is an event of the loop.
#pragma once

#include <functional>
#include <memory>

#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::io {

/// One call under way. For the few that cannot be made to wait in a loop: names to look up, files
/// to bring to the disk. Signals are blocked in the thread. Move-only; made, moved and destroyed in the
/// loop's thread.
class Background {
 public:
  /// None: nothing is under way.
  Background();
  /// Calls `work` in a new thread, then `done` in the loop's thread, which may destroy this object.
  /// `work` must own what it uses, for it goes on when this object or the loop is gone; it is
  /// destroyed in its thread before `done` is called. When no thread can be had, `work` is called
  /// here, and `done` in the loop's next turn.
  Background(EventLoop& loop, std::move_only_function<void()> work,
             std::move_only_function<void()> done);
  Background(Background&&) noexcept;
  Background& operator=(Background&&) noexcept;
  /// `done` is not called any more.
  ~Background();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace qpeer::io
