// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whom an endpoint lets in, and what it answers without state: Retry, Version Negotiation, limits.
// RFC 9000 §5.2.2, §6, §8.1.2.
#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/packets.hpp"
#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

using transport::CloseReason;
using transport::RetryPolicy;

std::uint64_t dropped(const Peer& peer, DropReason reason) {
  return peer.endpoint().stats().dropped[static_cast<std::size_t>(reason)];
}

PeerConfig with_retry(RetryPolicy policy) {
  PeerConfig config;
  config.endpoint.retry = policy;
  return config;
}

// [rfc9001-4.7-1]
SIMULATE(Retry, AlwaysCostsOneRoundTripAndNoState) {
  auto [client, server] = network.pair(Link{.delay = 50ms}, {}, with_retry(RetryPolicy::always));
  const Instant start = network.now();
  client.sends(10_KiB);
  ASSERT_TRUE(run_until(client.connected(), 10s));
  EXPECT_EQ(*client.session().connected_at, start + 200ms);
  ASSERT_TRUE(run_until(server.received(10_KiB), 10s));
  // Each of the two Initials of the ClientHello is answered; the client heeds the first answer.
  EXPECT_GE(server.endpoint().stats().retries_sent, 1U);
  EXPECT_EQ(server.endpoint().stats().accepted, 1U);
}

SIMULATE(Retry, Never) {
  auto [client, server] = network.pair(Link{}, {}, with_retry(RetryPolicy::never));
  ASSERT_TRUE(run_until(client.confirmed(), 10s));
  EXPECT_EQ(server.endpoint().stats().retries_sent, 0U);
}

SIMULATE(Retry, UnderLoadOnlyAboveItsThreshold) {
  PeerConfig config = with_retry(RetryPolicy::under_load);
  config.endpoint.retry_above_handshakes = 3;
  Peer& server = network.add_peer(config);
  PeerConfig client_config;
  client_config.listens = false;
  for (int i = 0; i < 10; ++i) {
    Peer& client = network.add_peer(client_config);
    network.connect(client.host(), server.host(), Link{.delay = 20ms});
    client.connect(server);
  }
  const auto all_confirmed = [&] {
    return server.sessions().size() == 10 &&
           std::ranges::all_of(server.sessions(),
                               [](const auto& s) { return s->confirmed_at.has_value(); });
  };
  EXPECT_TRUE(run_until(all_confirmed, 10s));
  EXPECT_GE(server.endpoint().stats().retries_sent, 6U);
  EXPECT_EQ(server.endpoint().stats().accepted, 10U);
  EXPECT_EQ(server.endpoint().stats().handshakes, 0U);
}

TEST(Retry, SurvivesLossOfAnyDatagram) {
  for (std::uint64_t n = 0; n < 12; ++n) {
    PeerNetwork network(n);
    auto [client, server] = network.pair(Link{}, {}, with_retry(RetryPolicy::always));
    auto& pipe = n % 2 == 0 ? network.pipe(client, server) : network.pipe(server, client);
    pipe.filter = drop_ordinals({n / 2});
    client.sends(10_KiB);
    EXPECT_TRUE(network.run_until(server.received(10_KiB), 9s)) << "loss " << n;
  }
}

SIMULATE(Retry, ForgedRetryIsIgnored) {
  auto [client, server] = network.pair(Link{}, {}, with_retry(RetryPolicy::always));
  network.pipe(server, client).filter = [](Passing& datagram) {
    // The first of two Retries gets another Source Connection ID: who believes it is led astray.
    const std::size_t source = 5 + 1 + datagram.payload[5] + 1;
    if (datagram.ordinal == 0) datagram.payload[source] ^= 1;
    return Verdict{};
  };
  client.sends(1_KiB);
  EXPECT_TRUE(run_until(server.received(1_KiB), 9s));
}

SIMULATE(Retry, TokenOfAnotherAddressIsRefused) {
  auto [client, server] = network.pair(Link{}, {}, with_retry(RetryPolicy::always));
  // The client's answer to the Retry is taken away and comes from somebody else.
  const SocketAddress thief = network.new_address();
  std::uint64_t refusals = 0;
  network.on_send([&](const Passing& datagram) { refusals += datagram.to == thief ? 1 : 0; });
  network.pipe(client, server).filter = [&](Passing& datagram) {
    if (datagram.ordinal < 2) return Verdict{};
    network.inject(thief, server.address(), datagram.payload);
    return Verdict{.drop = true};
  };
  run_for(5s);
  EXPECT_EQ(server.endpoint().stats().accepted, 0U);
  EXPECT_GT(dropped(server, DropReason::invalid_token), 0U);
  EXPECT_GT(refusals, 0U);  // RFC 9000 §8.1.2: told with INVALID_TOKEN, rather than left waiting.
}

