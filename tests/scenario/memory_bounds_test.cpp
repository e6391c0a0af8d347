// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the connections of an endpoint hold together, for peers that take all they can get.
#include <algorithm>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

/// The pools of a server for a hundred connections, of which 40,960 bytes are each one's own.
constexpr transport::PoolLimits kLimits{.total = 8'192'000, .network = 2'048'000};
constexpr std::size_t kConnections = 100;
constexpr std::uint64_t kOwn = 40'960;

PeerConfig of_server() {
  PeerConfig config;
  config.endpoint.max_connections = kConnections;
  config.endpoint.receive_credit = kLimits;
  config.endpoint.send_buffers = kLimits;
  config.endpoint.datagrams = kLimits;
  config.endpoint.connection.max_datagram_frame_size = 65'535;
  return config;
}

/// Clients of several networks that are connected to the server.
std::vector<Peer*> connect_clients(PeerNetwork& network, Peer& server, std::size_t count,
                                   u8 networks, std::size_t first_host = 1) {
  std::vector<Peer*> clients;
  PeerConfig config;
  config.listens = false;
  config.connection.max_datagram_frame_size = 65'535;
  for (std::size_t i = 0; i < count; ++i) {
    const auto host = static_cast<u8>(first_host + i);
    const auto site = static_cast<u8>(i % networks);
    clients.push_back(&network.add_peer(config, SocketAddress::ipv4({172, 16, site, host}, 4433)));
    network.connect(clients.back()->host(), server.host(), Link{.delay = 5ms, .rate = 100_mbit});
    clients.back()->connect(server);
  }
  return clients;
}

/// Runs, and looks all the while whether the sums are right and within their bounds.
struct Watch {
  Peer& server;
  PeerNetwork& network;
  std::uint64_t most_credit = 0;
  std::uint64_t most_buffered = 0;
  std::uint64_t most_of_datagrams = 0;

  void run(Duration time) {
    for (Duration passed{}; passed < time; passed += 20ms) {
      network.run_for(20ms);
      const auto stats = server.endpoint().stats();
      most_credit = std::max(most_credit, stats.receive_credit);
      most_buffered = std::max(most_buffered, stats.send_buffered);
      most_of_datagrams = std::max(most_of_datagrams, stats.datagram_memory);
      ASSERT_TRUE(server.endpoint().consistent());
      ASSERT_LE(stats.receive_credit, kLimits.total);
      ASSERT_LE(stats.send_buffered, kLimits.total);
      ASSERT_LE(stats.datagram_memory, kLimits.total);
    }
  }
};

SIMULATE(MemoryBounds, OfClientsThatDoNotRead) {
  Peer& server = network.add_peer(of_server());
  Watch watch{server, network};
  const auto greedy = connect_clients(network, server, 40, 8);
  for (Peer* client : greedy) client->reads = false;
  watch.run(1s);
  ASSERT_EQ(server.sessions().size(), greedy.size());
  for (const auto& session : server.sessions()) {
    for (int i = 0; i < 20; ++i) session->sends(512_KiB);
  }
  watch.run(2s);
  EXPECT_GT(watch.most_buffered, 40 * kOwn) << "they did not even try";
  // One that reads gets all, though others hold the rest.
  Peer& honest = *connect_clients(network, server, 1, 1, 200).front();
  watch.run(1s);
  server.session(40).sends(2_MiB);
  watch.run(10s);
  EXPECT_EQ(honest.received_bytes(), 2_MiB);
  // They read after all, and nothing is missing.
  for (Peer* client : greedy) {
    client->reads = true;
    client->session().reads(kMaxVarint);
  }
  watch.run(60s);
  for (const Peer* client : greedy) EXPECT_EQ(client->received_bytes(), 20 * 512_KiB);
  EXPECT_EQ(server.endpoint().stats().send_buffered, 0U);
}

