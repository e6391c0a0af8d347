// SPDX-License-Identifier: MIT OR BSD-3-Clause
// BBR.min_rtt, the least round trip of 10 seconds, and whether it is time to look for a lesser one.
// draft-ietf-ccwg-bbr §5.5.7, §5.3.4.3.
#pragma once

#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/bbr/parameters.hpp"

namespace qpeer::transport::bbr {

class MinRttFilter {
 public:
  /// UpdateMinRTT(); a negative `rtt` is none.
  void on_ack(Instant now, Duration rtt) {
    if (!known()) min_rtt_stamp_ = probe_rtt_min_stamp_ = now;
    probe_rtt_expired_ = now > probe_rtt_min_stamp_ + kProbeRttInterval;
    if (rtt >= Duration::zero() && (rtt < probe_rtt_min_delay_ || probe_rtt_expired_)) {
      probe_rtt_min_delay_ = rtt;
      probe_rtt_min_stamp_ = now;
    }
    const bool min_rtt_expired = now > min_rtt_stamp_ + kMinRttFilterLength;
    if (probe_rtt_min_delay_ < min_rtt_ || min_rtt_expired) {
      min_rtt_ = probe_rtt_min_delay_;
      min_rtt_stamp_ = probe_rtt_min_stamp_;
    }
  }
  /// ProbeRTT is over: the next is due an interval later.
  void schedule_next_probe(Instant now) { probe_rtt_min_stamp_ = now; }

  [[nodiscard]] bool known() const { return min_rtt_ != Duration::max(); }
  /// Duration::max() before the first sample.
  [[nodiscard]] Duration min_rtt() const { return min_rtt_; }
  /// As of the latest ACK, before its own sample.
  [[nodiscard]] bool probe_rtt_expired() const { return probe_rtt_expired_; }

 private:
  Duration min_rtt_ = Duration::max();
  Instant min_rtt_stamp_{};
  Duration probe_rtt_min_delay_ = Duration::max();
  Instant probe_rtt_min_stamp_{};
  bool probe_rtt_expired_ = false;
};

}  // namespace qpeer::transport::bbr
