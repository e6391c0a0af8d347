// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/combinators.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/transport/async/channel.hpp"
#include "qpeer/transport/async/event.hpp"
#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async {
namespace {

// Counts those that exist.
struct Counted {
  explicit Counted(int& all) : count(&all) { ++*count; }
  Counted(Counted&& other) noexcept : count(std::exchange(other.count, nullptr)) {}
  Counted& operator=(Counted&&) = delete;
  ~Counted() {
    if (count != nullptr) --*count;
  }
  int* count;
};

// Awaitable that its test resumes by hand.
struct ByHand {
  static constexpr bool await_ready() noexcept { return false; }
  void await_suspend(Waiter by) { waiter = by; }
  static void await_resume() {}
  void resume() const { Trampoline::resume(waiter); }
  Waiter waiter;
};

// Awaitable through an operator beside its class.
struct Wrapped {
  int value;
};
auto operator co_await(const Wrapped& wrapped) {
  struct Awaiter {
    static constexpr bool await_ready() noexcept { return true; }
    static void await_suspend(Waiter /*waiter*/) {}
    [[nodiscard]] int await_resume() const { return value; }
    int value;
  };
  return Awaiter{wrapped.value};
}

class CombinatorsTest : public testing::Test {
 protected:
  Task<int> after(Duration time, int value) {
    co_await sleep_for(loop, time);
    co_return value;
  }
  static Task<int> at_once(int value) { co_return value; }
  Task<int> fails_after(Duration time) {
    co_await sleep_for(loop, time);
    throw std::runtime_error("mine");
  }
  // Waits for ever, and holds something.
  Task<std::string> stuck(Counted /*held*/) {
    co_await never.wait();
    co_return "came";
  }

