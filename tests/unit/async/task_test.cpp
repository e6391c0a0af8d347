// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/task.hpp"

#include <gtest/gtest.h>

#include <coroutine>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/async/task_testing.hpp"
#include "qpeer/transport/async/sleep.hpp"
#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async {
namespace {

Task<int> number(int value) { co_return value; }
Task<int> sum(int a, int b) {
  const int left = co_await number(a);
  const int right = co_await number(b);
  co_return left + right;
}

TEST(Task, GivesItsValueToWhoeverAwaitsIt) {
  io::EventLoop loop;
  EXPECT_EQ(run(loop, sum(40, 2)), 42);
}

TEST(Task, DoesNothingUntilItIsAwaited) {
  bool ran = false;
  auto body = [](bool& flag) -> Task<void> {
    flag = true;
    co_return;
  };
  Task<void> task = body(ran);
  EXPECT_FALSE(ran);
  io::EventLoop loop;
  run(loop, std::move(task));
  EXPECT_TRUE(ran);
}

TEST(Task, CarriesValuesThatOnlyMove) {
  io::EventLoop loop;
  auto body = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
  EXPECT_EQ(*run(loop, body()), 7);
}

Task<int> depth(int left) {
  if (left == 0) co_return 0;
  const int below = co_await depth(left - 1);
  co_return below + 1;
}

TEST(Task, AMillionDeepChainNeedsNoStack) {
  io::EventLoop loop;
  EXPECT_EQ(run(loop, depth(1'000'000)), 1'000'000);
}

Task<int> depth_through(Gate& gate, int left) {
  if (left == 0) {
    co_await gate.pass();
    co_return 0;
  }
  const int below = co_await depth_through(gate, left - 1);
  co_return below + 1;
}

TEST(Task, AMillionDeepChainUnwindsFromAnEventWithoutStack) {
  Gate gate;
  TaskGroup group;
  int reached = 0;
  auto body = [](Gate& at, int& out) -> Task<void> { out = co_await depth_through(at, 1'000'000); };
  group.spawn(body(gate, reached));
  EXPECT_EQ(reached, 0);
  gate.open();
  EXPECT_EQ(reached, 1'000'000);
}

TEST(Task, AMillionAwaitsInALoopNeedNoStack) {
  io::EventLoop loop;
  auto body = []() -> Task<int> {
    int total = 0;
    for (int i = 0; i < 1'000'000; ++i) total += co_await number(1);
    co_return total;
  };
  EXPECT_EQ(run(loop, body()), 1'000'000);
}

Task<void> inner(Gate& gate, std::vector<std::string>& log) {
  const Witness first{log, "inner first"};
  const Witness second{log, "inner second"};
  co_await gate.pass();
  log.push_back("passed");
}
Task<void> outer(Gate& gate, std::vector<std::string>& log, Witness /*parameter*/) {
  const Witness local{log, "outer local"};
  co_await inner(gate, log);
}

TEST(Task, DestroyingItDestroysItsLocalsInnermostFirst) {
  Gate gate;
  std::vector<std::string> log;
  {
    TaskGroup group;
    group.spawn(outer(gate, log, Witness{log, "parameter"}));
    EXPECT_TRUE(gate.awaited());
    EXPECT_TRUE(log.empty());
  }
  EXPECT_FALSE(gate.awaited());
  EXPECT_EQ(log,
            (std::vector<std::string>{"inner second", "inner first", "outer local", "parameter"}));
  gate.open();
  EXPECT_EQ(log.size(), 4U) << "a cancelled task went on";
}

TEST(Task, RunningToTheEndDestroysTheSameThings) {
  Gate gate;
  std::vector<std::string> log;
  TaskGroup group;
  group.spawn(outer(gate, log, Witness{log, "parameter"}));
  gate.open();
  EXPECT_EQ(log, (std::vector<std::string>{"passed", "inner second", "inner first", "outer local",
                                           "parameter"}));
  EXPECT_EQ(group.size(), 0U);
}

TEST(Task, MovingAndAssigningNeitherRunsNorLeaks) {
  std::vector<std::string> log;
  auto body = [](Witness /*parameter*/) -> Task<void> { co_return; };
  Task<void> task = body(Witness{log, "first"});
  task = body(Witness{log, "second"});
  EXPECT_EQ(log, std::vector<std::string>{"first"});
  Task<void> moved = std::move(task);
  EXPECT_FALSE(task);  // NOLINT(bugprone-use-after-move): what a move leaves is the claim.
  moved.cancel();
  EXPECT_EQ(log, (std::vector<std::string>{"first", "second"}));
}

Task<void> count_passes(Gate& gate, int& passed) {
  for (;;) {
    co_await gate.pass();
    ++passed;
  }
}

TEST(Operation, WaitersAreServedInOrderAndNoneIsLost) {
  Gate gate;
  std::vector<int> order;
  auto body = [](Gate& at, std::vector<int>& out, int id) -> Task<void> {
    co_await at.pass();
    out.push_back(id);
  };
  TaskGroup group;
  for (int id = 0; id < 5; ++id) group.spawn(body(gate, order, id));
  gate.open(2);
  EXPECT_EQ(order, (std::vector<int>{0, 1}));
  gate.open(1);
  gate.open(2);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(Operation, AWaiterMayCancelTheOneThatWouldGoOnNext) {
  Gate gate;
  TaskGroup victims;
  TaskGroup group;
  int passed = 0;
  auto killer = [](Gate& at, TaskGroup& other) -> Task<void> {
    co_await at.pass();
    other.cancel();
  };
  group.spawn(killer(gate, victims));
  victims.spawn(count_passes(gate, passed));
  gate.open(3);
  EXPECT_EQ(passed, 0);
  EXPECT_EQ(victims.size(), 0U);
  EXPECT_EQ(group.size(), 0U);
}

TEST(TaskGroup, JoinWaitsForTheLastTask) {
  Gate gate;
  TaskGroup group;
  TaskGroup waiting;
  bool joined = false;
  auto pass = [](Gate& at) -> Task<void> { co_await at.pass(); };
  auto join = [](TaskGroup& all, bool& flag) -> Task<void> {
    co_await all.join();
    flag = true;
  };
  group.spawn(pass(gate));
  group.spawn(pass(gate));
  waiting.spawn(join(group, joined));
  gate.open(1);
  EXPECT_EQ(group.size(), 1U);
  EXPECT_FALSE(joined);
  gate.open(1);
  EXPECT_TRUE(joined);
}

TEST(TaskGroup, JoinOfAnEmptyGroupDoesNotWait) {
  io::EventLoop loop;
  auto body = []() -> Task<void> {
    TaskGroup group;
    co_await group.join();
  };
  run(loop, body());
}

TEST(TaskGroup, ATaskMaySpawnMore) {
  TaskGroup group;
  int leaves = 0;
  struct Tree {
    static Task<void> grow(TaskGroup& all, int& count, int levels) {
      if (levels == 0) {
        ++count;
        co_return;
      }
      all.spawn(grow(all, count, levels - 1));
      all.spawn(grow(all, count, levels - 1));
    }
  };
  group.spawn(Tree::grow(group, leaves, 10));
  EXPECT_EQ(leaves, 1024);
  EXPECT_EQ(group.size(), 0U);
}

TEST(Spawn, StartsInTheLoopAndFreesItself) {
  io::EventLoop loop;
  std::vector<std::string> log;
  auto body = [](std::vector<std::string>& out, Witness /*parameter*/) -> Task<void> {
    out.push_back("ran");
    co_return;
  };
  spawn(loop, body(log, Witness{log, "freed"}));
  EXPECT_TRUE(log.empty());
  loop.run_once(1s);
  EXPECT_EQ(log, (std::vector<std::string>{"ran", "freed"}));
}

TEST(Spawn, ALoopThatNeverTurnsFreesWhatItWasGiven) {
  std::vector<std::string> log;
  {
    io::EventLoop loop;
    auto body = [](Witness /*parameter*/) -> Task<void> { co_return; };
    spawn(loop, body(Witness{log, "freed"}));
  }
  EXPECT_EQ(log, std::vector<std::string>{"freed"});
}

TEST(Sleep, WakesInOrderOfDeadline) {
  io::EventLoop loop;
  std::vector<int> order;
  auto nap = [](io::EventLoop& on, std::vector<int>& out, int ms) -> Task<void> {
    co_await sleep_for(on, ms * 1ms);
    out.push_back(ms);
  };
  auto body = [&]() -> Task<void> {
    TaskGroup group;
    for (const int ms : {9, 3, 6, 0}) group.spawn(nap(loop, order, ms));
    co_await group.join();
  };
  const Instant begin = io::now();
  run(loop, body());
  EXPECT_EQ(order, (std::vector<int>{0, 3, 6, 9}));
  EXPECT_GE(io::now() - begin, 9ms);
}

TEST(Sleep, CancellingItDisarmsTheTimer) {
  io::EventLoop loop;
  bool woke = false;
  auto nap = [](io::EventLoop& on, bool& flag) -> Task<void> {
    co_await sleep_for(on, 1ms);
    flag = true;
  };
  {
    TaskGroup group;
    group.spawn(nap(loop, woke));
  }
  const Instant end = io::now() + 5ms;
  while (io::now() < end) loop.run_once(1ms);
  EXPECT_FALSE(woke);
}

}  // namespace
}  // namespace qpeer::async
