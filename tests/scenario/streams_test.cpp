// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Many streams, their ends, and flow control between two applications. RFC 9000 §2, §3, §4.
#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

using transport::StreamError;

PeerConfig with_stream_limits(std::uint64_t bidirectional, std::uint64_t unidirectional) {
  PeerConfig config;
  for (auto* each : {&config.connection, &config.endpoint.connection}) {
    each->streams.max_streams_bidi = bidirectional;
    each->streams.max_streams_uni = unidirectional;
  }
  return config;
}

SIMULATE(Streams, ManyOfBothKindsBothWays) {
  auto [client, server] = network.pair(Link{.delay = 10ms, .rate = 100_mbit, .loss = 0.01});
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < 60; ++i) {
    for (Peer* peer : {&client, &server}) {
      peer->sends(1'000 * i, StreamKind::bidirectional);
      peer->sends(500 * i, StreamKind::unidirectional);
    }
    total += 1'500 * i;
  }
  ASSERT_TRUE(run_until(server.received(total), 30s));
  ASSERT_TRUE(run_until(client.received(total), 30s));
  ASSERT_TRUE(run_until(client.acknowledged(), 5s));
  ASSERT_TRUE(run_until(server.acknowledged(), 5s));
  EXPECT_EQ(client.session().streams.size(), 240U);
  EXPECT_EQ(server.session().streams.size(), 240U);
}

SIMULATE(Streams, EchoOnTheSameStream) {
  auto [client, server] = network.pair(Link{.delay = 10ms, .rate = 100_mbit});
  server.echoes = true;
  for (int i = 0; i < 20; ++i) client.sends(30_KiB);
  ASSERT_TRUE(run_until(client.received(20 * 30_KiB), 10s));
  EXPECT_EQ(client.session().streams.size(), 20U);
}

SIMULATE(Streams, ManyMoreThanTheLimitOneAfterTheOther) {
  const PeerConfig config = with_stream_limits(4, 3);
  auto [client, server] = network.pair(Link{.delay = 5ms}, config, config);
  server.echoes = true;
  std::size_t open_at_once = 0;
  for (int i = 0; i < 200; ++i) {
    client.sends(100, StreamKind::bidirectional);
    client.sends(100, StreamKind::unidirectional);
  }
  const auto done = [&] {
    const auto& streams =
        server.has_session() ? server.session().streams : client.session().streams;
    const auto open =
        std::ranges::count_if(streams, [](const auto& each) { return !each.second.fin; });
    open_at_once = std::max(open_at_once, static_cast<std::size_t>(open));
    return server.received_bytes() == 40'000 && client.received_bytes() == 20'000;
  };
  EXPECT_TRUE(run_until(done, 60s));
  EXPECT_LE(open_at_once, 7U);
}

SIMULATE(Streams, LimitIsToldAtOnce) {
  const PeerConfig config = with_stream_limits(2, 0);
  auto [client, server] = network.pair(Link{}, config, config);
  ASSERT_TRUE(run_until(client.connected(), 5s));
  transport::Connection& connection = client.connection();
  EXPECT_TRUE(connection.open_stream(true).has_value());
  EXPECT_TRUE(connection.open_stream(true).has_value());
  EXPECT_EQ(connection.open_stream(true).error(), StreamError::limit_reached);
  EXPECT_EQ(connection.open_stream(false).error(), StreamError::limit_reached);
}

SIMULATE(Streams, MisuseIsToldAtOnceAndLeavesNoTrace) {
  auto [client, server] = network.pair();
  EXPECT_EQ(client.connection().open_stream(true).error(), StreamError::closed);  // Too early.
  ASSERT_TRUE(run_until(client.connected(), 5s));
  transport::Connection& connection = client.connection();
  const StreamId unknown{400};
  EXPECT_EQ(connection.write(unknown, as_bytes("x")).error(), StreamError::unknown_stream);
  EXPECT_EQ(connection.peek(unknown).error(), StreamError::unknown_stream);
  EXPECT_EQ(connection.finish(unknown).error(), StreamError::unknown_stream);
  const StreamId sends_only = connection.open_stream(false).value();
  EXPECT_EQ(connection.peek(sends_only).error(), StreamError::wrong_direction);
  EXPECT_EQ(connection.stop_sending(sends_only, 1).error(), StreamError::wrong_direction);
  EXPECT_EQ(connection.write(sends_only, as_bytes("abc")).value(), 3U);
  EXPECT_TRUE(connection.finish(sends_only).has_value());
  EXPECT_EQ(connection.write(sends_only, as_bytes("x")).error(), StreamError::finished);
  client.wake();
  client.sends(1_KiB);
  server.reads = false;
  EXPECT_TRUE(
      run_until([&] { return server.has_session() && server.session().streams.size() == 2; }, 5s));
  EXPECT_FALSE(client.session().closed());
}

