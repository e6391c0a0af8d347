// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The event loop: order, fairness, and callbacks that are destroyed while events are under way.
#include "qpeer/transport/io/event_loop.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/io/loop_testing.hpp"
#include "qpeer/transport/io/signal_set.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::io {
namespace {

// Both ways to wait for a time.
class EventLoopTimers : public testing::TestWithParam<bool> {
 protected:
  EventLoop loop{{.use_timerfd = GetParam()}};
};
INSTANTIATE_TEST_SUITE_P(Waits, EventLoopTimers, testing::Bool(),
                         [](const auto& info) { return info.param ? "Timerfd" : "EpollPwait2"; });

TEST_P(EventLoopTimers, FireInOrderOfDeadlineAndNeverEarly) {
  std::vector<int> order;
  const Instant start = now();
  std::vector<Timer> timers;
  for (const int ms : {30, 10, 20, 0, 25, 5, 15}) {
    timers.emplace_back(loop, [&order, ms, start](Instant at) {
      EXPECT_GE(at, start + ms * 1ms);
      EXPECT_GE(now(), at);
      order.push_back(ms);
    });
    timers.back().set(start + ms * 1ms);
  }
  EXPECT_TRUE(loop.run_until([&] { return order.size() == 7; }, start + kLong));
  EXPECT_EQ(order, (std::vector{0, 5, 10, 15, 20, 25, 30}));
  for (const Timer& timer : timers) EXPECT_EQ(timer.deadline(), kNever);
}

TEST_P(EventLoopTimers, HaveFinerSteps) {
  // Best of many, for the machine may be busy: a millisecond clock would never get below 1 ms.
  Duration best = kLong;
  for (int i = 0; i < 50; ++i) {
    bool fired = false;
    Timer timer{loop, [&](Instant) { fired = true; }};
    const Instant start = now();
    timer.set(start + 100us);
    EXPECT_TRUE(loop.run_until([&] { return fired; }, start + kLong));
    best = std::min(best, now() - start);
  }
  EXPECT_GE(best, 100us);
  EXPECT_LT(best, 1ms);
}

TEST_P(EventLoopTimers, RunOnceWaitsNoLongerThanTold) {
  Timer timer{loop, [](Instant) { FAIL(); }};
  const Instant start = now();
  timer.set(start + 1h);
  EXPECT_GE(loop.run_once(2ms), start + 2ms);
  EXPECT_LT(now(), start + kLong);
  loop.run_once(0ms);
  loop.run_once(-1ms);
}

TEST(Timer, EqualDeadlinesFireInTheOrderTheyWereSet) {
  EventLoop loop;
  std::vector<int> order;
  std::vector<Timer> timers;
  for (int i = 0; i < 20; ++i)
    timers.emplace_back(loop, [&order, i](Instant) { order.push_back(i); });
  for (int i = 0; i < 20; ++i) timers[static_cast<std::size_t>(i * 7 % 20)].fire_soon();
  loop.run_once(kLong);
  std::vector<int> expected;
  for (int i = 0; i < 20; ++i) expected.push_back(i * 7 % 20);
  EXPECT_EQ(order, expected);
}

TEST(Timer, SetMovesAndCancelForgets) {
  EventLoop loop;
  int fired = 0;
  int moved = 0;
  Timer cancelled{loop, [&](Instant) { FAIL() << "fired after cancel"; }};
  Timer timer{loop, [&](Instant) { ++moved; }};
  Timer last{loop, [&](Instant) { ++fired; }};
  cancelled.set(now());
  timer.set(now() + 1h);
  timer.set(now());
  timer.set(now());
  last.set(now() + 1ms);
  cancelled.cancel();
  EXPECT_TRUE(loop.run_until([&] { return fired == 1; }, now() + kLong));
  EXPECT_EQ(moved, 1);
}

TEST(Timer, CancellingADueTimerKeepsItFromFiring) {
  EventLoop loop;
  std::optional<Timer> victim;
  int fired = 0;
  Timer first{loop, [&](Instant) { ++fired, victim.reset(); }};
  victim.emplace(loop, [&](Instant) { FAIL() << "fired after it was destroyed"; });
  Timer third{loop, [&](Instant) { ++fired; }};
  first.fire_soon();
  victim->fire_soon();
  third.fire_soon();
  loop.run_once(kLong);
  EXPECT_EQ(fired, 2);
}

TEST(Timer, MayDestroyItselfInItsCallback) {
  EventLoop loop;
  const auto guard = std::make_shared<int>(1);
  std::optional<Timer> timer;
  long uses_after = 0;
  timer.emplace(loop, [&, guard](Instant) {
    timer.reset();
    uses_after = guard.use_count();  // What was captured is still there.
  });
  timer->fire_soon();
  loop.run_once(kLong);
  EXPECT_EQ(uses_after, 2);
  EXPECT_EQ(guard.use_count(), 1);
}

TEST(Timer, RearmingItselfDoesNotStarveOthers) {
  EventLoop loop;
  Pipe pipe;
  int fired = 0;
  int ready = 0;
  std::optional<Timer> greedy;
  greedy.emplace(loop, [&](Instant) { ++fired, greedy->fire_soon(); });
  greedy->fire_soon();
  const Watch reader = watch(loop, pipe.out(), Interest::read, [&](Ready, Instant) { ++ready; });
  pipe.fill();
  for (int i = 0; i < 5; ++i) loop.run_once(kLong);
  EXPECT_EQ(fired, 5);
  EXPECT_EQ(ready, 5);
}

TEST(Timer, HeapSurvivesManyMovesAndRemovals) {
  EventLoop loop;
  std::vector<int> order;
  std::vector<std::optional<Timer>> timers(200);
  const Instant base = now() - 1s;  // All are due: order is what matters.
  std::vector<std::pair<Instant, int>> expected;
  for (int i = 0; i < 200; ++i) {
    auto& timer = timers[static_cast<std::size_t>(i)];
    timer.emplace(loop, [&order, i](Instant) { order.push_back(i); });
    timer->set(base + i * 1us);
  }
  for (int i = 0; i < 200; ++i) {
    auto& timer = timers[static_cast<std::size_t>(i)];
    if (i % 3 == 0) {
      timer.reset();
    } else {
      const Instant at = base + (i * 7919 % 1009) * 1us;
      timer->set(at);
      expected.emplace_back(at, i);
    }
  }
  std::ranges::sort(expected);
  loop.run_once(kLong);
  ASSERT_EQ(order.size(), expected.size());
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], expected[i].second);
}

