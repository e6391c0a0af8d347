// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/cancellation.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "qpeer/transport/async/sleep.hpp"
#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::async {
namespace {

class CancellationTokenTest : public testing::Test {
 protected:
  Task<void> work(CancellationToken stop) {
    while (const auto slept = co_await unless_cancelled(stop, sleep_for(loop, 1ms))) ++steps;
    ++ended;
  }
  io::EventLoop loop;
  CancellationToken token{loop};
  TaskGroup tasks;
  int steps = 0;
  int ended = 0;
};

TEST_F(CancellationTokenTest, EndsWhatTasksWaitForAndLetsThemEndInGoodOrder) {
  tasks.spawn(work(token));
  tasks.spawn(work(token));
  EXPECT_TRUE(loop.run_until([&] { return steps >= 4; }, io::now() + 10s));
  token.cancel();
  EXPECT_EQ(ended, 0) << "no task goes on within a call of another";
  loop.poll();
  EXPECT_EQ(ended, 2);
}

TEST_F(CancellationTokenTest, StaysCancelledAndBeginsNothingMore) {
  token.cancel();
  token.cancel();
  EXPECT_TRUE(token.is_cancelled());
  auto begin = [&]() -> Task<int> {
    ++steps;
    co_return 1;
  };
  auto body = [&]() -> Task<bool> {
    const auto value = co_await unless_cancelled(token, begin());
    co_await token.cancelled();
    co_return value.has_value();
  };
  EXPECT_FALSE(run(loop, body()));
  EXPECT_EQ(steps, 0);
}

TEST_F(CancellationTokenTest, GivesTheValueWhenItIsNotCancelled) {
  auto number = []() -> Task<int> { co_return 7; };
  auto body = [&]() -> Task<int> {
    const auto value = co_await unless_cancelled(token, number());
    co_return value.value_or(0);
  };
  EXPECT_EQ(run(loop, body()), 7);
}

TEST_F(CancellationTokenTest, AChildIsCancelledWithItsParentOrAlone) {
  const CancellationToken first = token.child();
  CancellationToken second = token.child();
  second.cancel();
  EXPECT_FALSE(token.is_cancelled());
  EXPECT_FALSE(first.is_cancelled());
  const CancellationToken grandchild = first.child();
  token.cancel();
  EXPECT_TRUE(first.is_cancelled());
  EXPECT_TRUE(grandchild.is_cancelled());
  EXPECT_TRUE(token.child().is_cancelled());
}

TEST_F(CancellationTokenTest, AGrandchildIsCancelledAlsoWhenNobodyHoldsTheChild) {
  const CancellationToken grandchild = token.child().child();
  token.cancel();
  EXPECT_TRUE(grandchild.is_cancelled());
}

TEST_F(CancellationTokenTest, ATaskMayCancelTheTokenThatItWaitsFor) {
  auto body = [&]() -> Task<void> {
    auto cancels = [&]() -> Task<void> {
      token.cancel();
      co_await sleep_for(loop, 1h);
    };
    const auto value = co_await unless_cancelled(token, cancels());
    EXPECT_FALSE(value);
  };
  run(loop, body());
}

TEST_F(CancellationTokenTest, ATaskThatGoesOnMayDestroyTheLastHandle) {
  auto own = std::make_unique<CancellationToken>(loop);
  auto body = [&](CancellationToken* stop) -> Task<void> {
    co_await stop->cancelled();
    own.reset();
    ++ended;
  };
  tasks.spawn(body(own.get()));
  tasks.spawn(body(own.get()));
  own->cancel();
  loop.poll();
  loop.poll();
  EXPECT_EQ(ended, 2);
}

TEST_F(CancellationTokenTest, ACancelledTaskIsDestroyedWithItsWait) {
  auto body = [&]() -> Task<void> {
    co_await token.cancelled();
    ++ended;
  };
  tasks.spawn(body());
  tasks.cancel();
  token.cancel();
  loop.poll();
  EXPECT_EQ(ended, 0);
}

}  // namespace
}  // namespace qpeer::async
