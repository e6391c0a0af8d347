// SPDX-License-Identifier: MIT OR BSD-3-Clause
// IntervalSet: its contract, and its behaviour compared with a bitmap.
#include "qpeer/transport/base/interval_set.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bitset>
#include <initializer_list>
#include <random>
#include <utility>
#include <vector>

namespace qpeer {
namespace {

using Range = IntervalSet::Range;

IntervalSet made_of(std::initializer_list<Range> ranges, std::size_t max_ranges = 1024) {
  IntervalSet set{max_ranges};
  for (const Range& range : ranges) EXPECT_TRUE(set.insert(range.begin, range.end));
  return set;
}

std::vector<Range> listed(const IntervalSet& set) { return {set.begin(), set.end()}; }

TEST(IntervalSet, StartsEmpty) {
  const IntervalSet set;
  EXPECT_TRUE(set.empty());
  EXPECT_EQ(set.size(), 0U);
  EXPECT_FALSE(set.contains(0));
}

TEST(IntervalSet, MergesWhatTouchesOrOverlaps) {
  EXPECT_EQ(listed(made_of({{0, 5}, {5, 9}})), (std::vector<Range>{{0, 9}}));
  EXPECT_EQ(listed(made_of({{5, 9}, {0, 5}})), (std::vector<Range>{{0, 9}}));
  EXPECT_EQ(listed(made_of({{0, 2}, {4, 6}, {8, 10}, {1, 9}})), (std::vector<Range>{{0, 10}}));
  EXPECT_EQ(listed(made_of({{10, 20}, {12, 15}})), (std::vector<Range>{{10, 20}}));
  EXPECT_EQ(listed(made_of({{10, 20}, {0, 30}})), (std::vector<Range>{{0, 30}}));
}

TEST(IntervalSet, KeepsRangesAscendingWhateverTheOrder) {
  const IntervalSet set = made_of({{20, 22}, {0, 2}, {10, 12}, {30, 32}, {40, 41}, {25, 26}});
  EXPECT_EQ(listed(set),
            (std::vector<Range>{{0, 2}, {10, 12}, {20, 22}, {25, 26}, {30, 32}, {40, 41}}));
  EXPECT_EQ(set.front(), (Range{0, 2}));
  EXPECT_EQ(set.back(), (Range{40, 41}));
}

TEST(IntervalSet, IgnoresEmptyRanges) {
  IntervalSet set = made_of({{3, 3}});
  EXPECT_TRUE(set.empty());
  EXPECT_TRUE(set.insert(0, 4));
  EXPECT_TRUE(set.erase(2, 2));
  EXPECT_EQ(listed(set), (std::vector<Range>{{0, 4}}));
}

TEST(IntervalSet, EraseCutsSplitsAndDrops) {
  IntervalSet set = made_of({{0, 10}, {20, 30}, {40, 50}});
  EXPECT_TRUE(set.erase(4, 6));
  EXPECT_EQ(listed(set), (std::vector<Range>{{0, 4}, {6, 10}, {20, 30}, {40, 50}}));
  EXPECT_TRUE(set.erase(8, 45));
  EXPECT_EQ(listed(set), (std::vector<Range>{{0, 4}, {6, 8}, {45, 50}}));
  EXPECT_TRUE(set.erase(8, 45));
  EXPECT_TRUE(set.erase(0, 100));
  EXPECT_TRUE(set.empty());
}

TEST(IntervalSet, ContainsWhatItsRangesHold) {
  const IntervalSet set = made_of({{0, 10}, {20, 30}});
  EXPECT_TRUE(set.contains(0));
  EXPECT_TRUE(set.contains(9));
  EXPECT_FALSE(set.contains(10));
  EXPECT_FALSE(set.contains(19));
  EXPECT_TRUE(set.contains(20));
  EXPECT_FALSE(set.contains(30));
}

TEST(IntervalSet, RefusesToPassItsBoundAndStaysAsItWas) {
  IntervalSet set = made_of({{0, 10}, {20, 30}}, 2);
  EXPECT_FALSE(set.insert(40, 50));
  EXPECT_FALSE(set.erase(3, 4));
  EXPECT_EQ(listed(set), (std::vector<Range>{{0, 10}, {20, 30}}));
  EXPECT_TRUE(set.insert(10, 20)) << "merging needs no further range";
  EXPECT_EQ(listed(set), (std::vector<Range>{{0, 30}}));
}

TEST(IntervalSet, MovesLeaveAnEmptySetOfTheSameBound) {
  IntervalSet many{64};
  for (std::uint64_t i = 0; i < 20; ++i) ASSERT_TRUE(many.insert(3 * i, 3 * i + 1));
  IntervalSet moved = std::move(many);
  EXPECT_EQ(moved.size(), 20U);
  EXPECT_TRUE(many.empty());  // NOLINT(bugprone-use-after-move): the promise under test.
  for (std::uint64_t i = 0; i < 64; ++i) ASSERT_TRUE(many.insert(3 * i, 3 * i + 1));
  EXPECT_FALSE(many.insert(1'000, 1'001)) << "the bound is still 64";
  many = std::move(moved);
  EXPECT_EQ(many.size(), 20U);
  EXPECT_TRUE(many.contains(57));
}

TEST(IntervalSet, AgreesWithABitmapUnderRandomChanges) {
  constexpr std::size_t kNumbers = 256;
  std::mt19937_64 random{20260101};
  for (int round = 0; round < 40; ++round) {
    IntervalSet set;
    std::bitset<kNumbers> bits;
    for (int step = 0; step < 120; ++step) {
      const std::uint64_t begin = random() % kNumbers;
      const std::uint64_t end = std::min<std::uint64_t>(kNumbers, begin + random() % 24);
      const bool add = random() % 3 != 0;
      ASSERT_TRUE(add ? set.insert(begin, end) : set.erase(begin, end));
      for (std::uint64_t i = begin; i < end; ++i) bits[i] = add;
      const std::uint64_t from = random() % kNumbers;
      ASSERT_EQ(set.contains(from), bits[from]);
      std::bitset<kNumbers> seen;
      std::uint64_t previous_end = 0;
      for (const Range& range : set) {
        ASSERT_LT(range.begin, range.end);
        ASSERT_TRUE(range.begin > previous_end || previous_end == 0);
        previous_end = range.end;
        for (std::uint64_t i = range.begin; i < range.end; ++i) seen[i] = true;
      }
      ASSERT_EQ(seen, bits);
    }
  }
}

}  // namespace
}  // namespace qpeer
