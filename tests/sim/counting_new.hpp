// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Counts what operator new gives and operator delete takes, in programs that define it.
//
// A program gets this by including counting_new_operators.hpp in exactly one of its sources.
#pragma once

#include <cstdint>

namespace qpeer::sim {

struct AllocationCounts {
  std::uint64_t allocations = 0;  ///< Ever made.
  std::uint64_t live = 0;         ///< Made and not yet freed.
  std::uint64_t live_bytes = 0;
};

/// What the program has done so far. Single-threaded.
AllocationCounts& allocation_counts();

/// While one lives, each allocation prints a stack trace: to find out whom to ask.
class AllocationTrap {
 public:
  explicit AllocationTrap(bool armed);
  ~AllocationTrap();
  AllocationTrap(const AllocationTrap&) = delete;
  AllocationTrap& operator=(const AllocationTrap&) = delete;
};

}  // namespace qpeer::sim
