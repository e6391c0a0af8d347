// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/slab.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace qpeer {
namespace {

TEST(Slab, KeepsAddressesAndUsesSlotsAgain) {
  Slab<std::unique_ptr<int>, 4> slab;
  std::vector<std::unique_ptr<int>*> addresses;
  for (int i = 0; i < 100; ++i) {
    const auto slot = slab.emplace(std::make_unique<int>(i));
    ASSERT_EQ(slot, static_cast<std::uint32_t>(i));
    addresses.push_back(&slab[slot]);
  }
  for (std::uint32_t i = 0; i < 100; ++i) {
    ASSERT_EQ(&slab[i], addresses[i]);
    ASSERT_EQ(*slab[i], static_cast<int>(i));
  }
  slab.erase(42);
  slab.erase(7);
  EXPECT_FALSE(slab.contains(7));
  EXPECT_EQ(slab.emplace(nullptr), 7U) << "the latest freed comes first";
  EXPECT_EQ(slab.emplace(nullptr), 42U);
  EXPECT_EQ(slab.capacity(), 100U);
  EXPECT_EQ(slab.size(), 100U);
}

TEST(Slab, DestroysWhatItHolds) {
  const auto witness = std::make_shared<int>(1);
  {
    Slab<std::shared_ptr<int>> slab;
    for (int i = 0; i < 50; ++i) slab.emplace(witness);
    slab.erase(3);
    EXPECT_EQ(witness.use_count(), 50);
    slab.for_each([&slab, i = 0u](std::shared_ptr<int>&) mutable {
      if (i == 3) ++i;
      slab.erase(i++);  // The one it is given.
    });
    EXPECT_EQ(witness.use_count(), 1);
    EXPECT_TRUE(slab.empty());
    slab.emplace(witness);
  }
  EXPECT_EQ(witness.use_count(), 1);
}

TEST(Slab, DoesNotGrowWhenUsedAgain) {
  Slab<int> slab;
  for (int i = 0; i < 100'000; ++i) slab.erase(slab.emplace(i));
  EXPECT_EQ(slab.capacity(), 16U);
}

}  // namespace
}  // namespace qpeer
