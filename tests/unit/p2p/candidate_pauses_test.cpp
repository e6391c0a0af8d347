// SPDX-License-Identifier: MIT OR BSD-3-Clause
// CandidatePauses: who fails again and again is left alone for longer each time.
#include "qpeer/p2p/candidate_pauses.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/sim/seeded_random.hpp"

namespace qpeer::p2p {
namespace {

class CandidatePausesTest : public testing::Test {
 protected:
  static SocketAddress address_of(std::size_t number) {
    return SocketAddress::ipv4({5, 6, 7, 8}, static_cast<std::uint16_t>(number + 1));
  }
  /// From now on.
  Duration length(std::size_t number) const {
    Duration out{};
    while (pauses.holds(now + out, address_of(number))) out += 10ms;
    return out;
  }
  void fails(std::size_t number) { pauses.on_failed(now, address_of(number), random); }

  Instant now{100s};
  sim::SeededRandom random{5};
  CandidatePauses pauses{};
};

TEST_F(CandidatePausesTest, EachIsLongerThanTheOneBeforeUpToAMinute) {
  for (const Duration longest : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    fails(1);
    EXPECT_LE(length(1), longest + 10ms);
    EXPECT_GE(length(1), longest / 2);
    now += length(1);
  }
  EXPECT_EQ(length(2), Duration{}) << "nothing is known of others";
}

TEST_F(CandidatePausesTest, ALinkThatLastedEndsTheRow) {
  for (int i = 0; i < 5; ++i) fails(1);
  pauses.on_success(address_of(1));
  EXPECT_EQ(length(1), Duration{});
  fails(1);
  EXPECT_LE(length(1), 1s + 10ms);
}

TEST_F(CandidatePausesTest, AFailureLongAfterTheOthersIsTheFirstOfANewRow) {
  for (int i = 0; i < 5; ++i) fails(1);
  now += 1min + CandidatePauses::kForget;
  fails(1);
  EXPECT_LE(length(1), 1s + 10ms);
}

TEST_F(CandidatePausesTest, KeepsABoundedNumberThoseThatLastLongest) {
  for (int i = 0; i < 8; ++i) fails(0);
  for (std::size_t i = 1; i < CandidatePauses::kMax + 100; ++i) fails(i);
  EXPECT_TRUE(pauses.consistent());
  EXPECT_TRUE(pauses.holds(now, address_of(0)));
}

}  // namespace
}  // namespace qpeer::p2p
