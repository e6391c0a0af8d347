// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::io {

Instant now() { return Instant{std::chrono::steady_clock::now().time_since_epoch()}; }

Instant after(Duration time) {
  const Instant start = now();
  return time > kNever - start ? kNever : start + time;
}

UnixSeconds unix_now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

}  // namespace qpeer::io
