// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Windows and send buffers follow the path: a slow or idle peer holds little, a fast and long path is filled.
#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

SIMULATE(WindowTuning, OfAnIdlePeerNearlyNothingIsHeld) {
  auto [client, server] = network.pair();
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  run_for(20s);
  EXPECT_EQ(server.endpoint().stats().receive_credit, 128_KiB);
  EXPECT_EQ(client.endpoint().stats().send_buffered, 0U);
}

SIMULATE(WindowTuning, OfASlowPathStayAsSmallAsThePath) {
  // 60 s carry 7 MiB; half a round trip of bytes is 5 kB, and the queue before them holds 64 kB.
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 1_mbit, .queue = 64'000});
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  client.sends(100_MiB);
  for (int i = 0; i < 60; ++i) {
    run_for(1s);
    ASSERT_LE(client.endpoint().stats().send_buffered, 512_KiB);
    ASSERT_LE(server.endpoint().stats().receive_credit, 1_MiB);
  }
  EXPECT_GT(server.received_bytes(), 6_MiB);
}

SIMULATE(WindowTuning, OfALongFastPathFillIt) {
  // 12.5 MB are on their way at once.
  auto [client, server] = network.pair(Link{.delay = 50ms, .rate = 1_gbit, .queue = 12'500'000});
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  client.sends(300_MiB);
  ASSERT_TRUE(run_until(server.received(100_MiB), 10s));
  EXPECT_GT(client.endpoint().stats().send_buffered, 12'000'000U);
  const Instant start = network.now();
  ASSERT_TRUE(run_until(server.received(300_MiB), 10s));
  // 200 MiB at 1 Gbit/s take 1.68 s, and headers 2 % more.
  EXPECT_LT(network.now() - start, 1'850ms);
  EXPECT_LE(server.endpoint().stats().receive_credit, 32_MiB);
}

SIMULATE(WindowTuning, ShrinkWhereThePathBecomesSlow) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 400_mbit, .queue = 2'000'000});
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  client.sends(1'000_MiB);
  ASSERT_TRUE(run_until(server.received(60_MiB), 10s));
  EXPECT_GT(server.endpoint().stats().receive_credit, 8_MiB);
  EXPECT_GT(client.endpoint().stats().send_buffered, 1_MiB);
  network.pipe(client, server).link.rate = 2_mbit;
  network.pipe(client, server).link.queue = 64'000;
  // What was granted stays so until it is used up: 32 MiB at most.
  ASSERT_TRUE(run_until(server.received(100_MiB), 400s));
  EXPECT_LE(server.endpoint().stats().receive_credit, 2_MiB);
  EXPECT_LE(client.endpoint().stats().send_buffered, 512_KiB);
}

// A stream that is not read gets no larger window, however much the others of its connection carry.
SIMULATE(WindowTuning, OfAStreamThatNobodyReadsStaysSmall) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 400_mbit, .queue = 2'000'000});
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  client.sends(60_MiB);
  ASSERT_TRUE(run_until(server.received(60_MiB), 10s));
  server.reads = false;
  client.sends(60_MiB);
  run_for(10s);
  EXPECT_LE(server.session().reads(kMaxVarint), 8_MiB);
}

}  // namespace
}  // namespace qpeer::sim
