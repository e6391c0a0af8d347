// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Peers that tell each other their addresses, also through a NAT. draft-ietf-quic-address-discovery.
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/packets.hpp"
#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/transport/wire/connection_frames.hpp"

namespace qpeer::sim {
namespace {

using transport::CloseReason;
using wire::AddressDiscovery;

constexpr AddressDiscovery kProvide{.provide = true};
constexpr AddressDiscovery kRequest{.request = true};
constexpr AddressDiscovery kBoth{.provide = true, .request = true};

PeerConfig with(AddressDiscovery discovery) {
  PeerConfig config;
  config.connection.address_discovery = discovery;
  config.endpoint.connection.address_discovery = discovery;
  return config;
}

Predicate told(const Peer& peer) {
  return [&peer] { return peer.has_session() && !peer.session().observed.empty(); };
}

/// Between a peer and the rest: gives what it sends another source address, and brings back what is
/// sent there.
class Nat {
 public:
  Nat(PeerNetwork& network, Peer& inside, Peer& outside, SocketAddress address) {
    network.pipe(inside, outside).filter = [&network, address](Passing& datagram) {
      later(network, address, datagram.to, datagram);
      return Verdict{.drop = true};
    };
    network.on_send([&network, &inside, &outside, address](const Passing& datagram) {
      if (datagram.to == address) later(network, outside.address(), inside.address(), datagram);
    });
  }

