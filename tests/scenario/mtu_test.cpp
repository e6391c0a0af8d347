// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How large datagrams become, and shrink again. RFC 8899; RFC 9000 §14.
#include <algorithm>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

PeerConfig discovering(std::uint16_t most = 1'472, Duration raise = 600s) {
  PeerConfig config;
  for (auto* each : {&config.connection, &config.endpoint.connection}) {
    each->mtu_discovery.max_datagram_size = most;
    each->mtu_discovery.raise_interval = raise;
    each->max_datagram_frame_size = 65'535;
  }
  return config;
}

// [rfc9000-14.2-1], [rfc9000-14.2-3], [rfc9000-14.3-1]
SIMULATE(MtuDiscovery, FindsWhatThePathCarries) {
  for (const std::size_t mtu : {1'200U, 1'252U, 1'400U, 1'472U, 1'500U, 4'000U}) {
    const PeerConfig config = discovering(mtu > 1'500 ? 9'000 : 1'472);
    auto [client, server] = network.pair(Link{.delay = 5ms, .mtu = mtu}, config, config);
    for (int i = 0; i < 60; ++i) {
      client.sends(20_KiB);
      ASSERT_TRUE(run_until(client.acknowledged(), 20s));
    }
    const std::uint16_t found = client.session().stats().max_datagram_size;
    EXPECT_LE(found, mtu);
    EXPECT_GE(found + 20U,
              std::min<std::size_t>(mtu, config.connection.mtu_discovery.max_datagram_size));
    // [rfc9000-14.4-1], [rfc8899-3-16]: lost probes are no losses.
    EXPECT_EQ(client.session().stats().packets_lost, 0U) << mtu;
    EXPECT_LE(network.pipe(client, server).stats.dropped_mtu, 30U);
    // [rfc8899-4.4-2]: what applications may send follows.
    EXPECT_GE(client.connection().max_datagram_payload().value_or(0), found - 40U);
  }
}

SIMULATE(MtuDiscovery, IsOfNoUseToWhoSendsLittle) {
  auto [client, server] = network.pair(Link{.delay = 5ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  std::size_t largest = 0;
  network.on_send(
      [&](const Passing& datagram) { largest = std::max(largest, datagram.payload.size()); });
  for (int i = 0; i < 20; ++i) {
    client.sends(500);
    run_for(100ms);
  }
  EXPECT_LE(largest, 1'200U);
}

// [rfc9000-14.2-2]: who does not look for more sends no more than every path carries. RFC 9000 §18.2:
// max_udp_payload_size is not sent smaller by us, so the sizes are those of the configuration.
SIMULATE(MtuDiscovery, CanBeSwitchedOff) {
  PeerConfig config;
  config.connection.mtu_discovery.enabled = false;
  auto [client, server] = network.pair(Link{.delay = 5ms}, config);
  std::size_t largest = 0;
  network.on_send([&, from = client.address()](const Passing& datagram) {
    if (datagram.from == from) largest = std::max(largest, datagram.payload.size());
  });
  client.sends(1_MiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 10s));
  EXPECT_EQ(client.session().stats().max_datagram_size, 1'200U);
  EXPECT_EQ(largest, 1'200U);
}

// [rfc8899-4.3-1]: the path gets narrower; nothing large arrives any more, and nobody says so.
SIMULATE(MtuDiscovery, ABlackHoleIsFoundAndLeft) {
  const PeerConfig config = discovering(1'472, 5s);
  auto [client, server] = network.pair(Link{.delay = 10ms, .rate = 20_mbit}, config, config);
  client.sends(1_MiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 10s));
  ASSERT_EQ(client.session().stats().max_datagram_size, 1'472U);
  network.pipe(client, server).link.mtu = 1'300;
  client.sends(2_MiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 20s)) << "the transfer goes on";
  EXPECT_LE(client.session().stats().max_datagram_size, 1'300U);
  // After a while it looks again, and finds what is there now.
  network.pipe(client, server).link.mtu = 1'500;
  run_for(6s);
  client.sends(2_MiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 20s));
  EXPECT_EQ(client.session().stats().max_datagram_size, 1'472U);
}

// [rfc8899-4.3-1]: and soon; the search for what still passes goes on at once.
SIMULATE(MtuDiscovery, ABlackHoleInTheMidstOfATransferIsFoundWithinASecond) {
  const PeerConfig config = discovering();
  auto [client, server] =
      network.pair(Link{.delay = 20ms, .rate = 50_mbit, .queue = 250'000}, config, config);
  client.sends(200_MiB);
  run_for(3s);
  ASSERT_EQ(client.session().stats().max_datagram_size, 1'472U);
  network.pipe(client, server).link.mtu = 1'300;
  EXPECT_TRUE(
      run_until([&] { return client.session().stats().max_datagram_size <= 1'300; }, 1'500ms));
  EXPECT_TRUE(run_until([&] { return client.session().stats().max_datagram_size > 1'280; }, 5s));
  const std::uint64_t received = server.received_bytes();
  run_for(5s);
  EXPECT_GT(server.received_bytes() - received, 10'000'000U);
}

// Random loss takes large and small packets alike.
SIMULATE(MtuDiscovery, ThirtyPercentLossIsNoBlackHole) {
  const PeerConfig config = discovering();
  auto [client, server] = network.pair(Link{.delay = 10ms, .rate = 50_mbit}, config, config);
  client.sends(1_MiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 10s));
  ASSERT_EQ(client.session().stats().max_datagram_size, 1'472U);
  network.pipe(client, server).link.loss = network.pipe(server, client).link.loss = 0.3;
  client.sends(100_MiB);
  for (int i = 0; i < 600; ++i) {
    run_for(100ms);
    ASSERT_EQ(client.session().stats().max_datagram_size, 1'472U) << i;
  }
}

// Loss alone is no black hole.
SIMULATE(MtuDiscovery, LossDoesNotShrinkDatagrams) {
  const PeerConfig config = discovering();
  auto [client, server] = network.pair(
      Link{.delay = 10ms, .rate = 20_mbit, .queue = 64 << 10, .loss = 0.05}, config, config);
  client.sends(4_MiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 120s));
  EXPECT_GE(client.session().stats().max_datagram_size, 1'300U);
}

// [rfc9000-14.2-6]: each path has its own size.
SIMULATE(MtuDiscovery, BeginsAnewOnAnotherPath) {
  auto [client, server] = network.pair(Link{.delay = 10ms});
  client.sends(1_MiB);
  server.sends(1_MiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 10s));
  ASSERT_TRUE(run_until(server.acknowledged(), 10s));
  ASSERT_EQ(server.session().stats().max_datagram_size, 1'472U);
  run_for(100ms);  // Nothing is on its way to the old address.
  network.pipe(server, client).link.mtu = 1'250;
  network.rebind(client.host(), client.address(), network.new_address());
  client.connection().ping();
  client.wake();
  run_for(500ms);
  EXPECT_EQ(server.session().stats().max_datagram_size, 1'200U);
  server.sends(1_MiB);
  EXPECT_TRUE(run_until(server.acknowledged(), 10s));
  EXPECT_LE(server.session().stats().max_datagram_size, 1'250U);
  EXPECT_EQ(server.session().stats().packets_lost, 0U);
}

}  // namespace
}  // namespace qpeer::sim
