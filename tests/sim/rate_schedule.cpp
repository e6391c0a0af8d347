// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/sim/rate_schedule.hpp"

#include <algorithm>
#include <cmath>

namespace qpeer::sim {

Instant RateSchedule::finish(Instant start, std::uint64_t size) const {
  if (fixed()) return start + steps_.front().time_of(size);
  Instant time = start;
  for (std::uint64_t left = size;;) {
    const Rate rate = at(time);
    const Instant end = step_end(time);
    const std::uint64_t most = rate.bytes_in(end - time);
    if (rate.limited() && left <= most) return time + rate.time_of(left);
    left -= std::min(left, most);
    time = end;
  }
}

std::uint64_t RateSchedule::bytes_between(Instant from, Instant to) const {
  if (fixed()) return steps_.front().bytes_in(to - from);
  std::uint64_t total = 0;
  for (Instant time = from; time < to;) {
    const Instant end = std::min(step_end(time), to);
    total += at(time).bytes_in(end - time);
    time = end;
  }
  return total;
}

RateSchedule lte_rate(SeededRandom random) {
  constexpr Duration kStep = 20ms;
  constexpr std::size_t kSteps = 3'000;
  constexpr double kUsual = 15e6 / 8;
  const auto uniform = [&random] {
    return static_cast<double>(random.next() >> 11) * 0x1p-52 - 1;  // From -1 to 1.
  };
  std::vector<Rate> steps(kSteps);
  double wander = 0;  // The logarithm of rate / kUsual.
  std::size_t still = 0;
  for (Rate& step : steps) {
    wander = std::clamp(wander * 0.98 + 0.25 * uniform(), std::log(1.0 / 15), std::log(50.0 / 15));
    if (still == 0 && random.chance(0.002)) still = 3 + random.below(13);
    step = {still > 0 ? 0 : static_cast<std::uint64_t>(kUsual * std::exp(wander))};
    if (still > 0) --still;
  }
  steps.front() = {static_cast<std::uint64_t>(kUsual)};
  return {kStep, std::move(steps)};
}

}  // namespace qpeer::sim
