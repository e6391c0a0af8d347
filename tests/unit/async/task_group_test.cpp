// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Exceptions that leave tasks, and tasks that cancel their own group.
#include "qpeer/transport/async/task_group.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/async/task_testing.hpp"
#include "qpeer/transport/async/sleep.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::async {
namespace {

Task<int> number(int value) { co_return value; }

// --- exceptions ------------------------------------------------------------------------------------

Task<int> throws_at_once() {
  throw std::runtime_error("mine");
  co_return 0;
}
Task<void> throws_after(io::EventLoop& loop) {
  co_await sleep_for(loop, 1ms);
  throw std::runtime_error("later");
}

TEST(Task, AnExceptionReachesTheCoAwait) {
  io::EventLoop loop;
  auto body = []() -> Task<std::string> {
    try {
      (void)co_await throws_at_once();
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing was thrown";
  };
  EXPECT_EQ(run(loop, body()), "mine");
}

TEST(Task, AnExceptionPassesThroughThoseThatDoNotCatchItAndDestroysTheirLocals) {
  io::EventLoop loop;
  std::vector<std::string> log;
  auto middle = [](io::EventLoop& on, std::vector<std::string>& out) -> Task<void> {
    const Witness local{out, "middle"};
    co_await throws_after(on);
    out.push_back("went on");
  };
  auto body = [&]() -> Task<std::string> {
    try {
      co_await middle(loop, log);
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing was thrown";
  };
  EXPECT_EQ(run(loop, body()), "later");
  EXPECT_EQ(log, std::vector<std::string>{"middle"});
}

TEST(Run, ThrowsWhatLeftItsTask) {
  io::EventLoop loop;
  EXPECT_THROW(run(loop, throws_at_once()), std::runtime_error);
  EXPECT_THROW(run(loop, throws_after(loop)), std::runtime_error);
  EXPECT_EQ(run(loop, number(3)), 3) << "the loop can be used again";
}

TEST(Run, ThrowsWhatLeavesASpawnedTaskAndCancelsItsOwn) {
  io::EventLoop loop;
  std::vector<std::string> log;
  TaskGroup group;
  group.spawn(throws_after(loop));
  auto body = [](io::EventLoop& on, Witness /*parameter*/) -> Task<void> {
    co_await sleep_for(on, 1h);
  };
  EXPECT_THROW(run(loop, body(loop, Witness{log, "cancelled"})), std::runtime_error);
  EXPECT_EQ(log, std::vector<std::string>{"cancelled"});
  EXPECT_EQ(group.size(), 0U);
}

TEST(TaskGroup, AnExceptionOfATaskThatATaskSpawnsDoesNotLeaveTheSpawn) {
  io::EventLoop loop;
  bool went_on = false;
  auto fail = []() -> Task<void> { (void)co_await throws_at_once(); };
  auto body = [&]() -> Task<void> {
    TaskGroup group;
    group.spawn(fail());
    went_on = true;
    co_await group.join();
  };
  EXPECT_THROW(run(loop, body()), std::runtime_error);
  EXPECT_TRUE(went_on);
}

TEST(TaskGroup, AnExceptionOfOneThatJoinedKeepsNoneOfTheOthersWaiting) {
  io::EventLoop loop;
  int joined = 0;
  auto idle = [](io::EventLoop& on) -> Task<void> { co_await sleep_for(on, 1h); };
  auto join = [&joined](TaskGroup& group, bool fails) -> Task<void> {
    co_await group.join();
    ++joined;
    if (fails) (void)co_await throws_at_once();
  };
  TaskGroup joiners;
  {
    TaskGroup group;
    group.spawn(idle(loop));
    joiners.spawn(join(group, true));
    joiners.spawn(join(group, false));
    EXPECT_THROW(group.cancel(), std::runtime_error);
    EXPECT_EQ(joined, 2);
    EXPECT_EQ(joiners.size(), 0U);
    group.spawn(idle(loop));
    group.cancel();
  }
}

TEST(Spawn, AnExceptionLeavesTheLoopWhichCanGoOn) {
  io::EventLoop loop;
  spawn(loop, throws_after(loop));
  EXPECT_THROW(loop.run(), std::runtime_error);
  loop.post([&] { loop.stop(); });
  loop.run();
}

// --- cancelling from within --------------------------------------------------------------------------

TEST(TaskGroup, MayBeCancelledByOneOfItsOwnTasksWhichEndsWhereItNextWaits) {
  io::EventLoop loop;
  std::vector<std::string> log;
  TaskGroup group;
  auto idle = [](io::EventLoop& on, Witness /*parameter*/) -> Task<void> {
    co_await sleep_for(on, 1h);
  };
  auto inner = [](io::EventLoop& on, TaskGroup& own, std::vector<std::string>& out) -> Task<void> {
    co_await sleep_for(on, 1ms);
    own.cancel();
    EXPECT_EQ(own.size(), 1U) << "the one that runs";
    out.push_back("still running");
    co_await sleep_for(on, Duration{});
    co_await sleep_for(on, 1ms);
    out.push_back("went on");
  };
  auto outer = [&](Witness /*parameter*/) -> Task<void> { co_await inner(loop, group, log); };
  group.spawn(idle(loop, Witness{log, "first"}));
  group.spawn(outer(Witness{log, "own"}));
  group.spawn(idle(loop, Witness{log, "last"}));
  auto join = [&]() -> Task<void> { co_await group.join(); };
  run(loop, join());
  EXPECT_EQ(log, (std::vector<std::string>{"first", "last", "still running", "own"}));
  EXPECT_EQ(group.size(), 0U);
}

TEST(TaskGroup, MayBeDestroyedByOneOfItsOwnTasks) {
  io::EventLoop loop;
  std::vector<std::string> log;
  auto group = std::make_unique<TaskGroup>();
  auto body = [](io::EventLoop& on, std::unique_ptr<TaskGroup>& own,
                 Witness /*parameter*/) -> Task<void> {
    co_await sleep_for(on, 1ms);
    own.reset();
    co_await sleep_for(on, 1ms);
    ADD_FAILURE() << "went on";
  };
  group->spawn(body(loop, group, Witness{log, "own"}));
  loop.run_until([&] { return !log.empty(); }, io::now() + 10s);
  EXPECT_EQ(log, std::vector<std::string>{"own"});
}

TEST(TaskGroup, ATaskThatCancelsItsGroupAndThenEndsIsFreedOnce) {
  io::EventLoop loop;
  std::vector<std::string> log;
  TaskGroup group;
  auto body = [](io::EventLoop& on, TaskGroup& own, Witness /*parameter*/) -> Task<void> {
    co_await sleep_for(on, 1ms);
    own.cancel();
  };
  group.spawn(body(loop, group, Witness{log, "own"}));
  loop.run_until([&] { return !log.empty(); }, io::now() + 10s);
  EXPECT_EQ(log, std::vector<std::string>{"own"});
  EXPECT_EQ(group.size(), 0U);
}

TEST(TaskGroup, MayBeOwnedByATaskThatItCancels) {
  io::EventLoop loop;
  std::vector<std::string> log;
  auto group = std::make_shared<TaskGroup>();
  auto body = [](io::EventLoop& on, std::shared_ptr<TaskGroup> /*own*/,
                 Witness /*parameter*/) -> Task<void> { co_await sleep_for(on, 1h); };
  group->spawn(body(loop, group, Witness{log, "first"}));
  group->spawn(body(loop, nullptr, Witness{log, "second"}));
  TaskGroup& last = *group;
  group.reset();
  last.cancel();
  std::ranges::sort(log);  // Compilers differ in which parameter of a coroutine goes first.
  EXPECT_EQ(log, (std::vector<std::string>{"first", "second"})) << "each once";
}

TEST(TaskGroup, ATaskThatAChildOfItsOwnSpawnsMayCancelIt) {
  io::EventLoop loop;
  std::vector<std::string> log;
  TaskGroup group;
  TaskGroup other;
  auto cancel = [](TaskGroup& victim) -> Task<void> {
    victim.cancel();
    co_return;
  };
  auto body = [&](Witness /*parameter*/) -> Task<void> {
    other.spawn(cancel(group));  // Runs above us on the stack.
    log.push_back("still running");
    co_await sleep_for(loop, 1ms);
    log.push_back("went on");
  };
  group.spawn(body(Witness{log, "own"}));
  EXPECT_EQ(log, (std::vector<std::string>{"still running", "own"}));
  EXPECT_EQ(group.size(), 0U);
}

TEST(TaskGroup, ATaskThatJoinsGoesOnWhenNoTaskRuns) {
  io::EventLoop loop;
  std::vector<std::string> log;
  TaskGroup group;
  TaskGroup others;
  Gate gate;
  auto wait = [](Gate& at) -> Task<void> { co_await at.pass(); };
  auto join = [&]() -> Task<void> {
    co_await group.join();
    log.push_back("joined");
  };
  auto cancel = [&]() -> Task<void> {
    group.cancel();
    log.push_back("cancelled");
    co_return;
  };
  group.spawn(wait(gate));
  others.spawn(join());
  others.spawn(cancel());
  EXPECT_EQ(log, (std::vector<std::string>{"cancelled", "joined"}));
}

}  // namespace
}  // namespace qpeer::async
