// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The size of variable-length integers. RFC 9000 §16. Reader and Writer code them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace qpeer {

/// The largest value that a variable-length integer holds.
inline constexpr std::uint64_t kMaxVarint = (std::uint64_t{1} << 62) - 1;

/// The size in bytes of the shortest encoding of `value`, which must not exceed kMaxVarint.
constexpr std::size_t varint_size(std::uint64_t value) {
  if (value < (1U << 6)) return 1;
  if (value < (1U << 14)) return 2;
  if (value < (1U << 30)) return 4;
  return 8;
}

}  // namespace qpeer
