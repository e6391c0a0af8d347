// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a user is told while nothing comes back.
#include "qpeer/p2p/cli/common/silence.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "qpeer/transport/async/task_group.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::cli {
namespace {

constexpr Duration kPatience = 60ms;

class Silence : public testing::Test {
 protected:
  void watch() {
    group.spawn(watch_for_silence(
        loop, [this] { return stats; },
        [this](const std::string& sentence) { told.push_back(sentence); }, kPatience));
  }
  void run_for(Duration time) {
    const Instant end = io::now() + time;
    while (io::now() < end) loop.run_once(end - io::now());
  }

  io::EventLoop loop;
  io::UdpStats stats;
  std::vector<std::string> told;
  async::TaskGroup group;
};

TEST_F(Silence, IsToldOnceWhenNothingHasComeBack) {
  stats.datagrams_sent = 1;
  watch();
  run_for(kPatience / 2);
  EXPECT_TRUE(told.empty()) << "too early";
  run_for(2 * kPatience);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0],
            "nothing has come back so far; nobody is at that address, or UDP is blocked here: "
            "'qpeer doctor' tells which");
  EXPECT_EQ(group.size(), 0U);
}

TEST_F(Silence, BeginsWithTheFirstDatagram) {
  watch();
  run_for(2 * kPatience);
  EXPECT_TRUE(told.empty());
  stats.datagrams_sent = 1;
  run_for(3 * kPatience);
  EXPECT_EQ(told.size(), 1U);
}

TEST_F(Silence, IsNotToldWhenSomethingHasComeBack) {
  stats.datagrams_sent = 3;
  watch();
  run_for(kPatience / 3);
  stats.datagrams_received = 1;
  run_for(2 * kPatience);
  EXPECT_TRUE(told.empty());
  EXPECT_EQ(group.size(), 0U);
}

TEST_F(Silence, ExplainsAFailureOnlyWhereItIsTheReason) {
  stats.datagrams_sent = 2;
  EXPECT_NE(advice_on_silence(stats, 5s), "");
  EXPECT_EQ(advice_on_silence(stats, 10ms), "") << "a closed port, say";
  stats.datagrams_received = 1;
  EXPECT_EQ(advice_on_silence(stats, 5s), "");
  EXPECT_EQ(advice_on_silence({}, 5s), "") << "nothing was sent";
}

}  // namespace
}  // namespace qpeer::cli
