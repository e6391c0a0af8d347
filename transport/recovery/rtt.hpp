// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What we believe of the path's round trip. RFC 9002 §5, §A.7.
#pragma once

#include <algorithm>
#include <optional>

#include "qpeer/transport/base/time.hpp"

namespace qpeer::transport {

/// The granularity of timers that RFC 9002 §6.1.2 [rfc9002-6.1.2-5] recommends.
inline constexpr Duration kGranularity = 1ms;

class RttEstimator {
 public:
  explicit RttEstimator(Duration initial_rtt)
      : smoothed_(initial_rtt), variance_(initial_rtt / 2) {}

  /// Zero before the first sample.
  [[nodiscard]] Duration latest() const { return latest_; }
  /// Zero before the first sample.
  [[nodiscard]] Duration min() const { return min_; }
  [[nodiscard]] Duration smoothed() const { return smoothed_; }
  /// For tests alone: elsewhere it is a part of pto().
  [[nodiscard]] Duration variance() const { return variance_; }
  [[nodiscard]] std::optional<Instant> first_sample_at() const { return first_sample_at_; }

  /// A sample: the largest newly acknowledged packet took `latest`. `ack_delay` is already limited
  /// as RFC 9002 §5.3 wants it.
  void update(Instant now, Duration latest, Duration ack_delay) {
    latest_ = std::max(latest, Duration::zero());
    if (!first_sample_at_) {
      first_sample_at_ = now;
      min_ = latest_;  // RFC 9002 §5.2 [rfc9002-5.2-1]
      smoothed_ = latest_;
      variance_ = latest_ / 2;
      return;
    }
    min_ = std::min(min_, latest_);  // RFC 9002 §5.2 [rfc9002-5.2-2]
    // RFC 9002 §5.3 [rfc9002-5.3-6]: a delay that would push the sample below the least we ever
    // saw is not believed.
    const Duration adjusted = latest_ - min_ >= ack_delay ? latest_ - ack_delay : latest_;
    const Duration deviation = smoothed_ > adjusted ? smoothed_ - adjusted : adjusted - smoothed_;
    variance_ = (3 * variance_ + deviation) / 4;
    smoothed_ = (7 * smoothed_ + adjusted) / 8;
  }

  /// RFC 9002 §5.2 [rfc9002-5.2-3]: the path may be another now, so the minimum starts anew.
  void on_persistent_congestion() { min_ = latest_; }

  /// The probe timeout without back-off, RFC 9002 §6.2.1 [rfc9002-6.2.1-1].
  [[nodiscard]] Duration pto(Duration max_ack_delay) const {
    return smoothed_ + std::max(4 * variance_, kGranularity) + max_ack_delay;
  }

  /// Whether the minimum is one of what was seen. For assertions.
  [[nodiscard]] bool consistent() const {
    const bool ordered = Duration::zero() <= min_ && min_ <= latest_;
    const bool unseen = latest_ == Duration::zero() && min_ == Duration::zero();
    return ordered && (first_sample_at_ || unseen) && smoothed_ >= Duration::zero() &&
           variance_ >= Duration::zero();
  }

 private:
  Duration latest_{};
  Duration min_{};
  Duration smoothed_;
  Duration variance_;
  std::optional<Instant> first_sample_at_;
};

}  // namespace qpeer::transport
