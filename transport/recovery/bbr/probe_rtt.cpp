// SPDX-License-Identifier: MIT OR BSD-3-Clause
// ProbeRTT: for 200 ms half of what fills the path, so that its queue goes and the round trip shows.
// draft-ietf-ccwg-bbr §5.3.4.
#include <algorithm>

#include "qpeer/transport/recovery/bbr/bbr.hpp"

namespace qpeer::transport {

/// CheckProbeRTT(). §5.3.4.3.
void Bbr::check_probe_rtt(const Signal& ack) {
  if (state_ != State::probe_rtt && min_rtt_.probe_rtt_expired() && !idle_restart_) {
    window_.save(in_recovery_);
    enter(State::probe_rtt);
    probe_rtt_.done_stamp.reset();
    probe_rtt_.low_rate_from = delivered_;
    cycle_.ack_phase = bbr::AckPhase::probe_stopping;
    start_round();
  }
  if (state_ == State::probe_rtt) handle_probe_rtt(ack.now);
  if (ack.rs.delivered > 0) idle_restart_ = false;
}

/// HandleProbeRTT(). §5.3.4.3.
void Bbr::handle_probe_rtt(Instant now) {
  mark_low_rate();
  if (!probe_rtt_.done_stamp) {
    if (inflight_ > probe_rtt_cwnd()) return;
    probe_rtt_.done_stamp = now + bbr::kProbeRttDuration;
    probe_rtt_.round_done = false;
    start_round();
    return;
  }
  if (round_.round_start()) probe_rtt_.round_done = true;
  if (probe_rtt_.round_done) check_probe_rtt_done(now);
}

/// CheckProbeRTTDone(). §5.3.4.3.
void Bbr::check_probe_rtt_done(Instant now) {
  if (!probe_rtt_.done_stamp || now <= *probe_rtt_.done_stamp) return;
  min_rtt_.schedule_next_probe(now);
  window_.restore();
  exit_probe_rtt(now);
}

/// ExitProbeRTT(): the flight is small, so there is nothing to drain. §5.3.4.4.
void Bbr::exit_probe_rtt(Instant now) {
  bounds_.reset_shortterm();
  if (!full_bw_.reached()) return enter(State::startup);
  start_probe_bw_down(now);
  enter(State::probe_bw_cruise);
}

/// MarkConnectionAppLimited(), for our own eyes. §4.1.2.4.
void Bbr::mark_low_rate() { probe_rtt_.low_rate_until = delivered_ + inflight_; }

bool Bbr::is_low_rate(std::uint64_t prior_delivered) const {
  return probe_rtt_.low_rate_from <= prior_delivered &&
         prior_delivered <= probe_rtt_.low_rate_until;
}

/// ProbeRTTCwnd(). §5.6.4.5.
std::uint64_t Bbr::probe_rtt_cwnd() const {
  return std::max(bdp_multiple(bw_, bbr::kProbeRttCwndGain), window_.minimum());
}

}  // namespace qpeer::transport
