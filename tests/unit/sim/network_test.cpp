// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The simulator's own promises, with toy machines: order, rates, faults, and equal seeds.
#include "qpeer/tests/sim/network.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/null_keys.hpp"
#include "qpeer/tests/sim/simulate.hpp"

namespace qpeer::sim {
namespace {

/// Sends what it is told, notes what it gets, and wakes when it is told.
struct Toy {
  struct Arrival {
    Instant at;
    std::vector<u8> payload;
    Ecn ecn = Ecn::not_ect;
    Path path;
  };
  SocketAddress peer;
  Ecn mark = Ecn::ect0;
  std::size_t to_send = 0;
  std::size_t size = 1'000;
  u8 next = 0;
  Instant deadline = kNever;
  std::vector<Instant> woken;
  std::vector<Arrival> arrivals;

  void on_datagram(Instant now, ReceivedDatagram in) {
    arrivals.push_back({now, {in.payload.begin(), in.payload.end()}, in.ecn, in.path});
  }
  std::optional<Transmit> poll_transmit(Instant, TransmitBuffer& out) {
    std::size_t segments = 0;
    for (; segments < out.max_segments && to_send > 0; ++segments, --to_send) {
      std::ranges::fill(out.storage.subspan(segments * size, size), next++);
    }
    if (segments == 0) return std::nullopt;
    return Transmit{.path = {.local = {}, .remote = peer},
                    .ecn = mark,
                    .size = segments * size,
                    .segment_size = size};
  }
  [[nodiscard]] Instant next_deadline() const { return deadline; }
  void on_deadline(Instant now) {
    woken.push_back(now);
    deadline = kNever;
  }
  std::optional<int> poll_event() { return std::nullopt; }
};

struct ToyNetwork : Network {
  using Network::Network;
  Toy a;
  Toy b;
  Host& host_a = attach(a, [](int) {});
  Host& host_b = attach(b, [](int) {});

