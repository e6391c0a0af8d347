// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Packets that overtake those which bring their keys. RFC 9001 §4.1.4, §5.7.
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/packets.hpp"
#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/transport/connection/undecryptable_packets.hpp"

namespace qpeer::sim {
namespace {

using transport::UndecryptablePackets;

std::uint64_t without_keys(const Peer& peer) {
  return peer.endpoint().stats().dropped[static_cast<std::size_t>(DropReason::keys_unavailable)];
}

std::uint64_t duplicates(const Peer& peer) {
  return peer.endpoint().stats().dropped[static_cast<std::size_t>(DropReason::duplicate)];
}

std::vector<u8> copy_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

/// Holds back the datagrams that have a Handshake packet.
Filter delay_handshake(Duration delay) {
  return [delay](Passing& datagram) {
    const bool held = packet_kinds(datagram.payload).find('H') != std::string::npos;
    return Verdict{.delay = held ? delay : Duration{}};
  };
}

// [rfc9001-4.1.4-1]
SIMULATE(UndecryptablePackets, HandshakeBeforeTheServersHelloWaitsForIt) {
  PeerConfig config;
  config.tls.server_flight_size = 3'000;
  auto [client, server] = network.pair(Link{.delay = 50ms}, config, config);
  int held = 0;
  network.pipe(server, client).filter = [&](Passing& datagram) {
    const bool first = packet_kinds(datagram.payload).starts_with("IH");
    held += first ? 1 : 0;
    return Verdict{.delay = first ? Duration(20ms) : Duration{}};
  };
  const Instant start = network.now();
  ASSERT_TRUE(run_until(client.connected(), 5s));
  EXPECT_EQ(held, 1);
  EXPECT_EQ(network.now() - start, 120ms) << "a round trip and the delay, but no probe";
  EXPECT_EQ(without_keys(client), 0U);
}

// [rfc9001-5.7-2], [rfc9001-5.7-3]
SIMULATE(UndecryptablePackets, DataBeforeTheClientsFinishedWaitsForIt) {
  auto [client, server] = network.pair(Link{.delay = 50ms});
  network.pipe(client, server).filter = delay_handshake(20ms);
  client.sends(5_KiB);
  const Instant start = network.now();
  ASSERT_TRUE(run_until(server.connected(), 5s));
  EXPECT_EQ(network.now() - start, 170ms);
  EXPECT_EQ(server.received_bytes(), 5_KiB) << "with the packet that completes the handshake";
  run_for(1s);
  EXPECT_EQ(without_keys(server), 0U);
  EXPECT_EQ(client.session().stats().packets_lost, 0U);
}

/// Runs until 1-RTT packets of the client have arrived at a server that cannot read them, and gives
/// one. The Handshake packets that it waits for come this much later.
std::vector<u8> one_early(PeerNetwork& network, Peer& client, Peer& server,
                          Duration delay = 200ms) {
  std::vector<u8> early;
  network.on_delivery([&](const Passing& datagram) {
    if (packet_kinds(datagram.payload) == "1" && datagram.to == server.address()) {
      early = copy_of(datagram.payload);
    }
  });
  network.pipe(client, server).filter = delay_handshake(delay);
  client.sends(2_KiB);
  EXPECT_TRUE(network.run_until([&] { return !early.empty(); }, 5s));
  EXPECT_FALSE(server.connected()());
  return early;
}

SIMULATE(UndecryptablePackets, ThereAreNeverManyOfThem) {
  auto [client, server] = network.pair(Link{});
  const std::vector<u8> early = one_early(network, client, server);
  const std::uint64_t before = without_keys(server);
  constexpr std::uint64_t kCopies = 1'000;
  for (std::uint64_t i = 0; i < kCopies; ++i) {
    network.inject(client.address(), server.address(), early);
  }
  run_for(1ms);
  EXPECT_GE(without_keys(server), before + kCopies - UndecryptablePackets::kMaxPackets);
  ASSERT_TRUE(run_until(server.received(2_KiB), 5s));
  EXPECT_GT(duplicates(server), 0U) << "those kept were looked at";
  EXPECT_LT(duplicates(server), UndecryptablePackets::kMaxPackets);
}

// Whoever writes to an ID that the server drew has read its Initial; the one that the client drew
// says nothing of the address.
SIMULATE(UndecryptablePackets, AreOnlyKeptForAnIdThatProvesTheAddress) {
  auto [client, server] = network.pair(Link{});
  std::vector<u8> hello;
  network.on_send([&](const Passing& datagram) {
    if (hello.empty()) hello = copy_of(datagram.payload);
  });
  std::vector<u8> early = one_early(network, client, server);
  ASSERT_EQ(hello[5], 8U) << "the length of the ID";
  copy(Bytes(hello).subspan(6, 8), MutableBytes(early).subspan(1));
  const std::uint64_t before = without_keys(server);
  network.inject(client.address(), server.address(), early);
  run_for(1ms);
  EXPECT_EQ(without_keys(server), before + 1);
}

SIMULATE(UndecryptablePackets, CountAsDroppedWhenTheirKeysNeverCome) {
  PeerConfig config;
  config.endpoint.connection.handshake_timeout = 1s;
  auto [client, server] = network.pair(Link{}, {}, config);
  one_early(network, client, server, 10s);
  client.crash();
  run_for(1ms);
  EXPECT_EQ(without_keys(server), 0U);
  run_for(2s);
  EXPECT_EQ(server.endpoint().stats().connections, 0U);
  EXPECT_GT(without_keys(server), 0U);
}

}  // namespace
}  // namespace qpeer::sim
