// SPDX-License-Identifier: MIT OR BSD-3-Clause
// RFC 9002 §7.8: whether a congestion window is used.
#include "qpeer/transport/recovery/window_use.hpp"

#include <gtest/gtest.h>

namespace qpeer::transport {
namespace {

constexpr Instant at(int milliseconds) { return Instant{std::chrono::milliseconds(milliseconds)}; }

TEST(WindowUse, AnEighthOfTheWindowIsEnough) {
  WindowUse use;
  use.on_sent(1'500);
  EXPECT_TRUE(use.covers(12'007));
  EXPECT_FALSE(use.covers(12'008));
}

// Many ACKs may be processed before the next packet leaves: then little is in flight, but the window was full.
TEST(WindowUse, RemembersTheMostOfTheLatestTwoRoundTrips) {
  WindowUse use;
  use.on_sent(10'000);
  use.on_ack(at(20), at(0), 10'000);
  use.on_ack(at(20), at(1), 1'000);
  EXPECT_EQ(use.peak(), 10'000U);
  use.on_sent(3'000);
  use.on_ack(at(40), at(20), 3'000);
  EXPECT_EQ(use.peak(), 10'000U) << "the round trip before";
  use.on_ack(at(60), at(40), 3'000);
  EXPECT_EQ(use.peak(), 3'000U);
}

// Nothing is acknowledged while nothing is sent, so a pause is no unused window.
TEST(WindowUse, SurvivesAPause) {
  WindowUse use;
  use.on_sent(10'000);
  use.on_ack(at(20), at(0), 10'000);
  use.on_sent(1'200);
  EXPECT_TRUE(use.covers(80'000));
}

}  // namespace
}  // namespace qpeer::transport
