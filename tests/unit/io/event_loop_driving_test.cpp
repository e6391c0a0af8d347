// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The event loop with callbacks that throw, with other threads, and inside other loops.
#include "qpeer/transport/io/event_loop.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/io/loop_testing.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::io {
namespace {

// --- callbacks that throw --------------------------------------------------------------------------

TEST(Timer, AThrowingCallbackLeavesTheOthersToTheNextTurn) {
  EventLoop loop;
  std::vector<int> fired;
  auto first = std::make_unique<Timer>(loop, [&](Instant) {
    fired.push_back(1);
    throw std::runtime_error("mine");
  });
  Timer second(loop, [&](Instant) { fired.push_back(2); });
  Timer third(loop, [&](Instant) { fired.push_back(3); });
  first->fire_soon();
  second.fire_soon();
  third.fire_soon();
  EXPECT_THROW(loop.run_once(kLong), std::runtime_error);
  EXPECT_EQ(fired, std::vector<int>{1});
  first.reset();
  loop.run_once(kLong);
  EXPECT_EQ(fired, (std::vector<int>{1, 2, 3})) << "nothing twice, in the order they were set";
  loop.poll();
  EXPECT_EQ(fired.size(), 3U);
}

TEST(Timer, MayDestroyItselfInACallbackThatThrows) {
  EventLoop loop;
  int calls = 0;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(loop, [&](Instant) {
    ++calls;
    timer.reset();
    throw std::runtime_error("mine");
  });
  timer->fire_soon();
  EXPECT_THROW(loop.run_once(kLong), std::runtime_error);
  loop.poll();
  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, APostedCallThatThrowsLeavesTheOthersToTheNextTurn) {
  EventLoop loop;
  std::vector<int> called;
  loop.post([&] {
    called.push_back(1);
    throw std::runtime_error("mine");
  });
  loop.post([&] {
    called.push_back(2);
    loop.post([&] { called.push_back(4); });
  });
  loop.post([&] { called.push_back(3); });
  EXPECT_THROW(loop.run_once(kLong), std::runtime_error);
  EXPECT_EQ(called, std::vector<int>{1});
  loop.run_once(kLong);
  loop.run_once(kLong);
  loop.poll();
  EXPECT_EQ(called, (std::vector<int>{1, 2, 3, 4}));
}

TEST(Watch, MayBeDestroyedAfterItsCallbackThrewAndAnotherGoesOn) {
  EventLoop loop;
  const Pipe pipe;
  const Pipe other;
  int calls = 0;
  int others = 0;
  Watch watched = watch(loop, pipe.out(), Interest::read, [&](Ready, Instant) {
    ++calls;
    throw std::runtime_error("mine");
  });
  const Watch still = watch(loop, other.out(), Interest::read, [&](Ready, Instant) {
    ++others;
    other.drain();
  });
  pipe.fill();
  other.fill();
  EXPECT_THROW(loop.run_once(kLong), std::runtime_error);
  watched.reset();
  loop.poll();
  loop.poll();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(others, 1);
}

TEST(EventLoop, AWakeIsNotLostWhenACallbackOfItsTurnThrows) {
  EventLoop loop;
  const Pipe pipe;
  int wakes = 0;
  loop.on_wake([&] { ++wakes; });
  const Watch watched = watch(loop, pipe.out(), Interest::read, [&](Ready, Instant) {
    pipe.drain();
    throw std::runtime_error("mine");
  });
  pipe.fill();
  loop.wake();
  EXPECT_THROW(loop.run_once(kLong), std::runtime_error);
  loop.run_once(kLong);
  EXPECT_EQ(wakes, 1);
}

// --- other threads, and other loops ------------------------------------------------------------------

TEST(EventLoop, CallsPostedByOtherThreadsRunInItsOwnInTheirOrder) {
  EventLoop loop;
  constexpr int kThreads = 4;
  constexpr int kCalls = 1000;
  std::array<std::vector<int>, kThreads> got;
  int left = kThreads * kCalls;
  const auto here = std::this_thread::get_id();
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kCalls; ++i) {
          loop.post([&, t, i] {
            EXPECT_EQ(std::this_thread::get_id(), here);
            got[static_cast<std::size_t>(t)].push_back(i);
            --left;
          });
        }
      });
    }
    EXPECT_TRUE(loop.run_until([&] { return left == 0; }, now() + kLong));
  }
  for (const auto& each : got) EXPECT_TRUE(std::ranges::is_sorted(each));
}

/// Whether a thread of this process sleeps in a system call.
bool sleeps(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto name_end = text.rfind(") ");
  return name_end != std::string::npos && text.at(name_end + 2) == 'S';
}

TEST(EventLoop, APostOfAnotherThreadEndsTheWait) {
  EventLoop loop;
  bool called = false;
  std::atomic<bool> turns = false;
  loop.post([&] { turns = true; });
  const Instant begin = now();
  const std::jthread thread([&, loop_thread = ::gettid()] {
    while (!(turns && sleeps(loop_thread)) && now() < begin + kLong) std::this_thread::yield();
    loop.post([&] { called = true; });
  });
  EXPECT_TRUE(loop.run_until([&] { return called; }, begin + kLong));
  EXPECT_LT(now() - begin, kLong);
}

TEST(EventLoop, PostingDoesNotCallTheWakeCallback) {
  EventLoop loop;
  int wakes = 0;
  loop.on_wake([&] { ++wakes; });
  bool called = false;
  loop.post([&] { called = true; });
  loop.run_once(kLong);
  loop.poll();
  EXPECT_TRUE(called);
  EXPECT_EQ(wakes, 0);
}

