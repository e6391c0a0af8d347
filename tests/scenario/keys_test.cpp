// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Key updates and connection IDs over the life of a connection. RFC 9001 §6; RFC 9000 §5.1.
#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

/// Whether a short header packet, which NullKeys leave readable, has the Key Phase bit set.
bool key_phase(Bytes datagram) { return (datagram[0] & 0x84) == 0x04; }

/// One side updates its keys several times while both send.
void updates_during_transfer(PeerNetwork& network, Peer& updating, Peer& client, Peer& server,
                             std::uint64_t size = 8_MiB) {
  client.sends(size);
  server.sends(size);
  ASSERT_TRUE(network.run_until(client.confirmed(), 5s));
  int updates = 0;
  for (int i = 0; i < 60 && updates < 4; ++i) {
    network.run_for(50ms);
    if (updating.connection().initiate_key_update()) ++updates;
    updating.wake();
  }
  EXPECT_EQ(updates, 4);
  EXPECT_LT(client.received_bytes(), size);
  ASSERT_TRUE(network.run_until(client.received(size), 60s));
  ASSERT_TRUE(network.run_until(server.received(size), 60s));
  const auto both_did = [&] {
    return client.session().stats().key_updates == 4 && server.session().stats().key_updates == 4;
  };
  EXPECT_TRUE(network.run_until(both_did, 5s));
}

SIMULATE(KeyUpdate, ByTheClientDuringATransfer) {
  auto [client, server] = network.pair(Link{.delay = 10ms, .rate = 20_mbit});
  updates_during_transfer(network, client, client, server);
}

SIMULATE(KeyUpdate, ByTheServerDuringATransfer) {
  auto [client, server] = network.pair(Link{.delay = 10ms, .rate = 20_mbit});
  updates_during_transfer(network, server, client, server);
}

SIMULATE(KeyUpdate, SurvivesLossAndReordering) {
  auto [client, server] =
      network.pair(Link{.delay = 10ms, .rate = 20_mbit, .loss = 0.05, .reorder = 0.2});
  updates_during_transfer(network, client, client, server, 3_MiB);
}

SIMULATE(KeyUpdate, ByBothAtOnce) {
  auto [client, server] = network.pair(Link{.delay = 10ms, .rate = 20_mbit});
  client.sends(2_MiB);
  server.sends(2_MiB);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(100ms);
  EXPECT_TRUE(client.connection().initiate_key_update());
  EXPECT_TRUE(server.connection().initiate_key_update());
  client.wake();
  server.wake();
  ASSERT_TRUE(run_until(client.received(2_MiB), 60s));
  ASSERT_TRUE(run_until(server.received(2_MiB), 60s));
  EXPECT_EQ(client.session().stats().key_updates, 1U);
  EXPECT_EQ(server.session().stats().key_updates, 1U);
}

SIMULATE(KeyUpdate, NotBeforeConfirmationNorTwiceWithoutAnAcknowledgement) {
  auto [client, server] = network.pair(Link{.delay = 10ms});
  EXPECT_FALSE(client.connection().initiate_key_update());
  ASSERT_TRUE(run_until(client.connected(), 5s));
  EXPECT_FALSE(client.connection().initiate_key_update());
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(100ms);
  EXPECT_TRUE(client.connection().initiate_key_update());
  EXPECT_FALSE(client.connection().initiate_key_update());
}

