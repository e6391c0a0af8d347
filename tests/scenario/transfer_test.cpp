// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Bytes from one end to the other, over paths good and bad: all arrive, once, in order (each Peer
// checks every byte), and in a time that fits the path.
#include <algorithm>
#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

PeerConfig with_windows(std::uint64_t connection, std::uint64_t stream) {
  PeerConfig config;
  for (auto* each : {&config.connection, &config.endpoint.connection}) {
    each->streams.receive_window = connection;
    each->streams.stream_receive_window = stream;
  }
  return config;
}

SIMULATE(Transfer, OneMebibyte) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 50_mbit, .queue = 1 << 20});
  client.sends(1_MiB);
  EXPECT_TRUE(run_until(server.received(1_MiB), 5s));
  EXPECT_TRUE(run_until(client.acknowledged(), 5s));
  EXPECT_EQ(client.session().stats().packets_lost, 0U);
  EXPECT_TRUE(server.session().streams.at(StreamId{0}).fin);
}

SIMULATE(Transfer, FillsTheLink) {
  // The queue holds a bandwidth-delay product, so that one loss-based flow can keep the link busy.
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 20_mbit, .queue = 100'000});
  client.sends(20_MiB);
  const Instant start = network.now();
  ASSERT_TRUE(run_until(server.received(20_MiB), 60s));
  const double seconds = static_cast<double>((network.now() - start).count()) * 1e-9;
  const double used = static_cast<double>(20_MiB) * 8 / seconds / 20e6;
  EXPECT_GT(used, 0.85) << seconds << " s";
}

SIMULATE(Transfer, SurvivesTenPercentLossAndReordering) {
  auto [client, server] =
      network.pair(Link{.delay = 20ms, .rate = 50_mbit, .loss = 0.10, .reorder = 0.05});
  client.sends(1_MiB);
  EXPECT_TRUE(run_until(server.received(1_MiB), 60s));
}

SIMULATE(Transfer, SurvivesDuplication) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 50_mbit, .duplicate = 0.5});
  client.sends(1_MiB);
  ASSERT_TRUE(run_until(server.received(1_MiB), 10s));
  ASSERT_TRUE(run_until(client.acknowledged(), 1s));
  EXPECT_EQ(server.received_bytes(), 1_MiB);
  EXPECT_GT(server.session().stats().packets_dropped, 100U);
}

SIMULATE(Transfer, SurvivesCorruption) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 50_mbit, .corrupt = 0.1});
  client.sends(1_MiB);
  ASSERT_TRUE(run_until(server.received(1_MiB), 60s));
  EXPECT_GT(server.session().stats().packets_dropped, 10U);
}

SIMULATE(Transfer, SurvivesJitterWithoutFalseAlarm) {
  auto [client, server] =
      network.pair(Link{.delay = 20ms, .jitter = 15ms, .rate = 50_mbit, .queue = 8 << 20});
  client.sends(4_MiB);
  ASSERT_TRUE(run_until(server.received(4_MiB), 10s));
  EXPECT_EQ(client.session().stats().packets_lost, 0U);
}

SIMULATE(Transfer, TakesSlightReorderingForNoLoss) {
  // One or two datagrams overtake every fiftieth: RFC 9002 §6.1.1 waits for three.
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 48_mbit, .queue = 8 << 20});
  network.pipe(client, server).filter = [](Passing& datagram) {
    return Verdict{.delay = datagram.ordinal % 50 == 49 ? Duration(350us) : Duration{}};
  };
  client.sends(2_MiB);
  ASSERT_TRUE(run_until(server.received(2_MiB), 10s));
  ASSERT_TRUE(run_until(client.acknowledged(), 1s));
  EXPECT_EQ(client.session().stats().packets_lost, 0U);
}

SIMULATE(Transfer, SurvivesAnOutage) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 50_mbit});
  client.sends(4_MiB);
  ASSERT_TRUE(run_until(server.received(1_MiB), 10s));
  for (Pipe* pipe : {&network.pipe(client, server), &network.pipe(server, client)}) {
    pipe->link.blocked = true;
    network.after(10s, [pipe] { pipe->link.blocked = false; });
  }
  EXPECT_TRUE(run_until(server.received(4_MiB), 30s));
}

