// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Clients whose local address disappears: the system refuses to send from it. RFC 9000 §9.
#include <algorithm>
#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

using transport::CloseReason;

constexpr Link kLink{.delay = 20ms, .rate = 50_mbit};

/// The connection IDs that 1-RTT packets of one sender carried, and from where.
struct SentIds {
  SentIds(PeerNetwork& network, const SocketAddress& receiver) {
    network.on_send([this, receiver](const Passing& datagram) {
      if (datagram.to != receiver || (datagram.payload[0] & 0x80) != 0) return;
      ids.emplace(ConnectionId(Bytes(datagram.payload).subspan(1, 8)), datagram.from);
    });
  }
  /// Whether an ID was sent to from more than one address.
  [[nodiscard]] bool reused() const {
    const auto id = [](const auto& each) { return std::get<0>(each); };
    return std::ranges::adjacent_find(ids, {}, id) != ids.end();
  }
  std::set<std::tuple<ConnectionId, SocketAddress>> ids;
};

// [rfc9000-9.5-2], [rfc9000-9.4-2]
SIMULATE(GoneAddress, ADownloadGoesOnFromAnotherAtOnce) {
  auto [client, server] = network.pair(kLink);
  client.host().checks_source = client.host().reports_gone_addresses = true;
  const SocketAddress old = client.address();
  const SocketAddress other = network.new_address();
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  const SentIds sent(network, server.address());
  server.sends(2_MiB);
  run_for(150ms);
  const std::uint64_t before = client.received_bytes();
  ASSERT_GT(before, 0U);
  ASSERT_LT(before, 1_MiB);
  network.change_address(client.host(), old, other);
  EXPECT_TRUE(run_until(client.received(before + 1), 200ms)) << "a few round trips";
  EXPECT_EQ(server.connection().path().remote, other);
  ASSERT_TRUE(run_until(server.acknowledged(), 10s));
  EXPECT_FALSE(sent.reused());
  ASSERT_EQ(client.session().paths.size(), 1U);
  EXPECT_EQ(client.session().paths[0].local, other);
  EXPECT_EQ(client.connection().path().local, other);
  EXPECT_TRUE(client.session().failed_paths.empty());
}

SIMULATE(GoneAddress, ADownloadOverAFastLinkDoesNotStall) {
  auto [client, server] = network.pair(Link{.delay = 100us, .rate = 1000_mbit});
  client.host().checks_source = client.host().reports_gone_addresses = true;
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  server.sends(16_MiB);
  ASSERT_TRUE(run_until(client.received(4_MiB), 5s));
  network.change_address(client.host(), client.address(), network.new_address());
  EXPECT_TRUE(run_until(server.acknowledged(), 400ms));
}

