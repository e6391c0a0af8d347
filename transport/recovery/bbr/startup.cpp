// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Startup: twice as much each round, until the bandwidth grows no more or too much is lost.
// draft-ietf-ccwg-bbr §5.3.1.
#include <algorithm>
#include <utility>

#include "qpeer/transport/recovery/bbr/bbr.hpp"

namespace qpeer::transport {

/// CheckFullBWReached(). §5.3.1.2.
void Bbr::check_full_bw_reached(const RateSample& rs) {
  if (round_.round_start() && !rs.is_app_limited) full_bw_.on_round(rs.delivery_rate);
}

/// CheckStartupDone(). §5.3.1.1.
void Bbr::check_startup_done(const RateSample& rs) {
  check_startup_high_loss(rs);
  if (state_ == State::startup && full_bw_.reached()) enter_drain();
}

/// Counts the ranges of packets that were lost one after another.
void Bbr::note_startup_loss(const LostPacket& packet) {
  if (packet.order != startup_losses_.last + 1) ++startup_losses_.ranges;
  startup_losses_.last = packet.order;
}

/// CheckStartupHighLoss(): a whole round after the first loss, more than 2 % of it in at least six
/// places. §5.3.1.3. Beyond the draft, the bandwidth must have ceased to grow: what a radio link loses
/// at random would otherwise end Startup far below its rate, and the way up from there is slow where
/// the round trip is long.
void Bbr::check_startup_high_loss(const RateSample& rs) {
  if (!signals_.loss_round_start()) return;
  const unsigned ranges = std::exchange(startup_losses_.ranges, 0);
  if (full_bw_.reached() || full_bw_.is_growing() || ranges < bbr::kStartupFullLossCount ||
      !is_inflight_too_high(rs)) {
    return;
  }
  undo_state_ = State::startup;
  full_bw_.set_reached(true);
  bounds_.set_inflight_longterm(std::max(bdp_multiple(bw_, 1), signals_.inflight_latest()));
}

}  // namespace qpeer::transport
