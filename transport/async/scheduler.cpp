// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/scheduler.hpp"

namespace qpeer::async {

Scheduler::Scheduler(io::EventLoop& loop)
    : loop_(loop), timer_(loop, [this](Instant) { drain(); }) {}

Scheduler::~Scheduler() { *gone_ = true; }

void Scheduler::schedule(WaitList& waiting) {
  if (waiting.empty()) return;
  ready_.schedule(waiting);
  arm();
}

void Scheduler::arm() {
  if (holds_ == 0 && !draining_ && !ready_.empty()) timer_.fire_soon();
}

Scheduler::Hold::~Hold() {
  --scheduler_.holds_;
  scheduler_.arm();
}

void Scheduler::drain() {
  if (draining_) return;
  draining_ = true;
  struct End {
    Scheduler& scheduler;
    const std::shared_ptr<bool> gone;
    ~End() {
      if (*gone) return;
      scheduler.draining_ = false;
      scheduler.arm();
    }
  };
  const End end{*this, gone_};
  for (unsigned i = 0; i < kMaxResumed && !*end.gone && ready_.resume_next(); ++i) {
  }
}

}  // namespace qpeer::async
