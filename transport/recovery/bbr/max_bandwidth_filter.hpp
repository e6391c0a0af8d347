// SPDX-License-Identifier: MIT OR BSD-3-Clause
// BBR.max_bw: the largest delivery rate of this ProbeBW cycle and of the one before.
// draft-ietf-ccwg-bbr §5.5.3, §5.5.5, §5.5.6.
#pragma once

#include <algorithm>
#include <cstdint>

namespace qpeer::transport::bbr {

class MaxBandwidthFilter {
 public:
  /// UpdateMaxBw(): what the application held back counts only where it is more nevertheless.
  void on_sample(std::uint64_t delivery_rate, bool is_app_limited) {
    if (delivery_rate >= max_bw() || !is_app_limited) current_ = std::max(current_, delivery_rate);
  }
  /// AdvanceMaxBwFilter(). A cycle without a sample leaves what was known.
  void advance() {
    if (current_ == 0) return;
    previous_ = current_;
    current_ = 0;
  }
  [[nodiscard]] std::uint64_t max_bw() const { return std::max(current_, previous_); }

 private:
  std::uint64_t current_ = 0;
  std::uint64_t previous_ = 0;
};

}  // namespace qpeer::transport::bbr