TEST(Transfer, SurvivesEverythingAtOnceUnderManySeeds) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    PeerNetwork network(seed);
    PeerConfig config;
    config.connection.handshake_timeout = 60s;
    config.endpoint.connection.handshake_timeout = 60s;
    auto [client, server] = network.pair(Link{.delay = 15ms,
                                              .jitter = 10ms,
                                              .rate = 20_mbit,
                                              .queue = 30'000,
                                              .loss = 0.05,
                                              .reorder = 0.05,
                                              .duplicate = 0.05,
                                              .corrupt = 0.05,
                                              .ce = 0.01},
                                         config, config);
    client.sends(200_KiB);
    server.sends(200_KiB);
    EXPECT_TRUE(network.run_until(
        [&] { return server.received_bytes() >= 200_KiB && client.received_bytes() >= 200_KiB; },
        120s))
        << "QPEER_SEED=" << seed;
    EXPECT_TRUE(network.run_until(client.acknowledged(), 60s)) << "QPEER_SEED=" << seed;
    if (testing::Test::HasFailure()) return;
  }
}

SIMULATE(Transfer, BothWaysAtOnce) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 50_mbit});
  client.sends(2_MiB);
  server.sends(2_MiB);
  EXPECT_TRUE(run_until(server.received(2_MiB), 10s));
  EXPECT_TRUE(run_until(client.received(2_MiB), 10s));
}

SIMULATE(Transfer, EmptyStream) {
  auto [client, server] = network.pair();
  client.sends(0);
  ASSERT_TRUE(run_until(client.acknowledged(), 5s));
  EXPECT_TRUE(server.session().streams.at(StreamId{0}).fin);
}

SIMULATE(Transfer, PassesWithTinyWindows) {
  const PeerConfig config = with_windows(4'000, 1'500);
  auto [client, server] = network.pair(Link{.delay = 5ms, .loss = 0.02}, config, config);
  client.sends(100_KiB);
  server.sends(100_KiB, StreamKind::unidirectional);
  EXPECT_TRUE(run_until(server.received(100_KiB), 120s));
  EXPECT_TRUE(run_until(client.received(100_KiB), 120s));
}

SIMULATE(Transfer, AtTheWindowsPace) {
  // 64 KiB per round trip of 40 ms, whatever the link could do.
  const PeerConfig config = with_windows(64_KiB, 64_KiB);
  auto [client, server] = network.pair(Link{.delay = 20ms}, config, config);
  client.sends(4_MiB);
  const Instant start = network.now();
  ASSERT_TRUE(run_until(server.received(4_MiB), 30s));
  EXPECT_GT(network.now() - start,
            1'200ms);  // Half a window early at most: 4 MiB / 128 KiB * 40 ms.
  EXPECT_LT(network.now() - start, 4s);
}

SIMULATE(Transfer, LargeDatagramsWhereThePathIsKnown) {
  PeerConfig config;
  config.connection.max_datagram_size = 1'452;
  config.endpoint.connection.max_datagram_size = 1'452;
  config.connection.mtu_discovery.enabled = false;
  config.endpoint.connection.mtu_discovery.enabled = false;
  auto [client, server] = network.pair(Link{.delay = 20ms, .mtu = 1'452}, config, config);
  std::size_t largest = 0;
  network.on_send(
      [&](const Passing& datagram) { largest = std::max(largest, datagram.payload.size()); });
  client.sends(1_MiB);
  ASSERT_TRUE(run_until(server.received(1_MiB), 10s));
  EXPECT_EQ(largest, 1'452U);
}

SIMULATE(Transfer, NeverMoreThanTheSafeSizeByDefault) {
  auto [client, server] = network.pair(Link{.mtu = 1'200});
  client.sends(1_MiB);
  ASSERT_TRUE(run_until(server.received(1_MiB), 10s));
  EXPECT_LT(network.pipe(client, server).stats.dropped_mtu, 20U) << "probes";
  EXPECT_EQ(client.session().stats().packets_lost, 0U) << "which do not count as losses";
}

SIMULATE(Transfer, WithoutSegmentation) {
  PeerConfig config;
  config.max_segments = 1;
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 50_mbit}, config, config);
  client.sends(1_MiB);
  EXPECT_TRUE(run_until(server.received(1_MiB), 10s));
}

SIMULATE(Transfer, AcknowledgementsAreFew) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 50_mbit});
  client.sends(4_MiB);
  ASSERT_TRUE(run_until(server.received(4_MiB), 10s));
  const auto& forward = network.pipe(client, server).stats;
  const auto& back = network.pipe(server, client).stats;
  EXPECT_LT(back.entered * 2, forward.entered + 100);
}

SIMULATE(Transfer, CostsMillisecondsForASecond) {
  // Not a benchmark: a guard against a simulator or transport that is slow by a factor.
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 50_mbit});
  client.sends(60_MiB);
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(run_until(server.received(60_MiB), 20s));
  const std::chrono::duration<double> real = std::chrono::steady_clock::now() - start;
  EXPECT_LT(real.count(), 10.0);  // 10 s of virtual time, sanitizers and a busy machine included.
}

}  // namespace
}  // namespace qpeer::sim
