// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How fast a link is over time: steps of equal length, each with a rate, again and again.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "qpeer/tests/sim/seeded_random.hpp"
#include "qpeer/tests/sim/units.hpp"

namespace qpeer::sim {

class RateSchedule {
 public:
  /// Always the same, which must not be zero.
  RateSchedule(Rate rate) : steps_{rate} {}  // NOLINT(google-explicit-constructor)
  /// Of `steps`, one must be more than zero. The first begins at the origin of Instant.
  RateSchedule(Duration step, std::vector<Rate> steps) : step_(step), steps_(std::move(steps)) {}

  [[nodiscard]] Rate at(Instant time) const { return steps_[index(time)]; }
  /// When `size` bytes have left that begin to leave at `start`.
  [[nodiscard]] Instant finish(Instant start, std::uint64_t size) const;
  /// How many bytes can leave from one time to a later one.
  [[nodiscard]] std::uint64_t bytes_between(Instant from, Instant to) const;

 private:
  [[nodiscard]] bool fixed() const { return steps_.size() == 1; }
  [[nodiscard]] std::size_t index(Instant time) const {
    return fixed() ? 0 : static_cast<std::size_t>(time.time_since_epoch() / step_) % steps_.size();
  }
  /// When the step of `time` ends.
  [[nodiscard]] Instant step_end(Instant time) const {
    return Instant((time.time_since_epoch() / step_ + 1) * step_);
  }

  Duration step_{};
  std::vector<Rate> steps_;
};

/// A cell of a mobile network: a minute of steps of 20 ms, in which the rate wanders between 1 and 50 Mbit/s,
/// most of the time near 15, and stands still for 60 to 300 ms every 10 s or so.
RateSchedule lte_rate(SeededRandom random);

}  // namespace qpeer::sim
