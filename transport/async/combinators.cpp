// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/combinators.hpp"

namespace qpeer::async::detail {

bool Branches::start(Waiter waiter, std::span<Task<void>> branches) {
  waiter_ = waiter;
  branches_ = branches;
  starting_ = true;
  for (std::size_t i = 0; i < branches.size() && !is_complete(); ++i) {
    branches[i].start_branch(waiter.root());
  }
  starting_ = false;
  return !is_complete();
}

void Branches::on_done(std::size_t index, bool failed) {
  if (is_complete()) return;  // Too late: what came before it counts.
  if (done_++ == 0 || failed) first_ = index;
  failed_ = failed;
  // One branch may have resumed another by hand: the waiter destroys both.
  if (!is_complete() || starting_ || Trampoline::hand_over_outwards(waiter_)) return;
  branches_[index].continue_with(waiter_);
}

io::EventLoop& current_loop() {
  io::EventLoop* const loop = io::EventLoop::current();
  if (loop == nullptr) throw std::logic_error("there is no event loop in this thread");
  return *loop;
}

}  // namespace qpeer::async::detail