// [rfc9000-8.1.2-2], [rfc9000-8.1.4-7]
SIMULATE(Retry, TokenExpires) {
  PeerConfig config = with_retry(RetryPolicy::always);
  config.endpoint.retry_token_lifetime = 2s;
  auto [client, server] = network.pair(Link{}, {}, config);
  // The client's answer to the Retry lingers on the way.
  network.pipe(client, server).filter = [](Passing& datagram) {
    return Verdict{.delay = datagram.ordinal >= 2 ? Duration(5s) : Duration{}};
  };
  ASSERT_TRUE(run_until(client.closed(), 20s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::peer_transport);
  EXPECT_EQ(client.session().close->code,
            static_cast<std::uint64_t>(TransportErrorCode::invalid_token));
  EXPECT_EQ(server.endpoint().stats().accepted, 0U);
}

SIMULATE(VersionNegotiation, ServerAnswersAnUnknownVersion) {
  Peer& server = network.add_peer();
  const SocketAddress stranger = network.new_address();
  std::vector<u8> answer;
  network.on_send([&](const Passing& datagram) {
    answer.assign(datagram.payload.begin(), datagram.payload.end());
  });
  std::vector<u8> initial(1'200);
  Writer out{initial};
  out.byte(0xc3);
  out.u32(0x1a2a3a4a);
  out.byte(8);
  out.bytes(as_bytes("destinat"));
  out.byte(6);
  out.bytes(as_bytes("source"));
  network.inject(stranger, server.address(), initial);
  run_for(1s);
  ASSERT_EQ(packet_kinds(answer), "V");
  Reader in{answer};
  in.byte();
  EXPECT_EQ(in.u32(), 0U);
  EXPECT_EQ(as_text(in.bytes(in.byte())), "source");  // RFC 8999 §6: IDs are echoed crosswise.
  EXPECT_EQ(as_text(in.bytes(in.byte())), "destinat");
  bool offers_v1 = false;
  while (!in.empty()) {
    const std::uint32_t version = in.u32();
    EXPECT_NE(version, 0x1a2a3a4aU);
    offers_v1 = offers_v1 || version == 1;
  }
  EXPECT_TRUE(in.ok());
  EXPECT_TRUE(offers_v1);
  EXPECT_EQ(server.endpoint().stats().version_negotiations_sent, 1U);
  EXPECT_EQ(server.endpoint().stats().connections, 0U);
}

SIMULATE(VersionNegotiation, SmallDatagramsGetNoAnswer) {
  Peer& server = network.add_peer();
  std::vector<u8> initial(1'199, 0);
  Writer out{initial};
  out.byte(0xc3);
  out.u32(0x1a2a3a4a);
  network.inject(network.new_address(), server.address(), initial);
  run_for(1s);
  EXPECT_EQ(network.stats().sent, 0U);
  EXPECT_EQ(dropped(server, DropReason::too_small), 1U);
}

/// A Version Negotiation packet that answers `initial` and offers one version.
std::vector<u8> negotiation_for(Bytes initial, std::uint32_t version) {
  Reader in{initial.subspan(5)};
  const Bytes destination = in.bytes(in.byte());
  const Bytes source = in.bytes(in.byte());
  std::vector<u8> storage(200);
  Writer out{storage};
  out.byte(0x80);
  out.u32(0);
  out.byte(static_cast<u8>(source.size()));
  out.bytes(source);
  out.byte(static_cast<u8>(destination.size()));
  out.bytes(destination);
  out.u32(version);
  storage.resize(out.size());
  return storage;
}

/// Dials an address that answers the first Initial with Version Negotiation.
void answer_with_negotiation(PeerNetwork& network, Peer& client, std::uint32_t version) {
  const SocketAddress server = network.new_address();
  network.on_send([&network, server, version](const Passing& datagram) {
    if (datagram.to == server) {
      network.inject(server, datagram.from, negotiation_for(datagram.payload, version));
    }
  });
  client.connect(server);
}

SIMULATE(VersionNegotiation, ClientEndsWhenNoVersionIsCommon) {
  Peer& client = network.add_peer();
  answer_with_negotiation(network, client, 0x1a2a3a4a);
  ASSERT_TRUE(run_until(client.closed(), 5s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::version_negotiation);
  EXPECT_LT(network.now().time_since_epoch(), 2s);  // At once, not by a timeout.
}

SIMULATE(VersionNegotiation, ThatOffersTheVersionInUseIsIgnored) {
  // RFC 9000 §6.2: a client must discard it.
  Peer& client = network.add_peer();
  answer_with_negotiation(network, client, 1);
  ASSERT_TRUE(run_until(client.closed(), 30s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::handshake_timeout);
}

SIMULATE(VersionNegotiation, ComesTooLateOnceThePeerWasHeard) {
  auto [client, server] = network.pair();
  std::vector<u8> negotiation;
  network.on_send([&](const Passing& datagram) {
    if (negotiation.empty()) negotiation = negotiation_for(datagram.payload, 0x1a2a3a4a);
  });
  ASSERT_TRUE(run_until(client.connected(), 5s));
  network.inject(server.address(), client.address(), negotiation);
  run_for(10ms);
  ASSERT_FALSE(client.session().closed());
  client.sends(1_KiB);
  EXPECT_TRUE(run_until(server.received(1_KiB), 5s));
}

// [rfc9000-21.6-1]
SIMULATE(Limits, HandshakesInFlight) {
  PeerConfig config = with_retry(RetryPolicy::never);
  config.endpoint.max_handshakes = 5;
  Peer& server = network.add_peer(config);
  PeerConfig client_config;
  client_config.listens = false;
  client_config.connection.handshake_timeout = 5s;
  std::vector<Peer*> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(&network.add_peer(client_config));
    network.connect(clients.back()->host(), server.host(), Link{.delay = 20ms});
    network.pipe(server, *clients.back()).link.blocked = true;  // Never completes.
    clients.back()->connect(server);
  }
  for (int i = 0; i < 20; ++i) {
    run_for(100ms);
    EXPECT_LE(server.endpoint().stats().handshakes, 5U);
  }
  EXPECT_EQ(server.endpoint().stats().accepted, 5U);
  EXPECT_GE(dropped(server, DropReason::connection_limit), 15U);
  // Once those are given up there is room again.
  run_for(30s);
  EXPECT_EQ(server.endpoint().stats().handshakes, 0U);
  Peer& late = network.add_peer(client_config);
  late.connect(server);
  EXPECT_TRUE(run_until(late.confirmed(), 5s));
}

/// Somebody at 198.51.HOST.NUMBER who dials, and to whom no answer gets through.
Peer& add_silent(PeerNetwork& network, Peer& server, u8 net, u8 number) {
  PeerConfig config;
  config.listens = false;
  config.connection.handshake_timeout = 5s;
  Peer& client = network.add_peer(config, SocketAddress::ipv4({198, 51, net, number}, 4433));
  network.connect(client.host(), server.host(), Link{});
  network.pipe(server, client).link.blocked = true;
  client.connect(server);
  return client;
}

// [rfc9000-21.6-1]: the network that has too many is asked for proof, the others are not.
SIMULATE(Limits, RetryForOneNetworkAlone) {
  PeerConfig config = with_retry(RetryPolicy::under_load);
  config.endpoint.retry_above_handshakes_per_prefix = 5;
  Peer& server = network.add_peer(config);
  for (u8 i = 1; i <= 20; ++i) add_silent(network, server, 100, i);
  run_for(100ms);
  EXPECT_EQ(server.endpoint().stats().handshakes, 5U);
  const std::uint64_t retries = server.endpoint().stats().retries_sent;
  EXPECT_GE(retries, 15U);
  Peer& other = network.add_peer({}, SocketAddress::ipv4({198, 51, 101, 1}, 4433));
  Peer& neighbour = network.add_peer({}, SocketAddress::ipv4({198, 51, 100, 99}, 4433));
  const Instant start = network.now();
  network.set_default_link(Link{.delay = 10ms});
  other.connect(server);
  neighbour.connect(server);
  ASSERT_TRUE(run_until([&] { return other.connected()() && neighbour.connected()(); }, 5s));
  EXPECT_EQ(*other.session().connected_at, start + 20ms);
  EXPECT_EQ(*neighbour.session().connected_at, start + 40ms);  // It could prove its address.
}

SIMULATE(Limits, HandshakesOfOneNetwork) {
  PeerConfig config = with_retry(RetryPolicy::never);
  config.endpoint.max_handshakes_per_prefix = 5;
  Peer& server = network.add_peer(config);
  for (u8 i = 1; i <= 20; ++i) add_silent(network, server, 100, i);
  run_for(100ms);
  EXPECT_EQ(server.endpoint().stats().handshakes, 5U);
  EXPECT_GE(dropped(server, DropReason::connection_limit), 15U);
  Peer& other = network.add_peer({}, SocketAddress::ipv4({198, 51, 101, 1}, 4433));
  other.connect(server);
  EXPECT_TRUE(run_until(other.confirmed(), 5s));
  run_for(30s);
  EXPECT_EQ(server.endpoint().stats().handshakes, 0U);
  Peer& late = network.add_peer({}, SocketAddress::ipv4({198, 51, 100, 99}, 4433));
  late.connect(server);
  EXPECT_TRUE(run_until(late.confirmed(), 5s));
}

SIMULATE(Limits, Connections) {
  PeerConfig config;
  config.endpoint.max_connections = 3;
  Peer& server = network.add_peer(config);
  PeerConfig client_config;
  client_config.connection.handshake_timeout = 3s;
  std::vector<Peer*> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(&network.add_peer(client_config));
    clients.back()->connect(server);
    run_for(1s);
  }
  run_for(5s);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(clients[i]->session().closed(), i >= 3) << i;
  }
  EXPECT_EQ(server.endpoint().stats().connections, 3U);
  EXPECT_GT(dropped(server, DropReason::connection_limit), 0U);
  clients[0]->session().closes(0, "");
  run_for(5s);
  Peer& late = network.add_peer(client_config);
  late.connect(server);
  EXPECT_TRUE(run_until(late.confirmed(), 5s));
}

SIMULATE(Limits, ConnectionsOfOneNetwork) {
  PeerConfig config;
  config.endpoint.max_connections_per_prefix = 3;
  Peer& server = network.add_peer(config);
  PeerConfig client_config;
  client_config.connection.handshake_timeout = 3s;
  std::vector<Peer*> clients;
  for (u8 i = 1; i <= 5; ++i) {
    const auto address = SocketAddress::ipv4({198, 51, 100, i}, 4433);
    clients.push_back(&network.add_peer(client_config, address));
    clients.back()->connect(server);
  }
  run_for(5s);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(clients[i]->session().closed(), i >= 3) << i;
  Peer& other = network.add_peer(client_config, SocketAddress::ipv4({198, 51, 101, 1}, 4433));
  other.connect(server);
  EXPECT_TRUE(run_until(other.confirmed(), 5s));
  // A place is free once a connection has ended.
  clients[0]->session().closes(0, "");
  run_for(5s);
  Peer& late = network.add_peer(client_config, SocketAddress::ipv4({198, 51, 100, 9}, 4433));
  late.connect(server);
  EXPECT_TRUE(run_until(late.confirmed(), 5s));
}

// Clients fill all places but a sixteenth, so that we can dial.
SIMULATE(Limits, PlacesAreKeptForThoseWhomWeDial) {
  PeerConfig config;
  config.endpoint.max_connections = 16;
  Peer& server = network.add_peer(config);
  for (int i = 0; i < 20; ++i) network.add_peer().connect(server);
  run_for(5s);
  EXPECT_EQ(server.endpoint().stats().connections, 15U);
  Peer& dialled = network.add_peer();
  server.connect(dialled);
  EXPECT_TRUE(run_until(server.confirmed(), 5s));
}

SIMULATE(Limits, OfDiallingToo) {
  PeerConfig config;
  config.endpoint.max_connections = 2;
  Peer& client = network.add_peer(config);
  Peer& server = network.add_peer();
  client.connect(server);
  client.connect(server);
  Session& third = client.connect(server);
  ASSERT_TRUE(third.closed());
  EXPECT_EQ(third.close->reason, to_string(transport::ConnectError::connection_limit));
}

SIMULATE(Endpoint, RefusesBadAddresses) {
  Peer& client = network.add_peer();
  EXPECT_EQ(client.connect(SocketAddress{}).close.value().reason,
            to_string(transport::ConnectError::bad_address));
  EXPECT_EQ(client.connect(SocketAddress::ipv4({192, 0, 2, 1}, 0)).close.value().reason,
            to_string(transport::ConnectError::bad_address));
}

SIMULATE(Endpoint, ThatDoesNotListenAcceptsNobody) {
  PeerConfig deaf;
  deaf.listens = false;
  deaf.connection.handshake_timeout = 2s;
  Peer& client = network.add_peer(deaf);
  Peer& other = network.add_peer(deaf);
  client.connect(other);
  ASSERT_TRUE(run_until(client.closed(), 5s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::handshake_timeout);
  EXPECT_EQ(other.endpoint().stats().connections, 0U);
  EXPECT_TRUE(other.sessions().empty());
}

}  // namespace
}  // namespace qpeer::sim
