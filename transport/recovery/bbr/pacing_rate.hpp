// SPDX-License-Identifier: MIT OR BSD-3-Clause
// C.pacing_rate and C.send_quantum. draft-ietf-ccwg-bbr §5.6.2, §5.6.3.
#pragma once

#include <algorithm>
#include <cstdint>

#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/bbr/parameters.hpp"

namespace qpeer::transport::bbr {

class PacingRate {
 public:
  /// InitPacingRate(), before a round trip is known, and once when the first is.
  void init(std::uint64_t initial_cwnd, Duration smoothed_rtt) {
    const Duration time = smoothed_rtt > Duration::zero() ? smoothed_rtt : Duration{1ms};
    const double bandwidth =
        static_cast<double>(initial_cwnd) * 1e9 / static_cast<double>(time.count());
    rate_ = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(kStartupPacingGain * bandwidth));
  }
  /// SetPacingRateWithGain(): until the path was full once, it only rises.
  void update(double gain, std::uint64_t bw, bool full_bw_reached) {
    const std::uint64_t rate = scaled(gain * kPacingMargin, bw);
    if (full_bw_reached || rate > rate_) rate_ = std::max<std::uint64_t>(1, rate);
  }
  [[nodiscard]] std::uint64_t rate() const { return rate_; }
  /// SetSendQuantum().
  [[nodiscard]] std::uint64_t send_quantum(std::uint64_t packet) const {
    return std::max(std::min(volume_of(rate_, 1ms), kMaxQuantum), 2 * packet);
  }

 private:
  static constexpr std::uint64_t kMaxQuantum = 64 << 10;
  std::uint64_t rate_ = 1;  ///< Bytes a second, never 0.
};

}  // namespace qpeer::transport::bbr
