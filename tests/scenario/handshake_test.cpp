// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The handshake on good and bad paths. RFC 9000 §7, §12.2, §14.1; RFC 9001 §4.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/packets.hpp"
#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

using transport::CloseReason;

Predicate both(Predicate a, Predicate b) {
  return [a = std::move(a), b = std::move(b)] { return a() && b(); };
}

SIMULATE(Handshake, TakesOneRoundTrip) {
  auto [client, server] = network.pair(Link{.delay = 50ms});
  const Instant start = network.now();
  ASSERT_TRUE(run_until(both(client.confirmed(), server.confirmed()), 10s));
  EXPECT_EQ(*client.session().connected_at, start + 100ms);
  EXPECT_EQ(*server.session().connected_at, start + 150ms);
  EXPECT_EQ(*server.session().confirmed_at, start + 150ms);
  EXPECT_EQ(*client.session().confirmed_at, start + 200ms);
  EXPECT_EQ(client.session().stats().handshake_time, 100ms);
  EXPECT_TRUE(server.session().incoming());
  EXPECT_EQ(server.sessions().size(), 1U);
  EXPECT_EQ(client.connection().alpn(), "sim");
  EXPECT_EQ(as_text(client.connection().peer_certificate().der), "peer");
}

// [rfc9000-8.1-4] [rfc9000-14.1-1] [rfc9001-9.3-1]
// [rfc9000-6-1]: all our versions ask for the same size.
SIMULATE(Handshake, ClientHelloSpansTwoInitialsAndEachDatagramIsPadded) {
  auto [client, server] = network.pair();
  std::vector<std::string> from_client;
  network.on_send([&](const Passing& datagram) {
    const std::string kinds = packet_kinds(datagram.payload);
    if (datagram.from != client.address()) return;
    from_client.push_back(kinds);
    // RFC 9000 §14.1: a client's datagrams with Initials have at least 1,200 bytes.
    if (kinds.find('I') != std::string::npos) {
      EXPECT_GE(datagram.payload.size(), 1'200U) << kinds;
    }
  });
  ASSERT_TRUE(run_until(client.confirmed(), 10s));
  ASSERT_GE(from_client.size(), 2U);
  EXPECT_EQ(from_client[0], "I");
  EXPECT_EQ(from_client[1], "I");
}

// [rfc9001-4-2] [rfc9000-12.2-2]
SIMULATE(Handshake, ServerCoalescesInitialAndHandshake) {
  auto [client, server] = network.pair();
  bool coalesced = false;
  network.on_send([&](const Passing& datagram) {
    coalesced = coalesced || packet_kinds(datagram.payload).starts_with("IH");
  });
  ASSERT_TRUE(run_until(client.confirmed(), 10s));
  EXPECT_TRUE(coalesced);
}

SIMULATE(Handshake, InitialsInReverseOrder) {
  auto [client, server] = network.pair();
  network.pipe(client, server).filter = [](Passing& datagram) {
    return Verdict{.delay = datagram.ordinal == 0 ? Duration(5ms) : Duration{}};
  };
  ASSERT_TRUE(run_until(both(client.confirmed(), server.confirmed()), 1s));
  EXPECT_EQ(server.sessions().size(), 1U);
  EXPECT_EQ(server.endpoint().stats().accepted, 1U);
}

SIMULATE(Handshake, SecondInitialAlone) {
  // The first is lost: the server cannot go on, but keeps what it got.
  auto [client, server] = network.pair();
  network.pipe(client, server).filter = drop_ordinals({0});
  EXPECT_TRUE(run_until(both(client.confirmed(), server.confirmed()), 10s));
  EXPECT_EQ(server.endpoint().stats().accepted, 1U);
}

SIMULATE(Handshake, LargeClientHello) {
  PeerConfig client_config;
  client_config.tls.client_hello_size = 6'000;
  auto [client, server] = network.pair(Link{}, client_config);
  EXPECT_TRUE(run_until(both(client.confirmed(), server.confirmed()), 10s));
}

/// Both sides are confirmed though these datagrams of a direction are lost.
void survives_loss_of(std::set<std::uint64_t> client_ordinals,
                      std::set<std::uint64_t> server_ordinals, std::size_t server_flight) {
  PeerNetwork network(client_ordinals.size() * 100 + server_ordinals.size());
  PeerConfig config;
  config.tls.server_flight_size = server_flight;
  auto [client, server] = network.pair(Link{.delay = 20ms}, config, config);
  network.pipe(client, server).filter = drop_ordinals(client_ordinals);
  network.pipe(server, client).filter = drop_ordinals(server_ordinals);
  client.sends(10_KiB);
  ASSERT_TRUE(network.run_until(both(client.confirmed(), server.confirmed()), 9s));
  ASSERT_TRUE(network.run_until(server.received(10_KiB), 5s));
  EXPECT_EQ(server.sessions().size(), 1U);
}

TEST(Handshake, AnySingleDatagramOfTheClientMayBeLost) {
  for (std::uint64_t n = 0; n < 8; ++n) {
    SCOPED_TRACE("datagram " + std::to_string(n));
    survives_loss_of({n}, {}, 1'000);
  }
}

TEST(Handshake, AnySingleDatagramOfTheServerMayBeLost) {
  for (const std::size_t flight : {1'000U, 4'000U}) {
    for (std::uint64_t n = 0; n < 8; ++n) {
      SCOPED_TRACE("datagram " + std::to_string(n));
      survives_loss_of({}, {n}, flight);
    }
  }
}

TEST(Handshake, AnyPairOfDatagramsMayBeLost) {
  for (std::uint64_t n = 0; n < 6; ++n) {
    for (std::uint64_t m = 0; m < 6; ++m) {
      SCOPED_TRACE("client's " + std::to_string(n) + ", server's " + std::to_string(m));
      survives_loss_of({n, n + 1}, {m, m + 1}, 2'500);
    }
  }
}

TEST(Handshake, SurvivesThirtyPercentLoss) {
  int failed = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    PeerNetwork network(seed);
    PeerConfig config;
    config.connection.handshake_timeout = 60s;
    config.endpoint.connection.handshake_timeout = 60s;
    auto [client, server] = network.pair(Link{.delay = 10ms, .loss = 0.3}, config, config);
    const bool done = network.run_until(both(client.confirmed(), server.confirmed()), 60s);
    EXPECT_TRUE(done) << "QPEER_SEED=" << seed;
    failed += done ? 0 : 1;
  }
  EXPECT_EQ(failed, 0);
}

TEST(Handshake, SurvivesEveryFaultAtOnce) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    PeerNetwork network(seed);
    PeerConfig config;
    config.connection.handshake_timeout = 60s;
    config.endpoint.connection.handshake_timeout = 60s;
    auto [client, server] = network.pair(Link{.delay = 10ms,
                                              .jitter = 5ms,
                                              .loss = 0.1,
                                              .reorder = 0.2,
                                              .duplicate = 0.2,
                                              .corrupt = 0.2,
                                              .ce = 0.1},
                                         config, config);
    EXPECT_TRUE(network.run_until(both(client.confirmed(), server.confirmed()), 60s))
        << "QPEER_SEED=" << seed;
  }
}

