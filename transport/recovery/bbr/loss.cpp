// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The response to lost packets and CE marks, and its undoing.
// draft-ietf-ccwg-bbr §5.5.10, §5.5.11, §5.6.4.4.
#include <algorithm>
#include <utility>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/recovery/bbr/bbr.hpp"

namespace qpeer::transport {

/// NoteLoss(), SaveStateUponLoss(). §5.5.10.2, §5.5.11.1.
void Bbr::note_loss() {
  if (!signals_.note_loss(delivered_)) return;
  window_.save(in_recovery_ || state_ == State::probe_rtt);
  undo_state_.reset();
  bounds_.save();
}

/// HandleLostPacket(). §5.5.10.2.
void Bbr::on_packet_lost(const LostPacket& packet) {
  inflight_ -= std::min(inflight_, packet.size);
  delivered_ = packet.delivered;
  note_loss();
  if (state_ == State::startup) note_startup_loss(packet);
  if (!cycle_.is_bw_probe_sample) return;
  Signal loss{.now = packet.now, .rs = {}};
  loss.rs.tx_in_flight = packet.tx_in_flight;
  loss.rs.lost = packet.lost;
  loss.rs.marked = packet.marked;
  loss.rs.is_app_limited = packet.is_app_limited || is_low_rate(packet.prior_delivered);
  if (!is_inflight_too_high(loss.rs)) return;
  loss.rs.tx_in_flight = inflight_at_loss(loss.rs, packet.size);
  handle_inflight_too_high(loss);
}

/// IsInflightTooHigh(). §5.5.10.2.
bool Bbr::is_inflight_too_high(const RateSample& rs) {
  return rs.lost + rs.marked > bbr::scaled(bbr::kLossThresh, rs.tx_in_flight);
}

/// InflightAtLoss(): with how much in flight the losses went past the threshold. §5.5.10.2.
std::uint64_t Bbr::inflight_at_loss(const RateSample& rs, std::uint64_t size) {
  const double inflight_prev =
      static_cast<double>(rs.tx_in_flight - std::min(rs.tx_in_flight, size));
  const double lost_prev = static_cast<double>(rs.lost + rs.marked - size);
  const double lost_prefix =
      (bbr::kLossThresh * inflight_prev - lost_prev) / (1 - bbr::kLossThresh);
  return static_cast<std::uint64_t>(std::max(0.0, inflight_prev + lost_prefix));
}

/// HandleInflightTooHigh(). §5.5.10.2.
void Bbr::handle_inflight_too_high(const Signal& signal) {
  cycle_.prev_probe_too_high = true;
  cycle_.is_bw_probe_sample = false;
  if (!signal.rs.is_app_limited) {
    bounds_.set_inflight_longterm(
        std::max(signal.rs.tx_in_flight, bbr::scaled(bbr::kBeta, target_inflight())));
  }
  if (state_ != State::probe_bw_up) return;
  undo_state_ = State::probe_bw_up;
  start_probe_bw_down(signal.now);
}

/// UpdateCongestionSignals(), AdaptLowerBoundsFromCongestion(). §5.5.10.3. Beyond the draft, a round
/// that lost no more than a probe may lose changes nothing: with losses at random nearly each round
/// has some, and the bandwidth would fall all the way until the next probe.
void Bbr::update_congestion_signals(const RateSample& rs) {
  round_.on_ack(rs.prior_delivered,
                rs.total_delivered);  // UpdateMaxBw() begins with UpdateRound().
  if (round_.round_start()) window_.on_round_start();
  if (rs.delivery_rate != 0) max_bw_.on_sample(rs.delivery_rate, rs.is_app_limited);
  if (!signals_.loss_round_start()) return;
  if (signals_.loss_in_round() && !is_probing_bw() && is_inflight_too_high(rs)) {
    bounds_.on_lossy_round(signals_.bw_latest(), signals_.inflight_latest(), max_bw_.max_bw(),
                           window_.cwnd());
  }
  signals_.forget_loss();
}

/// Recovery begins: OnEnterFastRecovery() has been done by on_packet_lost(). §5.6.4.4.
void Bbr::on_loss(const LossSample& sample) {
  if (sample.largest_lost_sent_at > recovery_start_) {
    recovery_start_ = sample.now;
    in_recovery_ = true;
  }
  if (!sample.persistent_congestion) return;
  // OnEnterRTO(): RFC 9002 §7.6.2 [rfc9002-7.6.2-5], to the least window that BBR knows.
  in_recovery_ = true;
  recovery_start_ = sample.now;
  window_.limit(window_.minimum());
}

/// Recovery ends when something is acknowledged that was sent in it. §5.6.4.4.
void Bbr::update_recovery(const AckSample& sample) {
  if (!in_recovery_ || sample.largest_acked_sent_at <= recovery_start_) return;
  in_recovery_ = false;
  window_.restore();
}

/// HandleSpuriousLossDetection(). §5.5.11.2.
void Bbr::on_spurious_loss(const SpuriousLoss& /*spurious*/) {
  window_.restore();
  signals_.forget_loss();
  full_bw_.reset();
  bounds_.undo();
  const std::optional<State> undo = std::exchange(undo_state_, std::nullopt);
  if (undo == State::startup && state_ != State::startup) {
    full_bw_.set_reached(false);
    if (state_ != State::probe_rtt) enter(State::startup);
  } else if (undo == State::probe_bw_up && state_ != State::probe_bw_up &&
             state_ != State::probe_rtt) {
    start_probe_bw_refill();
  }
  bw_ = std::min(max_bw_.max_bw(), bounds_.bw_shortterm());
  QPEER_ASSERT(consistent());
}

}  // namespace qpeer::transport
