// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The bytes that a Peer sends: they depend on stream, direction and offset, so that any mix-up of
// these shows, and lie ready in one table, so that neither writing nor checking costs much.
#pragma once

#include <algorithm>
#include <vector>

#include "qpeer/tests/sim/seeded_random.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ids.hpp"

namespace qpeer::sim {

/// At most `size` bytes from `offset` on of what `sender` sends on the stream: a view for good.
inline Bytes pattern(StreamId id, Side sender, std::uint64_t offset, std::uint64_t size) {
  constexpr std::uint64_t kPeriod = 65'521;  // A prime: no power of two hides a shift.
  static const std::vector<u8> table = [] {
    std::vector<u8> out(2 * kPeriod);
    SeededRandom(7).fill_public(MutableBytes(out).first(kPeriod));
    std::copy_n(out.begin(), kPeriod, out.begin() + kPeriod);
    return out;
  }();
  const std::uint64_t shift = id.value * 1'009 + (sender == Side::server ? 7'919 : 0);
  return Bytes(table).subspan((offset + shift) % kPeriod, std::min(size, kPeriod));
}

}  // namespace qpeer::sim
