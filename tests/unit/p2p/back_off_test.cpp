// SPDX-License-Identifier: MIT OR BSD-3-Clause
// BackOff: waits double up to the cap, half of each is random, and a success begins anew.
#include "qpeer/p2p/back_off.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/sim/seeded_random.hpp"

namespace qpeer::p2p {
namespace {

TEST(BackOff, DoublesToItsCapAndBeginsAnewAfterASuccess) {
  sim::SeededRandom random{7};
  BackOff back_off;
  for (int round = 0; round < 2; ++round) {
    for (const Duration whole : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s, 60s}) {
      const Duration wait = back_off.on_failure(random);
      EXPECT_GE(wait, whole / 2);
      EXPECT_LE(wait, whole);
    }
    back_off.on_success();
  }
}

TEST(BackOff, SpreadsOverTheUpperHalf) {
  sim::SeededRandom random{7};
  Duration least = 1h;
  Duration most{};
  for (int i = 0; i < 1'000; ++i) {
    BackOff back_off;
    const Duration wait = back_off.on_failure(random);
    least = std::min(least, wait);
    most = std::max(most, wait);
  }
  EXPECT_LT(least, 510ms);
  EXPECT_GT(most, 990ms);
}

TEST(BackOff, TakesOtherBounds) {
  sim::SeededRandom random{7};
  BackOff capped({.base = 10s, .cap = 4s});
  EXPECT_LE(capped.on_failure(random), 4s);
  EXPECT_LE(capped.on_failure(random), 4s);
  BackOff none({.base = 0s, .cap = 0s});
  EXPECT_EQ(none.on_failure(random), 0s);
  BackOff far({.base = 1s, .cap = Duration::max()});
  Duration before{};
  for (int i = 0; i < 100; ++i) {
    const Duration wait = far.on_failure(random);
    EXPECT_GE(wait, before / 2) << "no overflow";
    before = wait;
  }
}

}  // namespace
}  // namespace qpeer::p2p
