// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Nobody sleeps through what it waits for: long handshakes that are paced, keys that wear out,
// settings at the end of their range.
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

using transport::CloseReason;

SIMULATE(WakeUps, ALongHandshakeGoesOnAsThePacerAllows) {
  PeerConfig config;
  config.tls.server_flight_size = 60'000;
  auto [client, server] = network.pair(Link{.delay = 100ms}, config, config);
  const Instant start = network.now();
  ASSERT_TRUE(run_until(client.connected(), 9s));
  // Half a round trip to the server, half a one for what the amplification limit allows; the rest
  // in windows that double, not in the bursts of ten packets that need no timer.
  EXPECT_LT(*client.session().connected_at - start, 950ms);
}

// [rfc9001-6.6-2], [rfc9001-6.6-4], [rfc9001-6.6-5]
SIMULATE(WakeUps, WornOutKeysEndTheConnectionAndItsEndIsTold) {
  NullKeys keys({.confidentiality_limit = 16});
  PeerConfig config;
  config.keys = &keys;  // The server's own wear out later: it probes, too.
  auto [client, server] = network.pair(Link{}, config, {});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  network.pipe(server, client).link.blocked = true;  // No acknowledgement, so no key update.
  client.sends(100_KiB);
  ASSERT_TRUE(run_until(client.closed(), 25s));
  EXPECT_EQ(client.session().close->kind, CloseReason::Kind::local_transport);
  EXPECT_EQ(client.session().close->code,
            static_cast<std::uint64_t>(TransportErrorCode::aead_limit_reached));
  // The peer is told.
  ASSERT_TRUE(run_until(server.closed(), 5s));
  EXPECT_EQ(server.session().close->kind, CloseReason::Kind::peer_transport);
  run_for(10s);
  EXPECT_EQ(client.endpoint().stats().connections, 0U);
}

SIMULATE(WakeUps, TheLongestTimeoutsAreNotTheShortest) {
  PeerConfig config;
  for (auto* each : {&config.connection, &config.endpoint.connection}) {
    each->max_idle_timeout = Duration::max();
    each->handshake_timeout = Duration::max();
    each->keep_alive = Duration::max();
  }
  auto [client, server] = network.pair(Link{}, config, config);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(60s);
  EXPECT_FALSE(client.closed()());
  EXPECT_FALSE(server.closed()());
}

SIMULATE(WakeUps, LargeDatagramsCarryLargeHandshakes) {
  PeerConfig config;
  config.connection.max_datagram_size = std::numeric_limits<std::uint16_t>::max();
  config.endpoint.connection.max_datagram_size = std::numeric_limits<std::uint16_t>::max();
  config.tls.client_hello_size = 5'000;
  config.tls.server_flight_size = 40'000;
  auto [client, server] = network.pair(Link{.mtu = 65'535}, config, config);
  client.sends(1_MiB);
  EXPECT_TRUE(run_until(server.received(1_MiB), 9s));
}

}  // namespace
}  // namespace qpeer::sim
