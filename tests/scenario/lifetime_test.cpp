// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How connections end, and how they stay: idle timeout, keep-alive, close, draining, stateless
// reset, shutting down. RFC 9000 §10.
#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

using transport::CloseReason;

PeerConfig idle_after(Duration timeout, Duration keep_alive = {}) {
  PeerConfig config;
  for (auto* each : {&config.connection, &config.endpoint.connection}) {
    each->max_idle_timeout = timeout;
    each->keep_alive = keep_alive;
  }
  return config;
}

SIMULATE(IdleTimeout, EndsBothSidesInSilence) {
  auto [client, server] = network.pair(Link{}, idle_after(5s), idle_after(8s));
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  run_for(1s);
  const Instant quiet_since = network.now();
  const std::uint64_t sent = network.stats().sent;
  ASSERT_TRUE(run_until([&] { return client.closed()() && server.closed()(); }, 60s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::idle_timeout);
  EXPECT_EQ(server.session().close->kind, CloseReason::Kind::idle_timeout);
  EXPECT_EQ(network.stats().sent, sent);
  // The smaller of both counts for both.
  EXPECT_GT(network.now(), quiet_since + 3s);
  EXPECT_LT(network.now(), quiet_since + 6s);
  EXPECT_EQ(client.endpoint().stats().connections, 0U);
  EXPECT_EQ(server.endpoint().stats().connections, 0U);
}

SIMULATE(IdleTimeout, NoticesAPeerThatVanished) {
  auto [client, server] = network.pair(Link{}, idle_after(5s), idle_after(5s));
  client.sends(100_MiB);
  ASSERT_TRUE(run_until(server.received(100_KiB), 5s));
  server.crash();
  const Instant crashed = network.now();
  ASSERT_TRUE(run_until(client.closed(), 60s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::idle_timeout);
  // Sending restarts the timer once per silence, not with every retry.
  EXPECT_LT(network.now() - crashed, 6s);
}

SIMULATE(IdleTimeout, NoneWhenNobodyAsksForOne) {
  auto [client, server] = network.pair(Link{}, idle_after(0s), idle_after(0s));
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  run_for(std::chrono::hours(24));
  EXPECT_FALSE(client.session().closed());
  client.sends(1_KiB);
  EXPECT_TRUE(run_until(server.received(1_KiB), 5s));
}

SIMULATE(KeepAlive, KeepsAlive) {
  auto [client, server] = network.pair(Link{}, idle_after(5s, 2s), idle_after(5s));
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  const std::uint64_t before = network.stats().sent;
  run_for(100s);
  EXPECT_FALSE(client.session().closed());
  EXPECT_FALSE(server.session().closed());
  const std::uint64_t sent = network.stats().sent - before;
  EXPECT_GE(sent, 40U);
  EXPECT_LE(sent, 220U);  // A PING and its ACK each two seconds, not more.
}

SIMULATE(KeepAlive, DoesNotHideADeadPeer) {
  auto [client, server] = network.pair(Link{}, idle_after(6s, 2s), idle_after(6s));
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  server.crash();
  ASSERT_TRUE(run_until(client.closed(), 20s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::idle_timeout);
}

SIMULATE(Ping, IsAnswered) {
  auto [client, server] = network.pair(Link{.delay = 30ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  client.connection().ping();
  client.wake();
  const Instant start = network.now();
  ASSERT_TRUE(run_until([&] { return client.session().pongs == 1; }, 5s));
  EXPECT_GE(network.now() - start, 60ms);
  EXPECT_LE(network.now() - start, 90ms);  // One round trip and at most one delayed ACK.
  run_for(5s);
  EXPECT_EQ(client.session().pongs, 1U);
}

SIMULATE(Ping, EachIsAnsweredByItsOwnAcknowledgement) {
  auto [client, server] = network.pair(Link{.delay = 30ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  const auto ping = [&client] {
    client.connection().ping();
    client.wake();
  };
  const Instant start = network.now();
  ping();
  run_for(50ms);
  ping();  // The first is on its way; these two leave as one.
  ping();
  ASSERT_TRUE(run_until([&] { return client.session().pongs > 0; }, 5s));
  EXPECT_EQ(client.session().pongs, 1U);
  ASSERT_TRUE(run_until([&] { return client.session().pongs > 1; }, 5s));
  EXPECT_GE(network.now() - start, 110ms);
  run_for(5s);
  EXPECT_EQ(client.session().pongs, 3U);
}

SIMULATE(Ping, IsAnsweredOnceThoughItsFirstIsLost) {
  auto [client, server] = network.pair(Link{.delay = 30ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  Pipe& to_server = network.pipe(client, server);
  to_server.filter = drop_ordinals({to_server.stats.entered, to_server.stats.entered + 1});
  for (int i = 0; i < 2; ++i) {
    client.connection().ping();
    client.wake();
    run_for(1ms);
  }
  run_for(5s);
  EXPECT_EQ(to_server.stats.dropped_filter, 2U);
  EXPECT_EQ(client.session().pongs, 2U);
}

SIMULATE(Close, TellsThePeerCodeAndReason) {
  auto [client, server] = network.pair(Link{.delay = 10ms});
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  client.session().closes(4'711, "that was all");
  const Instant start = network.now();
  ASSERT_TRUE(run_until(server.closed(), 5s));
  EXPECT_EQ(network.now() - start, 10ms);
  EXPECT_EQ(server.session().close->kind, CloseReason::Kind::peer_application);
  EXPECT_EQ(server.session().close->code, 4'711U);
  EXPECT_EQ(server.session().close->reason, "that was all");
  ASSERT_TRUE(client.session().closed());
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::local_application);
  EXPECT_EQ(client.session().close->code, 4'711U);
}

SIMULATE(Close, ByTheServer) {
  auto [client, server] = network.pair(Link{.delay = 10ms});
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  server.session().closes(9, "busy");
  ASSERT_TRUE(run_until(client.closed(), 5s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::peer_application);
  EXPECT_EQ(client.session().close->reason, "busy");
}

SIMULATE(Close, LongReasonsAreCut) {
  auto [client, server] = network.pair();
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  client.session().closes(1, std::string(5'000, 'x'));
  ASSERT_TRUE(run_until(server.closed(), 5s));
  EXPECT_EQ(server.session().close->reason, std::string(256, 'x'));
}

SIMULATE(Close, DuringTheHandshakeHidesWhatTheApplicationSays) {
  // RFC 9000 §10.2.3: before 1-RTT keys, only APPLICATION_ERROR without a reason.
  auto [client, server] = network.pair(Link{.delay = 10ms});
  ASSERT_TRUE(run_until(
      [&] { return server.has_session() || server.endpoint().stats().accepted > 0; }, 5s));
  client.session().closes(4'711, "secret");
  ASSERT_TRUE(run_until(server.closed(), 5s));
  EXPECT_EQ(server.session().close->kind, CloseReason::Kind::peer_transport);
  EXPECT_EQ(server.session().close->code,
            static_cast<std::uint64_t>(TransportErrorCode::application_error));
  EXPECT_EQ(server.session().close->reason, "");
}

SIMULATE(Close, IsRepeatedToStragglersButNotForever) {
  auto [client, server] = network.pair(Link{.delay = 10ms, .rate = 10_mbit});
  server.sends(50_MiB);
  ASSERT_TRUE(run_until(client.received(1_MiB), 10s));
  Pipe& back = network.pipe(client, server);
  back.link.blocked = true;  // The server hears nothing of it, and sends on.
  client.session().closes(1, "enough");
  const std::uint64_t before = back.stats.entered;
  run_for(20s);
  // What still comes once all is forgotten gets a stateless reset.
  const std::uint64_t repeats =
      back.stats.entered - before - client.endpoint().stats().stateless_resets_sent;
  EXPECT_GE(repeats, 2U);
  EXPECT_LE(repeats, 12U);  // Ever more rarely.
  EXPECT_EQ(client.endpoint().stats().connections, 0U);
}

SIMULATE(Close, LostCloseIsRepeatedWhenThePeerGoesOn) {
  auto [client, server] = network.pair(Link{.delay = 10ms, .rate = 10_mbit});
  server.sends(50_MiB);
  ASSERT_TRUE(run_until(client.received(1_MiB), 10s));
  Pipe& back = network.pipe(client, server);
  const std::uint64_t next = back.stats.entered;
  back.filter = drop_ordinals({next});
  client.session().closes(1, "enough");
  ASSERT_TRUE(run_until(server.closed(), 2s));
  EXPECT_EQ(server.session().close->kind, CloseReason::Kind::peer_application);
}

SIMULATE(Close, DrainsAndForgets) {
  auto [client, server] = network.pair(Link{.delay = 10ms});
  ASSERT_TRUE(run_until(server.confirmed(), 5s));
  client.session().closes(0, "");
  ASSERT_TRUE(run_until(server.closed(), 5s));
  const std::uint64_t sent = network.pipe(server, client).stats.entered;
  // RFC 9000 §10.2: three PTOs, about 3 * (20 ms + variance + max_ack_delay).
  run_for(5s);
  EXPECT_LE(network.pipe(server, client).stats.entered, sent + 1);
  EXPECT_EQ(client.endpoint().stats().connections, 0U);
  EXPECT_EQ(server.endpoint().stats().connections, 0U);
  EXPECT_EQ(client.session().find(), nullptr);
  EXPECT_TRUE(client.endpoint().idle());
}

SIMULATE(Close, UseAfterwardsIsAnError) {
  auto [client, server] = network.pair();
  ASSERT_TRUE(run_until(client.connected(), 5s));
  transport::Connection& connection = client.connection();
  const StreamId id = connection.open_stream(true).value();
  connection.close(network.now(), 0, "");
  EXPECT_EQ(connection.open_stream(true).error(), transport::StreamError::closed);
  EXPECT_EQ(connection.write(id, as_bytes("x")).error(), transport::StreamError::closed);
}

PeerConfig with_reset_key() {
  PeerConfig config;
  config.endpoint.reset_key.fill(0x42);
  return config;
}

// [rfc9000-10.3.1-5], [rfc9000-10.3.2-2]: the ID tells all that is needed; nothing more is sent.
SIMULATE(StatelessReset, EndsTheClientOfARestartedServer) {
  auto [client, server] = network.pair(Link{.delay = 10ms}, {}, with_reset_key());
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  server.restart();
  client.sends(10_KiB);
  const Instant start = network.now();
  ASSERT_TRUE(run_until(client.closed(), 10s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::stateless_reset);
  EXPECT_LT(network.now() - start, 100ms);
  EXPECT_GT(server.endpoint().stats().stateless_resets_sent, 0U);
  const std::uint64_t sent = network.stats().sent;
  run_for(30s);
  EXPECT_EQ(network.stats().sent, sent);
  // And a new connection to the new server works.
  Session& again = client.connect(server);
  EXPECT_TRUE(run_until([&] { return again.connected(); }, 5s));
}

SIMULATE(StatelessReset, AnotherKeyIsNotBelieved) {
  PeerConfig config = with_reset_key();
  PeerConfig client_config = idle_after(5s);
  auto [client, server] = network.pair(Link{.delay = 10ms}, client_config, config);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  server.crash();
  PeerConfig impostor_config;
  impostor_config.endpoint.reset_key.fill(0x43);
  const SocketAddress address = server.address();
  network.change_address(server.host(), address, network.new_address());
  Peer& impostor = network.add_peer(impostor_config, address);
  client.sends(10_KiB);
  ASSERT_TRUE(run_until(client.closed(), 20s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::idle_timeout);
  EXPECT_GT(impostor.endpoint().stats().stateless_resets_sent, 0U);
}

SIMULATE(StatelessReset, TwoWithoutStateDoNotAnswerEachOtherForever) {
  auto [client, server] = network.pair(Link{.delay = 1ms}, with_reset_key(), with_reset_key());
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  client.sends(10_KiB);
  run_for(1ms);
  client.restart();
  server.restart();
  const std::uint64_t before = network.stats().sent;
  run_for(60s);
  EXPECT_LE(network.stats().sent - before, 12U);
}

SIMULATE(ShutDown, ClosesAllAndBecomesIdle) {
  Peer& server = network.add_peer();
  std::vector<Peer*> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(&network.add_peer());
    clients.back()->connect(server);
    clients.back()->sends(1_MiB);
  }
  run_for(100ms);
  server.endpoint().shut_down(network.now(), 7, "going home");
  server.wake();
  EXPECT_FALSE(server.drained);
  ASSERT_TRUE(run_until([&] { return server.endpoint().idle(); }, 10s));
  EXPECT_TRUE(server.drained) << "the event comes at once";
  for (const Peer* client : clients) {
    ASSERT_TRUE(client->session().closed());
    EXPECT_EQ(client->session().close->kind, CloseReason::Kind::peer_application);
    EXPECT_EQ(client->session().close->code, 7U);
    EXPECT_EQ(client->session().close->reason, "going home");
  }
  EXPECT_TRUE(server.closed()());
  EXPECT_EQ(server.endpoint().stats().connections, 0U);
}

SIMULATE(ShutDown, RefusesNewOnes) {
  PeerConfig config;
  config.connection.handshake_timeout = 2s;
  auto [client, server] = network.quiet_pair(Link{}, config);
  server.endpoint().shut_down(network.now(), 0, "");
  EXPECT_TRUE(server.endpoint().idle());
  client.connect(server);
  ASSERT_TRUE(run_until(client.closed(), 5s));
  EXPECT_FALSE(client.session().connected());
  EXPECT_EQ(server.connect(client).close.value().reason,
            to_string(transport::ConnectError::shut_down));
  EXPECT_EQ(server.endpoint().stats().accepted, 0U);
}

}  // namespace
}  // namespace qpeer::sim