 private:
  static void later(PeerNetwork& network, SocketAddress from, SocketAddress to,
                    const Passing& datagram) {
    std::vector<u8> copy_of_it(datagram.payload.begin(), datagram.payload.end());
    network.after(10ms, [&network, from, to, bytes = std::move(copy_of_it), ecn = datagram.ecn] {
      network.inject(from, to, bytes, ecn);
    });
  }
};

SIMULATE(AddressDiscovery, EachSideLearnsItsAddressOnce) {
  auto [client, server] = network.pair(Link{}, with(kBoth), with(kBoth));
  client.sends(1_MiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 10s));
  run_for(3s);
  EXPECT_EQ(client.session().observed, std::vector{client.address()});
  EXPECT_EQ(server.session().observed, std::vector{server.address()});
}

SIMULATE(AddressDiscovery, WorksOverIpv6) {
  PeerConfig config = with(kBoth);
  config.listens = false;
  Peer& client = network.add_peer(config, network.new_address6());
  Peer& server = network.add_peer(with(kBoth), network.new_address6());
  client.connect(server);
  ASSERT_TRUE(run_until(told(client), 5s));
  ASSERT_TRUE(run_until(told(server), 5s));
  EXPECT_EQ(client.session().observed, std::vector{client.address()});
  EXPECT_EQ(server.session().observed, std::vector{server.address()});
}

// [draft-ietf-quic-address-discovery-5-2]
SIMULATE(AddressDiscovery, TheFirstFlightAfterTheHandshakeTells) {
  auto [client, server] = network.pair(Link{.delay = 10ms}, with(kBoth), with(kBoth));
  ASSERT_TRUE(run_until(told(server), 5s));
  EXPECT_EQ(*server.session().connected_at, network.now()) << "with the client's Finished";
  ASSERT_TRUE(run_until(told(client), 5s));
  EXPECT_EQ(*client.session().confirmed_at, network.now()) << "with HANDSHAKE_DONE";
}

// [draft-ietf-quic-address-discovery-4.1-6] [draft-ietf-quic-address-discovery-5-1]
// [rfc9000-19.21-1]
SIMULATE(AddressDiscovery, OnlyWhoAsksSomebodyThatOffersIsTold) {
  for (const AddressDiscovery& ours : {AddressDiscovery{}, kProvide, kRequest, kBoth}) {
    for (const AddressDiscovery& theirs : {AddressDiscovery{}, kProvide, kRequest, kBoth}) {
      auto [client, server] = network.pair(Link{}, with(ours), with(theirs));
      ASSERT_TRUE(run_until(client.confirmed(), 5s));
      run_for(2s);
      EXPECT_EQ(client.session().observed.size(), ours.request && theirs.provide ? 1U : 0U);
      EXPECT_EQ(server.session().observed.size(), theirs.request && ours.provide ? 1U : 0U);
      EXPECT_FALSE(client.session().closed());
      EXPECT_EQ(client.connection().peer_parameters().address_discovery, theirs);
    }
  }
}

SIMULATE(AddressDiscovery, BehindANatTheOutsideIsSeen) {
  auto [client, server] = network.pair(Link{}, with(kRequest), with(kProvide));
  const SocketAddress outside = SocketAddress::ipv4({203, 0, 113, 9}, 61'234);
  const Nat nat(network, client, server, outside);
  ASSERT_TRUE(run_until(told(client), 5s));
  EXPECT_EQ(client.session().observed, std::vector{outside});
}

// [draft-ietf-quic-address-discovery-4.1-4]
SIMULATE(AddressDiscovery, SurvivesLoss) {
  PeerConfig config = with(kBoth);
  config.connection.handshake_timeout = config.endpoint.connection.handshake_timeout = {};
  auto [client, server] = network.pair(Link{.delay = 20ms, .loss = 0.2}, config, config);
  ASSERT_TRUE(run_until(told(client), 60s));
  ASSERT_TRUE(run_until(told(server), 60s));
}

SIMULATE(AddressDiscovery, ALostFrameIsSentAgain) {
  auto [client, server] = network.pair(Link{.delay = 10ms}, with(kRequest), with(kProvide));
  int lost = 0;
  network.pipe(server, client).filter = [&](Passing& datagram) {
    const bool first = lost < 2 && has_packet(datagram.payload, '1');
    if (first) ++lost;
    return Verdict{.drop = first};
  };
  EXPECT_TRUE(run_until(told(client), 5s));
  EXPECT_EQ(lost, 2);
}

// --- frames that a peer of ours does not send --------------------------------------------------

std::vector<u8> frame(std::uint64_t sequence_number, const SocketAddress& address) {
  const wire::ObservedAddressFrame observed{.sequence_number = sequence_number, .address = address};
  std::vector<u8> storage(observed.size());
  Writer out{storage};
  observed.encode(out);
  return storage;
}

/// A client whose server is silent now, so that it can be spoken to in its name.
struct Forged {
  Forged(PeerNetwork& in, AddressDiscovery discovery)
      : network(in), keys({.accept_any_tag = true}) {
    PeerConfig config = with(discovery);
    config.keys = &keys;
    auto [from, to] = network.pair(Link{}, config, config);
    client = &from;
    server = &to;
    network.pipe(to, from).filter = [this](Passing& datagram) {
      if ((datagram.payload[0] & 0x80) == 0) id.assign(&datagram.payload[1], &datagram.payload[9]);
      return Verdict{};
    };
    EXPECT_TRUE(network.run_until(from.confirmed(), 5s));
    network.run_for(2s);
    to.crash();
  }
  void receives(Bytes frames) {
    std::vector<u8> storage(1 + 8 + 4 + frames.size() + 16);
    Writer out{storage};
    out.byte(0x43);
    out.bytes(id);
    out.u32(number++);
    out.bytes(frames);
    network.inject(server->address(), client->address(), storage);
    network.run_for(1ms);
  }

  PeerNetwork& network;
  NullKeys keys;
  Peer* client = nullptr;
  Peer* server = nullptr;
  std::vector<u8> id;
  std::uint32_t number = 100;
};

const SocketAddress kSomewhere = SocketAddress::ipv4({203, 0, 113, 9}, 61'234);
const SocketAddress kElsewhere = *SocketAddress::parse("[2001:db8::7]:443");

// [draft-ietf-quic-address-discovery-4.1-7]
SIMULATE(AddressDiscovery, WhatWasNotRequestedIsAViolation) {
  for (const AddressDiscovery& ours : {AddressDiscovery{}, kProvide}) {
    Forged forged(network, ours);
    forged.receives(frame(0, kElsewhere));
    ASSERT_TRUE(forged.client->session().closed());
    EXPECT_EQ(forged.client->session().close->kind, CloseReason::Kind::local_transport);
    EXPECT_EQ(forged.client->session().close->code,
              static_cast<std::uint64_t>(TransportErrorCode::protocol_violation));
    EXPECT_EQ(forged.client->session().close->frame_type, 0x9f81a7U);
  }
}

// [draft-ietf-quic-address-discovery-4.1-2]
SIMULATE(AddressDiscovery, OldNumbersAndNobodysAddressesAreIgnored) {
  Forged forged(network, kBoth);
  Session& session = forged.client->session();
  ASSERT_EQ(session.observed.size(), 1U) << "of the handshake";
  forged.receives(frame(10, kSomewhere));
  run_for(1s);
  ASSERT_EQ(session.observed.size(), 2U);
  EXPECT_EQ(session.observed.back(), kSomewhere);
  forged.receives(frame(10, kElsewhere));
  forged.receives(frame(9, kElsewhere));
  forged.receives(frame(11, kElsewhere.with_port(0)));
  forged.receives(frame(12, *SocketAddress::parse("224.0.0.1:443")));
  run_for(3s);
  EXPECT_EQ(session.observed.size(), 2U);
  forged.receives(frame(13, kElsewhere));
  ASSERT_EQ(session.observed.size(), 3U);
  EXPECT_EQ(session.observed.back(), kElsewhere);
}

SIMULATE(AddressDiscovery, APeerThatBabblesIsHeardOnceASecond) {
  Forged forged(network, kBoth);
  Session& session = forged.client->session();
  const Instant begin = network.now();
  for (std::uint16_t i = 1; i <= 2'500; ++i) forged.receives(frame(i, kSomewhere.with_port(i)));
  EXPECT_EQ(network.now() - begin, 2'500ms);
  EXPECT_EQ(session.observed.size(), 1U + 3U);
  ASSERT_TRUE(run_until([&] { return session.observed.size() == 1U + 4U; }, 1s));
  EXPECT_EQ(network.now() - begin, 3s) << "the last one comes when it is time";
  EXPECT_EQ(session.observed.back(), kSomewhere.with_port(2'500));
}

}  // namespace
}  // namespace qpeer::sim
