// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The probe timeout over all three spaces and its back-off. RFC 9002 §6.2, §A.8.
#pragma once

#include <array>
#include <cstdint>

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/rtt.hpp"

namespace qpeer::transport {

class Pto {
 public:
  /// What the timer depends on.
  struct Conditions {
    Instant now;
    /// Whether ack-eliciting packets of a space are outstanding, and when the last one was sent.
    std::array<bool, kPacketNumberSpaces> outstanding{};
    std::array<Instant, kPacketNumberSpaces> last_sent_at{};
    Duration max_ack_delay{};
    bool handshake_confirmed = false;
    bool has_handshake_keys = false;
    bool peer_validated_address = false;  ///< Always so on a server. RFC 9002 §A.8.
  };
  struct Timer {
    Instant at = kNever;
    PacketNumberSpace space = PacketNumberSpace::initial;
    /// Nothing is outstanding: the probe only lets the server send again.
    bool anti_deadlock = false;
  };

  /// Backing off makes the timeout no longer than this. RFC 8961 §4 allows a bound of a minute, as
  /// RFC 6298 §2 does.
  static constexpr Duration kMaxPeriod = 60s;

  [[nodiscard]] Timer next(const Conditions& conditions, const RttEstimator& rtt) const;

  [[nodiscard]] unsigned count() const { return count_; }
  void on_expired() { ++count_; }
  void reset() { count_ = 0; }

 private:
  /// Keeps the sum from overflowing; kMaxPeriod comes long before.
  static constexpr unsigned kMaxDoublings = 24;
  unsigned count_ = 0;
};

}  // namespace qpeer::transport
