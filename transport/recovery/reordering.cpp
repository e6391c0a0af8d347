// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/recovery/reordering.hpp"

#include <algorithm>

namespace qpeer::transport {
namespace {

Duration round_trip(const RttEstimator& rtt) { return std::max(rtt.latest(), rtt.smoothed()); }

}  // namespace

Duration loss_delay(const RttEstimator& rtt) {
  // RFC 9002 §6.1.2 [rfc9002-6.1.2-4], [rfc9002-6.1.2-2].
  return std::max(round_trip(rtt) * 9 / 8, kGranularity);
}

void Reordering::on_reordered(Instant now, Instant sent_at, PacketNumber distance,
                              const RttEstimator& rtt) {
  const Duration late = now - sent_at - round_trip(rtt);
  const bool beyond_time = now - sent_at >= loss_delay(rtt);
  if (distance < kPacketThreshold && !beyond_time) return;
  seen_at_ = now;
  // RFC 9002 §6.1.1 [rfc9002-6.1.1-1]: never below the default; a quarter more than was seen.
  const PacketNumber wanted = std::min(distance + distance / 4 + 1, kMaxPacketThreshold);
  packet_threshold_ = std::max(packet_threshold_, wanted);
  if (!beyond_time || late < window_) return;
  // RFC 8985 §6.2: by quarters of the least RTT, no more than one smoothed RTT in all.
  const Duration step = std::max<Duration>(rtt.min() / 4, kGranularity);
  window_ = std::min((late / step + 1) * step, rtt.smoothed());
}

void Reordering::expire(Instant now, const RttEstimator& rtt) {
  if (packet_threshold_ == kPacketThreshold && window_ == Duration::zero()) return;
  if (now - seen_at_ <= std::max<Duration>(kMemory, kMemoryRtts * rtt.smoothed())) return;
  packet_threshold_ = kPacketThreshold;
  window_ = Duration::zero();
}

Duration Reordering::time_threshold(const RttEstimator& rtt) const {
  // RFC 9002 §6.1.2: of several thresholds the larger is used.
  return std::max(loss_delay(rtt), round_trip(rtt) + std::min(window_, rtt.smoothed()));
}

}  // namespace qpeer::transport
