// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How far out of order packets arrive over one path, and how long the loss of a packet is therefore
// not declared. RFC 9002 §6.1; RFC 8985 §6.2, whose window is ours: it grows by quarters of the
// least RTT up to one smoothed RTT, and is forgotten a while after the last reordering.
#pragma once

#include <cstdint>

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/rtt.hpp"

namespace qpeer::transport {

/// RFC 9002 §6.1.1 [rfc9002-6.1.1-1], [rfc9002-6.1.1-2].
inline constexpr PacketNumber kPacketThreshold = 3;

/// How long after it was sent a packet older than an acknowledged one is lost, where packets are
/// not reordered: 9/8 of the RTT.
Duration loss_delay(const RttEstimator& rtt);

class Reordering {
 public:
  /// The packet threshold rises no further; behind that, time alone decides in most cases.
  static constexpr PacketNumber kMaxPacketThreshold = 4096;
  /// Without reordering for so long, and for so many round trips, the thresholds are those of
  /// RFC 9002 again.
  static constexpr Duration kMemory = 10s;
  static constexpr int kMemoryRtts = 16;

  /// A packet sent at `sent_at` was acknowledged after one whose number is higher by `distance`.
  void on_reordered(Instant now, Instant sent_at, PacketNumber distance, const RttEstimator& rtt);
  /// Forgets what was learned too long ago.
  void expire(Instant now, const RttEstimator& rtt);

  [[nodiscard]] PacketNumber packet_threshold() const { return packet_threshold_; }
  /// How long after it was sent a packet older than an acknowledged one is lost.
  [[nodiscard]] Duration time_threshold(const RttEstimator& rtt) const;

  /// Whether the thresholds are within their bounds. For assertions.
  [[nodiscard]] bool consistent() const {
    return packet_threshold_ >= kPacketThreshold && packet_threshold_ <= kMaxPacketThreshold &&
           window_ >= Duration::zero();
  }

 private:
  PacketNumber packet_threshold_ = kPacketThreshold;
  Duration window_{};  ///< Beyond one RTT; 0 while the default is enough.
  Instant seen_at_{};  ///< The last time that the thresholds of RFC 9002 were not enough.
};

}  // namespace qpeer::transport
