// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Memory follows what configuration grants, not what a peer sends. RFC 9000 §4, §21.
#include <string>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/counting_new.hpp"
#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

SIMULATE(Memory, OfAReaderWhoDoesNotReadIsItsWindow) {
  PeerConfig config;
  for (auto* each : {&config.connection, &config.endpoint.connection}) {
    each->streams.receive_window = 1_MiB;
    each->streams.stream_receive_window = 256_KiB;
    each->streams.send_buffer = 64_KiB;
  }
  auto [client, server] = network.pair(Link{.delay = 10ms}, config, config);
  network.reserve_packets(5'000);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  server.reads = false;
  const std::uint64_t before = allocation_counts().live_bytes;
  for (int i = 0; i < 20; ++i) client.sends(1_MiB);
  run_for(10s);
  // The window at the reader, 20 send buffers at the writer, and for each of these streams a chunk
  // that is not full.
  EXPECT_LT(allocation_counts().live_bytes, before + 1_MiB + 20 * 64_KiB + 2 * 20 * 64_KiB);
}

SIMULATE(Memory, OfAConnectionAtRestIsSmall) {
  auto [client, server] = network.quiet_pair();
  network.reserve_packets(1'000);
  client.connect(server);  // The first one makes what all share.
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  run_for(1s);
  const std::uint64_t before = allocation_counts().live_bytes;
  constexpr std::uint64_t kConnections = 50;
  for (std::uint64_t i = 0; i < kConnections; ++i) client.connect(server);
  run_for(5s);
  ASSERT_EQ(server.endpoint().stats().connections, 1 + kConnections);
  const std::uint64_t pair = (allocation_counts().live_bytes - before) / kConnections;
  testing::Test::RecordProperty("bytes_of_a_pair", std::to_string(pair));
  EXPECT_LT(pair, 64_KiB);  // Both ends, TLS apart, and the scenario's notes.
}

SIMULATE(Memory, OfConnectionsAtRestAfterTransfersIsNotEachOnesPeak) {
  PeerConfig config;
  config.endpoint.free_stream_memory = 4_MiB;
  auto [client, server] =
      network.quiet_pair(Link{.delay = 10ms, .rate = 1'000_mbit, .queue = 8 << 20}, config, config);
  network.reserve_packets(20'000);
  client.connect(server);
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  run_for(1s);
  const std::uint64_t before = allocation_counts().live_bytes;
  constexpr int kConnections = 20;
  for (int i = 0; i < kConnections; ++i) {
    Session& session = client.connect(server);
    session.sends(2_MiB);
    run_for(500ms);
  }
  EXPECT_EQ(server.received_bytes(), kConnections * 2_MiB);
  run_for(1s);
  // What each keeps is an eighth of a megabyte, and up to a megabyte for the next transfer.
  EXPECT_LT(allocation_counts().live_bytes, before + 2 * 4_MiB + kConnections * 128_KiB);
}

SIMULATE(Memory, OfATransferIsGivenBack) {
  auto [client, server] = network.pair(Link{.delay = 10ms, .rate = 200_mbit, .queue = 4 << 20});
  network.reserve_packets(10'000);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  const std::uint64_t before = allocation_counts().live_bytes;
  for (int i = 0; i < 20; ++i) client.sends(2_MiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 30s));
  run_for(1s);
  // Of each end's chunk pool a megabyte may stay for the next transfer.
  EXPECT_LT(allocation_counts().live_bytes, before + 3_MiB);
}

}  // namespace
}  // namespace qpeer::sim
