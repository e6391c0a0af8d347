// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/cancellation.hpp"

#include <vector>

#include "qpeer/transport/async/scheduler.hpp"

namespace qpeer::async {

struct detail::CancellationState {
  explicit CancellationState(io::EventLoop& loop) : scheduler(loop) {}
  bool cancelled = false;
  WaitList waiting;
  Scheduler scheduler;
  std::vector<std::weak_ptr<CancellationState>> children;
  std::shared_ptr<CancellationState> parent;  ///< Kept: a cancelled ancestor reaches us through it.
};

using State = detail::CancellationState;

detail::CancelledWait::CancelledWait(std::shared_ptr<State> state)
    : Operation(state->waiting), state_(std::move(state)) {}

bool detail::CancelledWait::attempt() { return state_->cancelled; }

CancellationToken::CancellationToken(io::EventLoop& loop) : state_(std::make_shared<State>(loop)) {}

CancellationToken::CancellationToken(std::shared_ptr<State> state) : state_(std::move(state)) {}

void CancellationToken::cancel() {
  if (std::exchange(state_->cancelled, true)) return;
  state_->scheduler.schedule(state_->waiting);
  for (const auto& each : std::exchange(state_->children, {})) {
    if (auto child = each.lock()) CancellationToken(std::move(child)).cancel();
  }
}

bool CancellationToken::is_cancelled() const { return state_->cancelled; }

CancellationToken CancellationToken::child() const {
  CancellationToken out(state_->scheduler.loop());
  if (state_->cancelled) {
    out.cancel();
  } else {
    std::erase_if(state_->children, [](const auto& each) { return each.expired(); });
    state_->children.push_back(out.state_);
    out.state_->parent = state_;
  }
  return out;
}

}  // namespace qpeer::async