TEST(EventLoop, ReportsReadableAndWritable) {
  EventLoop loop;
  Pipe pipe;
  int reads = 0;
  int writes = 0;
  const Watch reader = watch(loop, pipe.out(), Interest::read, [&](Ready ready, Instant at) {
    EXPECT_TRUE(ready.readable);
    EXPECT_EQ(at, loop.turn_time());
    pipe.drain();
    ++reads;
  });
  Watch writer = watch(loop, pipe.in(), Interest::write, [&](Ready ready, Instant) {
    EXPECT_TRUE(ready.writable);
    ++writes;
  });
  loop.run_once(kLong);
  EXPECT_EQ(reads, 0);
  EXPECT_EQ(writes, 1);
  writer.set_interest(Interest::none);
  pipe.fill();
  loop.run_once(kLong);
  EXPECT_EQ(reads, 1);
  EXPECT_EQ(writes, 1);
  writer.set_interest(Interest::write);
  loop.run_once(kLong);
  EXPECT_EQ(writes, 2);
}

TEST(EventLoop, RefusesWhatEpollCannotWatch) {
  EventLoop loop;
  const auto closed = loop.watch(-1, Interest::read, [](Ready, Instant) {});
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error(), std::errc::bad_file_descriptor);
  Pipe pipe;
  const Watch first = watch(loop, pipe.out(), Interest::read, [](Ready, Instant) {});
  const auto second = loop.watch(pipe.out(), Interest::read, [](Ready, Instant) {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), std::errc::file_exists);
}

TEST(Watch, RemovedInTheSameBatchIsNotCalled) {
  EventLoop loop;
  Pipe a;
  Pipe b;
  Watch watch_a;
  Watch watch_b;
  int calls = 0;
  watch_a = watch(loop, a.out(), Interest::read, [&](Ready, Instant) { ++calls, watch_b.reset(); });
  watch_b = watch(loop, b.out(), Interest::read, [&](Ready, Instant) { ++calls, watch_a.reset(); });
  a.fill();
  b.fill();
  loop.run_once(kLong);
  EXPECT_EQ(calls, 1) << "the other one was removed by the first";
}

