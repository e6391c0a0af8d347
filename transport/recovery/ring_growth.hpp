// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How the rings of sent and lost packets grow. What they hold fluctuates with each loss about a size that the
// path gives. A ring that doubles whenever it is full, and whose usual size is near a power of two, grows
// once more at some rare loss long after the connection has settled. In larger steps that is seldom.
#pragma once

#include <algorithm>
#include <cstddef>

#include "qpeer/transport/base/ring.hpp"

namespace qpeer::transport {

/// Makes room for `count` elements more. A full ring becomes four times as large up to kLarge elements, and
/// twice as large from there on.
template <class T>
void make_room(Ring<T>& ring, std::size_t count) {
  constexpr std::size_t kLarge = 1'024;
  if (ring.size() + count <= ring.capacity()) [[likely]]
    return;
  const std::size_t wanted = std::min(4 * ring.capacity(), kLarge);
  ring.reserve(std::max(wanted, ring.size() + count));
}

}  // namespace qpeer::transport
