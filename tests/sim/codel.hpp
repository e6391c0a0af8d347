// SPDX-License-Identifier: MIT OR BSD-3-Clause
// CoDel: which datagrams a queue drops, or marks, at its head, by how long they waited. RFC 8289 §5.
//
// The rule that a queue of one packet drops nothing is left out: what waits behind the head is not known
// where the fate of a datagram is decided.
#pragma once

#include <cmath>
#include <cstdint>

#include "qpeer/transport/base/time.hpp"

namespace qpeer::sim {

class CoDel {
 public:
  explicit CoDel(Duration target = 5ms, Duration interval = 100ms)
      : target_(target), interval_(interval) {}

  /// Whether the datagram goes that comes to the head of the queue at `now` after it waited so long.
  bool drops(Instant now, Duration waited) {
    const bool above = is_above(now, waited);
    if (dropping_) {
      if (!above) dropping_ = false;
      if (!above || now < next_drop_) return false;
      ++count_;
      next_drop_ = after(next_drop_);
      return true;
    }
    if (!above) return false;
    dropping_ = true;
    // Soon after the last time the queue is drained as fast as it was then.
    const std::uint32_t more = count_ - last_count_;
    count_ = more > 1 && now - next_drop_ < 16 * interval_ ? more : 1;
    last_count_ = count_;
    next_drop_ = after(now);
    return true;
  }

 private:
  /// Whether the waiting time has been above the target for an interval.
  bool is_above(Instant now, Duration waited) {
    if (waited < target_) {
      above_until_ = kNever;
      return false;
    }
    if (above_until_ == kNever) above_until_ = now + interval_;
    return now >= above_until_;
  }
  [[nodiscard]] Instant after(Instant time) const {
    return time + Duration(static_cast<Duration::rep>(static_cast<double>(interval_.count()) /
                                                      std::sqrt(static_cast<double>(count_))));
  }

  Duration target_;
  Duration interval_;
  Instant above_until_ = kNever;  ///< What waits longer than the target from then on is too much.
  Instant next_drop_{};
  std::uint32_t count_ = 0;
  std::uint32_t last_count_ = 0;
  bool dropping_ = false;
};

}  // namespace qpeer::sim
