// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/recovery/new_reno.hpp"

namespace qpeer::transport {

std::uint64_t NewReno::grow(const AckSample& sample) {
  // RFC 9002 §7.3.3 [rfc9002-7.3.3-1]: one datagram for each window acknowledged.
  std::uint64_t grown = window();
  acked_in_avoidance_ += sample.acked_bytes;
  while (acked_in_avoidance_ >= grown) {
    acked_in_avoidance_ -= grown;
    grown += max_datagram_size();
  }
  return grown;
}

std::uint64_t NewReno::reduce(Cause cause) {
  acked_in_avoidance_ = 0;
  // RFC 9002 §7.3.2; RFC 8511 §3: a mark comes before the queue is full, so it asks for less.
  return cause == Cause::ecn ? window() * 4 / 5 : window() / 2;
}

}  // namespace qpeer::transport
