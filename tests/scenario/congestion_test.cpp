// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a path tells by its marks and losses changes what is sent. RFC 9000 §13.4; RFC 9002 §7.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

SIMULATE(Ecn, MarksReduceTheWindowWithoutLoss) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 50_mbit, .queue = 4 << 20});
  client.sends(10_MiB);
  ASSERT_TRUE(run_until(server.received(1_MiB), 10s));
  const std::uint64_t before = client.session().stats().congestion_window;
  network.pipe(client, server).link.ce = 1.0;
  EXPECT_TRUE(
      run_until([&] { return client.session().stats().congestion_window < before * 3 / 4; }, 2s));
  EXPECT_EQ(client.session().stats().packets_lost, 0U);
  network.pipe(client, server).link.ce = 0;
  EXPECT_TRUE(run_until(server.received(10_MiB), 30s));
}

SIMULATE(Ecn, KeepsTheQueueShort) {
  // Marked above 20,000 bytes, a queue of 200,000 never fills, and nothing is lost.
  auto [client, server] =
      network.pair(Link{.delay = 10ms, .rate = 20_mbit, .queue = 200'000, .ce_above = 20'000});
  client.sends(20_MiB);
  ASSERT_TRUE(run_until(server.received(20_MiB), 30s));
  EXPECT_GT(network.pipe(client, server).stats.ce_marked, 0U);
  EXPECT_EQ(network.pipe(client, server).stats.dropped_queue, 0U);
}

SIMULATE(Ecn, PacketsAreMarkedAndCountsComeBack) {
  auto [client, server] = network.pair();
  std::uint64_t marked = 0;
  std::uint64_t unmarked = 0;
  network.on_send([&](const Passing& datagram) {
    if (datagram.from == client.address()) ++(datagram.ecn == Ecn::ect0 ? marked : unmarked);
  });
  client.sends(1_MiB);
  ASSERT_TRUE(run_until(server.received(1_MiB), 10s));
  EXPECT_GT(marked, 500U);
  EXPECT_EQ(unmarked, 0U);
}

SIMULATE(Ecn, ABleachingPathTurnsItOff) {
  Link link{.delay = 10ms};
  link.bleach_ecn = true;
  auto [client, server] = network.pair(link);
  client.sends(1_MiB);
  ASSERT_TRUE(run_until(server.received(1_MiB), 10s));
  Ecn last = Ecn::ect0;
  network.on_send([&](const Passing& datagram) {
    if (datagram.from == client.address()) last = datagram.ecn;
  });
  client.sends(100_KiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 10s));
  EXPECT_EQ(last, Ecn::not_ect);
}

SIMULATE(Ecn, APathThatBeginsToBleachTurnsItOff) {
  auto [client, server] = network.pair(Link{.delay = 10ms});
  client.sends(1_MiB);
  ASSERT_TRUE(run_until(server.received(1_MiB), 10s));
  network.pipe(client, server).link.bleach_ecn = true;
  client.sends(1_MiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 10s));
  Ecn last = Ecn::ect0;
  network.on_send([&](const Passing& datagram) {
    if (datagram.from == client.address()) last = datagram.ecn;
  });
  client.sends(100_KiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 10s));
  EXPECT_EQ(last, Ecn::not_ect);
}

SIMULATE(Ecn, OffWhenConfigured) {
  PeerConfig config;
  config.connection.ecn = false;
  auto [client, server] = network.pair(Link{}, config);
  network.on_send([&](const Passing& datagram) {
    if (datagram.from == client.address()) {
      EXPECT_EQ(datagram.ecn, Ecn::not_ect);
    }
  });
  client.sends(100_KiB);
  EXPECT_TRUE(run_until(server.received(100_KiB), 10s));
}

SIMULATE(Congestion, TwoFlowsShareALink) {
  // Both connections of one client go through one link: neither starves.
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 20_mbit, .queue = 60'000});
  client.connect(server);
  ASSERT_TRUE(run_until([&] { return client.session(1).connected(); }, 5s));
  client.session(0).sends(50_MiB);
  client.session(1).sends(50_MiB);
  run_for(20s);
  const double first = static_cast<double>(server.session(0).received);
  const double second = static_cast<double>(server.session(1).received);
  EXPECT_GT(first + second, 0.8 * 20e6 / 8 * 20);
  EXPECT_GT(std::min(first, second) / std::max(first, second), 0.25);
}