TEST(Watch, InTheSlotOfARemovedOneDoesNotGetItsEvent) {
  EventLoop loop;
  Pipe a;
  Pipe b;
  Pipe fresh;
  Watch watch_a;
  Watch watch_b;
  Watch replacement;
  int calls = 0;
  const auto replace = [&](Watch& other) {
    if (++calls > 1) return;
    other.reset();
    replacement = watch(loop, fresh.out(), Interest::read,
                        [](Ready, Instant) { FAIL() << "an event of its predecessor"; });
  };
  watch_a = watch(loop, a.out(), Interest::read, [&](Ready, Instant) { replace(watch_b); });
  watch_b = watch(loop, b.out(), Interest::read, [&](Ready, Instant) { replace(watch_a); });
  a.fill();
  b.fill();
  loop.run_once(kLong);
  EXPECT_EQ(calls, 1);
}

TEST(Watch, MayDestroyItselfInItsCallback) {
  EventLoop loop;
  Pipe pipe;
  const auto guard = std::make_shared<int>(1);
  Watch self;
  long uses_after = 0;
  self = watch(loop, pipe.out(), Interest::read, [&, guard](Ready, Instant) {
    self.reset();
    uses_after = guard.use_count();
  });
  pipe.fill();
  loop.run_once(kLong);
  EXPECT_EQ(uses_after, 2);
  EXPECT_EQ(guard.use_count(), 1);
  EXPECT_FALSE(self);
  loop.run_once(0ms);  // The pipe is still full: it must not be called again.
}

TEST(EventLoop, PostedCallsRunInOrderAndThoseTheyPostInTheNextTurn) {
  EventLoop loop;
  std::vector<int> order;
  loop.post([&] {
    order.push_back(1);
    loop.post([&] { order.push_back(3); });
  });
  loop.post([&] { order.push_back(2); });
  loop.run_once(kLong);
  EXPECT_EQ(order, (std::vector{1, 2}));
  loop.run_once(kLong);
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST(EventLoop, StopEndsRunAfterTheTurn) {
  EventLoop loop;
  int after = 0;
  Timer first{loop, [&](Instant) { loop.stop(); }};
  Timer second{loop, [&](Instant) { ++after; }};
  first.fire_soon();
  second.fire_soon();
  loop.run();
  EXPECT_EQ(after, 1);
  loop.stop();
  loop.run();  // Ends at once, and has forgotten it then.
  first.fire_soon();
  loop.run();
}

TEST(EventLoop, WakesFromAnotherThread) {
  EventLoop loop;
  std::atomic<bool> told = false;
  int wakes = 0;
  loop.on_wake([&] {
    ++wakes;
    if (told) loop.stop();
  });
  std::thread other{[&] {
    told = true;
    loop.wake();
  }};
  loop.run();
  other.join();
  EXPECT_GE(wakes, 1);
}

TEST(EventLoop, StopsFromAnotherThread) {
  EventLoop loop;
  std::thread other{[&] { loop.stop(); }};
  loop.run();
  other.join();
}

TEST(SignalSet, HandsSignalsToTheLoop) {
  EventLoop loop;
  std::vector<int> seen;
  const std::array signals{SIGTERM, SIGUSR1};
  auto set = SignalSet::make(loop, signals, [&](int signal) { seen.push_back(signal); });
  ASSERT_TRUE(set) << set.error().message();
  ASSERT_EQ(::raise(SIGTERM), 0);
  ASSERT_EQ(::raise(SIGUSR1), 0);
  EXPECT_TRUE(loop.run_until([&] { return seen.size() == 2; }, now() + kLong));
  std::ranges::sort(seen);
  EXPECT_EQ(seen, (std::vector{SIGUSR1, SIGTERM}));
}

TEST(SignalSet, GivesBackTheMaskAndMayBeDestroyedByItsCallback) {
  EventLoop loop;
  const std::array signals{SIGUSR2};
  std::optional<SignalSet> set;
  auto made = SignalSet::make(loop, signals, [&](int) {
    set.reset();
    loop.stop();
  });
  ASSERT_TRUE(made) << made.error().message();
  set.emplace(std::move(*made));
  ASSERT_EQ(::raise(SIGUSR2), 0);
  loop.run();
  sigset_t mask;
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, nullptr, &mask), 0);
  EXPECT_EQ(sigismember(&mask, SIGUSR2), 0);
}

TEST(SignalSet, RefusesWhatIsNoSignal) {
  EventLoop loop;
  const std::array signals{12'345};
  EXPECT_FALSE(SignalSet::make(loop, signals, [](int) {}));
}

TEST(SystemClock, NeverGoesBack) {
  Instant last = now();
  for (int i = 0; i < 1000; ++i) {
    const Instant next = now();
    EXPECT_GE(next, last);
    last = next;
  }
  EXPECT_GT(unix_now(), UnixSeconds{1'600'000'000s});
}

}  // namespace
}  // namespace qpeer::io
