// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Peers that begin with different versions meet in one, without a round trip where they can, and
// nobody on the way decides which. RFC 9368; RFC 9369 §4.
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/packets.hpp"
#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/transport/connection/new_tokens.hpp"
#include "qpeer/transport/wire/header.hpp"

namespace qpeer::sim {
namespace {

using transport::CloseReason;
using transport::RetryPolicy;
using transport::VersionOrder;

constexpr Version kV1 = Version::v1;
constexpr Version kV2 = Version::v2;
constexpr Version kReserved{0x1a2a3a4a};

VersionOrder only(Version version) {
  VersionOrder out;
  out.push_back(version);
  return out;
}

PeerConfig beginning_with(Version version) {
  PeerConfig config;
  config.connection.version = version;
  config.connection.handshake_timeout = 30s;
  return config;
}

PeerConfig preferring(Version version) {
  PeerConfig config;
  config.endpoint.connection.preferred_version = version;
  config.endpoint.connection.handshake_timeout = 30s;
  return config;
}

PeerConfig speaking(Version version) {
  PeerConfig config;
  config.endpoint.connection.versions = only(version);
  return config;
}

/// Kinds of long header packets with the version of each, such as "I1" and "H2".
std::vector<std::string> long_packets(Bytes datagram) {
  std::vector<std::string> out;
  Reader in{datagram};
  while (!in.empty() && (in.peek() & 0x80) != 0) {
    const Bytes rest = datagram.subspan(in.position());
    const char kind = packet_kinds(rest).front();
    in.byte();
    const Version version{in.u32()};
    in.bytes(in.byte());
    in.bytes(in.byte());
    if (kind == 'I') in.bytes(in.varint());
    if (kind == 'R' || kind == 'V') {
      in.rest();
    } else {
      in.bytes(in.varint());
    }
    out.push_back({kind, version == kV1 ? '1' : version == kV2 ? '2' : '?'});
  }
  return out;
}

/// Notes what each peer sends.
struct Log {
  Log(PeerNetwork& network, const Peer& client) {
    network.on_send([this, &client](const Passing& datagram) {
      auto& to = datagram.from == client.address() ? from_client : from_server;
      for (auto& each : long_packets(datagram.payload)) {
        if (to.empty() || to.back() != each) to.push_back(each);
      }
    });
  }
  std::vector<std::string> from_client;
  std::vector<std::string> from_server;
};

using Order = std::vector<std::string>;

Predicate both_confirmed(const Peer& client, const Peer& server) {
  return [c = client.confirmed(), s = server.confirmed()] { return c() && s(); };
}

void expect_version(const Peer& client, const Peer& server, Version version) {
  EXPECT_EQ(client.connection().version(), version);
  EXPECT_EQ(server.connection().version(), version);
}

// [rfc9369-4-3], [rfc9369-4.1-5], [rfc9369-4.1-6], [rfc9369-4.1-8], [rfc9368-2.3-1]: in one round trip,
// each packet in its version.
// [rfc9368-2.5-1] [rfc9368-2.5-2]: who begins with version 1, the default, is understood by all,
// and loses nothing.
SIMULATE(Versions, AServerMovesAClientToTheOneItPrefers) {
  auto [client, server] = network.pair(Link{.delay = 50ms}, beginning_with(kV1), preferring(kV2));
  const Instant start = network.now();
  const Log log(network, client);
  ASSERT_TRUE(run_until(both_confirmed(client, server), 10s));
  EXPECT_EQ(*client.session().connected_at, start + 100ms);
  expect_version(client, server, kV2);
  EXPECT_EQ(log.from_client, (Order{"I1", "I2", "H2"}));
  EXPECT_EQ(log.from_server, (Order{"I2", "H2"}));
  client.sends(10_KiB);
  EXPECT_TRUE(run_until(server.received(10_KiB), 5s));
}

// [rfc9369-4.1-1], [rfc9369-4.1-4]: the keys of its answer follow from the ID that the Retry gave, also
// when noise that looks like an answer made the client derive some before.
SIMULATE(Versions, AServerMovesAClientAfterARetry) {
  PeerConfig cautious = preferring(kV2);
  cautious.endpoint.retry = RetryPolicy::always;
  auto [client, server] = network.quiet_pair(Link{.delay = 50ms}, beginning_with(kV1), cautious);
  std::vector<u8> noise;
  network.on_send([&, &client = client, &server = server](const Passing& datagram) {
    if (!noise.empty()) return;
    Reader in{datagram.payload.subspan(5)};
    in.bytes(in.byte());
    const Bytes id = in.bytes(in.byte());
    noise.resize(1'200);
    Writer out{noise};
    out.byte(wire::long_first_byte(wire::PacketType::initial, kV2, 0));
    out.u32(static_cast<std::uint32_t>(kV2));
    out.byte(static_cast<u8>(id.size()));
    out.bytes(id);
    out.u16(0);  // Neither a Source Connection ID nor a token.
    out.varint_of_size(out.remaining() - 2, 2);
    network.inject(server.address(), client.address(), noise);
  });
  client.connect(server);
  ASSERT_TRUE(run_until(both_confirmed(client, server), 10s));
  EXPECT_GE(server.endpoint().stats().retries_sent, 1U);
  expect_version(client, server, kV2);
}

// [rfc9369-4.1-5]: half a ClientHello is acknowledged in its own version, for there is no other yet.
SIMULATE(Versions, AServerThatHasNotReadWhatIsOfferedStaysInTheOriginal) {
  auto [client, server] = network.pair(Link{.delay = 50ms}, beginning_with(kV1), preferring(kV2));
  network.pipe(client, server).filter = [](Passing& datagram) {
    return Verdict{.delay = datagram.ordinal == 1 ? Duration(50ms) : Duration{}};
  };
  const Log log(network, client);
  ASSERT_TRUE(run_until(both_confirmed(client, server), 10s));
  expect_version(client, server, kV2);
  EXPECT_EQ(log.from_server, (Order{"I1", "I2", "H2"}));
}

SIMULATE(Versions, AServerMovesAClientDownAsWell) {
  auto [client, server] = network.pair(Link{}, beginning_with(kV2), preferring(kV1));
  const Log log(network, client);
  ASSERT_TRUE(run_until(both_confirmed(client, server), 10s));
  expect_version(client, server, kV1);
  EXPECT_EQ(log.from_client, (Order{"I2", "I1", "H1"}));
}

SIMULATE(Versions, AClientStaysWhereItOffersNoOther) {
  PeerConfig config = beginning_with(kV1);
  config.connection.versions = only(kV1);
  auto [client, server] = network.pair(Link{}, config, preferring(kV2));
  ASSERT_TRUE(run_until(both_confirmed(client, server), 10s));
  expect_version(client, server, kV1);
}

// [rfc9369-4.1-1], [rfc9369-4.1-2], [rfc9369-4.1-4]
SIMULATE(Versions, ARetryComesBeforeTheMove) {
  PeerConfig config = preferring(kV2);
  config.endpoint.retry = RetryPolicy::always;
  auto [client, server] = network.pair(Link{}, beginning_with(kV1), config);
  const Log log(network, client);
  ASSERT_TRUE(run_until(both_confirmed(client, server), 10s));
  expect_version(client, server, kV2);
  EXPECT_EQ(log.from_server.front(), "R1");
  EXPECT_EQ(log.from_client, (Order{"I1", "I2", "H2"}));
  EXPECT_EQ(server.endpoint().stats().accepted, 1U);
  EXPECT_TRUE(client.connection().peer_parameters().retry_source_connection_id);
}

// [rfc9369-4.1-7]: a client that never heard of the move goes on in the original version.
TEST(Versions, TheMoveSurvivesLossOfAnything) {
  for (std::uint64_t n = 0; n < 36; ++n) {
    SCOPED_TRACE("client's " + std::to_string(n % 6) + ", server's " + std::to_string(n / 6));
    PeerNetwork network(n);
    PeerConfig config = preferring(kV2);
    config.tls.server_flight_size = 4'000;
    auto [client, server] = network.pair(Link{.delay = 20ms}, beginning_with(kV1), config);
    network.pipe(client, server).filter = drop_ordinals({n % 6, n % 6 + 1});
    network.pipe(server, client).filter = drop_ordinals({n / 6, n / 6 + 1});
    ASSERT_TRUE(network.run_until(both_confirmed(client, server), 25s));
    expect_version(client, server, kV2);
  }
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    PeerNetwork network(seed);
    auto [client, server] = network.pair(
        Link{.delay = 20ms, .loss = 0.2, .reorder = 0.3, .duplicate = 0.1, .corrupt = 0.05},
        beginning_with(seed % 2 == 0 ? kV1 : kV2), preferring(seed % 2 == 0 ? kV2 : kV1));
    ASSERT_TRUE(network.run_until(both_confirmed(client, server), 30s)) << "QPEER_SEED=" << seed;
  }
}

// [rfc9000-6.2-1], [rfc9368-2.1-3], [rfc9368-2.1-5]: a round trip more, and all is well.
// [rfc9368-6-2] [rfc9368-8-2]: the second attempt has a handshake of its own.
SIMULATE(Versions, WithoutACommonBeginningTheServersListDecides) {
  for (const auto& [mine, theirs] : {std::pair{kV1, kV2}, std::pair{kV2, kV1}}) {
    Peer& server = network.add_peer(speaking(theirs));
    Peer& client = network.add_peer(beginning_with(mine));
    network.connect(client.host(), server.host(), Link{.delay = 50ms});
    client.connect(server);
    client.sends(10_KiB);
    const Instant start = network.now();
    ASSERT_TRUE(run_until(both_confirmed(client, server), 10s));
    EXPECT_EQ(*client.session().connected_at, start + 200ms);
    expect_version(client, server, theirs);
    EXPECT_TRUE(run_until(server.received(10_KiB), 5s));
    EXPECT_EQ(server.endpoint().stats().accepted, 1U);
  }
}

// [rfc9000-15-2], [rfc9000-6.3-2]
SIMULATE(Versions, AReservedOneMakesTheServerTellItsOwn) {
  auto [client, server] = network.pair(Link{}, beginning_with(kReserved));
  ASSERT_TRUE(run_until(both_confirmed(client, server), 10s));
  expect_version(client, server, kV1);
  EXPECT_GE(server.endpoint().stats().version_negotiations_sent, 1U);
  PeerConfig upward = beginning_with(kReserved);
  upward.connection.preferred_version = kV2;
  Peer& other = network.add_peer(upward);
  other.connect(server);
  ASSERT_TRUE(run_until(other.confirmed(), 10s));
  EXPECT_EQ(other.connection().version(), kV2);
}

// [rfc9368-2.1-4]
SIMULATE(Versions, NothingInCommonEndsTheAttempt) {
  PeerConfig config = beginning_with(kV1);
  config.connection.versions = only(kV1);
  auto [client, server] = network.pair(Link{}, config, speaking(kV2));
  ASSERT_TRUE(run_until(client.closed(), 5s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::version_negotiation);
}

/// A Version Negotiation packet that answers `initial`.
std::vector<u8> negotiation_for(Bytes initial, Version version) {
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
  out.u32(static_cast<std::uint32_t>(version));
  storage.resize(out.size());
  return storage;
}

/// Forges an answer to the client's first Initial that offers only `version`.
void forge_negotiation(PeerNetwork& network, const Peer& client, const Peer& server,
                       Version version, int times = 1) {
  network.on_send([&network, &client, &server, version, left = times](const Passing& each) mutable {
    if (each.from != client.address() || left-- <= 0) return;
    network.inject(server.address(), client.address(), negotiation_for(each.payload, version));
  });
}

// [rfc8999-7-1], [rfc9368-4-15], [rfc9368-4-16], [rfc9000-21.12-1]: a server that speaks what the
// client began with did not send this.
SIMULATE(Versions, AForgedNegotiationCannotMoveAnybody) {
  for (const auto& [mine, forged] : {std::pair{kV1, kV2}, std::pair{kV2, kV1}}) {
    auto [client, server] = network.quiet_pair(Link{.delay = 20ms}, beginning_with(mine));
    forge_negotiation(network, client, server, forged);
    client.connect(server);
    ASSERT_TRUE(run_until(client.closed(), 10s));
    EXPECT_EQ(client.session().close->kind, CloseReason::Kind::local_transport);
    EXPECT_EQ(client.session().close->code,
              static_cast<std::uint64_t>(TransportErrorCode::version_negotiation_error));
    run_for(1s);
    EXPECT_FALSE(client.session().connected());
  }
}

// [rfc9368-4-2], [rfc9000-6.2-2]: a second one is not heard.
SIMULATE(Versions, OneNegotiationAtMostIsHeeded) {
  auto [client, server] =
      network.quiet_pair(Link{.delay = 20ms}, beginning_with(kV1), speaking(kV2));
  forge_negotiation(network, client, server, kV2, 2);
  client.connect(server);
  network.on_send([&, sent = 0](const Passing& each) mutable {
    if (each.from == client.address() && ++sent == 3) {
      network.inject(server.address(), client.address(), negotiation_for(each.payload, kV1));
      network.inject(server.address(), client.address(), negotiation_for(each.payload, kReserved));
    }
  });
  ASSERT_TRUE(run_until(both_confirmed(client, server), 10s));
  expect_version(client, server, kV2);
}

// [rfc9369-4.1-9]
SIMULATE(Versions, OnlyTheNegotiatedOneIsHeardAfterTheInitials) {
  auto [client, server] = network.pair(Link{.delay = 20ms}, beginning_with(kV1), preferring(kV2));
  std::vector<u8> handshake;
  network.pipe(client, server).filter = [](Passing& datagram) {
    return Verdict{.drop = packet_kinds(datagram.payload).starts_with("IH")};
  };
  network.on_delivery([&](const Passing& datagram) {
    if (datagram.to == server.address() && packet_kinds(datagram.payload).starts_with('H')) {
      handshake.assign(datagram.payload.begin(), datagram.payload.end());
      // As version 1 would have it: whether its keys fit is not even tried.
      handshake[0] = static_cast<u8>((handshake[0] & 0xcf) | 0x20);
      Writer(MutableBytes(handshake).subspan(1)).u32(1);
    }
  });
  ASSERT_TRUE(run_until([&] { return !handshake.empty(); }, 5s));
  const auto dropped = [&] {
    return server.endpoint()
        .stats()
        .dropped[static_cast<std::size_t>(DropReason::unsupported_version)];
  };
  const std::uint64_t before = dropped();
  network.inject(client.address(), server.address(), handshake);
  run_for(1ms);
  EXPECT_EQ(dropped(), before + 1);
  EXPECT_TRUE(run_until(both_confirmed(client, server), 5s));
}

// [rfc9369-5-2], [rfc9369-5-1]: tokens are of the version that was negotiated in the end.
SIMULATE(Versions, ATokenServesTheVersionOfItsConnection) {
  PeerConfig config = preferring(kV2);
  config.endpoint.retry = RetryPolicy::always;
  auto [client, server] = network.quiet_pair(Link{}, beginning_with(kV1), config);
  Session& first = client.connect(server);
  ASSERT_TRUE(run_until([&] { return !first.tokens.empty(); }, 5s));
  auto stored = *transport::StoredToken::decode(first.tokens.front());
  EXPECT_EQ(stored.version, kV2);
  const auto retries_with = [&](const std::vector<u8>& token) {
    const std::uint64_t before = server.endpoint().stats().retries_sent;
    Session& next = client.connect(server, token);
    EXPECT_TRUE(run_until([&] { return next.confirmed_at.has_value(); }, 9s));
    return server.endpoint().stats().retries_sent - before;
  };
  EXPECT_GE(retries_with(stored.encode()), 1U);  // The client does not show it ...
  stored.version = kV1;
  EXPECT_GE(retries_with(stored.encode()), 1U);  // ... and the server does not take it.
  EXPECT_EQ(server.endpoint().stats().tokens_accepted, 0U);
}

// [rfc9368-2.1-1]: all that it speaks, and nothing else that exists.
SIMULATE(Versions, NegotiationListsWhatTheServerSpeaks) {
  for (const bool grease : {true, false}) {
    PeerConfig config = speaking(kV2);
    config.endpoint.connection.grease.versions = grease;
    Peer& server = network.add_peer(config);
    std::vector<Version> listed;
    const SocketAddress stranger = network.new_address();
    network.on_send([&, stranger](const Passing& datagram) {
      if (datagram.to != stranger) return;
      Reader in{datagram.payload.last(datagram.payload.size() - 7 - 6 - 8)};
      while (!in.empty()) listed.push_back(Version{in.u32()});
    });
    std::vector<u8> initial(1'200);
    Writer out{initial};
    out.byte(0xc3);
    out.u32(1);
    out.byte(8);
    out.bytes(as_bytes("destinat"));
    out.byte(6);
    out.bytes(as_bytes("source"));
    network.inject(stranger, server.address(), initial);
    run_for(10ms);
    ASSERT_EQ(listed.size(), grease ? 2U : 1U);  // [rfc9000-17.2.1-7]: one packet, too.
    EXPECT_EQ(listed[0], kV2);
    if (grease) {
      EXPECT_TRUE(is_reserved(listed[1]));  // [rfc9000-15-1], [rfc9368-2.1-2]
    }
  }
}

}  // namespace
}  // namespace qpeer::sim
