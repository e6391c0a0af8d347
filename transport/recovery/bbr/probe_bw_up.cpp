// SPDX-License-Identifier: MIT OR BSD-3-Clause
// ProbeBW_UP: faster than the path delivered so far, to see whether it can more.
// draft-ietf-ccwg-bbr §5.3.3.5, §5.3.3.6, §5.3.3.7.
#include "qpeer/transport/recovery/bbr/bbr.hpp"

namespace qpeer::transport {

/// StartProbeBW_UP().
void Bbr::start_probe_bw_up(const RateSample& rs) {
  cycle_.ack_phase = bbr::AckPhase::probe_starting;
  start_round();
  full_bw_.reset(rs.delivery_rate);
  enter(State::probe_bw_up);
  cycle_.raise_slope(window_.cwnd(), smss_);
}

/// IsTimeToGoDown().
bool Bbr::is_time_to_go_down(const RateSample& rs) {
  // Precautionary Bandwidth Probing: Deceleration.
  if (cycle_.prev_probe_too_high && inflight_ >= bounds_.inflight_longterm()) {
    cycle_.prev_probe_precautionary = true;
    return true;
  }
  if (window_.is_limited() && window_.cwnd() >= bounds_.inflight_longterm()) {
    full_bw_.reset(rs.delivery_rate);  // The bound, not the path, holds the bandwidth back.
    return false;
  }
  return full_bw_.now();
}

/// ProbeInflightLongtermUpward().
void Bbr::probe_inflight_longterm_upward(const RateSample& rs) {
  if (!window_.is_limited() || window_.cwnd() < bounds_.inflight_longterm()) return;
  const std::uint64_t packets = cycle_.increase(rs.newly_acked);
  bounds_.set_inflight_longterm(bounds_.inflight_longterm() + packets * smss_);
  if (round_.round_start()) cycle_.raise_slope(window_.cwnd(), smss_);
}

}  // namespace qpeer::transport
