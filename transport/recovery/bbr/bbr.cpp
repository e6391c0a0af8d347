// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The events, the order of the steps an ACK takes, and the control parameters.
// draft-ietf-ccwg-bbr §5.2, §5.4, §5.6.
#include "qpeer/transport/recovery/bbr/bbr.hpp"

#include <algorithm>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer::transport {

/// OnInit(). §5.2.1.
Bbr::Bbr(std::uint16_t max_datagram_size, std::uint64_t seed)
    : smss_(max_datagram_size), cycle_(seed), window_(max_datagram_size) {
  pacing_.init(window_.initial(), Duration::zero());
}

void Bbr::on_packet_sent(Instant /*now*/, std::uint64_t /*size*/, std::uint64_t bytes_in_flight) {
  inflight_ = bytes_in_flight;
  window_.on_sent(bytes_in_flight);
}

/// HandleRestartFromIdle(). §5.4.1.
void Bbr::on_restart_from_idle(Instant now) {
  idle_restart_ = true;
  extra_acked_.restart(now);
  if (is_in_probe_bw()) {
    pacing_.update(1, bw_, full_bw_.reached());
  } else if (state_ == State::probe_rtt) {
    check_probe_rtt_done(now);
  }
}

/// UpdateOnACK(). §5.2.3.
void Bbr::on_ack(const AckSample& sample) {
  QPEER_INVARIANT(sample.rate != nullptr, return);
  Signal ack{.now = sample.now, .rs = *sample.rate};
  delivered_ = ack.rs.total_delivered;
  inflight_ = ack.rs.bytes_in_flight;
  if (!has_rtt_ && sample.min_rtt > Duration::zero()) {
    has_rtt_ = true;
    pacing_.init(window_.initial(), sample.smoothed_rtt);
  }
  // With so much more in flight than the path holds, the path limited the rate, although there was
  // nothing that could be sent: the peer's flow control may allow less than the window does.
  if (ack.rs.tx_in_flight > bdp_multiple(max_bw_.max_bw(), 1.5) + extra_acked_.extra_acked()) {
    ack.rs.is_app_limited = false;
  }
  ack.rs.is_app_limited = ack.rs.is_app_limited || is_low_rate(ack.rs.prior_delivered);
  update_recovery(sample);
  update_model_and_state(ack);
  update_control_parameters(ack.rs);
  QPEER_ASSERT(consistent());
}

/// UpdateModelAndState(). §5.2.3.
void Bbr::update_model_and_state(const Signal& ack) {
  const RateSample& rs = ack.rs;
  if (rs.newly_marked != 0) note_loss();
  signals_.on_ack(rs);
  update_congestion_signals(rs);
  extra_acked_.on_ack(ack.now, rs.newly_acked, bw_, window_.cwnd(), round_.round_count(),
                      full_bw_.reached() ? bbr::kExtraAckedRounds : 1);
  check_full_bw_reached(rs);
  check_startup_done(rs);
  check_drain_done(ack.now);
  update_probe_bw_cycle_phase(ack);
  min_rtt_.on_ack(ack.now, rs.rtt);
  check_probe_rtt(ack);
  signals_.advance(rs);
  bw_ = std::min(max_bw_.max_bw(), bounds_.bw_shortterm());  // BoundBWForModel().
}

void Bbr::on_mtu_changed(std::uint16_t max_datagram_size) {
  smss_ = max_datagram_size;
  window_.on_packet_size(max_datagram_size);
}

// --- states --------------------------------------------------------------------------------------

void Bbr::enter(State state) { state_ = state; }

std::string_view Bbr::state() const {
  switch (state_) {
    case State::startup:
      return "startup";
    case State::drain:
      return "drain";
    case State::probe_bw_down:
      return "probe_bw_down";
    case State::probe_bw_cruise:
      return "probe_bw_cruise";
    case State::probe_bw_refill:
      return "probe_bw_refill";
    case State::probe_bw_up:
      return "probe_bw_up";
    case State::probe_rtt:
      break;
  }
  return "probe_rtt";
}

