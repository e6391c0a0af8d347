// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/channel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "qpeer/transport/async/combinators.hpp"
#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async {
namespace {

class ChannelTest : public testing::Test {
 protected:
  Task<void> send_all(int from, int to) {
    for (int i = from; i < to; ++i) {
      if (!co_await channel.send(i)) co_return;
      ++sent;
    }
  }
  Task<void> receive_all(std::vector<int>& out) {
    while (const auto value = co_await channel.receive()) out.push_back(*value);
    ++ended;
  }
  void turn() {
    for (int i = 0; i < 1000; ++i) loop.poll();
  }

  io::EventLoop loop;
  Channel<int> channel{loop, 3};
  int sent = 0;
  int ended = 0;
  std::vector<int> got;
  std::vector<int> got_too;
  TaskGroup tasks;
};

TEST_F(ChannelTest, ASenderWaitsWhileItIsFull) {
  tasks.spawn(send_all(0, 10));
  EXPECT_EQ(sent, 3);
  turn();
  EXPECT_EQ(sent, 3);
  EXPECT_EQ(channel.try_receive(), 0);
  turn();
  EXPECT_EQ(sent, 4);
  EXPECT_EQ(channel.size(), channel.capacity());
}

TEST_F(ChannelTest, CarriesAllInOrderAndEndsWhenClosedAndEmpty) {
  tasks.spawn(receive_all(got));
  tasks.spawn(send_all(0, 100));
  turn();
  EXPECT_EQ(ended, 0);
  EXPECT_TRUE(channel.try_send(100));
  channel.close();
  EXPECT_FALSE(channel.try_send(101));
  turn();
  EXPECT_EQ(ended, 1);
  ASSERT_EQ(got.size(), 101U);
  for (int i = 0; i <= 100; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i);
}

TEST_F(ChannelTest, EachValueGoesToOneOfSeveral) {
  tasks.spawn(receive_all(got));
  tasks.spawn(receive_all(got_too));
  tasks.spawn(send_all(0, 50));
  tasks.spawn(send_all(50, 100));
  turn();
  channel.close();
  turn();
  EXPECT_EQ(ended, 2);
  std::vector<int> all = got;
  all.insert(all.end(), got_too.begin(), got_too.end());
  std::ranges::sort(all);
  std::vector<int> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(all, expected) << "each value once";
}

TEST_F(ChannelTest, ClosingItEndsTheWaitOfSenders) {
  tasks.spawn(send_all(0, 10));
  channel.close();
  turn();
  EXPECT_EQ(sent, 3);
  EXPECT_EQ(tasks.size(), 0U);
  EXPECT_EQ(channel.try_receive(), 0) << "what it holds can still be received";
}

TEST_F(ChannelTest, TasksThatNeverHaveToWaitForLongDoNotKeepTheLoopFromTurning) {
  constexpr int kMany = 1'000'000;
  tasks.spawn(receive_all(got));
  tasks.spawn(send_all(0, kMany));
  loop.poll();
  EXPECT_LT(sent, kMany) << "a turn ends";
  const int before = sent;
  loop.poll();
  EXPECT_GT(sent, before) << "and the next goes on";
}

TEST_F(ChannelTest, ACancelledReceiverTakesNothing) {
  auto body = [&]() -> Task<bool> {
    const auto value = co_await with_timeout(1ms, channel.receive());
    co_return value.has_value();
  };
  EXPECT_FALSE(run(loop, body()));
  EXPECT_TRUE(channel.try_send(1));
  turn();
  EXPECT_EQ(channel.try_receive(), 1);
}

TEST_F(ChannelTest, CarriesValuesThatOnlyMoveAndATrySendThatFailsTakesNone) {
  Channel<std::unique_ptr<int>> owners(loop, 0);
  EXPECT_EQ(owners.capacity(), 1U) << "at least one";
  auto value = std::make_unique<int>(7);
  EXPECT_TRUE(owners.try_send(std::move(value)));
  auto second = std::make_unique<int>(8);
  EXPECT_FALSE(owners.try_send(second));
  ASSERT_NE(second, nullptr);
  auto body = [&]() -> Task<int> {
    auto first = co_await owners.receive();
    co_return **first;
  };
  EXPECT_EQ(run(loop, body()), 7);
}

}  // namespace
}  // namespace qpeer::async
