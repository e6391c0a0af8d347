// SPDX-License-Identifier: MIT OR BSD-3-Clause
// ProbeBW: the cycle of slowing down, cruising, refilling the path and probing for more.
// draft-ietf-ccwg-bbr §5.3.3.
#include <algorithm>

#include "qpeer/transport/recovery/bbr/bbr.hpp"

namespace qpeer::transport {

using bbr::AckPhase;

/// StartProbeBW_DOWN().
void Bbr::start_probe_bw_down(Instant now) {
  signals_.reset();
  cycle_.up_acked_per_increase = bbr::kInfinity;
  round_.set_rounds_since_probe_up(cycle_.pick_wait());
  cycle_.cycle_stamp = now;
  cycle_.ack_phase = AckPhase::probe_stopping;
  start_round();
  enter(State::probe_bw_down);
}

/// StartProbeBW_REFILL().
void Bbr::start_probe_bw_refill() {
  bounds_.reset_shortterm();
  cycle_.up_rounds = 0;
  cycle_.up_acked = 0;
  cycle_.prev_probe_precautionary = false;
  cycle_.ack_phase = AckPhase::refilling;
  start_round();
  enter(State::probe_bw_refill);
}

/// UpdateProbeBWCyclePhase(). §5.3.3.9.
void Bbr::update_probe_bw_cycle_phase(const Signal& ack) {
  if (!full_bw_.reached() || adapt_long_term_model(ack)) return;
  switch (state_) {
    case State::probe_bw_down:
      if (!check_time_to_probe_bw(ack.now) && is_time_to_cruise()) enter(State::probe_bw_cruise);
      break;
    case State::probe_bw_cruise:
      check_time_to_probe_bw(ack.now);
      break;
    case State::probe_bw_refill:
      if (!round_.round_start()) break;
      cycle_.is_bw_probe_sample = true;
      start_probe_bw_up(ack.rs);
      break;
    case State::probe_bw_up:
      if (!is_time_to_go_down(ack.rs)) break;
      cycle_.prev_probe_too_high = false;
      start_probe_bw_down(ack.now);
      break;
    case State::startup:
    case State::drain:
    case State::probe_rtt:
      break;
  }
}

/// AdaptLongTermModel(): whether it decided on the next state. §5.3.3.9.
bool Bbr::adapt_long_term_model(const Signal& ack) {
  const RateSample& rs = ack.rs;
  if (cycle_.ack_phase == AckPhase::probe_starting && round_.round_start()) {
    cycle_.ack_phase = AckPhase::probe_feedback;
  }
  if (cycle_.ack_phase == AckPhase::probe_stopping && round_.round_start()) {
    cycle_.is_bw_probe_sample = false;
    cycle_.ack_phase = AckPhase::init;
    if (is_in_probe_bw() && !rs.is_app_limited) max_bw_.advance();
    // Precautionary Bandwidth Probing: Acceleration. §5.3.3.6.
    if (is_in_probe_bw() && cycle_.prev_probe_precautionary && !cycle_.prev_probe_too_high) {
      start_probe_bw_refill();
      return true;
    }
  }
  if (is_inflight_too_high(rs)) {
    // Losses were looked at one by one; marks come with the ACK alone.
    if (rs.newly_marked == 0 || !cycle_.is_bw_probe_sample) return false;
    handle_inflight_too_high(ack);
    return true;
  }
  if (bounds_.inflight_longterm() == bbr::kInfinity) return false;
  if (rs.tx_in_flight > bounds_.inflight_longterm()) {
    bounds_.set_inflight_longterm(rs.tx_in_flight);
  }
  if (state_ == State::probe_bw_up) probe_inflight_longterm_upward(rs);
  return false;
}

/// IsTimeToProbeBW(): after 2 to 3 seconds, or as many rounds as Reno would take. §5.3.3.8.3.
bool Bbr::check_time_to_probe_bw(Instant now) {
  const std::uint64_t reno_rounds = std::min(target_inflight() / smss_, bbr::kMaxRenoRounds);
  if (now <= cycle_.cycle_stamp + cycle_.wait && round_.rounds_since_probe_up() < reno_rounds) {
    return false;
  }
  start_probe_bw_refill();
  return true;
}

/// IsTimeToCruise(). §5.3.3.9.
bool Bbr::is_time_to_cruise() const {
  return inflight_ <= inflight_with_headroom() && inflight_ <= inflight(max_bw_.max_bw(), 1);
}

}  // namespace qpeer::transport
