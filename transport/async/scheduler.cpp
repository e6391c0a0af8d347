// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/scheduler.hpp"

namespace qpeer::async {

Scheduler::Scheduler(io::EventLoop& loop)
    : loop_(loop), timer_(loop, [this](Instant) { drain(); }) {}

Scheduler::~Scheduler() {
  if (gone_ != nullptr) *gone_ = true;
}

void Scheduler::schedule(WaitList& waiting) {
  if (waiting.empty()) return;
  ready_.schedule(waiting);
  arm();
}

void Scheduler::arm() {
  if (holds_ == 0 && gone_ == nullptr && !ready_.empty()) timer_.fire_soon();
}

Scheduler::Hold::~Hold() {
  --scheduler_.holds_;
  scheduler_.arm();
}

void Scheduler::drain() {
  if (gone_ != nullptr) return;
  bool gone = false;
  gone_ = &gone;
  struct End {
    Scheduler& scheduler;
    const bool& gone;
    ~End() {
      if (gone) return;
      scheduler.gone_ = nullptr;
      scheduler.arm();
    }
  };
  const End end{*this, gone};
  while (!gone && ready_.resume_next()) {
  }
}

}  // namespace qpeer::async
