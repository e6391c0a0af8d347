// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What tests of several layers need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::test {

inline constexpr Duration kLong = 10s;  ///< Only a failure waits so long.

/// Bytes that show a misplaced piece.
inline std::vector<u8> pattern(std::size_t size, std::uint32_t seed = 1) {
  std::vector<u8> out(size);
  std::uint32_t state = seed * 2'654'435'761U;
  for (u8& byte : out) {
    state = state * 1'664'525U + 1'013'904'223U;
    byte = static_cast<u8>(state >> 24);
  }
  return out;
}

}  // namespace qpeer::test
