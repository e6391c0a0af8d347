// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Round trips counted by packets: one ends when a packet is acknowledged that was sent after it
// began. draft-ietf-ccwg-bbr §5.5.1.
#pragma once

#include <cstdint>

namespace qpeer::transport::bbr {

class RoundCounter {
 public:
  /// UpdateRound(): `prior_delivered` is P.delivered, `delivered` is C.delivered.
  void on_ack(std::uint64_t prior_delivered, std::uint64_t delivered) {
    round_start_ = prior_delivered >= next_round_delivered_;
    if (!round_start_) return;
    start_round(delivered);
    ++round_count_;
    ++rounds_since_probe_up_;
  }
  /// StartRound().
  void start_round(std::uint64_t delivered) { next_round_delivered_ = delivered; }
  void set_rounds_since_probe_up(std::uint64_t rounds) { rounds_since_probe_up_ = rounds; }

  /// Whether the latest ACK began a round.
  [[nodiscard]] bool round_start() const { return round_start_; }
  [[nodiscard]] std::uint64_t round_count() const { return round_count_; }
  [[nodiscard]] std::uint64_t rounds_since_probe_up() const { return rounds_since_probe_up_; }

 private:
  std::uint64_t next_round_delivered_ = 0;
  std::uint64_t round_count_ = 0;
  std::uint64_t rounds_since_probe_up_ = 0;
  bool round_start_ = false;
};

}  // namespace qpeer::transport::bbr
