// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A listening endpoint that gets datagrams and time as the input says. No crash, no endless work, no
// connection that stays once the world is silent.
#include <gtest/gtest.h>

#include "qpeer/tests/sim/fuzz_fixtures.hpp"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(break_on_failure, true);  // The simulator's expectations count here too.
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const qpeer::u8* data, std::size_t size) {
  qpeer::sim::EndpointFuzzFixture::run({data, size});
  return 0;
}
