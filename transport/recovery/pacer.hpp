// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Spreads packets over the round trip: a bucket of bytes that fills at the pacing rate.
// RFC 9002 §7.7.
//
// A timer is no finer than about a millisecond, so the bucket holds what the rate yields in two:
// a late timer costs no throughput, and where the whole window leaves within that time (a tiny
// RTT) nothing is paced at all. It never holds less than some packets: an initial window until a
// round trip is measured, because nothing says how fast to send it, and half of one from then on.
//
// Once the bucket is empty it fills for a millisecond before anything leaves: packets leave in trains
// that one system call sends, and that are as long as the rate allows.
//
//   open --a packet takes the last of it--> waiting --a train's worth is there--> open
#pragma once

#include <algorithm>
#include <cstdint>

#include "qpeer/transport/base/time.hpp"

namespace qpeer::transport {

class Pacer {
 public:
  static constexpr Duration kBurstTime = 2ms;
  static constexpr Duration kTrainTime = 1ms;
  static constexpr std::uint64_t kInitialBurstPackets = 10;
  static constexpr std::uint64_t kMinBurstPackets = 5;

  struct Rate {
    std::uint64_t bytes_per_second = 0;
    std::uint64_t burst = 0;  ///< What may leave at once after a silence.
    std::uint64_t train = 0;  ///< What leaves at once otherwise; a datagram at least.
  };

  /// RFC 9002 §7.7: 5/4 of a window each round trip, unless the controller names a rate. So many
  /// packets may leave at once in any case.
  static Rate rate_of(std::uint64_t window, Duration smoothed_rtt, std::uint16_t max_datagram_size,
                      std::uint64_t burst_packets = kInitialBurstPackets);
  static Rate rate_of(std::uint64_t bytes_per_second, std::uint16_t max_datagram_size,
                      std::uint64_t burst_packets = kInitialBurstPackets);

  /// How many bytes may leave now; negative after probes, which do not wait.
  [[nodiscard]] std::int64_t budget(Instant now, const Rate& rate) const;
  /// What must be there before the next packet leaves: a datagram, or a train after a shortage.
  [[nodiscard]] std::uint64_t least(const Rate& rate, std::uint64_t max_datagram_size) const {
    return waiting_ ? rate.train : max_datagram_size;
  }
  /// When the budget will be `wanted` bytes. Not before `now`.
  [[nodiscard]] Instant available_at(Instant now, const Rate& rate, std::uint64_t wanted) const;
  /// Whether time went on since the last refill(), which the next on_sent() then needs first.
  [[nodiscard]] bool must_refill(Instant now) const { return !started_ || now > updated_at_; }
  void refill(Instant now, const Rate& rate);
  void on_sent(std::uint64_t size) {
    tokens_ -= static_cast<std::int64_t>(size);
    // What is left does not do for another one like it.
    if (tokens_ < static_cast<std::int64_t>(size)) waiting_ = true;
  }

 private:
  bool started_ = false;
  bool waiting_ = false;  ///< For a train's worth.
  Instant updated_at_;
  std::int64_t tokens_ = 0;  ///< As of updated_at_.
};

}  // namespace qpeer::transport