SIMULATE(GoneAddress, ARequestInFlightIsNotLost) {
  auto [client, server] = network.pair(kLink);
  client.host().checks_source = true;
  server.echoes = true;
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  client.sends(200'000);
  run_for(15ms);
  network.change_address(client.host(), client.address(), network.new_address());
  EXPECT_TRUE(run_until(client.received(200'000), 1s));
  EXPECT_EQ(client.session().stats().path_changes, 1U);
}

// Who only waits for an answer learns it from the system, not from a refusal.
SIMULATE(GoneAddress, AnAnswerThatIsAwaitedComes) {
  auto [client, server] = network.pair(kLink);
  client.host().checks_source = client.host().reports_gone_addresses = true;
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  client.sends(100);
  run_for(5s);
  network.change_address(client.host(), client.address(), network.new_address());
  run_for(100ms);
  server.sends(1_KiB);
  EXPECT_TRUE(run_until(client.received(1_KiB), 100ms));
  EXPECT_EQ(client.session().stats().path_changes, 1U);
}

// One train was refused, and shows it for all connections of the endpoint.
SIMULATE(GoneAddress, EveryConnectionOfTheEndpointGoesOn) {
  auto [client, server] = network.pair(kLink);
  client.host().checks_source = true;
  client.connect(server);
  ASSERT_TRUE(run_until(
      [&, &from = client] {
        return from.sessions().size() == 2 && from.session(0).confirmed_at &&
               from.session(1).confirmed_at;
      },
      5s));
  run_for(1s);
  const SocketAddress other = network.new_address();
  network.change_address(client.host(), client.address(), other);
  client.session(0).sends(1_KiB);
  run_for(500ms);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(client.session(i).connection().path().local, other);
    EXPECT_EQ(server.session(i).connection().path().remote, other);
  }
  // The second one did not have to be told by a refusal of its own: its server can reach it.
  server.session(1).sends(1_KiB);
  EXPECT_TRUE(run_until(client.received(1_KiB), 200ms));
}

// A telephone between two networks: the old address is gone, and the next one comes seconds later.
SIMULATE(GoneAddress, ItWaitsForTheNextOneIfThereIsNone) {
  auto [client, server] = network.pair(kLink);
  client.host().checks_source = client.host().reports_gone_addresses = true;
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  server.sends(500_KiB);
  run_for(50ms);
  network.remove_address(client.host(), client.address());
  run_for(6s);
  EXPECT_FALSE(client.session().closed());
  const SocketAddress other = network.new_address();
  network.add_address(client.host(), other);
  EXPECT_TRUE(run_until(server.acknowledged(), 15s));
  EXPECT_EQ(server.connection().path().remote, other);
  EXPECT_EQ(client.session().paths.size(), 1U) << "one move, whatever was refused meanwhile";
  // The new path is proved in the end: larger datagrams are tried there.
  run_for(2s);
  EXPECT_EQ(client.connection().path().local, other);
}

// The network manager starts anew and gives the same address again.
SIMULATE(GoneAddress, TheSameAddressMayComeBack) {
  auto [client, server] = network.pair(kLink);
  client.host().checks_source = client.host().reports_gone_addresses = true;
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  server.sends(500_KiB);
  run_for(50ms);
  const SocketAddress address = client.address();
  network.remove_address(client.host(), address);
  run_for(2s);
  network.add_address(client.host(), address);
  EXPECT_TRUE(run_until(server.acknowledged(), 15s));
  EXPECT_EQ(client.connection().path().local, address);
}

SIMULATE(GoneAddress, MovesAsOftenAsItMust) {
  auto [client, server] = network.pair(kLink);
  client.host().checks_source = client.host().reports_gone_addresses = true;
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  server.sends(8_MiB);
  for (int i = 0; i < 8; ++i) {
    run_for(300ms);
    network.change_address(client.host(), client.address(), network.new_address());
  }
  EXPECT_TRUE(run_until(server.acknowledged(), 20s));
  EXPECT_EQ(server.connection().path().remote, client.address());
}

// [rfc9000-9-2], [rfc9000-18.2-3]: then only the return of the address helps.
SIMULATE(GoneAddress, AServerThatForbidsMovesIsObeyed) {
  PeerConfig fixed;
  fixed.endpoint.connection.disable_active_migration = true;
  auto [client, server] = network.pair(kLink, {}, fixed);
  client.host().checks_source = true;
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  const SocketAddress address = client.address();
  const SocketAddress other = network.new_address();
  std::uint64_t from_other = 0;
  network.on_send([&](const Passing& datagram) { from_other += datagram.from == other ? 1 : 0; });
  network.change_address(client.host(), address, other);
  client.sends(1_KiB);
  run_for(3s);
  EXPECT_EQ(from_other, 0U);
  EXPECT_FALSE(client.session().closed());
  network.change_address(client.host(), other, address);
  EXPECT_TRUE(run_until(client.acknowledged(), 10s));
}

// [rfc9000-9-1]: before the handshake is confirmed nobody moves, so the attempt is over.
SIMULATE(GoneAddress, AHandshakeEndsAtOnce) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  client.host().checks_source = true;
  // The server's first flight is here, and HANDSHAKE_DONE is not.
  run_for(50ms);
  ASSERT_FALSE(client.session().closed());
  ASSERT_TRUE(client.connection().path().local.valid());
  ASSERT_FALSE(client.session().confirmed_at.has_value());
  network.change_address(client.host(), client.address(), network.new_address());
  client.connection().ping();
  client.wake();
  ASSERT_TRUE(run_until(client.closed(), 1s));
  EXPECT_NE(to_string(*client.session().close).find("address is gone"), std::string::npos)
      << to_string(*client.session().close);
}

SIMULATE(GoneAddress, AnAttemptFromAnAddressThatIsNotThereEndsAtOnce) {
  auto [client, server] = network.quiet_pair(kLink);
  client.host().checks_source = true;
  transport::ConnectOptions options{.tls = make_test_tls(network.random()),
                                    .local = network.new_address()};
  const auto handle = client.endpoint().connect(network.now(), server.address(), options);
  ASSERT_TRUE(handle);
  client.wake();
  run_for(1ms);
  const auto* const connection = client.endpoint().find(*handle);
  EXPECT_TRUE(connection == nullptr || connection->is_closed());
}

SIMULATE(GoneAddress, AProbeFromAnAddressThatIsNotThereFailsAtOnce) {
  auto [client, server] = network.pair(kLink);
  client.host().checks_source = true;
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  const SocketAddress nowhere = network.new_address();
  ASSERT_TRUE(client.connection().migrate(network.now(), nowhere).has_value());
  client.wake();
  run_for(1ms);
  ASSERT_EQ(client.session().failed_paths.size(), 1U);
  EXPECT_EQ(client.session().failed_paths[0].local, nowhere);
  EXPECT_TRUE(client.session().paths.empty());
  client.sends(1_KiB);
  EXPECT_TRUE(run_until(client.acknowledged(), 1s));
}

}  // namespace
}  // namespace qpeer::sim