// Posts another object of its class when it is destroyed, a few times.
class PostsAtItsEnd {
 public:
  PostsAtItsEnd(EventLoop& loop, int& ended, int more)
      : loop_(&loop), ended_(&ended), more_(more) {}
  PostsAtItsEnd(PostsAtItsEnd&& other) noexcept
      : loop_(std::exchange(other.loop_, nullptr)), ended_(other.ended_), more_(other.more_) {}
  PostsAtItsEnd& operator=(PostsAtItsEnd&&) = delete;
  ~PostsAtItsEnd() {
    if (loop_ == nullptr) return;
    ++*ended_;
    if (more_ > 0) loop_->post([next = PostsAtItsEnd(*loop_, *ended_, more_ - 1)] { (void)next; });
  }

 private:
  EventLoop* loop_;
  int* ended_;
  int more_;
};

TEST(EventLoop, CallsThatAreDestroyedWithItMayPost) {
  int ended = 0;
  {
    EventLoop loop;
    for (int i = 0; i < 3; ++i) loop.post([held = PostsAtItsEnd(loop, ended, 4)] { (void)held; });
  }
  EXPECT_EQ(ended, 15) << "nothing is leaked";
}

TEST(EventLoop, TheWakeCallbackMayReplaceItself) {
  EventLoop loop;
  int second = 0;
  loop.on_wake([&, held = std::make_unique<int>(7)] {
    loop.on_wake([&] { ++second; });
    EXPECT_EQ(*held, 7);
  });
  loop.wake();
  loop.poll();
  EXPECT_EQ(second, 0);
  loop.wake();
  loop.poll();
  EXPECT_EQ(second, 1);
}

// How many of five loops can be made, one after another, with `count` descriptors left.
int loops_with_descriptors_left(int count) {
  std::vector<int> free(1, ::dup(0));
  for (int i = 0; i < count; ++i) free.push_back(::dup(0));
  for (const int fd : free) ::close(fd);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit low{.rlim_cur = static_cast<rlim_t>(free.back()), .rlim_max = limit.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &low);
  int made = 0;
  for (int i = 0; i < 5; ++i) {
    try {
      const EventLoop loop;
      ++made;
    } catch (const std::system_error&) {
      continue;
    }
  }
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return made;
}

TEST(EventLoop, AConstructorThatThrowsLeavesNoDescriptorOpen) {
  // UndefinedBehaviorSanitizer needs descriptors to look at a class for the first time.
  EventLoop().poll();
  for (const auto* category : {&std::system_category(), &std::generic_category()}) {
    EXPECT_THROW(throw std::system_error(EMFILE, *category, "a loop"), std::system_error);
  }
  for (const int left : {0, 1, 2}) EXPECT_EQ(loops_with_descriptors_left(left), 0);
  EXPECT_EQ(loops_with_descriptors_left(3), 5);
}

TEST(EventLoop, NextDeadlineIsWhenTheNextTurnHasWork) {
  EventLoop loop;
  EXPECT_EQ(loop.next_deadline(), kNever);
  Timer timer(loop, [](Instant) {});
  const Instant later = now() + kLong;
  timer.set(later);
  EXPECT_EQ(loop.next_deadline(), later);
  loop.post([] {});
  EXPECT_EQ(loop.next_deadline(), Instant::min());
  loop.poll();
  EXPECT_EQ(loop.next_deadline(), later);
  loop.wake();
  EXPECT_EQ(loop.next_deadline(), Instant::min());
  loop.poll();
  timer.cancel();
  EXPECT_EQ(loop.next_deadline(), kNever);
}

TEST(EventLoop, AForeignLoopSeesDescriptorsAndPostsOfOtherThreads) {
  EventLoop loop;
  const Pipe pipe;
  bool readable = false;
  const Watch watched = watch(loop, pipe.out(), Interest::read, [&](Ready, Instant) {
    pipe.drain();
    readable = true;
  });
  pollfd foreign{.fd = loop.native_handle(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&foreign, 1, 0), 0) << "an idle loop is silent";
  pipe.fill();
  EXPECT_EQ(::poll(&foreign, 1, 10'000), 1);
  loop.poll();
  EXPECT_TRUE(readable);
  EXPECT_EQ(::poll(&foreign, 1, 0), 0);
  bool posted = false;
  const std::jthread thread([&] { loop.post([&] { posted = true; }); });
  EXPECT_EQ(::poll(&foreign, 1, 10'000), 1);
  loop.poll();
  EXPECT_TRUE(posted);
  EXPECT_EQ(::poll(&foreign, 1, 0), 0);
}

TEST(EventLoop, TheCurrentOneIsTheOneThatTurnsElseTheNewest) {
  EXPECT_EQ(EventLoop::current(), nullptr);
  {
    EventLoop first;
    EXPECT_EQ(EventLoop::current(), &first);
    EventLoop second;
    EXPECT_EQ(EventLoop::current(), &second);
    EventLoop* during = nullptr;
    first.post([&] { during = EventLoop::current(); });
    first.poll();
    EXPECT_EQ(during, &first);
    EXPECT_EQ(EventLoop::current(), &second);
    EventLoop* elsewhere = &first;
    std::jthread([&] { elsewhere = EventLoop::current(); }).join();
    EXPECT_EQ(elsewhere, nullptr);
    {
      const EventLoop third;
    }
    EXPECT_EQ(EventLoop::current(), &second) << "the newest of those that exist";
  }
  EXPECT_EQ(EventLoop::current(), nullptr);
}

}  // namespace
}  // namespace qpeer::io
