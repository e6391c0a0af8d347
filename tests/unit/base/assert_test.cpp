// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/base/assert.hpp"

#include <string_view>

#include <gtest/gtest.h>

#include "qpeer/transport/base/inline_vector.hpp"

namespace qpeer {
namespace {

int halved(int even) {
  QPEER_INVARIANT(even % 2 == 0, return 0);
  return even / 2;
}

TEST(InvariantLatch, KeepsTheFirstBreachUntilItIsTaken) {
  InvariantLatch latch;
  const InvariantLatch::Scope scope(latch);
  EXPECT_EQ(halved(4), 2);
  EXPECT_EQ(latch.take(), nullptr);
  if (kAssertions) {
    EXPECT_DEATH(halved(3), "assert_test.cpp.*invariant does not hold: even % 2 == 0");
    return;
  }
  EXPECT_EQ(halved(3), 0) << "the statement that does no harm";
  QPEER_INVARIANT(1 + 1 == 3);
  EXPECT_EQ(std::string_view(latch.take()), "even % 2 == 0");
  EXPECT_EQ(latch.take(), nullptr);
}

TEST(InvariantLatch, EachScopeNotesItsOwnBreaches) {
  if (kAssertions) {
    EXPECT_DEATH(halved(1), "invariant does not hold: even % 2 == 0") << "without a scope, too";
    return;
  }
  InvariantLatch outer;
  InvariantLatch inner;
  const InvariantLatch::Scope outside(outer);
  {
    const InvariantLatch::Scope inside(inner);
    halved(1);
  }
  EXPECT_NE(inner.take(), nullptr);
  EXPECT_EQ(outer.take(), nullptr);
  halved(1);
  EXPECT_NE(outer.take(), nullptr);
}

TEST(Assert, EndsTheProcessOnlyInBuildsWithAssertions) {
  int calls = 0;
  const auto is_two = [&calls](int value) { return ++calls, value == 2; };
  QPEER_ASSERT(is_two(2));
  EXPECT_EQ(calls, kAssertions ? 1 : 0) << "without assertions it is no code";
  if (kAssertions) {
    EXPECT_DEATH(QPEER_ASSERT(is_two(3)), "assertion does not hold: is_two\\(3\\)");
  }
}

TEST(Precondition, OfAnInstalledHeaderIsCheckedByTheLibrary) {
  InlineVector<int, 2> one;
  one.push_back(1);
  EXPECT_EQ(one[0], 1);
  if (kAssertions) {
    EXPECT_DEATH((void)one[1], "precondition does not hold: at < size\\(\\)");
  }
}

}  // namespace
}  // namespace qpeer
