// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Time as an argument: a clock type without now(), so that no machine can ask for the time.
#pragma once

#include <chrono>
#include <cstdint>

namespace qpeer {

/// A length of time.
using Duration = std::chrono::nanoseconds;

/// Names the time line of all machines. Who drives a machine says where its zero lies: the event
/// loop uses the system's steady clock, the simulator its virtual time.
struct Clock {
  using duration = Duration;                          ///< As std::chrono asks of a clock.
  using rep = duration::rep;                          ///< As std::chrono asks of a clock.
  using period = duration::period;                    ///< As std::chrono asks of a clock.
  using time_point = std::chrono::time_point<Clock>;  ///< As std::chrono asks of a clock.
  static constexpr bool is_steady = true;             ///< It never goes back.
};

/// A point of that time line.
using Instant = Clock::time_point;

/// Later than any time that comes: the deadline of a machine that waits for nothing.
inline constexpr Instant kNever = Instant::max();

/// Seconds since 1970: only for what outlives a process (tokens, certificates). Zero is "unknown".
using UnixSeconds = std::chrono::sys_seconds;

using namespace std::chrono_literals;  // NOLINT(google-global-names-in-headers): 20ms everywhere

}  // namespace qpeer
