// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A queue before a wire of limited rate. One object in the links of several flows is what they share.
//
//   arrive -> drop-tail (bytes, or time) -> wait -> CoDel drops or marks -> leave at the rate -> CE mark
//
// First in, first out: when a datagram arrives it is already known when it will leave, so its fate is
// decided then, and nothing has to be done later. Mark above a threshold is decided on arrival, as in a
// switch of a data centre (RFC 8257 §3.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <vector>

#include "qpeer/tests/sim/codel.hpp"
#include "qpeer/tests/sim/link.hpp"
#include "qpeer/tests/sim/rate_schedule.hpp"

namespace qpeer::sim {

struct BottleneckConfig {
  RateSchedule rate;
  std::size_t queue = std::numeric_limits<std::size_t>::max();  ///< Bytes, at most ...
  Duration queue_time = Duration::max();  ///< ... and nothing waits longer than that.
  std::size_t ce_above =
      std::numeric_limits<std::size_t>::max();  ///< CE with a longer queue, bytes.
  std::optional<CoDel> codel{};
};

struct BottleneckStats {
  std::uint64_t passed = 0;
  std::uint64_t passed_bytes = 0;
  std::uint64_t dropped_tail = 0;
  std::uint64_t dropped_codel = 0;
  std::uint64_t ce_marked = 0;
  std::size_t longest_queue = 0;  ///< Bytes.
};

class Bottleneck final : public LinkStage {
 public:
  explicit Bottleneck(BottleneckConfig config) : config_(std::move(config)) {}

  Instant pass(Instant at, Passing& datagram) override;

  /// Puts down how long each datagram waits, in microseconds, that arrives from then on and leaves.
  void record_waits_from(Instant from) { record_from_ = from; }
  [[nodiscard]] std::vector<std::uint32_t>& waits_us() { return waits_us_; }
  /// How many bytes can leave from one time to a later one.
  [[nodiscard]] std::uint64_t capacity(Instant from, Instant to) const {
    return config_.rate.bytes_between(from, to);
  }
  [[nodiscard]] const BottleneckStats& stats() const { return stats_; }

 private:
  struct Waiting {
    Instant leaves;
    std::size_t size;
  };
  void forget_gone(Instant at);
  void queue(Instant leaves, std::size_t size);
  [[nodiscard]] bool drops_or_marks(Instant head, Instant at, Ecn& ecn);

  BottleneckConfig config_;
  BottleneckStats stats_;
  std::deque<Waiting> waiting_;  ///< In the order in which they leave.
  std::size_t queued_ = 0;       ///< The sum of their sizes.
  Instant busy_until_{};
  Instant record_from_ = kNever;
  std::vector<std::uint32_t> waits_us_;
};

}  // namespace qpeer::sim