SIMULATE(KeyUpdate, ShowsInTheKeyPhaseBitOfBoth) {
  auto [client, server] = network.pair(Link{.delay = 10ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(100ms);
  bool client_flipped = false;
  bool server_flipped = false;
  network.on_send([&](const Passing& datagram) {
    bool& flipped = datagram.from == client.address() ? client_flipped : server_flipped;
    flipped = flipped || key_phase(datagram.payload);
  });
  EXPECT_TRUE(client.connection().initiate_key_update());
  client.sends(100_KiB);
  ASSERT_TRUE(run_until(server.received(100_KiB), 5s));
  EXPECT_TRUE(client_flipped);
  EXPECT_TRUE(server_flipped);
}

// [rfc9001-5.3-3] [rfc9001-6.6-1] [rfc9001-6.6-3]
SIMULATE(KeyUpdate, HappensByItselfBeforeTheLimitOfTheCipher) {
  NullKeys keys({.confidentiality_limit = 4'000});
  PeerConfig config;
  config.keys = &keys;
  auto [client, server] = network.pair(Link{.delay = 5ms, .rate = 50_mbit}, config, config);
  client.sends(20_MiB);
  ASSERT_TRUE(run_until(server.received(20_MiB), 30s));
  EXPECT_GE(client.session().stats().key_updates, 4U);
  EXPECT_FALSE(client.session().closed());
}

SIMULATE(Integrity, TooManyForgeriesEndTheConnection) {
  NullKeys keys({.integrity_limit = 100});
  PeerConfig config;
  config.keys = &keys;
  auto [client, server] = network.pair(Link{}, config, config);
  std::vector<u8> real;
  network.on_send([&](const Passing& datagram) {
    if (datagram.from == client.address()) {
      real.assign(datagram.payload.begin(), datagram.payload.end());
    }
  });
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  client.sends(100);
  ASSERT_TRUE(run_until(client.acknowledged(), 5s));
  run_for(1s);
  ASSERT_EQ(real[0] & 0x80, 0);
  real[9 + (real[0] & 3)] += 50;  // The packet number's last byte: one that was not received yet.
  for (int i = 0; i < 150; ++i) {
    network.inject(client.address(), server.address(), real);
  }
  ASSERT_TRUE(run_until(server.closed(), 5s));
  EXPECT_EQ(server.session().close->kind, transport::CloseReason::Kind::local_transport);
  EXPECT_EQ(server.session().close->code,
            static_cast<std::uint64_t>(TransportErrorCode::aead_limit_reached));
}

// --- connection IDs ----------------------------------------------------------------------------

std::string destination_of(Bytes short_header_datagram) {
  return std::string(as_text(short_header_datagram.subspan(1, 8)));
}

SIMULATE(ConnectionIds, ASwitchDemandedByThePeerIsFollowed) {
  // With tags that nobody checks, the link can rewrite the server's NEW_CONNECTION_ID frames so
  // that they retire what came before.
  NullKeys keys({.accept_any_tag = true});
  PeerConfig config;
  config.keys = &keys;
  auto [client, server] = network.pair(Link{.delay = 10ms}, config, config);
  bool demanded = false;
  network.pipe(server, client).filter = [&](Passing& datagram) {
    // NEW_CONNECTION_ID: type 0x18, sequence number 1, retire prior to 0, length 8.
    constexpr std::array<u8, 4> kFrame{0x18, 1, 0, 8};
    const auto found = std::ranges::search(datagram.payload, kFrame);
    if (!found.empty()) {
      found[2] = 1;
      demanded = true;
    }
    return Verdict{};
  };
  std::set<std::string> destinations;
  network.on_delivery([&](const Passing& datagram) {
    if (datagram.to == server.address() && (datagram.payload[0] & 0x80) == 0) {
      destinations.insert(destination_of(datagram.payload));
    }
  });
  client.sends(100_KiB);
  ASSERT_TRUE(run_until(server.received(100_KiB), 10s));
  run_for(1s);
  ASSERT_TRUE(demanded);
  EXPECT_EQ(destinations.size(), 2U);
  destinations.clear();
  client.sends(100_KiB);
  ASSERT_TRUE(run_until(server.received(200_KiB), 10s));
  EXPECT_EQ(destinations.size(), 1U);  // The old one is not used again.
}

SIMULATE(ConnectionIds, StragglersToARetiredOneAreStillRead) {
  // As above, and what the client sends to the old ID until it hears of the new one is overtaken by
  // its RETIRE_CONNECTION_ID frames.
  NullKeys keys({.accept_any_tag = true});
  PeerConfig config;
  config.keys = &keys;
  auto [client, server] = network.pair(Link{.delay = 10ms}, config, config);
  std::string retired;
  network.pipe(server, client).filter = [&](Passing& datagram) {
    constexpr std::array<u8, 4> kFrame{0x18, 1, 0, 8};
    const auto found = std::ranges::search(datagram.payload, kFrame);
    if (!found.empty()) found[2] = 1;
    return Verdict{};
  };
  int late = 0;
  network.pipe(client, server).filter = [&](Passing& datagram) {
    if ((datagram.payload[0] & 0x80) != 0) return Verdict{};
    const std::string destination = destination_of(datagram.payload);
    if (retired.empty()) retired = destination;
    if (destination != retired) return Verdict{};
    ++late;
    return Verdict{.delay = 40ms};
  };
  client.sends(5_KiB);
  ASSERT_TRUE(run_until(server.received(5_KiB), 5s));
  run_for(1s);
  EXPECT_GT(late, 0);
  EXPECT_EQ(server.endpoint().stats().stateless_resets_sent, 0U);
  EXPECT_EQ(
      server.endpoint().stats().dropped[static_cast<std::size_t>(DropReason::unknown_connection)],
      0U);
}

// [rfc9000-5.1-1] [rfc9000-5.1-2]
SIMULATE(ConnectionIds, AreRandomAndOfEightBytes) {
  auto [client, server] = network.quiet_pair(Link{});
  std::set<std::string> destinations;
  network.on_delivery([&](const Passing& datagram) {
    if ((datagram.payload[0] & 0x80) == 0) destinations.insert(destination_of(datagram.payload));
  });
  for (int i = 0; i < 20; ++i) client.connect(server).sends(10_KiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 10s));
  EXPECT_EQ(destinations.size(), 40U);
}

}  // namespace
}  // namespace qpeer::sim
