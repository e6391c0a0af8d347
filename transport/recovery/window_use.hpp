// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whether the congestion window is what holds the sender back. Where it is not, because the application,
// the peer's limits or our own processor is slower, acknowledgements say nothing of a larger one.
// RFC 9002 §7.8.
#pragma once

#include <algorithm>
#include <cstdint>

#include "qpeer/transport/base/time.hpp"

namespace qpeer::transport {

class WindowUse {
 public:
  /// A packet was sent; so much is in flight with it.
  void on_sent(std::uint64_t bytes_in_flight) { peak_ = std::max(peak_, bytes_in_flight); }

  /// Something sent at `sent_at` was acknowledged; so much was in flight before. A round trip ends when
  /// what was sent after its begin is acknowledged.
  void on_ack(Instant now, Instant sent_at, std::uint64_t bytes_in_flight) {
    if (sent_at < round_start_) return;
    round_start_ = now;
    before_ = peak_;
    peak_ = bytes_in_flight;
  }

  /// Whether a window was used within the last two round trips. An eighth of it is enough: what the
  /// peer's limits allow should leave early in a round trip, and the window paces it.
  [[nodiscard]] bool covers(std::uint64_t window) const { return peak() >= window / 8; }

  /// The most bytes that were in flight at once, within the last two round trips.
  [[nodiscard]] std::uint64_t peak() const { return std::max(peak_, before_); }

 private:
  Instant round_start_ = Instant::min();
  std::uint64_t peak_ = 0;    ///< Most in flight, of this round trip.
  std::uint64_t before_ = 0;  ///< Of the one before.
};

}  // namespace qpeer::transport
