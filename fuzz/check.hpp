// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a harness claims of the code under test.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace qpeer::fuzz {

/// Ends the process, which the fuzzer takes for a finding, when the claim does not hold.
inline void check(bool claim, std::source_location where = std::source_location::current()) {
  if (claim) return;
  std::fprintf(stderr, "%s: the claim in line %u does not hold\n", where.file_name(),
               static_cast<unsigned>(where.line()));
  std::abort();
}

}  // namespace qpeer::fuzz
