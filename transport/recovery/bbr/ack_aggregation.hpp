// SPDX-License-Identifier: MIT OR BSD-3-Clause
// BBR.extra_acked: how much more is acknowledged at once than the bandwidth explains, so that the
// window covers the silence between such ACKs. draft-ietf-ccwg-bbr §5.5.9.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/bbr/parameters.hpp"

namespace qpeer::transport::bbr {

class AckAggregation {
 public:
  /// Time before this does not count.
  void restart(Instant now) { interval_start_ = now; }

  /// UpdateACKAggregation(); the largest is kept for `rounds` rounds, at most kExtraAckedRounds.
  void on_ack(Instant now, std::uint64_t newly_acked, std::uint64_t bw, std::uint64_t cwnd,
              std::uint64_t round_count, std::uint64_t rounds) {
    std::uint64_t expected = volume_of(bw, now - interval_start_);
    if (delivered_ <= expected) {
      delivered_ = 0;
      interval_start_ = now;
      expected = 0;
    }
    delivered_ += newly_acked;
    for (; round_ != round_count; ++round_) largest_[(round_ + 1) % kExtraAckedRounds] = 0;
    std::uint64_t& largest = largest_[round_ % kExtraAckedRounds];
    largest = std::max(largest, std::min(delivered_ - expected, cwnd));
    extra_acked_ = 0;
    for (std::uint64_t back = 0; back < std::min(rounds, round_ + 1); ++back) {
      extra_acked_ = std::max(extra_acked_, largest_[(round_ - back) % kExtraAckedRounds]);
    }
  }

  [[nodiscard]] std::uint64_t extra_acked() const { return extra_acked_; }

 private:
  Instant interval_start_{};
  std::uint64_t delivered_ = 0;
  std::uint64_t round_ = 0;
  std::array<std::uint64_t, kExtraAckedRounds> largest_{};  ///< Of each round.
  std::uint64_t extra_acked_ = 0;
};

}  // namespace qpeer::transport::bbr
