// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Tickets, resumption and early data between two whole endpoints, with OpenSSL's TLS.
// RFC 9000 §7.4.1, §17.2.3; RFC 9001 §4.5, §4.6, §4.9.3, §9.2.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "qpeer/tests/scenario/resumption_pair.hpp"
#include "qpeer/tests/sim/packets.hpp"

namespace qpeer::sim {
namespace {

using transport::CloseReason;

SIMULATE(Resumption, NeedsNoCertificateAndKnowsThePeerAllTheSame) {
  ResumptionPair pair(network);
  EXPECT_LE(pair.ticket.size(), transport::SessionTicket::kMaxSize);
  Session& session = pair.again();
  ASSERT_TRUE(run_until([&] { return session.confirmed_at && !session.tickets.empty(); }, 5s));
  EXPECT_TRUE(session.connection().is_resumed());
  EXPECT_TRUE(pair.at_server().connection().is_resumed());
  EXPECT_FALSE(session.connection().peer_certificate().public_key_spki.empty());
  EXPECT_FALSE(pair.at_server().connection().peer_certificate().public_key_spki.empty());
  EXPECT_EQ(session.connection().early_data(), crypto::EarlyData::none);
  EXPECT_FALSE(session.early_data_accepted.has_value());
}

// RFC 9000 §17.2.3, RFC 9001 §4.6, [rfc9000-7.4.1-4], [rfc9000-7.4.1-7], [rfc9000-13.2.6-3]: the request is there after
// half a round trip, and its answer after one.
SIMULATE(EarlyData, SavesARoundTrip) {
  ResumptionPair pair(network);
  pair.server->echoes = true;
  const Instant start = network.now();
  Session& session = pair.again(1'000);
  ASSERT_TRUE(pair.early_stream.has_value());
  ASSERT_TRUE(run_until([&] { return pair.server->received_bytes() >= 1'000; }, 5s));
  EXPECT_EQ(network.now(), start + 20ms);
  EXPECT_FALSE(pair.at_server().connected());
  EXPECT_TRUE(pair.at_server().streams.at(*pair.early_stream).early);
  EXPECT_EQ(pair.at_server().early_data_accepted, true);
  ASSERT_TRUE(run_until([&] { return session.received >= 1'000; }, 5s));
  EXPECT_EQ(network.now(), start + 40ms);
  EXPECT_EQ(session.early_data_accepted, true);
  ASSERT_TRUE(run_until([&] { return session.unacknowledged == 0; }, 5s));
  EXPECT_EQ(session.stats().packets_lost, 0U);
  // What comes later is not early.
  session.sends(100);
  ASSERT_TRUE(run_until([&] { return session.unacknowledged == 0; }, 5s));
  EXPECT_FALSE(pair.at_server().streams.at(StreamId{4}).early);
}

// RFC 9001 §9.2: nothing leaves early that was not meant to.
// [rfc9001-5.6-1]
SIMULATE(EarlyData, IsAskedForStreamByStream) {
  ResumptionPair pair(network);
  Session& session = pair.again(10);
  EXPECT_FALSE(session.connection().open_stream(true).has_value());
  EXPECT_FALSE(session.connection().send_datagram({}).has_value());
  ASSERT_TRUE(pair.arrives(10));
  Session& plain = pair.again();
  EXPECT_FALSE(plain.connection().open_early_stream(true).has_value());
  EXPECT_FALSE(plain.connection().send_early_datagram({}).has_value());
  ASSERT_TRUE(run_until([&] { return plain.connected(); }, 5s));
  EXPECT_TRUE(plain.connection().open_early_stream(true).has_value());
}

SIMULATE(EarlyData, DatagramsToo) {
  PeerConfig config;
  config.connection.max_datagram_frame_size = 65'535;
  config.endpoint.connection.max_datagram_frame_size = 65'535;
  ResumptionPair pair(network, {}, config, config);
  Session& session = pair.again(10);
  const std::vector<u8> data(200, 7);
  ASSERT_TRUE(session.connection().send_early_datagram(data).has_value());
  ASSERT_TRUE(pair.arrives(10));
  EXPECT_EQ(pair.at_server().early_datagrams, 1U);
  ASSERT_TRUE(session.sends_datagram(data).has_value());
  ASSERT_TRUE(run_until([&] { return pair.at_server().datagrams == 2; }, 5s));
  EXPECT_EQ(pair.at_server().early_datagrams, 1U);
}

// [rfc9001-4.6.2-1], [rfc9001-4.6.2-3]: a server that does not want it, and the library sends again.
SIMULATE(EarlyData, RejectedIsSentAgainOrReported) {
  for (const auto policy : {EarlyDataPolicy::resend, EarlyDataPolicy::report}) {
    ResumptionPair pair(network);
    Contexts other;
    other.server.tickets.key.emplace().fill(1);  // Cannot open the ticket.
    pair.server->config().real_server_tls = make(other.server);
    pair.server->restart();
    Session& session = pair.again(30'000, policy);
    ASSERT_TRUE(pair.early_stream.has_value());
    ASSERT_TRUE(run_until([&] { return session.confirmed_at.has_value(); }, 5s));
    EXPECT_EQ(session.early_data_accepted, false);
    EXPECT_FALSE(session.connection().is_resumed());
    if (policy == EarlyDataPolicy::report) {
      EXPECT_FALSE(session.connection().write(*pair.early_stream, as_bytes("x")).has_value());
      EXPECT_EQ(session.connection().open_stream(true), *pair.early_stream);
      run_for(1s);
      EXPECT_EQ(pair.server->received_bytes(), 0U);
      continue;
    }
    ASSERT_TRUE(run_until([&] { return session.unacknowledged == 0; }, 5s));
    EXPECT_EQ(pair.server->received_bytes(), 30'000U);
    EXPECT_FALSE(pair.at_server().streams.at(*pair.early_stream).early);
    EXPECT_EQ(session.stats().packets_lost, 0U);
  }
}

// The default: tickets, but no early data.
SIMULATE(EarlyData, IsTheServersChoice) {
  Contexts contexts;
  contexts.server.tickets.early_data = false;
  ResumptionPair pair(network, contexts);
  Session& session = pair.again(10);
  EXPECT_FALSE(pair.early_stream.has_value());
  ASSERT_TRUE(run_until([&] { return session.confirmed_at.has_value(); }, 5s));
  EXPECT_TRUE(session.connection().is_resumed());
}

// [rfc9000-7.4.1-9]: a server with lower limits resumes, and takes no early data. The client sends it
// again within them.
SIMULATE(EarlyData, LowerLimitsOfTheServerRejectIt) {
  ResumptionPair pair(network);
  auto& streams = pair.server->config().endpoint.connection.streams;
  streams.receive_window = 5'000;
  streams.stream_receive_window = 2'000;
  pair.server->restart();  // With the same TLS, hence the same ticket keys.
  Session& session = pair.again(30'000);
  ASSERT_TRUE(pair.early_stream.has_value());
  ASSERT_TRUE(run_until([&] { return session.unacknowledged == 0 && session.connected(); }, 20s));
  EXPECT_TRUE(session.connection().is_resumed());
  EXPECT_EQ(session.early_data_accepted, false);
  EXPECT_EQ(pair.server->received_bytes(), 30'000U);
}

// [rfc9000-7.4.1-10]: more than the remembered limits allow waits.
SIMULATE(EarlyData, KeepsWithinTheRememberedLimits) {
  PeerConfig config;
  config.endpoint.connection.streams.receive_window = 3'000;
  config.endpoint.connection.streams.stream_receive_window = 2'000;
  config.endpoint.connection.streams.max_streams_bidi = 1;
  ResumptionPair pair(network, {}, config, config);
  pair.server->reads = false;
  Session& session = pair.again(30'000);
  ASSERT_TRUE(pair.early_stream.has_value());
  EXPECT_FALSE(session.connection().open_early_stream(true).has_value());
  ASSERT_TRUE(run_until([&] { return session.confirmed_at.has_value(); }, 5s));
  EXPECT_EQ(session.early_data_accepted, true);
  pair.server->reads = true;
  EXPECT_EQ(pair.at_server().reads(1 << 20), 2'000U);
  ASSERT_TRUE(run_until([&] { return session.unacknowledged == 0; }, 5s));
}

// [rfc9000-17.2.3-1], [rfc9000-17.2.3-2]: again, and under new numbers, else some were duplicates.
SIMULATE(EarlyData, SurvivesARetry) {
  ResumptionPair pair(network);
  pair.server->config().endpoint.retry = transport::RetryPolicy::always;
  pair.server->restart();
  Session& session = pair.again(5'000);
  ASSERT_TRUE(pair.arrives(5'000));
  EXPECT_GE(pair.server->endpoint().stats().retries_sent, 1U);
  EXPECT_EQ(session.early_data_accepted, true);
  EXPECT_TRUE(pair.at_server().streams.at(*pair.early_stream).early);
  const auto& dropped = pair.server->endpoint().stats().dropped;
  EXPECT_EQ(dropped[static_cast<std::size_t>(DropReason::duplicate)], 0U);
}

// RFC 8446 §4.2.10: the second ClientHello carries none, and what was sent counts for nothing.
SIMULATE(EarlyData, HelloRetryRequestRejectsIt) {
  ResumptionPair pair(network);
  Contexts other;
  other.server.groups = "P-384";
  other.server.tickets.key.emplace().fill(3);
  pair.server->config().real_server_tls = make(other.server);
  pair.server->restart();
  Session& first = pair.again();
  ASSERT_TRUE(run_until([&] { return first.tickets.size() >= 1; }, 5s));
  EXPECT_EQ(first.connection().key_exchange_group(), "secp384r1");
  pair.ticket = first.tickets.back();
  Session& session = pair.again(5'000);
  ASSERT_TRUE(pair.early_stream.has_value());
  ASSERT_TRUE(pair.arrives(5'000));
  EXPECT_EQ(session.early_data_accepted, false);
  EXPECT_TRUE(session.connection().is_resumed());
  EXPECT_FALSE(pair.at_server().streams.at(*pair.early_stream).early);
}

// RFC 8446 §8.2, [rfc9001-9.2-1]: the very same datagrams, as an attacker who recorded them sends
// them, are early data no second time.
SIMULATE(EarlyData, AReplayIsNotEarly) {
  ResumptionPair pair(network);
  std::vector<std::vector<u8>> recorded;
  network.on_send([&](const Passing& passing) {
    if (passing.to == pair.server->address() && recorded.size() < 3) {
      recorded.emplace_back(passing.payload.begin(), passing.payload.end());
    }
  });
  (void)pair.again(2'000);
  ASSERT_TRUE(pair.arrives(2'000));
  ASSERT_EQ(recorded.size(), 3U);
  const std::uint64_t before = pair.server->received_bytes();
  // Its first connection ID is still routed to the first connection: the attacker waits for its end.
  pair.client.sessions().back()->closes(0, "");
  run_for(10s);
  const std::size_t sessions = pair.server->endpoint().stats().accepted;
  const SocketAddress attacker = SocketAddress::ipv4({10, 99, 0, 1}, 999);
  for (const auto& each : recorded) network.inject(attacker, pair.server->address(), each);
  run_for(1s);
  EXPECT_EQ(pair.server->endpoint().stats().accepted, sessions + 1);
  EXPECT_EQ(pair.server->received_bytes(), before);
}

// [rfc9001-4.9.3-4] and RFC 9001 §5.7: what overtakes, and what is overtaken.
TEST(EarlyData, SurvivesLossAndReordering) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    PeerNetwork network(seed);
    PeerConfig config;
    config.connection.handshake_timeout = 60s;
    config.endpoint.connection.handshake_timeout = 60s;
    ResumptionPair pair(network, {}, config, config,
                        {.delay = 20ms, .loss = 0.15, .reorder = 0.3, .duplicate = 0.1});
    const std::uint64_t before = pair.server->received_bytes();
    Session& session = pair.again(8'000);
    ASSERT_TRUE(network.run_until([&] { return session.unacknowledged == 0; }, 60s))
        << "QPEER_SEED=" << seed;
    EXPECT_EQ(pair.server->received_bytes(), before + 8'000) << "QPEER_SEED=" << seed;
    EXPECT_FALSE(session.closed());
  }
}

// [rfc9369-4.1-10]: early data stays in the version that it began with, whatever the server moves to.
SIMULATE(EarlyData, StaysInItsVersion) {
  ResumptionPair pair(network);
  pair.server->config().endpoint.connection.preferred_version = Version::v2;
  pair.server->restart();
  std::vector<std::uint32_t> versions;
  network.on_send([&](const Passing& datagram) {
    if (!packet_kinds(datagram.payload).starts_with('0')) return;
    versions.push_back(Reader{datagram.payload.subspan(1)}.u32());
  });
  network.pipe(*pair.server, pair.client).filter = drop_ordinals({0});
  Session& session = pair.again(20'000);
  ASSERT_TRUE(pair.arrives(20'000));
  EXPECT_EQ(session.early_data_accepted, true);
  EXPECT_EQ(session.connection().version(), Version::v2);
  ASSERT_FALSE(versions.empty());
  for (const auto version : versions) EXPECT_EQ(version, 1U);
}

// A Version Negotiation packet says that nothing was taken.
SIMULATE(EarlyData, GoesAgainInAnotherVersion) {
  ResumptionPair pair(network);
  pair.server->config().endpoint.connection.versions = {};
  pair.server->config().endpoint.connection.versions.push_back(Version::v2);
  pair.server->restart();
  Session& session = pair.again(4'000);
  ASSERT_TRUE(pair.early_stream.has_value());
  ASSERT_TRUE(pair.arrives(4'000));
  EXPECT_EQ(session.early_data_accepted, false);
  EXPECT_EQ(session.connection().version(), Version::v2);
}

// A 0-RTT packet ahead of the ClientHello's last part waits for its keys, RFC 9001 §5.7.
SIMULATE(EarlyData, OvertakesTheClientHello) {
  ResumptionPair pair(network);
  int seen = 0;
  network.pipe(pair.client, *pair.server).filter = [&](Passing&) {
    return Verdict{.delay = seen++ == 1 ? Duration(5ms) : Duration{}};
  };
  (void)pair.again(4'000);
  ASSERT_TRUE(pair.arrives(4'000));
  EXPECT_TRUE(pair.at_server().streams.at(*pair.early_stream).early);
  EXPECT_EQ(pair.client.sessions().back()->stats().packets_lost, 0U);
}

// Whoever may no longer be believed is not, whatever they were given before.
SIMULATE(Resumption, AsksWhetherThePeerIsStillBelieved) {
  for (const bool client_side : {true, false}) {
    Contexts contexts;
    auto believed = std::make_shared<bool>(true);
    (client_side ? contexts.client : contexts.server).verify_peer =
        [believed](const crypto::PeerCertificate&) { return *believed; };
    ResumptionPair pair(network, contexts);
    *believed = false;
    Session& session = pair.again(1'000);
    // A client offers nothing to whom it does not believe; a server takes nothing.
    EXPECT_EQ(pair.early_stream.has_value(), !client_side);
    ASSERT_TRUE(run_until([&] { return session.closed(); }, 5s));
    EXPECT_EQ(session.close->kind,
              client_side ? CloseReason::Kind::local_transport : CloseReason::Kind::peer_transport);
    EXPECT_EQ(session.close->code, 0x100U + 42);
    EXPECT_EQ(pair.server->received_bytes(), 0U);
  }
}

// Hostile input: a file that was tampered with costs a full handshake at most.
SIMULATE(Resumption, GarbageIsLeftAside) {
  ResumptionPair pair(network);
  const std::vector<u8> good = pair.ticket;
  const auto decoded = transport::SessionTicket::decode(good);
  ASSERT_TRUE(decoded.has_value());
  std::vector<std::vector<u8>> bad{{}, {1}, std::vector<u8>(100'000, 1)};
  bad.emplace_back(good.begin(), good.end() - 1);
  bad.push_back(good);
  bad.back()[good.size() / 2] ^= 1;
  auto other_version = *decoded;
  other_version.version = Version{7};  // Not one that we speak.
  bad.push_back(other_version.encode());
  for (std::size_t at = 0; at < decoded->session.size(); at += 29) {
    auto changed = *decoded;  // With a checksum that is right.
    changed.session[at] ^= 0x55;
    bad.push_back(changed.encode());
  }
  for (const auto& each : bad) {
    pair.ticket = each;
    Session& session = pair.again(10);
    EXPECT_FALSE(pair.early_stream.has_value());
    ASSERT_TRUE(run_until([&] { return session.connected(); }, 5s));
    EXPECT_FALSE(session.connection().is_resumed());
    session.closes(0, "");
    run_for(1s);
  }
}

// [rfc9369-5-2], [rfc9368-7.2-1]: whatever a client makes of it.
SIMULATE(Resumption, ATicketServesItsVersionOnly) {
  ResumptionPair pair(network);
  auto changed = transport::SessionTicket::decode(pair.ticket);
  ASSERT_TRUE(changed.has_value());
  changed->version = pair.client.config().connection.version = Version::v2;
  pair.ticket = changed->encode();
  Session& session = pair.again(10);
  EXPECT_TRUE(pair.early_stream.has_value());
  ASSERT_TRUE(pair.arrives(10));
  EXPECT_EQ(session.connection().version(), Version::v2);
  EXPECT_FALSE(session.connection().is_resumed());
  EXPECT_EQ(session.early_data_accepted, false);
}

// [rfc9369-5-1]: what was given in the version that the server moved the client to is shown in that
// version, from the first packet on, whatever a client without a ticket begins with.
SIMULATE(Resumption, ATicketOfTheNegotiatedVersionBeginsInIt) {
  PeerConfig prefers_v2;
  prefers_v2.endpoint.connection.preferred_version = Version::v2;
  ResumptionPair pair(network, {}, {}, prefers_v2);
  bool all_v2 = true;
  network.on_send([&](const Passing& datagram) {
    if ((datagram.payload[0] & 0x80) == 0) return;
    all_v2 = all_v2 && Reader{datagram.payload.subspan(1)}.u32() == 0x6b3343cf;
  });
  Session& session = pair.again(2'000);
  ASSERT_TRUE(pair.early_stream.has_value());
  ASSERT_TRUE(pair.arrives(2'000));
  EXPECT_TRUE(session.connection().is_resumed());
  EXPECT_EQ(session.early_data_accepted, true);
  EXPECT_TRUE(all_v2);
  // One who does not speak it any more begins without.
  session.closes(0, "");
  run_for(1s);
  pair.ticket = pair.client.session().tickets.at(1);
  pair.client.config().connection.versions = {};
  pair.client.config().connection.versions.push_back(Version::v1);
  Session& older = pair.again(10);
  EXPECT_FALSE(pair.early_stream.has_value());
  ASSERT_TRUE(run_until([&] { return older.connected(); }, 5s));
  EXPECT_EQ(older.connection().version(), Version::v1);
  EXPECT_FALSE(older.connection().is_resumed());
}

// Two servers with one key resume each other's sessions; early data stays where its ticket is from.
SIMULATE(Resumption, KeysCanBeShared) {
  Contexts contexts;
  contexts.server.tickets.key.emplace().fill(5);
  ResumptionPair pair(network, contexts);
  pair.server->config().real_server_tls = make(contexts.server);  // As after a restart.
  pair.server->restart();
  Session& session = pair.again(500);
  ASSERT_TRUE(pair.early_stream.has_value());
  ASSERT_TRUE(pair.arrives(500));
  EXPECT_TRUE(session.connection().is_resumed());
  EXPECT_EQ(session.early_data_accepted, false);
}

}  // namespace
}  // namespace qpeer::sim
