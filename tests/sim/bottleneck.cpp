// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/sim/bottleneck.hpp"

#include <algorithm>
#include <chrono>

namespace qpeer::sim {

Instant Bottleneck::pass(Instant at, Passing& datagram) {
  const std::size_t size = datagram.payload.size();
  forget_gone(at);
  const Instant head = std::max(at, busy_until_);
  if (queued_ + size > config_.queue || head - at > config_.queue_time) {
    ++stats_.dropped_tail;
    return kNever;
  }
  const bool long_queue = queued_ + size > config_.ce_above;
  if (drops_or_marks(head, at, datagram.ecn)) {
    ++stats_.dropped_codel;
    queue(head, size);  // It takes its place until it comes to the head.
    return kNever;
  }
  busy_until_ = config_.rate.finish(head, size);
  queue(busy_until_, size);
  if (long_queue && datagram.ecn != Ecn::not_ect) {
    datagram.ecn = Ecn::ce;
    ++stats_.ce_marked;
  }
  ++stats_.passed;
  stats_.passed_bytes += size;
  if (at >= record_from_) {
    waits_us_.push_back(static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(head - at).count()));
  }
  return busy_until_;
}

void Bottleneck::forget_gone(Instant at) {
  while (!waiting_.empty() && waiting_.front().leaves <= at) {
    queued_ -= waiting_.front().size;
    waiting_.pop_front();
  }
}

void Bottleneck::queue(Instant leaves, std::size_t size) {
  waiting_.push_back({leaves, size});
  queued_ += size;
  stats_.longest_queue = std::max(stats_.longest_queue, queued_);
}

bool Bottleneck::drops_or_marks(Instant head, Instant at, Ecn& ecn) {
  if (!config_.codel || !config_.codel->drops(head, head - at)) return false;
  if (ecn == Ecn::not_ect) return true;
  ecn = Ecn::ce;
  ++stats_.ce_marked;
  return false;
}

}  // namespace qpeer::sim
