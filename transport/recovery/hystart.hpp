// SPDX-License-Identifier: MIT OR BSD-3-Clause
// HyStart++: ends slow start when the round trips grow, before the queue overflows. RFC 9406.
//
//   slow start --RTT of a round grew--> conservative slow start (CSS) --5 rounds--> done
//       ^                                          |
//       '---------- RTT fell again: a mistake -----'
//
// A round is the time in which one window is sent and acknowledged.
#pragma once

#include <cstdint>

#include "qpeer/transport/base/time.hpp"

namespace qpeer::transport {

class HyStart {
 public:
  // RFC 9406 §4.3 [rfc9406-4.3-1].
  static constexpr Duration kMinRttThreshold = 4ms;
  static constexpr Duration kMaxRttThreshold = 16ms;
  static constexpr int kMinRttDivisor = 8;
  static constexpr unsigned kRttSamples = 8;
  static constexpr std::uint64_t kCssGrowthDivisor = 4;  ///< At least 2: [rfc9406-4.3-3].
  static constexpr unsigned kCssRounds = 5;

  /// An ACK in slow start for a packet that left at `sent_at`; an `rtt_sample` of 0 is none.
  void on_ack(Instant now, Instant sent_at, Duration rtt_sample);
  /// How much the window grows for these acknowledged bytes.
  [[nodiscard]] std::uint64_t growth(std::uint64_t acked_bytes) const {
    // RFC 9406 §4.3 [rfc9406-4.3-4]: no limit for an ACK (L is infinite), because packets are paced.
    return in_css_ ? acked_bytes / kCssGrowthDivisor : acked_bytes;
  }
  /// Whether slow start is over: the window becomes the slow start threshold.
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] bool in_css() const { return in_css_; }

 private:
  static constexpr Duration kNone = Duration::max();

  void begin_round(Instant now);
  void look_for_growth();

  Instant round_start_ = Instant::min();
  Duration last_min_rtt_ = kNone;     ///< Of the round before.
  Duration current_min_rtt_ = kNone;  ///< Of this round so far.
  Duration css_baseline_ = kNone;     ///< The minimum that made us enter CSS.
  unsigned samples_ = 0;              ///< Of this round.
  unsigned css_rounds_ = 0;           ///< Those that have ended.
  bool in_css_ = false;
  bool done_ = false;
};

}  // namespace qpeer::transport
