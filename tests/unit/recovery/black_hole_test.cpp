// SPDX-License-Identifier: MIT OR BSD-3-Clause
// BlackHoleDetector: full-size packets fail while smaller ones arrive. RFC 8899 §4.3.
#include "qpeer/transport/recovery/black_hole.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/recovery/support.hpp"

namespace qpeer::transport {
namespace {

constexpr std::uint16_t kFull = 1472;

BlackHoleDetector detector() {
  BlackHoleDetector detector;
  detector.set_full_size(kFull);
  detector.on_acknowledged(1, kFull);
  return detector;
}

/// Loses full-size packets from `number` on, and says so in one pass.
PacketNumber lose(BlackHoleDetector& detector, PacketNumber number, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) detector.on_lost(number++, kFull);
  detector.end_pass();
  return number;
}

// [rfc8899-4.3-1]
TEST(BlackHoleDetector, NeedsSmallPacketsThatArriveAmongTheLostOnes) {
  BlackHoleDetector hole = detector();
  PacketNumber next = lose(hole, 2, 100);
  EXPECT_FALSE(hole.found()) << "an outage";
  hole.on_acknowledged(next++, 1200);
  next = lose(hole, next, BlackHoleDetector::kLosses);
  EXPECT_FALSE(hole.found()) << "an outage after one that arrived";
  hole.on_acknowledged(next++, 1200);
  lose(hole, next, 1);
  EXPECT_TRUE(hole.found());
}

TEST(BlackHoleDetector, EndsWithAFullPacketThatArrives) {
  BlackHoleDetector hole = detector();
  hole.on_acknowledged(2, 1200);
  PacketNumber next = lose(hole, 3, 10);
  hole.on_acknowledged(next++, kFull - 10);
  next = lose(hole, next, 100);
  EXPECT_FALSE(hole.found()) << "no small packet arrived since";
  hole.on_acknowledged(next++, 1200);
  next = lose(hole, next, 5);
  next = lose(hole, next, 8);
  EXPECT_FALSE(hole.found());
  lose(hole, next, 1);
  EXPECT_TRUE(hole.found());
}

TEST(BlackHoleDetector, LooksOnlyAtWhatIsLargerThanTheBase) {
  BlackHoleDetector hole;
  hole.set_full_size(1200);
  hole.on_acknowledged(1, 500);
  for (PacketNumber number = 2; number < 100; ++number) {
    hole.on_lost(number, 1200);
    hole.end_pass();
  }
  EXPECT_FALSE(hole.found());
  // A packet of a size between arrives: that says nothing of full ones.
  BlackHoleDetector between = detector();
  between.on_acknowledged(2, 1300);
  PacketNumber next = lose(between, 3, 10);
  between.on_acknowledged(next++, 1300);
  lose(between, next, 10);
  EXPECT_TRUE(between.found());
}

TEST(BlackHoleDetector, BeginsAnewWithAnotherSize) {
  BlackHoleDetector hole = detector();
  hole.on_acknowledged(2, 1200);
  PacketNumber next = lose(hole, 3, 10);
  next = lose(hole, next, 10);
  EXPECT_TRUE(hole.found());
  hole.set_full_size(1300);
  EXPECT_FALSE(hole.found());
}

}  // namespace
}  // namespace qpeer::transport
