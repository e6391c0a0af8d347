// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/background.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::io {
namespace {

TEST(Background, WorksInAnotherThreadAndEndsInThisOne) {
  EventLoop loop;
  auto worker = std::make_shared<std::thread::id>();
  std::thread::id teller;
  const Background call(
      loop, [worker] { *worker = std::this_thread::get_id(); },
      [&] { teller = std::this_thread::get_id(); });
  ASSERT_TRUE(loop.run_until([&] { return teller != std::thread::id{}; }, now() + 10s));
  EXPECT_EQ(teller, std::this_thread::get_id());
  EXPECT_NE(*worker, teller);
}

TEST(Background, TheWorkIsDestroyedBeforeDoneIsCalled) {
  EventLoop loop;
  auto owned = std::make_shared<int>(1);
  const std::weak_ptr<int> look = owned;
  bool told = false;
  const Background call(
      loop, [owned = std::move(owned)] {},
      [&] {
        told = true;
        EXPECT_TRUE(look.expired());
      });
  EXPECT_TRUE(loop.run_until([&] { return told; }, now() + 10s));
}

TEST(Background, DoneIsNotCalledOnceItIsDestroyed) {
  struct Shared {
    std::atomic<bool> go = false;
    std::atomic<bool> gone = false;
  };
  const auto shared = std::make_shared<Shared>();
  {
    EventLoop loop;
    {
      const Background call(
          loop,
          [shared] {
            while (!shared->go) std::this_thread::yield();
            shared->gone = true;
          },
          [] { ADD_FAILURE() << "told"; });
    }
    loop.run_once(0ms);
  }
  shared->go = true;  // The loop is gone, the work ends by itself.
  while (!shared->gone) std::this_thread::yield();
}

TEST(Background, DoneMayDestroyIt) {
  EventLoop loop;
  std::optional<Background> call;
  call.emplace(loop, [] {}, [&] { call.reset(); });
  EXPECT_TRUE(loop.run_until([&] { return !call; }, now() + 10s));
}

TEST(Background, ManyAtOnce) {
  EventLoop loop;
  int ended = 0;
  std::vector<Background> calls;
  for (int i = 0; i < 20; ++i) calls.emplace_back(loop, [] {}, [&] { ++ended; });
  EXPECT_TRUE(loop.run_until([&] { return ended == 20; }, now() + 10s));
}

}  // namespace
}  // namespace qpeer::io
