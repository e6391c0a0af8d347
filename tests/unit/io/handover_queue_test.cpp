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

constexpr std::uint64_t kSeed = 0x9e3779b97f4a7c15;
const Path kPath{.local = SocketAddress::loopback4(1), .remote = SocketAddress::loopback4(2)};

ReceivedDatagram datagram(std::vector<u8>& bytes) {
  return {.path = kPath, .ecn = Ecn::ce, .payload = bytes};
}

TEST(HandoverQueue, GivesWhatAnotherThreadAddedInItsOrderAndWakesTheLoop) {
  constexpr int kCount = 500;
  HandoverQueue queue(kSeed);
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
      EXPECT_TRUE(queue.add(datagram(bytes), static_cast<std::uint64_t>(i)));
    }
  });
  EXPECT_TRUE(loop.run_until([&] { return received == kCount; }, now() + test::kLong));
  other.join();
  queue.detach();
}

TEST(HandoverQueue, RefusesWhatIsBeyondItsBoundsUntilItWasEmptied) {
  HandoverQueue queue(kSeed);
  EventLoop loop;
  std::size_t received = 0;
  queue.attach(loop, [&](Instant, const ReceivedDatagram&) { ++received; });
  std::vector<u8> small(1);
  for (int round = 0; round < 3; ++round) {
    received = 0;
    std::size_t added = 0;
    for (std::uint64_t i = 0; i < 2 * HandoverQueue::kMaxDatagrams; ++i) {
      added += queue.add(datagram(small), i) ? 1 : 0;
    }
    EXPECT_EQ(added, HandoverQueue::kMaxDatagrams);
    loop.poll();
    EXPECT_EQ(received, HandoverQueue::kMaxDatagrams);
  }
  std::vector<u8> large(HandoverQueue::kMaxBytes / 64);
  std::size_t added = 0;
  for (std::uint64_t i = 0; i < 128; ++i) added += queue.add(datagram(large), i) ? 1 : 0;
  EXPECT_EQ(added, 64U);
  queue.detach();
}

TEST(HandoverQueue, ANetworkHasAShare) {
  HandoverQueue queue(kSeed);
  EventLoop loop;
  queue.attach(loop, [&](Instant, const ReceivedDatagram&) {});
  std::vector<u8> small(1);
  for (int round = 0; round < 2; ++round) {
    std::size_t added = 0;
    for (std::size_t i = 0; i < HandoverQueue::kMaxDatagrams; ++i) {
      added += queue.add(datagram(small), 1) ? 1 : 0;
    }
    EXPECT_EQ(added, HandoverQueue::kMaxDatagrams / HandoverQueue::kNetworkShare);
    EXPECT_TRUE(queue.add(datagram(small), 2));
    loop.poll();
  }
  std::vector<u8> large(HandoverQueue::kMaxBytes / 16);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.add(datagram(large), 1));
  EXPECT_FALSE(queue.add(datagram(small), 1));
  EXPECT_TRUE(queue.add(datagram(large), 2));
  queue.detach();
}

TEST(HandoverQueue, TakesNothingWhileNoLoopIsAttached) {
  HandoverQueue queue(kSeed);
  std::vector<u8> bytes(1);
  EXPECT_FALSE(queue.add(datagram(bytes), 0));
  EventLoop loop;
  int received = 0;
  queue.attach(loop, [&](Instant, const ReceivedDatagram&) { ++received; });
  EXPECT_TRUE(queue.add(datagram(bytes), 0));
  queue.detach();
  EXPECT_FALSE(queue.add(datagram(bytes), 0));
  loop.poll();
  EXPECT_EQ(received, 0);
}

}  // namespace
}  // namespace qpeer::io
