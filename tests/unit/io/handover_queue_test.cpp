// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/handover_queue.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "qpeer/tests/unit/support.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::io {
namespace {

const Path kPath{.local = SocketAddress::loopback4(1), .remote = SocketAddress::loopback4(2)};

ReceivedDatagram datagram(std::vector<u8>& bytes) {
  return {.path = kPath, .ecn = Ecn::ce, .payload = bytes};
}

TEST(HandoverQueue, GivesWhatAnotherThreadAddedInItsOrderAndWakesTheLoop) {
  constexpr int kCount = 500;
  HandoverQueue queue;
  EventLoop loop;
  int received = 0;
  queue.attach(loop, [&](Instant now, const ReceivedDatagram& in) {
    EXPECT_NE(now, Instant{});
    EXPECT_EQ(in.path, kPath);
    EXPECT_EQ(in.ecn, Ecn::ce);
    ASSERT_EQ(in.payload.size(), 2U);
    EXPECT_EQ(in.payload[0] * 256 + in.payload[1], received++);
  });
  std::thread other([&] {
    for (int i = 0; i < kCount; ++i) {
      std::vector<u8> bytes{static_cast<u8>(i / 256), static_cast<u8>(i % 256)};
      EXPECT_TRUE(queue.add(datagram(bytes)));
    }
  });
  EXPECT_TRUE(loop.run_until([&] { return received == kCount; }, now() + test::kLong));
  other.join();
  queue.detach();
}

TEST(HandoverQueue, RefusesWhatIsBeyondItsBoundsUntilItWasEmptied) {
  HandoverQueue queue;
  EventLoop loop;
  std::size_t received = 0;
  queue.attach(loop, [&](Instant, const ReceivedDatagram&) { ++received; });
  std::vector<u8> small(1);
  for (int round = 0; round < 3; ++round) {
    received = 0;
    for (std::size_t i = 0; i < HandoverQueue::kMaxDatagrams; ++i) {
      EXPECT_TRUE(queue.add(datagram(small)));
    }
    EXPECT_FALSE(queue.add(datagram(small)));
    loop.poll();
    EXPECT_EQ(received, HandoverQueue::kMaxDatagrams);
  }
  std::vector<u8> large(HandoverQueue::kMaxBytes / 4);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.add(datagram(large)));
  EXPECT_FALSE(queue.add(datagram(small)));
  queue.detach();
}

TEST(HandoverQueue, TakesNothingBeforeAndAfterItsLoop) {
  HandoverQueue queue;
  std::vector<u8> bytes(1);
  EXPECT_FALSE(queue.add(datagram(bytes)));
  EventLoop loop;
  int received = 0;
  queue.attach(loop, [&](Instant, const ReceivedDatagram&) { ++received; });
  EXPECT_TRUE(queue.add(datagram(bytes)));
  queue.detach();
  EXPECT_FALSE(queue.add(datagram(bytes)));
  loop.poll();
  EXPECT_EQ(received, 0);
}

}  // namespace
}  // namespace qpeer::io
