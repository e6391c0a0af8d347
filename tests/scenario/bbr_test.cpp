// SPDX-License-Identifier: MIT OR BSD-3-Clause
// BBRv3 on the links where it must hold: the share of a link's rate that a transfer gets, the delay in
// its queue, and how two flows share it.
//
//   QPEER_RUNS=N   N seeds, and whole transfers (60 s, 120 s) instead of short ones; then the median
//                  must reach the bound, and the 5th percentile 80 % of it
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

using transport::CongestionAlgorithm;

std::uint64_t runs() {
  const char* const wanted = std::getenv("QPEER_RUNS");
  return wanted != nullptr ? std::max<std::uint64_t>(std::stoull(wanted), 1) : 1;
}
bool whole() { return std::getenv("QPEER_RUNS") != nullptr; }

PeerConfig with_bbr() {
  PeerConfig config;
  config.connection.congestion_algorithm = CongestionAlgorithm::bbr;
  config.listens = false;
  return config;
}

/// A transfer over a link whose way back has its delay alone.
struct Row {
  Link link;
  Duration total = 60s;
  Duration from = 5s;         ///< What came before does not count.
  Duration short_total = 6s;  ///< Instead of those, without QPEER_RUNS.
  Duration short_from = 2s;
};

struct Result {
  double share = 0;     ///< Of the link's rate.
  double overall = 0;   ///< The same from the confirmed handshake on.
  Duration queueing{};  ///< Median of the delay above the least.
};

Result transfer(const Row& row, std::uint64_t seed) {
  PeerNetwork network{seed};
  Peer& client = network.add_peer(with_bbr());
  Peer& server = network.add_peer();
  network.connect(client.host(), server.host(), row.link, Link{.delay = row.link.delay});
  server.checks = false;
  client.connect(server);
  const Duration total = whole() ? row.total : row.short_total;
  const Duration from = whole() ? row.from : row.short_from;
  EXPECT_TRUE(network.run_until(client.confirmed(), 10s));
  client.sends(2 * row.link.rate.bytes_in(total));
  network.run_for(from);
  const std::uint64_t before = server.received_bytes();
  std::vector<Duration> delays;
  for (Duration time{}; time < total - from; time += 20ms) {
    network.run_for(20ms);
    const auto stats = client.session().stats();
    delays.push_back(stats.smoothed_rtt - stats.min_rtt);
  }
  std::sort(delays.begin(), delays.end());
  return {.share = double(server.received_bytes() - before) /
                   double(row.link.rate.bytes_in(total - from)),
          .overall = double(server.received_bytes()) / double(row.link.rate.bytes_in(total)),
          .queueing = delays[delays.size() / 2]};
}

/// Returns the median of the share over the whole transfer.
double expect_share(const Row& row, double least, Duration most_queueing = kNever - Instant{}) {
  std::vector<double> shares;
  std::vector<double> overall;
  std::vector<Duration> delays;
  for (std::uint64_t seed = 1; seed <= runs(); ++seed) {
    const Result result = transfer(row, seed);
    shares.push_back(result.share);
    overall.push_back(result.overall);
    delays.push_back(result.queueing);
  }
  std::sort(shares.begin(), shares.end());
  std::sort(overall.begin(), overall.end());
  std::sort(delays.begin(), delays.end());
  const double median = shares[shares.size() / 2];
  const double low = shares[shares.size() / 20];
  std::printf(
      "share of the link: median %.1f %%, 5th percentile %.1f %%, overall %.1f %%; queueing %.1f "
      "ms\n",
      100 * median, 100 * low, 100 * overall[overall.size() / 2],
      double(delays[delays.size() / 2].count()) / 1e6);
  std::fflush(stdout);
  EXPECT_GE(median, least);
  EXPECT_GE(low, 0.8 * least);
  EXPECT_LT(delays[delays.size() / 2], most_queueing);
  return overall[overall.size() / 2];
}

