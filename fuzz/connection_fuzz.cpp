// SPDX-License-Identifier: MIT OR BSD-3-Clause
// An established (or half established) connection that gets frames of choice at every level, from a
// peer that has all keys. No crash, no endless work, and it ends once the peer is silent.
#include <gtest/gtest.h>

#include "qpeer/tests/sim/fuzz_fixtures.hpp"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(break_on_failure, true);  // The simulator's expectations count here too.
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const qpeer::u8* data, std::size_t size) {
  qpeer::sim::ConnectionFuzzFixture::run({data, size});
  return 0;
}
