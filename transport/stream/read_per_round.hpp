// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How much the application reads in a round trip, or in kLeastRound: the most of late, which fades by an
// eighth a round.
#pragma once

#include <algorithm>
#include <cstdint>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::transport {

class ReadPerRound {
 public:
  /// At `now`, with a round trip of this length, `read` bytes have been read in all. A round that took longer
  /// counts by its share.
  void on_time(Instant now, Duration round_trip, std::uint64_t read) {
    round_trip = std::max(round_trip, kLeastRound);
    if (!known_) {
      known_ = true;
      begin(now, read);
      return;
    }
    const Duration passed = now - began_at_;
    if (passed < round_trip) return;
    const auto rounds =
        static_cast<double>(passed.count()) / static_cast<double>(round_trip.count());
    const auto of_this = static_cast<double>(read - read_before_) / rounds;
    most_ = std::max(static_cast<std::uint64_t>(of_this), most_ - most_ / 8);
    if (rounds > kForgotten) most_ = static_cast<std::uint64_t>(of_this);
    begin(now, read);
  }
  /// So many times the most; without bound where time is not known.
  [[nodiscard]] std::uint64_t times(std::uint64_t factor, std::uint64_t read) const {
    if (!known_) return kMaxVarint;
    return factor * std::min(std::max(most_, read - read_before_), kMaxVarint / factor);
  }

  /// For assertions.
  [[nodiscard]] bool consistent(std::uint64_t read) const { return read_before_ <= read; }

 private:
  /// Data comes in bursts: in less time there may be none.
  static constexpr Duration kLeastRound = 10ms;
  /// After so many rounds without a look nothing is left of what was.
  static constexpr double kForgotten = 32;
  void begin(Instant now, std::uint64_t read) {
    began_at_ = now;
    read_before_ = read;
  }

  bool known_ = false;
  Instant began_at_{};
  std::uint64_t read_before_ = 0;
  std::uint64_t most_ = 0;
};

}  // namespace qpeer::transport
