// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Ends that come at the edge of a setting: refusals, resets in disguise, time-outs of zero.
#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

using transport::CloseReason;

// [rfc9000-5.2.2-5]
SIMULATE(Refusal, IsToldToTheClient) {
  PeerConfig config;
  config.endpoint.max_connections = 0;
  auto [client, server] = network.pair(Link{}, {}, config);
  const Instant start = network.now();
  ASSERT_TRUE(run_until(client.closed(), 5s));
  EXPECT_LT(network.now() - start, 100ms) << "not by time-out";
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::peer_transport);
  EXPECT_EQ(client.session().close->code,
            static_cast<std::uint64_t>(TransportErrorCode::connection_refused));
}

SIMULATE(Limits, AFailedHandshakeMakesRoomAtOnce) {
  PeerConfig config;
  config.endpoint.max_handshakes = 1;
  config.endpoint.retry = transport::RetryPolicy::never;
  Peer& server = network.add_peer(config);
  PeerConfig stranger_config;
  stranger_config.tls.alpn = {"another"};
  Peer& stranger = network.add_peer(stranger_config);
  stranger.connect(server);
  ASSERT_TRUE(run_until(stranger.closed(), 5s));
  ASSERT_EQ(server.endpoint().stats().connections, 1U) << "it still drains";
  Peer& late = network.add_peer();
  late.connect(server);
  EXPECT_TRUE(run_until(late.confirmed(), 200ms));
}

// [rfc9000-10.3.1-2]: its first bytes are random, so they may happen to be an ID of ours.
SIMULATE(StatelessReset, IsFoundBehindAKnownConnectionId) {
  PeerConfig config;
  config.endpoint.reset_key.fill(0x42);
  auto [client, server] = network.pair(Link{}, {}, config);
  std::vector<u8> to_client;
  network.pipe(server, client).filter = [&](Passing& datagram) {
    to_client.assign(datagram.payload.begin(), datagram.payload.end());
    return Verdict{};
  };
  client.sends(10_KiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 5s));
  ASSERT_EQ(to_client[0] & 0x80, 0) << "a short header";
  run_for(1s);  // What probes the path is answered: only the large packet below meets the reset.
  server.restart();
  // What the server sends without state, with the ID that the client is reached by in front.
  network.pipe(server, client).filter = [&](Passing& datagram) {
    EXPECT_GE(datagram.payload.size(), 25U);
    copy(Bytes(to_client).subspan(1, 8), datagram.payload.subspan(1));
    return Verdict{};
  };
  client.sends(1_KiB);
  ASSERT_TRUE(run_until(client.closed(), 5s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::stateless_reset);
}

SIMULATE(KeepAlive, LongerThanTheIdleTimeoutStillKeepsAlive) {
  PeerConfig config;
  config.connection.max_idle_timeout = 60s;
  config.connection.keep_alive = 50s;
  PeerConfig server_config;
  server_config.endpoint.connection.max_idle_timeout = 4s;
  auto [client, server] = network.pair(Link{}, config, server_config);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(60s);
  EXPECT_FALSE(client.closed()());
  EXPECT_FALSE(server.closed()());
}

SIMULATE(HandshakeTimeout, ZeroIsNever) {
  PeerConfig config;
  config.connection.handshake_timeout = {};
  config.connection.max_idle_timeout = {};
  Peer& client = network.add_peer(config);
  client.connect(network.new_address());
  run_for(600s);
  EXPECT_FALSE(client.closed()());
}

}  // namespace
}  // namespace qpeer::sim
