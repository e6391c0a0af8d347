// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What losses teach: bounds for this cycle (short term) and across cycles (long term), and how to
// take them back. draft-ietf-ccwg-bbr §2.9, §5.5.10, §5.5.11.
#pragma once

#include <algorithm>
#include <cstdint>

#include "qpeer/transport/recovery/bbr/parameters.hpp"

namespace qpeer::transport::bbr {

class Bounds {
 public:
  [[nodiscard]] std::uint64_t bw_shortterm() const { return bw_shortterm_; }
  [[nodiscard]] std::uint64_t inflight_shortterm() const { return inflight_shortterm_; }
  [[nodiscard]] std::uint64_t inflight_longterm() const { return inflight_longterm_; }
  void set_inflight_longterm(std::uint64_t volume) { inflight_longterm_ = volume; }

  /// InitLowerBounds(), LossLowerBounds(): a round with losses ends.
  void on_lossy_round(std::uint64_t bw_latest, std::uint64_t inflight_latest, std::uint64_t max_bw,
                      std::uint64_t cwnd) {
    if (bw_shortterm_ == kInfinity) bw_shortterm_ = max_bw;
    if (inflight_shortterm_ == kInfinity) inflight_shortterm_ = cwnd;
    bw_shortterm_ = std::max(bw_latest, scaled(kBeta, bw_shortterm_));
    inflight_shortterm_ = std::max(inflight_latest, scaled(kBeta, inflight_shortterm_));
  }
  /// ResetShortTermModel().
  void reset_shortterm() { bw_shortterm_ = inflight_shortterm_ = kInfinity; }

  /// SaveStateUponLoss().
  void save() {
    undo_bw_shortterm_ = bw_shortterm_;
    undo_inflight_shortterm_ = inflight_shortterm_;
    undo_inflight_longterm_ = inflight_longterm_;
  }
  /// HandleSpuriousLossDetection().
  void undo() {
    bw_shortterm_ = std::max(bw_shortterm_, undo_bw_shortterm_);
    inflight_shortterm_ = std::max(inflight_shortterm_, undo_inflight_shortterm_);
    inflight_longterm_ = std::max(inflight_longterm_, undo_inflight_longterm_);
  }

  /// InflightWithHeadroom(): leaves other flows some room, but no less than `least` for us.
  [[nodiscard]] std::uint64_t inflight_with_headroom(std::uint64_t packet,
                                                     std::uint64_t least) const {
    if (inflight_longterm_ == kInfinity) return kInfinity;
    const std::uint64_t headroom = std::max(packet, scaled(kHeadroom, inflight_longterm_));
    return std::max(inflight_longterm_ - std::min(headroom, inflight_longterm_), least);
  }

 private:
  std::uint64_t bw_shortterm_ = kInfinity;
  std::uint64_t inflight_shortterm_ = kInfinity;
  std::uint64_t inflight_longterm_ = kInfinity;
  std::uint64_t undo_bw_shortterm_ = 0;
  std::uint64_t undo_inflight_shortterm_ = 0;
  std::uint64_t undo_inflight_longterm_ = 0;
};

}  // namespace qpeer::transport::bbr
