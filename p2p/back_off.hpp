// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How long to wait after the nth failure in a row.
#pragma once

#include <algorithm>
#include <cstdint>

#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

/// The wait doubles with each failure up to a cap. Half of it is random, so that peers which failed
/// together do not come back together.
class BackOff {
 public:
  struct Config {
    Duration base = 1s;
    Duration cap = 60s;
  };

  BackOff() : BackOff(Config{}) {}
  explicit BackOff(Config config) : config_(config), next_(std::min(config.base, config.cap)) {}

  /// How long to wait now: between half of it and the whole.
  [[nodiscard]] Duration on_failure(Random& random) {
    const Duration whole = next_;
    next_ = next_ > config_.cap / 2 ? config_.cap : 2 * next_;
    const Duration half = whole / 2;
    const auto span = static_cast<std::uint64_t>((whole - half).count()) + 1;
    return half + Duration{static_cast<Duration::rep>(random.uniform(span))};
  }
  void on_success() { next_ = std::min(config_.base, config_.cap); }

 private:
  Config config_;
  Duration next_;
};

}  // namespace qpeer::p2p