SIMULATE(Streams, ResetReachesTheReader) {
  auto [client, server] = network.pair();
  ASSERT_TRUE(run_until(client.connected(), 5s));
  const auto id = client.session().opens(100_KiB);
  ASSERT_TRUE(id.has_value());
  ASSERT_TRUE(run_until(server.received(100), 5s));
  client.session().resets(*id, 77);
  const auto reset = [&] { return server.session().streams.at(*id).reset_code == 77U; };
  EXPECT_TRUE(run_until(reset, 5s));
  EXPECT_EQ(client.connection().write(*id, as_bytes("x")).error(), StreamError::finished);
}

/// Loses the next datagram of a direction.
void lose_next(Pipe& pipe) { pipe.filter = drop_ordinals({pipe.stats.entered}); }

SIMULATE(Streams, LostResetIsRepeated) {
  auto [client, server] = network.pair();
  ASSERT_TRUE(run_until(client.connected(), 10s));
  const StreamId id = client.session().opens(10_KiB).value();
  ASSERT_TRUE(run_until(server.received(10_KiB), 5s));
  run_for(1s);
  lose_next(network.pipe(client, server));
  client.session().resets(id, 77);
  EXPECT_TRUE(run_until([&] { return server.session().streams.at(id).reset_code == 77U; }, 2s));
  EXPECT_EQ(network.pipe(client, server).stats.dropped_filter, 1U);
}

SIMULATE(Streams, LostStopSendingIsRepeated) {
  auto [client, server] = network.pair();
  ASSERT_TRUE(run_until(client.connected(), 10s));
  const StreamId id = client.session().opens(10_KiB).value();
  ASSERT_TRUE(run_until(server.received(10_KiB), 5s));
  run_for(1s);
  lose_next(network.pipe(server, client));
  server.session().stops(id, 55);
  EXPECT_TRUE(run_until([&] { return client.session().streams.at(id).stopped_code == 55U; }, 2s));
  EXPECT_EQ(network.pipe(server, client).stats.dropped_filter, 1U);
}

SIMULATE(Streams, LostEndIsRepeated) {
  auto [client, server] = network.pair();
  ASSERT_TRUE(run_until(client.connected(), 10s));
  const StreamId id = client.session().opens(10_KiB).value();
  ASSERT_TRUE(run_until(server.received(10_KiB), 5s));
  run_for(1s);
  lose_next(network.pipe(client, server));
  ASSERT_TRUE(client.connection().finish(id).has_value());  // A FIN alone: all data is there.
  client.wake();
  EXPECT_TRUE(run_until([&] { return server.session().streams.at(id).fin; }, 2s));
  EXPECT_EQ(network.pipe(client, server).stats.dropped_filter, 1U);
}

SIMULATE(Streams, StopSendingReachesTheWriterAndResets) {
  auto [client, server] = network.pair();
  ASSERT_TRUE(run_until(client.connected(), 5s));
  server.reads = false;
  const StreamId id = client.session().opens(20_MiB).value();
  const auto there = [&] { return server.has_session() && server.session().streams.contains(id); };
  ASSERT_TRUE(run_until(there, 5s));
  server.session().stops(id, 55);
  ASSERT_TRUE(run_until([&] { return client.session().streams.at(id).stopped_code == 55U; }, 5s));
  EXPECT_EQ(client.connection().write(id, as_bytes("x")).error(), StreamError::stopped);
  // The connection goes on, with what the dead stream held given back.
  server.reads = true;
  client.sends(20_MiB);
  EXPECT_TRUE(run_until(server.received(20_MiB), 30s));
}

