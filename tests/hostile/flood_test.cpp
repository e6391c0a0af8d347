// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A flood of first packets from addresses that nobody has: Retry begins, honest clients are served,
// and memory stays where it is. RFC 9000 §8.1.2, §21.6.
#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/counting_new.hpp"
#include "qpeer/tests/sim/null_keys.hpp"
#include "qpeer/tests/sim/packets.hpp"
#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/transport/wire/header.hpp"

namespace qpeer::sim {
namespace {

constexpr std::uint64_t kFlood = 100'000;
constexpr std::uint64_t kPerMillisecond = 10;
constexpr int kHonest = 50;
/// All that a flood of any length makes an endpoint hold, with default limits: the handshakes below
/// the threshold for Retry, the honest clients', and the tokens that those spent. This counts the
/// simulated clients too.
constexpr std::uint64_t kMemoryBound = 8 << 20;

/// A client's first Initial as if it had been sent to another ID: nobody has seen it before, and its
/// tag is right.
void readdress(std::vector<u8>& initial, NullKeys& keys, Random& random) {
  const MutableBytes packet(initial);
  const MutableBytes id = packet.subspan(6, 8);
  random.fill_public(id);
  const auto header = wire::decode_header(packet, 8);
  ASSERT_TRUE(header && header->type == wire::PacketType::initial);
  ASSERT_EQ(header->size, packet.size());
  const auto secrets = keys.initial_secrets(Version::v1, id);
  const auto client =
      keys.packet_keys(Version::v1, crypto::CipherSuite::aes_128_gcm_sha256, secrets.client);
  const std::size_t number_size = 1 + (packet[0] & 3U);
  const std::size_t payload = header->packet_number_offset + number_size;
  const PacketNumber number =
      Reader{packet.subspan(header->packet_number_offset)}.big_endian(number_size);
  client.aead->seal(number, packet.first(payload), packet.subspan(payload));
}

/// A ClientHello that fits one packet, so that each packet of the flood makes the server answer with
/// all that it has.
PeerConfig with_small_hello() {
  PeerConfig config;
  config.listens = false;
  config.tls.client_hello_size = 600;
  return config;
}

SIMULATE(Flood, OfHalfOpenHandshakesHurtsNobody) {
  PeerConfig server_config;
  server_config.tls.server_flight_size = 4'000;
  Peer& server = network.add_peer(server_config);
  std::vector<u8> initial;
  network.on_send([&](const Passing& datagram) {
    if (initial.empty()) initial.assign(datagram.payload.begin(), datagram.payload.end());
  });
  Peer& sample = network.add_peer(with_small_hello());
  network.pipe(sample, server).link.blocked = true;
  sample.connect(server);
  run_for(1ms);
  sample.crash();
  ASSERT_EQ(packet_kinds(initial), "I");

  std::vector<Peer*> honest;
  for (int i = 0; i < kHonest; ++i) {
    honest.push_back(&network.add_peer(with_small_hello()));
    network.connect(honest.back()->host(), server.host(), Link{.delay = 20ms});
  }
  constexpr std::uint64_t kEvery = kFlood / kHonest;
  NullKeys keys;
  const std::uint64_t before = allocation_counts().live_bytes;
  std::uint64_t peak = 0;
  std::uint64_t sent_to_strangers = 0;
  network.on_send([&](const Passing& datagram) {
    if (datagram.to.octets()[0] != 10) sent_to_strangers += datagram.payload.size();
  });
  std::size_t most_handshakes = 0;
  for (std::uint64_t n = 0; n < kFlood; ++n) {
    std::array<u8, 3> host{};
    network.random().fill_public(host);
    // Every other one from a single network, the rest from anywhere.
    const auto from = n % 2 == 0 ? SocketAddress::ipv4({203, 0, 113, host[0]}, 4433)
                                 : SocketAddress::ipv4({100, host[0], host[1], host[2]}, 4433);
    readdress(initial, keys, network.random());
    network.inject(from, server.address(), initial);
    if (n % kEvery == 0) {
      honest[n / kEvery]->connect(server);
      honest[n / kEvery]->sends(1'000);
    }
    if (n % kPerMillisecond == 0) run_for(1ms);
    peak = std::max(peak, allocation_counts().live_bytes);
    most_handshakes = std::max(most_handshakes, server.endpoint().stats().handshakes);
  }
  run_for(5s);
  int served = 0;
  for (const Peer* client : honest) served += client->acknowledged()() ? 1 : 0;
  EXPECT_EQ(served, kHonest);
  EXPECT_GT(server.endpoint().stats().retries_sent, kFlood * 9 / 10);
  // Below the threshold of all, and that of the one network, nobody is asked; honest ones pass.
  EXPECT_LE(most_handshakes, 100U + kHonest);
  EXPECT_LT(peak, before + kMemoryBound);
  EXPECT_LE(sent_to_strangers, 3 * kFlood * initial.size());
  std::printf("flood of %llu: %d of %d served, %llu Retries, %zu handshakes at most, %llu KiB\n",
              static_cast<unsigned long long>(kFlood), served, kHonest,
              static_cast<unsigned long long>(server.endpoint().stats().retries_sent),
              most_handshakes, static_cast<unsigned long long>((peak - before) >> 10));
  // Once it is over nothing of it is left.
  run_for(60s);
  EXPECT_EQ(server.endpoint().stats().handshakes, 0U);
  EXPECT_EQ(server.endpoint().stats().connections, 0U);
}

}  // namespace
}  // namespace qpeer::sim