  io::EventLoop loop;
  Event never{loop};
  int alive = 0;
};

TEST_F(CombinatorsTest, WithTimeoutGivesTheValueInTime) {
  auto body = [&]() -> Task<int> {
    const auto value = co_await with_timeout(loop, 10s, after(1ms, 7));
    co_return value.value_or(0);
  };
  EXPECT_EQ(run(loop, body()), 7);
}

TEST_F(CombinatorsTest, WithTimeoutCancelsWhatIsLate) {
  auto body = [&]() -> Task<bool> {
    const auto value = co_await with_timeout(loop, 1ms, stuck(Counted(alive)));
    EXPECT_EQ(alive, 0) << "before it goes on";
    co_return !value && value.error() == TimedOut{};
  };
  EXPECT_TRUE(run(loop, body()));
}

TEST_F(CombinatorsTest, WithTimeoutTakesTheLoopOfTheThreadAlsoBeforeItTurns) {
  TaskGroup group;
  bool late = false;
  auto body = [&]() -> Task<void> {
    const auto value = co_await with_timeout(1ms, never.wait());
    late = !value.has_value();
  };
  group.spawn(body());
  auto join = [&]() -> Task<void> { co_await group.join(); };
  run(loop, join());
  EXPECT_TRUE(late);
}

TEST_F(CombinatorsTest, WithTimeoutOfWhatIsDoneNeverTimesOut) {
  auto body = [&]() -> Task<int> {
    const auto value = co_await with_timeout(Duration{}, at_once(3));
    co_return value.value_or(0);
  };
  EXPECT_EQ(run(loop, body()), 3);
}

TEST_F(CombinatorsTest, WithTimeoutOfTheLongestTimeThereIsNeverTimesOut) {
  auto body = [&]() -> Task<int> {
    const auto value = co_await with_timeout(Duration::max(), after(1ms, 7));
    co_return value.value_or(0);
  };
  EXPECT_EQ(run(loop, body()), 7);
}

TEST_F(CombinatorsTest, WithTimeoutCancelsAWhenAnyWithAllOfItsBranches) {
  auto body = [&]() -> Task<bool> {
    const auto value = co_await with_timeout(
        1ms, when_any(stuck(Counted(alive)), when_all(stuck(Counted(alive)), never.wait())));
    EXPECT_EQ(alive, 0) << "before it goes on";
    co_return value.has_value();
  };
  EXPECT_FALSE(run(loop, body()));
}

TEST_F(CombinatorsTest, TakeWhatHasItsCoAwaitBesideItsClass) {
  auto body = [&]() -> Task<int> {
    const auto value = co_await with_timeout(1s, Wrapped{7});
    co_return value.value_or(0);
  };
  EXPECT_EQ(run(loop, body()), 7);
}

TEST_F(CombinatorsTest, WithTimeoutThrowsWhatItsTaskThrows) {
  auto body = [&]() -> Task<void> { (void)co_await with_timeout(10s, fails_after(1ms)); };
  EXPECT_THROW(run(loop, body()), std::runtime_error);
}

TEST_F(CombinatorsTest, WithTimeoutMayBeAwaitedLater) {
  auto body = [&]() -> Task<int> {
    auto later = with_timeout(10s, after(1ms, 7));
    const auto value = co_await std::move(later);
    co_return value.value_or(0);
  };
  EXPECT_EQ(run(loop, body()), 7);
}

TEST_F(CombinatorsTest, WhenAnyGivesTheFirstAndCancelsTheOthers) {
  auto body = [&]() -> Task<std::size_t> {
    auto first = co_await when_any(stuck(Counted(alive)), after(1ms, 7), sleep_for(loop, 1h));
    EXPECT_EQ(alive, 0) << "before it goes on";
    EXPECT_EQ(std::get<1>(first), 7);
    co_return first.index();
  };
  EXPECT_EQ(run(loop, body()), 1U);
}

TEST_F(CombinatorsTest, WhenAnyDoesNotBeginWhatIsBehindOneThatIsDone) {
  bool began = false;
  auto behind = [&]() -> Task<void> {
    began = true;
    co_return;
  };
  auto body = [&]() -> Task<std::size_t> {
    const auto first = co_await when_any(at_once(1), behind());
    co_return first.index();
  };
  EXPECT_EQ(run(loop, body()), 0U);
  EXPECT_FALSE(began);
}

TEST_F(CombinatorsTest, WhenAnyOfChannelsLosesNoValue) {
  Channel<int> left(loop, 4);
  Channel<int> right(loop, 4);
  int sum = 0;
  auto produce = [&](Channel<int>& into, int count) -> Task<void> {
    for (int i = 1; i <= count; ++i) {
      if (i % 7 == 0) co_await sleep_for(loop, Duration{});
      (void)co_await into.send(i);
    }
  };
  auto body = [&]() -> Task<void> {
    TaskGroup producers;
    producers.spawn(produce(left, 100));
    producers.spawn(produce(right, 100));
    for (int got = 0; got < 200; ++got) {
      auto first = co_await when_any(left.receive(), right.receive());
      sum += first.index() == 0 ? *std::get<0>(first) : *std::get<1>(first);
    }
  };
  run(loop, body());
  EXPECT_EQ(sum, 2 * 5050);
}

TEST_F(CombinatorsTest, WhenAllGivesAllValues) {
  auto body = [&]() -> Task<int> {
    auto [a, nothing, b] = co_await when_all(after(2ms, 1), sleep_for(loop, 1ms), at_once(2));
    static_assert(std::same_as<decltype(nothing), std::monostate>);
    co_return a * 10 + b;
  };
  EXPECT_EQ(run(loop, body()), 12);
}

TEST_F(CombinatorsTest, WhenAllOfAVectorKeepsTheOrder) {
  auto body = [&]() -> Task<std::vector<int>> {
    std::vector<Task<int>> tasks;
    for (const int ms : {3, 1, 2, 0}) tasks.push_back(after(ms * 1ms, ms));
    co_return co_await when_all(std::move(tasks));
  };
  EXPECT_EQ(run(loop, body()), (std::vector<int>{3, 1, 2, 0}));
  auto none = []() -> Task<std::size_t> {
    const auto values = co_await when_all(std::vector<Task<int>>{});
    co_return values.size();
  };
  EXPECT_EQ(run(loop, none()), 0U);
}

TEST_F(CombinatorsTest, WhenAllThrowsTheFirstExceptionAtOnceAndCancelsTheOthers) {
  auto body = [&]() -> Task<void> {
    try {
      (void)co_await when_all(stuck(Counted(alive)), fails_after(1ms));
    } catch (const std::runtime_error&) {
      EXPECT_EQ(alive, 0);
      throw;
    }
  };
  EXPECT_THROW(run(loop, body()), std::runtime_error);
}

TEST_F(CombinatorsTest, OfSeveralThatAreDoneWhileTheyBeginTheFirstCounts) {
  ByHand one;
  ByHand two;
  auto fails = [](ByHand& when, const char* what) -> Task<void> {
    co_await when;
    throw std::runtime_error(what);
  };
  auto ends = [](ByHand& when) -> Task<void> { co_await when; };
  auto resumes = [](const ByHand& first, const ByHand* second) -> Task<void> {
    first.resume();
    if (second != nullptr) second->resume();
    throw std::runtime_error("own");
    co_return;
  };
  auto body = [&]() -> Task<std::string> {
    try {
      (void)co_await when_all(fails(one, "one"), fails(two, "two"), resumes(two, &one));
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing was thrown";
  };
  EXPECT_EQ(run(loop, body()), "two");
  auto vector = [&]() -> Task<std::string> {
    try {
      std::vector<Task<void>> tasks;
      tasks.push_back(fails(one, "one"));
      tasks.push_back(fails(two, "two"));
      tasks.push_back(resumes(two, &one));
      (void)co_await when_all(std::move(tasks));
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing was thrown";
  };
  EXPECT_EQ(run(loop, vector()), "two");
  auto any = [&]() -> Task<std::size_t> {
    const auto first = co_await when_any(ends(one), resumes(one, nullptr));
    co_return first.index();
  };
  EXPECT_EQ(run(loop, any()), 0U);
}

TEST_F(CombinatorsTest, ABranchThatResumesAnotherByHandRunsOnUntilItWaits) {
  ByHand hand;
  std::string log;
  auto waits = [](ByHand& when) -> Task<int> {  // g++ 12 awaits a copy of what a lambda captured.
    co_await when;
    co_return 7;
  };
  auto resumes = [&](Counted held) -> Task<void> {
    co_await sleep_for(loop, 1ms);
    hand.resume();
    log += "resumed ";
    EXPECT_EQ(*held.count, 1);
    const int three = co_await at_once(3);
    EXPECT_EQ(three, 3);
    log += "runs ";
    co_await never.wait();
    log += "went on";
  };
  auto body = [&]() -> Task<int> {
    const auto first = co_await when_any(waits(hand), resumes(Counted(alive)));
    EXPECT_EQ(alive, 0) << "before it goes on";
    log += "first";
    co_return std::get<0>(first);
  };
  EXPECT_EQ(run(loop, body()), 7);
  EXPECT_EQ(log, "resumed runs first");
}

TEST_F(CombinatorsTest, CancellingTheAwaitingTaskCancelsEachBranch) {
  TaskGroup group;
  auto body = [&]() -> Task<void> {
    (void)co_await when_any(stuck(Counted(alive)), with_timeout(1h, stuck(Counted(alive))));
    ADD_FAILURE() << "went on";
  };
  group.spawn(body());
  EXPECT_EQ(alive, 2);
  group.cancel();
  EXPECT_EQ(alive, 0);
}

TEST_F(CombinatorsTest, ABranchMayCancelTheGroupItBelongsTo) {
  TaskGroup group;
  auto cancels = [&]() -> Task<void> {
    co_await sleep_for(loop, 1ms);
    group.cancel();
    EXPECT_EQ(alive, 1) << "the task runs: its branches stay until it waits";
    co_await sleep_for(loop, 1ms);
    ADD_FAILURE() << "went on";
  };
  auto body = [&]() -> Task<void> { (void)co_await when_all(stuck(Counted(alive)), cancels()); };
  group.spawn(body());
  auto join = [&]() -> Task<void> { co_await group.join(); };
  run(loop, join());
  EXPECT_EQ(alive, 0);
}

TEST_F(CombinatorsTest, ABranchThatEndsAnotherBranchsWaitGoesOnFirst) {
  // The one that joins is ready while the one that cancels still runs.
  TaskGroup group;
  group.spawn([](Event& wait) -> Task<void> { co_await wait.wait(); }(never));
  std::string log;
  auto cancels = [&]() -> Task<void> {
    co_await sleep_for(loop, 1ms);
    group.cancel();
    log += "cancelled ";
    co_await never.wait();
  };
  auto body = [&]() -> Task<void> {
    const auto first = co_await when_any(cancels(), group.join());
    EXPECT_EQ(first.index(), 1U);
    log += "joined";
  };
  run(loop, body());
  EXPECT_EQ(log, "cancelled joined");
}

TEST_F(CombinatorsTest, ManyInALoopNeedNoStack) {
  auto body = [&]() -> Task<int> {
    int total = 0;
    for (int i = 0; i < 100'000; ++i) {
      const auto first = co_await when_any(at_once(1), never.wait());
      total += std::get<0>(first);
    }
    co_return total;
  };
  EXPECT_EQ(run(loop, body()), 100'000);
}

}  // namespace
}  // namespace qpeer::async