SIMULATE(FlowControl, SlowReaderHoldsTheWriterWithBoundedMemory) {
  PeerConfig config;
  for (auto* each : {&config.connection, &config.endpoint.connection}) {
    each->streams.receive_window = 256_KiB;
    each->streams.stream_receive_window = 128_KiB;
    each->streams.send_buffer = 64_KiB;
  }
  auto [client, server] = network.pair(Link{.delay = 10ms}, config, config);
  server.reads = false;
  client.sends(1_MiB);
  run_for(5s);
  // What left the client fits the stream's window; what it holds fits its buffer.
  const StreamId id{0};
  EXPECT_LE(network.pipe(client, server).stats.entered_bytes, 160_KiB);
  EXPECT_LE(client.session().streams.at(id).written, 128_KiB + 64_KiB);
  // Read by 10 KiB each 10 ms, everything comes.
  for (int i = 0; i < 500 && server.received_bytes() < 1_MiB; ++i) {
    server.session().reads(10_KiB);
    run_for(10ms);
    ASSERT_LE(client.session().streams.at(id).written, server.received_bytes() + 128_KiB + 64_KiB);
  }
  EXPECT_EQ(server.received_bytes(), 1_MiB);
  EXPECT_TRUE(run_until(client.acknowledged(), 5s));
}

// [rfc9000-4.1-5]: a reader who takes his time is no reason to end; one who is gone is.
SIMULATE(FlowControl, WhoIsHeldUpKeepsTheConnectionAlive) {
  for (const bool of_stream : {true, false}) {
    PeerConfig config;
    for (auto* each : {&config.connection, &config.endpoint.connection}) {
      each->max_idle_timeout = 4s;
      (of_stream ? each->streams.stream_receive_window : each->streams.receive_window) = 10'000;
    }
    auto [client, server] = network.pair(Link{}, config, config);
    client.sends(100'000);
    server.reads = false;
    run_for(60s);
    ASSERT_FALSE(client.closed()() || server.closed()());
    // Now and then, not all the time.
    EXPECT_LT(client.session().stats().packets_sent, 100U);
    server.reads = true;
    server.session().reads(1_MiB);
    ASSERT_TRUE(run_until(server.received(100'000), 5s));
    // Nobody is held up any more.
    run_for(5s);
    EXPECT_TRUE(client.closed()() && server.closed()());

    auto [widow, dead] = network.pair(Link{}, config, config);
    widow.sends(100'000);
    dead.reads = false;
    run_for(10s);
    dead.crash();
    run_for(10s);
    EXPECT_TRUE(widow.closed()());
  }
}

SIMULATE(FlowControl, OneStalledStreamDoesNotStallTheOthers) {
  PeerConfig config;
  for (auto* each : {&config.connection, &config.endpoint.connection}) {
    each->streams.receive_window = 1_MiB;
    each->streams.stream_receive_window = 64_KiB;
  }
  auto [client, server] = network.pair(Link{.delay = 10ms}, config, config);
  ASSERT_TRUE(run_until(client.connected(), 5s));
  server.reads = false;
  const StreamId stalled = client.session().opens(200_KiB, StreamKind::unidirectional).value();
  run_for(1s);
  server.reads = true;
  server.echoes = false;
  // From here new data is read as it comes, but nothing new comes for the stalled one.
  client.sends(2_MiB);
  ASSERT_TRUE(run_until(server.received(2_MiB), 10s));
  EXPECT_EQ(server.session().streams.at(stalled).received, 0U);
}

SIMULATE(FlowControl, ConnectionWindowIsSharedByManyStreams) {
  PeerConfig config;
  for (auto* each : {&config.connection, &config.endpoint.connection}) {
    each->streams.receive_window = 100_KiB;
    each->streams.stream_receive_window = 64_KiB;
  }
  auto [client, server] = network.pair(Link{.delay = 10ms}, config, config);
  server.reads = false;
  for (int i = 0; i < 10; ++i) client.sends(50_KiB);
  run_for(5s);
  EXPECT_LE(network.pipe(client, server).stats.entered_bytes, 130_KiB);
  for (int i = 0; i < 200 && server.received_bytes() < 500_KiB; ++i) {
    server.session().reads(20_KiB);
    run_for(30ms);
  }
  EXPECT_EQ(server.received_bytes(), 500_KiB);
}

}  // namespace
}  // namespace qpeer::sim
