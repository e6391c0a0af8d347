// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Counts the stream bytes that a flow sends and that arrive, and how many of them more than once. It reads
// the frames of passing packets, which NullKeys leave readable.
#pragma once

#include <cstdint>

#include "qpeer/tests/sim/link.hpp"
#include "qpeer/transport/base/interval_set.hpp"

namespace qpeer::links {

class StreamMeter {
 public:
  /// A datagram of the flow, with packets whose Destination Connection ID has the usual 8 bytes.
  void count(const sim::Passing& datagram);

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  /// Of those: again.
  [[nodiscard]] std::uint64_t repeated() const { return repeated_; }
  [[nodiscard]] double repeated_share() const {
    return bytes_ == 0 ? 0 : static_cast<double>(repeated_) / static_cast<double>(bytes_);
  }

 private:
  void count(std::uint64_t begin, std::uint64_t end);

  /// Of the one stream of the flow.
  IntervalSet seen_{1 << 20};
  std::uint64_t bytes_ = 0;
  std::uint64_t repeated_ = 0;
};

}  // namespace qpeer::links
