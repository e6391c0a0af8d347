// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A million hostile datagrams while a transfer goes on: all are dropped and counted, memory keeps
// its bound, nobody who belongs there notices. RFC 9000 §21.
#include <algorithm>
#include <memory>
#include <numeric>

#include <gtest/gtest.h>

#include "qpeer/tests/hostile/attacker.hpp"
#include "qpeer/tests/sim/counting_new.hpp"
#include "qpeer/tests/sim/counting_new_operators.hpp"
#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t kFactor = 20;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr std::uint64_t kFactor = 20;
#else
constexpr std::uint64_t kFactor = 1;
#endif
#elif defined(__OPTIMIZE__)
constexpr std::uint64_t kFactor = 1;
#else
constexpr std::uint64_t kFactor = 10;
#endif

constexpr std::uint64_t kDatagrams = 1'000'000 / kFactor;
constexpr std::uint64_t kPerMillisecond = 10;
constexpr std::size_t kBystanders = 200;
/// What the endpoint may hold for strangers: handshakes in flight up to the threshold for Retry, and
/// some. The transfer itself holds its buffers before.
constexpr std::uint64_t kMemoryBound = 8 << 20;
constexpr std::uint64_t kEmptyEndpoint = 256 << 10;

std::uint64_t total_dropped(const Peer& peer) {
  const auto stats = peer.endpoint().stats();
  return std::accumulate(stats.dropped.begin(), stats.dropped.end(), std::uint64_t{0});
}

/// First Initials of clients that are never heard of again.
void collect_initials(PeerNetwork& network, const Peer& server, Attacker& attacker) {
  const auto collecting = std::make_shared<bool>(true);
  network.on_send([collecting, &attacker, to = server.address()](const Passing& datagram) {
    if (*collecting && datagram.to == to) attacker.capture_initial(datagram.payload);
  });
  PeerConfig config;
  config.listens = false;
  for (std::size_t i = 0; i < kBystanders; ++i) {
    Peer& bystander = network.add_peer(config);
    network.pipe(bystander, server).link.blocked = true;
    bystander.connect(server);
    network.run_for(1ms);
    bystander.crash();
  }
  *collecting = false;
}

/// The fixture: a client that sends to a server all the time, and an attacker.
struct FloodFixture {
  PeerNetwork& network;
  Peer& client;
  Peer& server;
  Attacker attacker{network, server.address(), client.address()};
  std::uint64_t struck = 0;
  std::uint64_t to_strangers = 0;
  std::uint64_t peak_bytes = 0;

  void begin() {
    network.on_send([this](const Passing& datagram) {
      if (Attacker::is_stranger(datagram.to)) to_strangers += datagram.payload.size();
      const bool between = (datagram.from == client.address() && datagram.to == server.address()) ||
                           (datagram.from == server.address() && datagram.to == client.address());
      if (between) attacker.capture(datagram);
    });
    ASSERT_TRUE(network.run_until(server.received(1_MiB), 10s));
  }
  void strike_on() {
    for (std::uint64_t i = 0; i < kPerMillisecond; ++i) attacker.strike();
    struck += kPerMillisecond;
    peak_bytes = std::max(peak_bytes, allocation_counts().live_bytes);
    if (struck < kDatagrams) network.after(1ms, [this] { strike_on(); });
  }
};

/// Somebody who comes in the middle of it is served.
void expect_service(PeerNetwork& network, Peer& server) {
  PeerConfig config;
  config.listens = false;
  Peer& guest = network.add_peer(config);
  guest.connect(server).sends(10'000);
  EXPECT_TRUE(network.run_until(guest.acknowledged(), 5s)) << "a newcomer was not served";
  guest.session().closes(0, "");
  network.run_for(100ms);
  guest.crash();
}

SIMULATE(Hostile, AMillionDatagramsHurtNobody) {
  PeerConfig config;  // With the window of a transfer that has gone on for long.
  auto& streams = config.endpoint.connection.streams;
  streams.initial_receive_window = streams.receive_window;
  auto [client, server] =
      network.quiet_pair(Link{.delay = 10ms, .rate = 4_mbit, .queue = 32'000}, {}, config);
  FloodFixture flood{network, client, server};
  collect_initials(network, server, flood.attacker);
  client.connect(server).sends(1'000_MiB);
  flood.begin();
  ASSERT_FALSE(testing::Test::HasFatalFailure());
  const std::uint64_t before = allocation_counts().live_bytes;
  const std::uint64_t dropped_before = total_dropped(server) + total_dropped(client);
  flood.strike_on();
  while (flood.struck < kDatagrams) {
    const std::uint64_t received = server.session().received;
    run_for(5s);
    EXPECT_GT(server.session().received, received + 1'500'000) << "the transfer starves";
    expect_service(network, server);
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_FALSE(client.session().closed());
  EXPECT_LT(flood.peak_bytes, before + kMemoryBound);
  EXPECT_LE(flood.to_strangers, 3 * flood.attacker.bytes_from_strangers());
  // Nearly all are dropped with a reason. What is not was answered without state, opened a handshake
  // that ends by itself, or was a replay whose coalesced packets count together.
  const std::uint64_t dropped = total_dropped(server) + total_dropped(client) - dropped_before;
  EXPECT_GT(dropped, flood.struck * 8 / 10);

  client.session().closes(0, "");
  run_for(60s);
  EXPECT_EQ(server.endpoint().stats().connections, 0U);
  EXPECT_EQ(server.endpoint().stats().handshakes, 0U);
  // What an endpoint that has forgotten everybody still holds: shown by taking it away.
  const std::uint64_t with_endpoint = allocation_counts().live_bytes;
  server.crash();
  EXPECT_LT(with_endpoint - allocation_counts().live_bytes, kEmptyEndpoint);
}

}  // namespace
}  // namespace qpeer::sim
