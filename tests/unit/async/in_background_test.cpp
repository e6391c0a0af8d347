// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/in_background.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async {
namespace {

TEST(InBackground, GivesTheValueOfACallInAnotherThread) {
  io::EventLoop loop;
  auto body = [&]() -> Task<bool> {
    const auto where = co_await in_background(loop, [] { return std::this_thread::get_id(); });
    co_return where != std::this_thread::get_id();
  };
  EXPECT_TRUE(run(loop, body()));
}

TEST(InBackground, CallsAFunctionThatGivesNothing) {
  io::EventLoop loop;
  const auto called = std::make_shared<std::atomic<int>>(0);
  auto body = [&]() -> Task<void> {
    auto count = [called] { ++*called; };
    co_await in_background(loop, count);
  };
  run(loop, body());
  EXPECT_EQ(*called, 1);
}

TEST(InBackground, ThrowsWhatTheFunctionThrows) {
  io::EventLoop loop;
  auto body = [&]() -> Task<std::string> {
    try {
      co_await in_background(loop, [] { throw std::runtime_error("mine"); });
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing was thrown";
  };
  EXPECT_EQ(run(loop, body()), "mine");
}

TEST(InBackground, GoesOnAloneWhenItsTaskIsCancelled) {
  io::EventLoop loop;
  const auto release = std::make_shared<std::atomic<bool>>(false);
  const auto ended = std::make_shared<std::atomic<bool>>(false);
  auto body = [&]() -> Task<void> {
    auto wait = [release, ended] {
      release->wait(false);
      *ended = true;
      ended->notify_one();
    };
    co_await in_background(loop, wait);
    ADD_FAILURE() << "went on";
  };
  {
    TaskGroup group;
    group.spawn(body());
  }
  *release = true;
  release->notify_one();
  ended->wait(false);
  loop.poll();
}

}  // namespace
}  // namespace qpeer::async
