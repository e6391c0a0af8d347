// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Drain: slow, until the queue that Startup built is gone. draft-ietf-ccwg-bbr §5.3.2.
#include "qpeer/transport/recovery/bbr/bbr.hpp"

namespace qpeer::transport {

/// EnterDrain().
void Bbr::enter_drain() {
  enter(State::drain);
  drain_start_round_ = round_.round_count();
}

/// CheckDrainDone().
void Bbr::check_drain_done(Instant now) {
  if (state_ != State::drain) return;
  if (inflight_ <= inflight(bw_, 1) ||
      round_.round_count() > drain_start_round_ + bbr::kDrainRounds) {
    enter_probe_bw(now);
  }
}

}  // namespace qpeer::transport
