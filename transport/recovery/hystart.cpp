// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/recovery/hystart.hpp"

#include <algorithm>

namespace qpeer::transport {

void HyStart::on_ack(Instant now, Instant sent_at, Duration rtt_sample) {
  if (done_) return;
  if (sent_at >= round_start_) begin_round(now);
  if (rtt_sample <= Duration::zero()) return;
  current_min_rtt_ = std::min(current_min_rtt_, rtt_sample);
  ++samples_;
  if (samples_ >= kRttSamples) look_for_growth();
}

void HyStart::begin_round(Instant now) {
  round_start_ = now;
  last_min_rtt_ = current_min_rtt_;
  current_min_rtt_ = kNone;
  samples_ = 0;
  // RFC 9406 §4.2: the part of a round in which CSS began counts as one.
  if (in_css_ && ++css_rounds_ >= kCssRounds) done_ = true;
}

void HyStart::look_for_growth() {
  if (in_css_) {
    if (current_min_rtt_ >= css_baseline_) return;
    in_css_ = false;
    css_baseline_ = kNone;
    return;
  }
  if (last_min_rtt_ == kNone) return;
  const Duration threshold =
      std::clamp<Duration>(last_min_rtt_ / kMinRttDivisor, kMinRttThreshold, kMaxRttThreshold);
  if (current_min_rtt_ < last_min_rtt_ + threshold) return;
  in_css_ = true;
  css_rounds_ = 0;
  css_baseline_ = current_min_rtt_;
}

}  // namespace qpeer::transport
