// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whether sending faster still brings more: three rounds without 25 % more, and the path is full.
// draft-ietf-ccwg-bbr §5.3.1.2.
#pragma once

#include <cstdint>

#include "qpeer/transport/recovery/bbr/parameters.hpp"

namespace qpeer::transport::bbr {

class FullBandwidth {
 public:
  /// ResetFullBW(), from this baseline on.
  void reset(std::uint64_t baseline = 0) {
    full_bw_ = baseline;
    full_bw_count_ = 0;
    full_bw_now_ = false;
  }
  /// CheckFullBWReached(): at the start of each round that the application did not hold back.
  void on_round(std::uint64_t delivery_rate) {
    if (full_bw_now_) return;
    if (delivery_rate >= scaled(kFullBwGrowth, full_bw_)) return reset(delivery_rate);
    full_bw_now_ = ++full_bw_count_ >= kFullBwRounds;
    if (full_bw_now_) full_bw_reached_ = true;
  }
  void set_reached(bool reached) { full_bw_reached_ = reached; }

  /// Whether the latest round brought a quarter more.
  [[nodiscard]] bool is_growing() const { return full_bw_count_ == 0; }
  /// Since we last began to look.
  [[nodiscard]] bool now() const { return full_bw_now_; }
  /// Ever.
  [[nodiscard]] bool reached() const { return full_bw_reached_; }

 private:
  std::uint64_t full_bw_ = 0;
  unsigned full_bw_count_ = 0;
  bool full_bw_now_ = false;
  bool full_bw_reached_ = false;
};

}  // namespace qpeer::transport::bbr