SIMULATE(Congestion, PacingSpreadsAWindow) {
  PeerConfig config;
  auto [client, server] = network.pair(Link{.delay = 50ms}, config, config);
  client.sends(2_MiB);
  ASSERT_TRUE(run_until(server.received(200_KiB), 10s));
  // No more than a burst of ten datagrams and a train leaves at one instant.
  std::uint64_t burst = 0;
  std::uint64_t worst = 0;
  Instant last{};
  network.on_send([&](const Passing& datagram) {
    if (datagram.from != client.address()) return;
    burst = datagram.now == last ? burst + 1 : 1;
    last = datagram.now;
    worst = std::max(worst, burst);
  });
  ASSERT_TRUE(run_until(server.received(2_MiB), 10s));
  EXPECT_LE(worst, 20U);
}

// RFC 9002 §7.8 [rfc9002-7.8-2]: a window counts as used while only the pacer holds packets back, so that
// it doubles in each round trip of slow start.
SIMULATE(Congestion, AWindowThatIsPacedGrows) {
  auto [client, server] = network.pair(Link{.delay = 50ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  const std::uint64_t before = client.session().stats().congestion_window;
  client.sends(4_MiB);
  run_for(550ms);
  EXPECT_GE(client.session().stats().congestion_window, 16 * before);
}

/// How many datagrams a peer sends at one instant.
class Bursts {
 public:
  void count(Instant now) {
    if (now != last_) sizes_.push_back(0);
    last_ = now;
    ++sizes_.back();
  }
  [[nodiscard]] const std::vector<std::uint64_t>& sizes() const { return sizes_; }

 private:
  Instant last_{};
  std::vector<std::uint64_t> sizes_;
};

SIMULATE(Congestion, AWindowDoesNotLeaveAtOnceThoughNothingIsInFlight) {
  auto [client, server] = network.pair(Link{.delay = 50ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  Bursts bursts;
  network.on_send([&, from = client.address()](const Passing& datagram) {
    if (datagram.from == from) bursts.count(datagram.now);
  });
  for (int i = 0; i < 3; ++i) {  // The initial window, and what it grew to, after a silence each.
    run_for(5s);
    bursts = {};
    client.sends(12'000);
    ASSERT_TRUE(run_until(client.acknowledged(), 5s));
    ASSERT_GT(bursts.sizes().size(), 3U);
    EXPECT_LE(*std::max_element(bursts.sizes().begin(), bursts.sizes().end()), 5U);
  }
}

/// Five full datagrams a millisecond, whatever is in flight.
class FixedRate final : public transport::CongestionController {
 public:
  void on_ack(const transport::AckSample&) override {}
  void on_loss(const transport::LossSample&) override {}
  [[nodiscard]] std::uint64_t window() const override { return 10'000'000; }
  [[nodiscard]] std::optional<std::uint64_t> pacing_rate() const override { return 6'000'000; }
};

SIMULATE(Congestion, PacingSendsTrainsAsLongAsTheRateAllows) {
  PeerConfig config;
  config.connection.mtu_discovery.enabled = false;
  config.connection.congestion_controller = [](std::uint16_t) {
    return std::make_unique<FixedRate>();
  };
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 100_mbit}, config);
  client.sends(100_MiB);
  run_for(3s);
  Bursts bursts;
  network.on_send([&, from = client.address()](const Passing& datagram) {
    if (datagram.from == from) bursts.count(datagram.now);
  });
  run_for(500ms);
  // A millisecond's worth each; the bucket holds that of two.
  std::uint64_t sum = 0;
  for (const std::uint64_t size : bursts.sizes()) sum += size;
  EXPECT_GT(sum, 2'400U);
  EXPECT_LT(sum, 2'600U);
  EXPECT_GT(static_cast<double>(sum) / static_cast<double>(bursts.sizes().size()), 4.0);
  EXPECT_LE(*std::max_element(bursts.sizes().begin(), bursts.sizes().end()), 10U);
}

SIMULATE(Congestion, APathWithoutRoomIsNotFlooded) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 1_mbit, .queue = 10'000});
  client.sends(1_MiB);
  ASSERT_TRUE(run_until(server.received(1_MiB), 60s));
  const PipeStats& stats = network.pipe(client, server).stats;
  EXPECT_LT(stats.dropped_queue, stats.entered / 5);
}

}  // namespace
}  // namespace qpeer::sim
