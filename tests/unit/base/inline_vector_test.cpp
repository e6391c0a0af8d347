// SPDX-License-Identifier: MIT OR BSD-3-Clause
// InlineVector: bounded, in place, equal by its elements.
#include "qpeer/transport/base/inline_vector.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

namespace qpeer {
namespace {

TEST(InlineVector, TakesAsManyAsItHolds) {
  InlineVector<int, 3> list;
  EXPECT_TRUE(list.empty());
  EXPECT_TRUE(list.push_back(3) && list.push_back(1) && list.push_back(2));
  EXPECT_TRUE(list.full());
  EXPECT_FALSE(list.push_back(4));
  EXPECT_EQ(list.size(), 3U);
  std::ranges::reverse(list);
  EXPECT_EQ(list[0], 2);
  EXPECT_EQ(list[2], 3);
  EXPECT_EQ(list.span().size(), 3U);
  EXPECT_EQ(list.span().back(), 3);
}

TEST(InlineVector, IsEqualByItsElements) {
  InlineVector<int, 3> a;
  InlineVector<int, 3> b;
  a.push_back(1);
  EXPECT_FALSE(a == b);
  b.push_back(1);
  EXPECT_TRUE(a == b);
  a.push_back(0);
  EXPECT_FALSE(a == b) << "a shorter list is another list";
}

TEST(InlineVector, DestroysWhatItClears) {
  const auto value = std::make_shared<int>(1);
  InlineVector<std::shared_ptr<int>, 2> list;
  list.push_back(value);
  EXPECT_EQ(value.use_count(), 2);
  list.clear();
  EXPECT_EQ(value.use_count(), 1);
  EXPECT_TRUE(list.empty());
}

}  // namespace
}  // namespace qpeer