/// The table of §5.6.1.
double Bbr::pacing_gain() const {
  switch (state_) {
    case State::startup:
      return bbr::kStartupPacingGain;
    case State::drain:
      return bbr::kDrainPacingGain;
    case State::probe_bw_down:
      return bbr::kDownPacingGain;
    case State::probe_bw_up:
      return bbr::kUpPacingGain;
    case State::probe_bw_cruise:
    case State::probe_bw_refill:
    case State::probe_rtt:
      break;
  }
  return 1;
}

/// The table of §5.6.1.
double Bbr::cwnd_gain() const {
  if (state_ == State::probe_bw_up) return bbr::kUpCwndGain;
  return state_ == State::probe_rtt ? bbr::kProbeRttCwndGain : bbr::kDefaultCwndGain;
}

bool Bbr::is_in_probe_bw() const {
  return state_ == State::probe_bw_down || state_ == State::probe_bw_cruise ||
         state_ == State::probe_bw_refill || state_ == State::probe_bw_up;
}

bool Bbr::is_probing_bw() const {
  return state_ == State::startup || state_ == State::probe_bw_refill ||
         state_ == State::probe_bw_up;
}

// --- volumes -------------------------------------------------------------------------------------

/// BDPMultiple(). §5.6.4.2.
std::uint64_t Bbr::bdp_multiple(std::uint64_t bw, double gain) const {
  if (!min_rtt_.known()) return window_.initial();
  return bbr::scaled(gain, bbr::volume_of(bw, min_rtt_.min_rtt()));
}

/// QuantizationBudget(), with the offload budget of QUIC. §5.6.4.2, §5.5.8.2.
std::uint64_t Bbr::quantization_budget(std::uint64_t inflight_cap) const {
  inflight_cap = std::max({inflight_cap, pacing_.send_quantum(smss_), window_.minimum()});
  return state_ == State::probe_bw_up ? inflight_cap + 2 * smss_ : inflight_cap;
}

/// Inflight(). §5.6.4.2.
std::uint64_t Bbr::inflight(std::uint64_t bw, double gain) const {
  return quantization_budget(bdp_multiple(bw, gain));
}

/// InflightWithHeadroom(). §5.3.3.9.
std::uint64_t Bbr::inflight_with_headroom() const {
  return bounds_.inflight_with_headroom(smss_, window_.minimum());
}

/// TargetInflight(). §5.3.3.8.3.
std::uint64_t Bbr::target_inflight() const {
  return std::min(bdp_multiple(bw_, 1), window_.cwnd());
}

// --- control parameters --------------------------------------------------------------------------

/// UpdateControlParameters(): SetPacingRate(), SetCwnd(). §5.6.
void Bbr::update_control_parameters(const RateSample& rs) {
  pacing_.update(pacing_gain(), bw_, full_bw_.reached());
  const std::uint64_t max_inflight =
      quantization_budget(bdp_multiple(bw_, cwnd_gain()) + extra_acked_.extra_acked());
  window_.on_ack(rs.newly_acked, max_inflight, full_bw_.reached(), delivered_);
  if (state_ == State::probe_rtt) window_.limit(probe_rtt_cwnd());
  bound_cwnd_for_model();
}

/// BoundCwndForModel(). §5.6.4.7.
void Bbr::bound_cwnd_for_model() {
  std::uint64_t cap = bbr::kInfinity;
  if (state_ == State::probe_rtt || state_ == State::probe_bw_cruise) {
    cap = inflight_with_headroom();
  } else if (is_in_probe_bw()) {
    cap = bounds_.inflight_longterm();
  }
  window_.limit(std::min(cap, bounds_.inflight_shortterm()));
}

bool Bbr::consistent() const {
  const bool bounded = bw_ <= max_bw_.max_bw() && bw_ <= bounds_.bw_shortterm();
  const bool probing = state_ == State::startup || full_bw_.reached() || state_ == State::probe_rtt;
  return window_.cwnd() >= window_.minimum() && pacing_.rate() != 0 && bounded && probing &&
         cycle_.up_acked_per_increase != 0;
}

}  // namespace qpeer::transport
