// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Wall clocks that are wrong: what was reached last is dialled first, whatever a clock said.
#include "qpeer/tests/scenario/p2p/world.hpp"

namespace qpeer::sim {
namespace {

constexpr UnixSeconds kIn1970{std::chrono::seconds{60}};
constexpr UnixSeconds kIn2040{std::chrono::seconds{2'208'988'800}};
constexpr std::int64_t kNow = kUnixStart.time_since_epoch().count();

/// A client that knows one node only, so that it dials no other by itself.
SimPeerConfig with_clock(UnixSeconds at_start) {
  SimPeerConfig config;
  config.unix_start = at_start;
  config.node.target_links = 1;
  config.node.exchange_peers = false;
  return config;
}

void restarts_with_clock(SimPeer& peer, UnixSeconds at_start) {
  peer.config.unix_start = at_start;
  peer.restarts();
}

SIMULATE_PEERS(Clocks, OneThatWasAheadDoesNotPutTheDeadBeforeTheLiving) {
  auto& first = network.node();
  auto& second = network.node();
  auto& client = network.client(with_clock(kIn2040));
  ASSERT_TRUE(network.links(client, first));
  first.crashes();
  restarts_with_clock(client, kUnixStart);
  client.bootstraps({second});
  ASSERT_TRUE(run_until(client.linked(second), 10s));
  restarts_with_clock(client, kUnixStart);
  ASSERT_EQ(client.cache().size(), 2U);
  EXPECT_EQ(client.cache().entries().front().id, second.id());
  client.bootstraps({});
  ASSERT_TRUE(run_until(client.linked(second), 10s));
  EXPECT_EQ(client.all<p2p::Bootstrapped>().back().tried, 1U);
}

SIMULATE_PEERS(Clocks, AStartIn1970LosesNeitherTheNewAddressNorTheTimes) {
  SimPeerConfig home;
  home.identity = "moves";
  auto& before = network.node(home);
  auto& other = network.node();
  auto& client = network.client(with_clock(kUnixStart));
  ASSERT_TRUE(network.links(client, other));
  restarts_with_clock(client, kUnixStart);
  client.node().connect(network.now(), before.candidate());
  client.wake();
  ASSERT_TRUE(run_until(client.linked(before), 5s));
  before.crashes();
  auto& after = network.node(home);
  restarts_with_clock(client, kIn1970);
  client.node().connect(network.now(), after.candidate());
  client.wake();
  ASSERT_TRUE(run_until(client.linked(after), 5s));
  for (const UnixSeconds clock : {kIn1970, kUnixStart}) {
    restarts_with_clock(client, clock);
    ASSERT_EQ(client.cache().size(), 2U);
    EXPECT_EQ(client.cache().entries().front().address, after.address());
    for (const auto& entry : client.cache().entries()) {
      EXPECT_GE(entry.last_reached, kNow) << "no time is rewritten";
      EXPECT_GE(entry.first_reached, kNow);
    }
  }
}

// As when two runs share a file: what they knew is put together again.
SIMULATE_PEERS(Clocks, WhatAnEarlierRunKnewNeverReplacesWhatThisOneReached) {
  SimPeerConfig home;
  home.identity = "moves";
  auto& before = network.node(home);
  auto& client = network.client(with_clock(kUnixStart));
  ASSERT_TRUE(network.links(client, before));
  const auto file = client.cache().entries();
  before.crashes();
  auto& after = network.node(home);
  restarts_with_clock(client, kIn1970);
  client.node().connect(network.now(), after.candidate());
  client.wake();
  ASSERT_TRUE(run_until(client.linked(after), 5s));
  cache::BootstrapCache saved = client.cache();
  saved.merge(file);
  ASSERT_EQ(saved.size(), 1U);
  EXPECT_EQ(saved.entries()[0].address, after.address());
}

}  // namespace
}  // namespace qpeer::sim