// [rfc9000-7-2] [rfc9001-8.1-1]
SIMULATE(Handshake, ProtocolsThatDoNotMatchAreRefusedOnBothSides) {
  PeerConfig client_config;
  client_config.tls.alpn = {"other"};
  auto [client, server] = network.pair(Link{}, client_config);
  ASSERT_TRUE(run_until(both(client.closed(), server.closed()), 5s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::peer_transport);
  EXPECT_EQ(client.session().close->code, 0x178U);
  EXPECT_EQ(server.session().close->kind, CloseReason::Kind::local_transport);
  EXPECT_EQ(server.session().close->code, 0x178U);
  EXPECT_FALSE(client.session().connected());
}

SIMULATE(Handshake, ServerRefusesTheClientsCertificate) {
  PeerConfig server_config;
  server_config.tls.verify_peer = [](const crypto::PeerCertificate&) { return false; };
  auto [client, server] = network.pair(Link{}, {}, server_config);
  ASSERT_TRUE(run_until(both(client.closed(), server.closed()), 5s));
  // The client was done before the server looked at its certificate.
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::peer_transport);
  EXPECT_EQ(client.session().close->code, 0x100U + 42);
  EXPECT_EQ(server.session().close->code, 0x100U + 42);
  EXPECT_FALSE(server.session().connected());
}

SIMULATE(Handshake, VersionTwo) {
  PeerConfig client_config;
  client_config.connection.version = Version::v2;
  auto [client, server] = network.pair(Link{}, client_config);
  client.sends(10_KiB);
  ASSERT_TRUE(run_until(server.received(10_KiB), 5s));
  EXPECT_EQ(client.connection().version(), Version::v2);
  EXPECT_EQ(server.connection().version(), Version::v2);
}

SIMULATE(Handshake, OverIpv6) {
  PeerConfig client_config;
  client_config.listens = false;
  Peer& client = network.add_peer(client_config, network.new_address6());
  Peer& server = network.add_peer({}, network.new_address6());
  client.connect(server);
  EXPECT_TRUE(run_until(both(client.confirmed(), server.confirmed()), 5s));
}

// [rfc9000-14-1]: a path that does not carry 1200 bytes carries no connection.
SIMULATE(Handshake, APathThatIsTooNarrowCarriesNone) {
  auto [client, server] = network.pair(Link{.mtu = 1'199});
  ASSERT_TRUE(run_until(client.closed(), 30s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::handshake_timeout);
  EXPECT_EQ(server.endpoint().stats().accepted, 0U);
}

SIMULATE(Handshake, NobodyThere) {
  PeerConfig config;
  config.connection.handshake_timeout = 7s;
  Peer& client = network.add_peer(config);
  client.connect(network.new_address());
  const Instant start = network.now();
  std::uint64_t sent = 0;
  network.on_send([&](const Passing&) { ++sent; });
  ASSERT_TRUE(run_until(client.closed(), 60s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::handshake_timeout);
  EXPECT_EQ(*client.session().closed_at, start + 7s);
  EXPECT_GE(sent, 6U);   // It tried again ...
  EXPECT_LE(sent, 40U);  // ... ever more slowly.
  run_for(10s);
  EXPECT_EQ(client.endpoint().stats().connections, 0U);
  EXPECT_TRUE(client.endpoint().idle());
}

SIMULATE(Handshake, NothingComesBack) {
  PeerConfig config;
  config.connection.handshake_timeout = 5s;
  config.endpoint.connection.handshake_timeout = 5s;
  auto [client, server] = network.pair(Link{}, config, config);
  network.pipe(server, client).link.blocked = true;
  ASSERT_TRUE(run_until(both(client.closed(), server.closed()), 60s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::handshake_timeout);
  EXPECT_EQ(server.session().close->kind, CloseReason::Kind::handshake_timeout);
  run_for(10s);
  EXPECT_EQ(server.endpoint().stats().connections, 0U);
  EXPECT_EQ(server.endpoint().stats().handshakes, 0U);
}

}  // namespace
}  // namespace qpeer::sim