  void send(std::size_t count) {
    a.peer = host_b.address();
    a.to_send = count;
    wake(host_a);
  }
};

SIMULATE_IN(ToyNetwork, Network, DeliversInOrderAfterTheDelay) {
  network.connect(network.host_a, network.host_b, Link{.delay = 7ms});
  const Instant start = network.now();
  network.send(5);
  run_for(1s);
  ASSERT_EQ(network.b.arrivals.size(), 5U);
  for (u8 i = 0; i < 5; ++i) {
    EXPECT_EQ(network.b.arrivals[i].at, start + 7ms);
    EXPECT_EQ(network.b.arrivals[i].payload, std::vector<u8>(1'000, i));
    EXPECT_EQ(network.b.arrivals[i].ecn, Ecn::ect0);
    EXPECT_EQ(network.b.arrivals[i].path.remote, network.host_a.address());
    EXPECT_EQ(network.b.arrivals[i].path.local, network.host_b.address());
  }
  EXPECT_EQ(network.now(), start + 1s);
}

SIMULATE_IN(ToyNetwork, Network, RateSpacesDatagramsAndQueueDropsTheTail) {
  network.connect(network.host_a, network.host_b,
                  Link{.delay = 10ms, .rate = {1'000'000}, .queue = 4'000});
  const Instant start = network.now();
  network.send(10);
  run_for(1s);
  ASSERT_EQ(network.b.arrivals.size(), 4U);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(network.b.arrivals[static_cast<std::size_t>(i)].at, start + 10ms + (i + 1) * 1ms);
  }
  EXPECT_EQ(network.pipe(network.host_a, network.host_b).stats.dropped_queue, 6U);
}

SIMULATE_IN(ToyNetwork, Network, FaultsComeAsOftenAsAsked) {
  network.connect(network.host_a, network.host_b,
                  Link{.loss = 0.1, .reorder = 0.1, .duplicate = 0.1, .corrupt = 0.1, .ce = 0.1});
  for (int i = 0; i < 100; ++i) {
    network.send(100);
    run_for(1s);
  }
  const PipeStats& stats = network.pipe(network.host_a, network.host_b).stats;
  EXPECT_EQ(stats.entered, 10'000U);
  EXPECT_EQ(network.b.arrivals.size(), stats.delivered);
  EXPECT_EQ(stats.delivered, stats.entered - stats.dropped_loss + stats.duplicated);
  for (const std::uint64_t count :
       {stats.dropped_loss, stats.reordered, stats.duplicated, stats.corrupted, stats.ce_marked}) {
    EXPECT_GT(count, 800U);
    EXPECT_LT(count, 1'200U);
  }
  std::size_t damaged = 0;
  std::size_t marked = 0;
  for (const auto& arrival : network.b.arrivals) {
    const bool whole = std::ranges::count(arrival.payload, arrival.payload.front()) == 1'000;
    damaged += whole ? 0 : 1;
    marked += arrival.ecn == Ecn::ce ? 1 : 0;
  }
  EXPECT_GE(damaged, stats.corrupted);  // Copies are damaged too.
  EXPECT_LE(damaged, stats.corrupted + stats.duplicated);
  EXPECT_GE(marked, stats.ce_marked * 8 / 10);  // Some of the marked are lost.
}

SIMULATE_IN(ToyNetwork, Network, ReorderedDatagramsAreOvertaken) {
  network.connect(network.host_a, network.host_b, Link{.delay = 10ms, .reorder_delay = 5ms});
  network.pipe(network.host_a, network.host_b).filter = [](Passing& datagram) {
    return Verdict{.delay = datagram.ordinal == 0 ? Duration(2ms) : Duration{}};
  };
  network.send(2);
  run_for(1s);
  ASSERT_EQ(network.b.arrivals.size(), 2U);
  EXPECT_EQ(network.b.arrivals[0].payload[0], 1);
  EXPECT_EQ(network.b.arrivals[1].payload[0], 0);
}

SIMULATE_IN(ToyNetwork, Network, FiltersMtuAndBlocksDropWhatTheySay) {
  Pipe& pipe = network.pipe(network.host_a, network.host_b);
  pipe.filter = drop_ordinals({0, 2});
  network.send(4);
  run_for(1s);
  ASSERT_EQ(network.b.arrivals.size(), 2U);
  EXPECT_EQ(network.b.arrivals[0].payload[0], 1);
  EXPECT_EQ(network.b.arrivals[1].payload[0], 3);
  pipe.link.mtu = 999;
  network.send(1);
  run_for(1s);
  pipe.link.mtu = 1'000;
  pipe.link.blocked = true;
  network.send(1);
  run_for(1s);
  EXPECT_EQ(network.b.arrivals.size(), 2U);
  EXPECT_EQ(pipe.stats.dropped_mtu, 1U);
  EXPECT_EQ(pipe.stats.dropped_blocked, 1U);
}

SIMULATE_IN(ToyNetwork, Network, WakesAMachineAtItsDeadlineAlsoWhenItMoves) {
  const Instant start = network.now();
  network.a.deadline = start + 50ms;
  run_for(10ms);
  network.a.deadline = start + 20ms;  // Earlier.
  run_for(10ms);
  ASSERT_EQ(network.a.woken, std::vector{start + 20ms});
  network.a.deadline = start + 30ms;
  run_for(1ms);
  network.a.deadline = start + 70ms;  // Later.
  run_for(1s);
  EXPECT_EQ(network.a.woken, (std::vector{start + 20ms, start + 70ms}));
}

SIMULATE_IN(ToyNetwork, Network, RunUntilStopsAtTheEventThatDecides) {
  network.connect(network.host_a, network.host_b, Link{.delay = 10ms, .rate = {1'000'000}});
  const Instant start = network.now();
  network.send(10);
  EXPECT_TRUE(run_until([&] { return network.b.arrivals.size() == 3; }, 1s));
  EXPECT_EQ(network.now(), start + 13ms);
  EXPECT_FALSE(run_until([&] { return network.b.arrivals.size() == 11; }, 1s));
  EXPECT_EQ(network.now(), start + 1'013ms);
}

SIMULATE_IN(ToyNetwork, Network, AddressesMoveAndMachinesGo) {
  const SocketAddress old_address = network.host_b.address();
  const SocketAddress new_address = network.new_address();
  network.send(1);
  run_for(1s);
  network.change_address(network.host_b, old_address, new_address);
  network.send(1);
  network.a.peer = new_address;
  run_for(1s);
  EXPECT_EQ(network.b.arrivals.size(), 2U);
  network.a.peer = old_address;
  network.a.to_send = 1;
  run_for(1s);
  EXPECT_EQ(network.stats().unroutable, 1U);
  network.a.peer = new_address;
  network.a.to_send = 1;
  network.detach(network.host_b);
  run_for(1s);
  EXPECT_EQ(network.b.arrivals.size(), 2U);
  EXPECT_EQ(network.stats().unroutable, 2U);
}

std::uint64_t digest_of_run(std::uint64_t seed) {
  ToyNetwork network(seed);
  network.set_default_link(
      Link{.jitter = 3ms, .loss = 0.1, .reorder = 0.1, .duplicate = 0.1, .corrupt = 0.1});
  for (int i = 0; i < 10; ++i) {
    network.send(50);
    network.run_for(1s);
  }
  std::uint64_t sum = 0;
  for (const auto& arrival : network.b.arrivals) {
    sum = checksum(sum + static_cast<std::uint64_t>(arrival.at.time_since_epoch().count()),
                   arrival.payload);
  }
  return sum;
}

TEST(Network, EqualSeedsGiveEqualRuns) {
  EXPECT_EQ(digest_of_run(1), digest_of_run(1));
  EXPECT_NE(digest_of_run(1), digest_of_run(2));
}

SIMULATE_IN(ToyNetwork, NetworkDeathTest, AMachineWhoseDeadlineStaysIsCaught) {
  struct Stuck : Toy {
    void on_deadline(Instant) {}
  } stuck;
  stuck.deadline = network.now();
  network.attach(stuck, [](int) {});
  EXPECT_DEATH(run_for(1s), "its deadline passes and stays");
}

}  // namespace
}  // namespace qpeer::sim
