// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A packet costs no allocation: not in the connections, not in the endpoints, not in the simulator.
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/crypto/keys.hpp"
#include "qpeer/tests/sim/counting_new.hpp"
#include "qpeer/tests/sim/counting_new_operators.hpp"
#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/transport/log/observer.hpp"

namespace qpeer::sim {
namespace {

/// Runs until `packets` more datagrams were sent, and says how many allocations that took.
/// QPEER_TRAP=1 prints whence they come.
std::uint64_t allocations_over(PeerNetwork& network, std::uint64_t packets) {
  const std::function<bool()> sent_enough = [&network, goal = network.stats().sent + packets] {
    return network.stats().sent >= goal;
  };
  const std::uint64_t before = allocation_counts().allocations;
  const AllocationTrap trap(std::getenv("QPEER_TRAP") != nullptr);
  const bool reached = network.run_until(sent_enough, 60s);
  const std::uint64_t after = allocation_counts().allocations;
  EXPECT_TRUE(reached);
  return after - before;
}

/// Enough of `link` that windows, queues and pools have their final size.
void warm_up(PeerNetwork& network, Peer& client, Peer& server) {
  network.reserve_packets(10'000);
  ASSERT_TRUE(network.run_until(client.confirmed(), 5s));
  ASSERT_TRUE(network.run_until(
      [&] { return server.received_bytes() + client.received_bytes() > 40_MiB; }, 60s));
}

PeerConfig config_with_a_window(std::size_t send_buffer = 1 << 20) {
  // Flow control holds the flight at one size, so that nothing grows any more.
  PeerConfig config;
  for (auto* each : {&config.connection, &config.endpoint.connection}) {
    each->streams.receive_window = 512_KiB;
    each->streams.stream_receive_window = 512_KiB;
    each->streams.send_buffer = send_buffer;
  }
  return config;
}

SIMULATE(Allocations, NoneInABulkTransfer) {
  const PeerConfig config = config_with_a_window();
  auto [client, server] =
      network.pair(Link{.delay = 10ms, .rate = 200_mbit, .queue = 4 << 20}, config, config);
  client.sends(1'000_MiB);
  warm_up(network, client, server);
  EXPECT_EQ(allocations_over(network, 10'000), 0U);
}

SIMULATE(Allocations, NoneInABulkTransferDownwards) {
  const PeerConfig config = config_with_a_window();
  auto [client, server] =
      network.pair(Link{.delay = 10ms, .rate = 200_mbit, .queue = 4 << 20}, config, config);
  server.sends(1'000_MiB);
  warm_up(network, client, server);
  EXPECT_EQ(allocations_over(network, 10'000), 0U);
}

SIMULATE(Allocations, FarFewerThanPacketsWithTwentyStreams) {
  const PeerConfig config = config_with_a_window(128_KiB);
  auto [client, server] =
      network.pair(Link{.delay = 10ms, .rate = 200_mbit, .queue = 4 << 20}, config, config);
  for (int i = 0; i < 10; ++i) {
    client.sends(100_MiB);
    server.sends(100_MiB, StreamKind::unidirectional);
  }
  warm_up(network, client, server);
  // Chunks that a lull gave back to the system are fetched again; packets themselves cost nothing.
  EXPECT_LT(allocations_over(network, 10'000), 100U);
}

SIMULATE(Allocations, NoneUnderLoss) {
  const PeerConfig config = config_with_a_window();
  auto [client, server] = network.pair(
      Link{.delay = 5ms, .rate = 200_mbit, .queue = 4 << 20, .loss = 0.01}, config, config);
  client.sends(1'000_MiB);
  warm_up(network, client, server);
  // The server sends little that can be lost; where it keeps lost packets is made for the first one.
  ASSERT_TRUE(run_until([&to = server] { return to.session().stats().packets_lost > 0; }, 60s));
  EXPECT_EQ(allocations_over(network, 10'000), 0U);
}

/// Sees all and keeps a number.
class EventCounter final : public transport::log::Observer {
 public:
  void on_event(const transport::log::Source&, Instant, const transport::log::Event&) override {
    ++events;
  }
  std::uint64_t events = 0;
};

SIMULATE(Allocations, NoneWithAnObserverThatMakesNone) {
  PeerConfig config = config_with_a_window();
  const auto observer = std::make_shared<EventCounter>();
  for (auto* each : {&config.connection, &config.endpoint.connection}) {
    each->observer = [observer](const transport::log::Source&) { return observer; };
  }
  auto [client, server] =
      network.pair(Link{.delay = 10ms, .rate = 200_mbit, .queue = 4 << 20}, config, config);
  client.sends(1'000_MiB);
  warm_up(network, client, server);
  const std::uint64_t before = observer->events;
  EXPECT_EQ(allocations_over(network, 10'000), 0U);
  EXPECT_GT(observer->events, before + 20'000);
}

SIMULATE(Allocations, NoneWithRealCiphers) {
  for (const auto suite :
       {crypto::CipherSuite::aes_128_gcm_sha256, crypto::CipherSuite::chacha20_poly1305_sha256}) {
    PeerConfig config = config_with_a_window();
    config.keys = &crypto::openssl_keys();
    config.tls.suite = suite;
    auto [client, server] =
        network.pair(Link{.delay = 10ms, .rate = 200_mbit, .queue = 4 << 20}, config, config);
    client.sends(1'000_MiB);
    warm_up(network, client, server);
    EXPECT_EQ(allocations_over(network, 10'000), 0U);
    client.session().closes(0, "");
    run_for(5s);
  }
}

SIMULATE(Allocations, NoneWithDatagrams) {
  PeerConfig config = config_with_a_window();
  for (auto* each : {&config.connection, &config.endpoint.connection}) {
    each->max_datagram_frame_size = 65'535;
  }
  auto [client, server] =
      network.pair(Link{.delay = 10ms, .rate = 100_mbit, .queue = 4 << 20}, config, config);
  client.sends(1'000_MiB);
  network.reserve_packets(10'000);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  // Of all sizes, more than the link takes, both ways.
  const std::vector<u8> data(1'100);
  std::size_t size = 0;
  const std::function<void()> fill = [&] {
    for (Peer* peer : {&client, &server}) {
      while (peer->session().sends_datagram(Bytes(data).first(size = (size + 97) % 1'100))) {
      }
    }
    network.after(1ms, [&fill] { fill(); });
  };
  fill();
  ASSERT_TRUE(run_until([&, &to = server] { return to.session().datagrams > 50'000; }, 60s));
  const std::uint64_t before = server.session().datagrams;
  EXPECT_EQ(allocations_over(network, 10'000), 0U);
  EXPECT_GT(server.session().datagrams, before + 1'000);
}

TEST(CountingNew, Counts) {
  const AllocationCounts before = allocation_counts();
  auto* volatile pointer = new char[100];
  EXPECT_EQ(allocation_counts().allocations, before.allocations + 1);
  EXPECT_EQ(allocation_counts().live_bytes, before.live_bytes + 100);
  delete[] pointer;
  EXPECT_EQ(allocation_counts().live, before.live);
  EXPECT_EQ(allocation_counts().live_bytes, before.live_bytes);
}

}  // namespace
}  // namespace qpeer::sim
