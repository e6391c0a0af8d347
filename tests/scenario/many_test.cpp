// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Many connections on one endpoint, an endpoint that is both client and server, and runs that
// repeat byte for byte.
#include <algorithm>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

SIMULATE(Many, AThousandClientsOnOneEndpoint) {
  Peer& server = network.add_peer();
  server.echoes = true;
  std::vector<Peer*> clients;
  PeerConfig config;
  config.listens = false;
  for (int i = 0; i < 1'000; ++i) {
    clients.push_back(&network.add_peer(config));
    network.connect(clients.back()->host(), server.host(), Link{.delay = 10ms, .loss = 0.01});
    clients.back()->connect(server);
    clients.back()->sends(2'000);
  }
  const auto done = [&] {
    return server.received_bytes() == 2'000'000 &&
           std::ranges::all_of(clients, [](const Peer* p) { return p->received_bytes() == 2'000; });
  };
  ASSERT_TRUE(run_until(done, 30s));
  EXPECT_EQ(server.endpoint().stats().connections, 1'000U);
  EXPECT_EQ(server.endpoint().stats().accepted, 1'000U);
  EXPECT_EQ(server.endpoint().stats().handshakes, 0U);
  for (Peer* client : clients) client->session().closes(0, "");
  run_for(5s);
  EXPECT_LT(server.endpoint().stats().connections, 50U);
  run_for(40s);  // Some farewells were lost: there the idle timeout ends it.
  EXPECT_EQ(server.endpoint().stats().connections, 0U);
}

SIMULATE(Many, ConnectionsOverOnePairOfAddresses) {
  auto [client, server] = network.quiet_pair(Link{.delay = 10ms, .rate = 100_mbit});
  for (std::uint64_t i = 0; i < 100; ++i) client.connect(server).sends(100 * (i + 1));
  ASSERT_TRUE(run_until(server.received(505'000), 30s));
  EXPECT_EQ(server.sessions().size(), 100U);
  std::vector<std::uint64_t> sizes;
  for (const auto& session : server.sessions()) sizes.push_back(session->received);
  std::ranges::sort(sizes);
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(sizes[i], 100 * (i + 1));
}

// A connection that has sent waits until the others have had their turn.
SIMULATE(Many, ConnectionsTakeTurnsToSend) {
  constexpr std::size_t kConnections = 4;
  constexpr std::size_t kRounds = 4;  // What pacing lets go at once.
  auto [client, server] = network.quiet_pair(Link{.delay = 10ms});
  for (std::size_t i = 0; i < kConnections; ++i) client.connect(server);
  ASSERT_TRUE(run_until(
      [&at = server] {
        return at.sessions().size() == kConnections &&
               std::ranges::all_of(at.sessions(), [](const auto& session) {
                 return session->confirmed_at.has_value();
               });
      },
      5s));
  run_for(1s);
  const auto sent_by_each = [&at = server] {
    std::vector<std::uint64_t> packets;
    for (const auto& session : at.sessions()) packets.push_back(session->stats().packets_sent);
    return packets;
  };
  for (const auto& session : server.sessions()) ASSERT_TRUE(session->opens(10'000));
  const std::vector<std::uint64_t> before = sent_by_each();
  std::vector<u8> storage(kMaxTransmitSize);
  TransmitBuffer one_datagram{.storage = storage, .max_segments = 1};
  for (std::uint64_t round = 1; round <= kRounds; ++round) {
    for (std::size_t i = 0; i < kConnections; ++i) {
      ASSERT_TRUE(server.endpoint().poll_transmit(network.now(), one_datagram));
    }
    const std::vector<std::uint64_t> after = sent_by_each();
    for (std::size_t i = 0; i < kConnections; ++i) {
      EXPECT_EQ(after[i], before[i] + round) << "connection " << i << ", round " << round;
    }
  }
}

SIMULATE(Many, ComeAndGoWithoutATrace) {
  auto [client, server] = network.quiet_pair(Link{.delay = 1ms});
  for (int i = 0; i < 300; ++i) {
    Session& session = client.connect(server);
    session.sends(1'000);
    const std::uint64_t wanted = 1'000ULL * static_cast<std::uint64_t>(i + 1);
    ASSERT_TRUE(run_until(server.received(wanted), 5s));
    session.closes(0, "");
  }
  run_for(5s);
  EXPECT_EQ(client.endpoint().stats().connections, 0U);
  EXPECT_EQ(server.endpoint().stats().connections, 0U);
  EXPECT_TRUE(server.endpoint().idle());
}

SIMULATE(PeerToPeer, EachDialsTheOtherFromOneEndpoint) {
  Peer& a = network.add_peer();
  Peer& b = network.add_peer();
  network.connect(a.host(), b.host(), Link{.delay = 10ms});
  Session& from_a = a.connect(b);
  Session& from_b = b.connect(a);
  from_a.sends(100_KiB, StreamKind::unidirectional);
  from_b.sends(200_KiB, StreamKind::unidirectional);
  ASSERT_TRUE(run_until(b.received(100_KiB), 5s));
  ASSERT_TRUE(run_until(a.received(200_KiB), 5s));
  EXPECT_EQ(a.sessions().size(), 2U);
  EXPECT_EQ(b.sessions().size(), 2U);
  EXPECT_EQ(a.endpoint().stats().accepted, 1U);
  EXPECT_EQ(a.endpoint().stats().connections, 2U);
}

SIMULATE(PeerToPeer, AnEndpointDialsItself) {
  Peer& self = network.add_peer();
  Session& dialled = self.connect(self);
  dialled.sends(100_KiB);
  ASSERT_TRUE(run_until(self.received(100_KiB), 5s));
  ASSERT_EQ(self.sessions().size(), 2U);
  EXPECT_FALSE(self.session(0).incoming());
  EXPECT_TRUE(self.session(1).incoming());
  dialled.closes(3, "enough of me");
  ASSERT_TRUE(run_until(self.closed(), 5s));
  EXPECT_EQ(self.session(1).close->code, 3U);
}

std::uint64_t digest_of_run(std::uint64_t seed) {
  PeerNetwork network(seed);
  auto [client, server] = network.pair(Link{.delay = 10ms,
                                            .jitter = 2ms,
                                            .rate = 50_mbit,
                                            .loss = 0.02,
                                            .reorder = 0.02,
                                            .duplicate = 0.02,
                                            .corrupt = 0.02,
                                            .ce = 0.01});
  std::uint64_t sum = 0;
  network.on_send([&sum](const Passing& datagram) {
    sum = checksum(sum + static_cast<std::uint64_t>(datagram.now.time_since_epoch().count()),
                   datagram.payload);
  });
  for (std::uint64_t i = 0; i < 20; ++i) {
    client.sends(10'000 * i, i % 2 == 0 ? StreamKind::bidirectional : StreamKind::unidirectional);
    server.sends(7'000 * i);
  }
  EXPECT_TRUE(
      network.run_until([&] { return client.acknowledged()() && server.acknowledged()(); }, 60s));
  return sum;
}

TEST(Determinism, EqualSeedsGiveEqualDatagrams) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    EXPECT_EQ(digest_of_run(seed), digest_of_run(seed)) << seed;
  }
  EXPECT_NE(digest_of_run(1), digest_of_run(2));
}

}  // namespace
}  // namespace qpeer::sim
