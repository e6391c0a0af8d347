// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The only clock of the project. Whoever drives a machine reads it; no machine does.
#pragma once

#include "qpeer/transport/base/time.hpp"

namespace qpeer::io {

/// The time of CLOCK_MONOTONIC. Never goes back; its zero is the machine's start. Any thread.
[[nodiscard]] Instant now();

/// now() + `time`; kNever when that is beyond the clock. Any thread.
[[nodiscard]] Instant after(Duration time);

/// The time of CLOCK_REALTIME, for what outlives a process. Any thread.
[[nodiscard]] UnixSeconds unix_now();

}  // namespace qpeer::io