SIMULATE(MemoryBounds, OfClientsThatSendAllTheyMay) {
  Peer& server = network.add_peer(of_server());
  Watch watch{server, network};
  const auto greedy = connect_clients(network, server, 60, 4);
  for (Peer* client : greedy) client->sends(6_MiB);
  // What is read makes windows grow; then nobody reads, and they are full.
  watch.run(2s);
  server.reads = false;
  watch.run(2s);
  EXPECT_GT(watch.most_credit, 60 * kOwn + kLimits.network) << "they did not even try";
  Peer& honest = *connect_clients(network, server, 1, 1, 200).front();
  watch.run(1s);
  EXPECT_TRUE(honest.connected()());
  // Little by little all of it is read, and it all comes.
  honest.sends(1_MiB);
  for (int i = 0; i < 2'000 && server.received_bytes() < 361_MiB; ++i) {
    for (const auto& session : server.sessions()) session->reads(256_KiB);
    watch.run(20ms);
  }
  EXPECT_EQ(server.received_bytes(), 361_MiB);
  // Who has gone holds nothing.
  for (const auto& session : server.sessions()) session->closes(0, "");
  watch.run(5s);
  EXPECT_EQ(server.endpoint().stats().receive_credit, 0U);
}

SIMULATE(MemoryBounds, OfOneNetworkAreAShare) {
  Peer& server = network.add_peer(of_server());
  Watch watch{server, network};
  const auto crowd = connect_clients(network, server, 60, 1);
  for (Peer* client : crowd) client->sends(2_MiB);
  watch.run(3s);
  EXPECT_LE(watch.most_credit, kLimits.network + 60 * kOwn);
  EXPECT_GT(watch.most_credit, kLimits.network);
  watch.run(10s);
  EXPECT_EQ(server.received_bytes(), 120_MiB);
}

SIMULATE(MemoryBounds, OfDatagramsThatNobodyReads) {
  Peer& server = network.add_peer(of_server());
  Watch watch{server, network};
  const auto greedy = connect_clients(network, server, 80, 8);
  server.reads = false;
  watch.run(1s);
  const std::vector<u8> data(1'000, 7);
  const auto send_much = [&data](Session& from) {
    while (from.sends_datagram(data)) {
    }
  };
  // Both ways: more than the server reads, and more at once than it can send.
  for (int i = 0; i < 5; ++i) {
    for (Peer* client : greedy) send_much(client->session());
    for (const auto& session : server.sessions()) send_much(*session);
    watch.run(100ms);
  }
  watch.run(2s);
  EXPECT_GT(watch.most_of_datagrams, kLimits.total / 2) << "they did not even try";
  // One whose datagrams are read gets them through, though others hold the rest.
  Peer& honest = *connect_clients(network, server, 1, 1, 200).front();
  watch.run(1s);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(honest.session().sends_datagram(data).has_value());
  EXPECT_TRUE(server.session(80).sends_datagram(data).has_value());
  watch.run(1s);
  server.session(80).reads_datagrams();
  EXPECT_EQ(server.session(80).datagrams, 10U);
  EXPECT_EQ(honest.session().datagrams, 1U);
  // Who has gone holds nothing.
  for (const auto& session : server.sessions()) session->closes(0, "");
  watch.run(5s);
  EXPECT_EQ(server.endpoint().stats().datagram_memory, 0U);
}

SIMULATE(MemoryBounds, AConnectionThatHasEndedKeepsNothingToSend) {
  auto [client, server] = network.pair(Link{.delay = 10ms}, {}, of_server());
  client.reads = false;
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  for (int i = 0; i < 20; ++i) server.sends(1_MiB);
  run_for(1s);
  EXPECT_GT(server.endpoint().stats().send_buffered, kOwn);
  client.session().closes(0, "");
  run_for(15ms);
  EXPECT_EQ(server.endpoint().stats().connections, 1U) << "it drains";
  EXPECT_EQ(server.endpoint().stats().send_buffered, 0U);
}

SIMULATE(MemoryBounds, AWindowBeginsSmallAndGrows) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 200_mbit, .queue = 4 << 20});
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  EXPECT_EQ(server.endpoint().stats().receive_credit, 128_KiB);
  const Instant begin = network.now();
  client.sends(16_MiB);
  ASSERT_TRUE(run_until(server.received(16_MiB), 30s));
  // Slow start and 16 MiB at 200 Mbit/s: the window holds nothing up.
  EXPECT_LT(network.now() - begin, 1'100ms);
  run_for(1s);
  // Eight times what is on its way.
  EXPECT_GT(server.endpoint().stats().receive_credit, 8_MiB);
  EXPECT_LE(server.endpoint().stats().receive_credit, 32_MiB);
}

}  // namespace
}  // namespace qpeer::sim