TEST(Bbr, FillsACleanLink) {
  expect_share({.link = {.delay = 20ms, .rate = 100_mbit, .queue = 500'000}}, 0.90);
}

TEST(Bbr, FillsALinkThatLosesOnePercent) {
  expect_share({.link = {.delay = 30ms, .rate = 50_mbit, .queue = 375'000, .loss = 0.01}}, 0.80);
}

TEST(Bbr, FillsASatelliteLink) {
  expect_share({.link = {.delay = 300ms, .rate = 20_mbit, .queue = 1'500'000, .loss = 0.01},
                .total = 120s,
                .from = 15s,
                .short_total = 40s,
                .short_from = 10s},
               0.70);
}

TEST(Bbr, FillsALinkThatReorders) {
  expect_share({.link = {.delay = 20ms,
                         .rate = 50_mbit,
                         .queue = 250'000,
                         .reorder = 0.1,
                         .reorder_delay = 10ms}},
               0.80);
}

TEST(Bbr, FillsAFastLongLinkAsItIsConfigured) {
  const Row row{.link = {.delay = 50ms, .rate = 1_gbit, .queue = 12'500'000},
                .total = 12s,
                .from = 3s,
                .short_total = 4s,
                .short_from = 3s};
  EXPECT_GE(expect_share(row, 0.90), whole() ? 0.80 : 0.60);
}

TEST(Bbr, KeepsALargeQueueShort) {
  expect_share({.link = {.delay = 20ms, .rate = 20_mbit, .queue = 5'000'000}}, 0.85, 50ms);
}

TEST(Bbr, FillsALinkThatMarksAtRandom) {
  expect_share({.link = {.delay = 20ms, .rate = 20_mbit, .queue = 100'000, .ce = 0.001}}, 0.80);
}

void expect_done(double loss, Duration most) {
  std::vector<Duration> times;
  for (std::uint64_t seed = 1; seed <= std::max<std::uint64_t>(runs(), 15); ++seed) {
    PeerNetwork network{seed};
    auto [client, server] =
        network.pair(Link{.delay = 10ms, .rate = 50_mbit, .loss = loss}, with_bbr());
    // At 30 % a handshake may take its time, or give up.
    if (!network.run_until(client.confirmed(), 30s)) continue;
    const Instant start = network.now();
    client.sends(300'000);
    EXPECT_TRUE(network.run_until(server.received(300'000), 30s)) << "seed " << seed;
    times.push_back(network.now() - start);
  }
  std::sort(times.begin(), times.end());
  ASSERT_GE(times.size(), 10U);
  std::printf("median %.3f s\n", double(times[times.size() / 2].count()) / 1e9);
  EXPECT_LE(times[times.size() / 2], most);
}

TEST(Bbr, IsDoneInTimeWithTenPercentOfLosses) { expect_done(0.1, 500ms); }

TEST(Bbr, IsDoneInTimeWithThirtyPercentOfLosses) { expect_done(0.3, 2s); }

TEST(Bbr, SharesALinkWithItself) {
  for (std::uint64_t seed = 1; seed <= runs(); ++seed) {
    PeerNetwork network{seed};
    Peer& client = network.add_peer(with_bbr());
    Peer& server = network.add_peer();
    network.connect(client.host(), server.host(),
                    Link{.delay = 20ms, .rate = 50_mbit, .queue = 250'000}, Link{.delay = 20ms});
    server.checks = false;
    for (int i = 0; i < 2; ++i) {
      client.connect(server);
      network.run_for(200ms);
    }
    for (const auto& session : client.sessions()) session->sends(400'000'000);
    network.run_for(whole() ? 60s : 20s);
    ASSERT_EQ(server.sessions().size(), 2U);
    const double one = double(server.session(0).received);
    const double two = double(server.session(1).received);
    const double jain = (one + two) * (one + two) / (2 * (one * one + two * two));
    std::printf("Jain %.3f\n", jain);
    EXPECT_GE(jain, whole() ? 0.95 : 0.9) << "seed " << seed;
  }
}

SIMULATE(BbrSimulation, GivesTheSameRunForTheSameSeed) {
  const auto run = [&](std::uint64_t seed) {
    PeerNetwork again{seed};
    auto [client, server] =
        again.pair(Link{.delay = 20ms, .rate = 20_mbit, .loss = 0.01}, with_bbr());
    client.sends(20_MiB);
    again.run_for(5s);
    return std::pair{server.received_bytes(), client.session().stats().packets_sent};
  };
  EXPECT_EQ(run(network.seed()), run(network.seed()));
}

SIMULATE(BbrSimulation, FillsThePathThatThePeerMovesToAsWell) {
  PeerConfig sender;
  sender.endpoint.connection.congestion_algorithm = CongestionAlgorithm::bbr;
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 20_mbit}, {}, sender);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  server.sends(15_MiB);
  ASSERT_TRUE(run_until(client.received(5_MiB), 5s));
  network.rebind(client.host(), client.address(), network.new_address());
  client.connection().ping();  // Else nothing would come from the new address.
  client.wake();
  EXPECT_TRUE(run_until(client.received(15_MiB), 7s));  // 4.2 s at the rate of the link.
  EXPECT_EQ(server.session().paths.size(), 1U);
}

}  // namespace
}  // namespace qpeer::sim
