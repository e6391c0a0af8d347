// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the path delivered in the latest round, and whether it lost anything in it.
// draft-ietf-ccwg-bbr §2.10, §5.5.10.3.
#pragma once

#include <algorithm>
#include <cstdint>

#include "qpeer/transport/recovery/congestion.hpp"

namespace qpeer::transport::bbr {

class CongestionSignals {
 public:
  /// NoteLoss(): whether it is the first of its round.
  bool note_loss(std::uint64_t delivered) {
    const bool first = !loss_in_round_;
    if (first) loss_round_delivered_ = delivered;
    loss_in_round_ = true;
    return first;
  }
  /// UpdateLatestDeliverySignals(), near the start of an ACK.
  void on_ack(const RateSample& rs) {
    bw_latest_ = std::max(bw_latest_, rs.delivery_rate);
    inflight_latest_ = std::max(inflight_latest_, rs.delivered);
    loss_round_start_ = rs.prior_delivered >= loss_round_delivered_;
    if (loss_round_start_) loss_round_delivered_ = rs.total_delivered;
  }
  /// The response to the losses of the round has been made.
  void forget_loss() { loss_in_round_ = false; }
  /// AdvanceLatestDeliverySignals(), near the end of an ACK.
  void advance(const RateSample& rs) {
    if (!loss_round_start_) return;
    bw_latest_ = rs.delivery_rate;
    inflight_latest_ = rs.delivered;
  }
  /// ResetCongestionSignals().
  void reset() {
    loss_in_round_ = false;
    bw_latest_ = 0;
    inflight_latest_ = 0;
  }

  [[nodiscard]] bool loss_in_round() const { return loss_in_round_; }
  /// Whether the latest ACK ended a round.
  [[nodiscard]] bool loss_round_start() const { return loss_round_start_; }
  [[nodiscard]] std::uint64_t bw_latest() const { return bw_latest_; }
  [[nodiscard]] std::uint64_t inflight_latest() const { return inflight_latest_; }

 private:
  std::uint64_t bw_latest_ = 0;
  std::uint64_t inflight_latest_ = 0;
  std::uint64_t loss_round_delivered_ = 0;
  bool loss_in_round_ = false;
  bool loss_round_start_ = false;
};

}  // namespace qpeer::transport::bbr
