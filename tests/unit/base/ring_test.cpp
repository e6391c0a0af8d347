// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Ring: elements keep their index, also while the block grows.
#include "qpeer/transport/base/ring.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>

namespace qpeer {
namespace {

TEST(Ring, GivesEachElementAnIndexThatNeverChanges) {
  Ring<int> ring;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ring.push_back(10 * i), static_cast<std::uint64_t>(i));
  ring.pop_front();
  ring.pop_front();
  for (int i = 5; i < 100; ++i) ring.push_back(10 * i);
  EXPECT_EQ(ring.begin_index(), 2U);
  EXPECT_EQ(ring.end_index(), 100U);
  for (std::uint64_t i = 2; i < 100; ++i) EXPECT_EQ(ring[i], static_cast<int>(10 * i));
  EXPECT_EQ(ring.front(), 20);
  EXPECT_EQ(ring.back(), 990);
}

TEST(Ring, DoesNotGrowWhenItsLengthStaysTheSame) {
  Ring<int> ring;
  ring.reserve(20);
  const std::size_t capacity = ring.capacity();
  EXPECT_EQ(capacity, 32U);
  for (int i = 0; i < 1000; ++i) {
    ring.push_back(i);
    if (ring.size() > 20) ring.pop_front();
  }
  EXPECT_EQ(ring.capacity(), capacity);
}

TEST(Ring, DestroysWhatItPops) {
  Ring<std::shared_ptr<int>> ring;
  const auto value = std::make_shared<int>(1);
  ring.push_back(value);
  ring.push_back(value);
  EXPECT_EQ(value.use_count(), 3);
  ring.pop_front();
  EXPECT_EQ(value.use_count(), 2);
  ring.clear();
  EXPECT_EQ(value.use_count(), 1);
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.push_back(value), 2U) << "indices go on";
}

TEST(Ring, AgreesWithADequeUnderRandomChanges) {
  std::mt19937_64 random{7};
  Ring<std::uint64_t> ring;
  std::deque<std::uint64_t> model;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 5 < 3 || model.empty()) {
      model.push_back(random());
      ring.push_back(model.back());
    } else if (random() % 100 == 0) {
      model.clear();
      ring.clear();
    } else {
      model.pop_front();
      ring.pop_front();
    }
    ASSERT_EQ(ring.size(), model.size());
    if (model.empty()) continue;
    ASSERT_EQ(ring.front(), model.front());
    ASSERT_EQ(ring.back(), model.back());
    const std::uint64_t at = random() % model.size();
    ASSERT_EQ(ring[ring.begin_index() + at], model[at]);
  }
}

}  // namespace
}  // namespace qpeer
