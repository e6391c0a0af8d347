// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/event.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <thread>

#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::async {
namespace {

class EventTest : public testing::Test {
 protected:
  static Task<void> wait(Event& event, int& count) {
    co_await event.wait();
    ++count;
  }
  io::EventLoop loop;
  Event event{loop};
  TaskGroup tasks;
  int passed = 0;
};

TEST_F(EventTest, AllGoOnInTheNextTurnAndNotWithinSet) {
  tasks.spawn(wait(event, passed));
  tasks.spawn(wait(event, passed));
  event.set();
  EXPECT_EQ(passed, 0) << "no task goes on within a call of another";
  loop.poll();
  EXPECT_EQ(passed, 2);
}

TEST_F(EventTest, AWaitThatBeginsWhileItIsSetDoesNotWait) {
  event.set();
  tasks.spawn(wait(event, passed));
  EXPECT_EQ(passed, 1);
  event.reset();
  EXPECT_FALSE(event.is_set());
  tasks.spawn(wait(event, passed));
  loop.poll();
  EXPECT_EQ(passed, 1);
}

TEST_F(EventTest, AResetBeforeTheyGoOnKeepsThemWaiting) {
  tasks.spawn(wait(event, passed));
  event.set();
  event.reset();
  loop.poll();
  EXPECT_EQ(passed, 0);
  event.set();
  loop.poll();
  EXPECT_EQ(passed, 1);
}

TEST_F(EventTest, MayBeDestroyedByATaskThatGoesOn) {
  auto own = std::make_unique<Event>(loop);
  auto body = [&]() -> Task<void> {
    co_await own->wait();
    own.reset();
    ++passed;
  };
  tasks.spawn(body());
  own->set();
  loop.poll();
  EXPECT_EQ(passed, 1);
  EXPECT_EQ(own, nullptr);
}

TEST_F(EventTest, AnotherThreadSetsItByAPost) {
  tasks.spawn(wait(event, passed));
  const std::jthread thread([&] { loop.post([&] { event.set(); }); });
  EXPECT_TRUE(loop.run_until([&] { return passed == 1; }, io::now() + 10s));
}

TEST_F(EventTest, AnExceptionOfOneKeepsNoneOfTheOthersWaiting) {
  auto fail = [](Event& on) -> Task<void> {
    co_await on.wait();
    throw std::runtime_error("mine");
  };
  tasks.spawn(fail(event));
  tasks.spawn(wait(event, passed));
  event.set();
  EXPECT_THROW(loop.poll(), std::runtime_error);
  loop.poll();
  EXPECT_EQ(passed, 1);
}

}  // namespace
}  // namespace qpeer::async
