// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Paths under pressure: changes that cross each other, forged source addresses at a bad time, sizes
// and windows that do not fit. RFC 9000 §8.2, §9, §14.
#include <algorithm>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

auto migrate(Peer& client, const SocketAddress& local) {
  const auto result = client.connection().migrate(client.network().now(), local);
  client.wake();
  return result;
}

/// Holds up what a host sends from one of its addresses.
Filter slow_from(const SocketAddress& address, Duration delay) {
  return [=](Passing& datagram) {
    return Verdict{.delay = datagram.from == address ? delay : Duration{}};
  };
}

// --- moves that cross each other -----------------------------------------------------------------

// RFC 9000 §9.2: the last wish counts, whichever path answers first.
SIMULATE(Crossing, TheNewestMoveWins) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  const SocketAddress slow = network.new_address();
  const SocketAddress quick = network.new_address();
  network.add_address(client.host(), slow);
  network.add_address(client.host(), quick);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  network.pipe(client, server).filter = slow_from(slow, 300ms);
  ASSERT_TRUE(migrate(client, slow).has_value());
  ASSERT_TRUE(migrate(client, quick).has_value());
  run_for(2s);
  EXPECT_EQ(client.connection().path().local, quick);
  EXPECT_EQ(client.session().paths.size(), 1U);
  ASSERT_EQ(client.session().validated_paths.size(), 1U) << "what was asked is answered";
  EXPECT_EQ(client.session().validated_paths[0].local, slow);
}

// A question in between does not take the wish back.
SIMULATE(Crossing, AProbeOfThePathThatIsMovedToChangesNothing) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  const SocketAddress other = network.new_address();
  network.add_address(client.host(), other);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  ASSERT_TRUE(migrate(client, other).has_value());
  ASSERT_TRUE(client.connection().probe_path(network.now(), other).has_value());
  run_for(1s);
  EXPECT_EQ(client.connection().path().local, other);
}

struct Preferring {
  Preferring(PeerNetwork& in, bool answers)
      : network(in),
        preferred(in.new_address()),
        other(in.new_address()),
        both(in.pair(Link{.delay = 20ms}, {}, config())) {
    if (answers) in.add_address(server.host(), preferred);
    in.add_address(client.host(), other);
    in.on_send([this](const Passing& datagram) {
      if (datagram.from != other) return;
      (datagram.to == preferred ? to_preferred : to_original).push_back(datagram.now);
    });
  }
  [[nodiscard]] PeerConfig config() {
    PeerConfig out;
    out.endpoint.connection.preferred_ipv4 = preferred;
    out.endpoint.connection.preferred_ipv6 = network.new_address6();  // [rfc9000-9.6.3-6]
    return out;
  }
  PeerNetwork& network;
  SocketAddress preferred;
  SocketAddress other;
  std::pair<Peer&, Peer&> both;
  Peer& client = both.first;
  Peer& server = both.second;
  std::vector<Instant> to_preferred;
  std::vector<Instant> to_original;
};

// [rfc9000-9.6.3-1], [rfc9000-9.6.3-2], [rfc9000-9.6.3-6]
SIMULATE(Crossing, AMoveBeforeThatToThePreferredAddressTriesBoth) {
  Preferring fixture(network, true);
  auto& [client, server] = fixture.both;
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  // The challenge from the old address is on its way; its answer must not bring the client back.
  ASSERT_TRUE(migrate(client, fixture.other).has_value());
  const Instant moved = network.now();
  client.sends(100_KiB);
  server.sends(100_KiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 5s));
  ASSERT_TRUE(run_until(server.acknowledged(), 5s));
  run_for(5s);
  ASSERT_FALSE(fixture.to_preferred.empty());
  ASSERT_FALSE(fixture.to_original.empty());
  EXPECT_EQ(fixture.to_preferred.front(), moved) << "both at the same time";
  EXPECT_EQ(fixture.to_original.front(), moved);
  const Path wanted{.local = fixture.other, .remote = fixture.preferred};
  EXPECT_EQ(client.connection().path(), wanted);
  EXPECT_EQ(server.connection().path(), (Path{.local = wanted.remote, .remote = wanted.local}));
  EXPECT_TRUE(client.session().failed_paths.empty());
}

// The same where nobody answers at the preferred address: the move is made all the same.
SIMULATE(Crossing, AMoveDoesNotWaitForAPreferredAddressThatIsDead) {
  Preferring fixture(network, false);
  auto& [client, server] = fixture.both;
  const SocketAddress original = server.address();
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  ASSERT_TRUE(migrate(client, fixture.other).has_value());
  run_for(10s);
  EXPECT_FALSE(fixture.to_preferred.empty());
  EXPECT_EQ(client.connection().path(), (Path{.local = fixture.other, .remote = original}));
  client.sends(100_KiB);
  EXPECT_TRUE(run_until(client.acknowledged(), 5s));
}

// [rfc9000-8.2.4-1], [rfc9000-8.2.4-2]: a path is given up after three PTOs, of the path in use or of
// one that nothing is known of, whichever is longer.
SIMULATE(Probe, ThatIsNotAnsweredFailsInTime) {
  for (const Duration delay : {20ms, 1'000ms}) {
    auto [client, server] = network.pair(Link{.delay = delay});
    ASSERT_TRUE(run_until(client.confirmed(), 15s));
    run_for(delay * 3);
    const auto stats = client.session().stats();
    const SocketAddress dead = network.new_address();
    ASSERT_TRUE(client.connection().probe_path(network.now(), dead).has_value());
    client.wake();
    const Instant begun = network.now();
    ASSERT_TRUE(
        run_until([&, &from = client] { return !from.session().failed_paths.empty(); }, 60s));
    const Duration fresh = 333ms + 4 * (333ms / 2) + 25ms;
    EXPECT_GE(network.now() - begun, 3 * std::max<Duration>(fresh, stats.smoothed_rtt));
    EXPECT_LE(network.now() - begun, 3 * std::max<Duration>(fresh + 10ms, 4 * stats.smoothed_rtt));
  }
}

// --- forged addresses ----------------------------------------------------------------------------

// Who copies the client's packets cannot use up the connection IDs that the client's own move needs:
// copies show no ID that was not seen before. [rfc9000-9.5-4]
SIMULATE(Forgery, LeavesAConnectionIdForARealMove) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  int copies = 0;
  network.pipe(client, server).filter = [&](Passing& datagram) {
    if (copies < 3) {
      const std::vector<u8> copied(datagram.payload.begin(), datagram.payload.end());
      network.inject(network.new_address(), datagram.to, copied);
      ++copies;
    }
    return Verdict{};
  };
  while (copies < 3) {
    client.connection().ping();
    client.wake();
    run_for(100ms);
  }
  // Now the client's network changes, and nothing reaches it any more where it was.
  const SocketAddress moved = network.new_address();
  network.change_address(client.host(), client.address(), moved);
  ASSERT_TRUE(migrate(client, moved).has_value());
  run_for(2s);
  EXPECT_EQ(client.connection().path().local, moved);
  client.sends(100_KiB);
  EXPECT_TRUE(run_until(client.acknowledged(), 5s));
}

// Moves, rebindings, rotated connection IDs, forgeries and paths that shrink, in any order: nobody
// spins, and all that was sent arrives in the end. An address that never answers gets no more than
// three times what came from it. [rfc9000-8.1-2], [rfc9000-9.3-2]
SIMULATE(Forgery, AndChangesInAnyOrder) {
  const bool forges = network.random().chance(0.5);
  PeerConfig config;
  const bool prefers = network.random().chance(0.5);
  const SocketAddress preferred = network.new_address();
  if (prefers) config.endpoint.connection.preferred_ipv4 = preferred;
  auto [client, server] =
      network.pair(Link{.delay = 10ms, .rate = 20_mbit, .loss = 0.01}, {}, config);
  if (prefers) network.add_address(server.host(), preferred);
  const std::vector homes{client.address(), network.new_address(), network.new_address()};
  for (std::size_t i = 1; i < homes.size(); ++i) network.add_address(client.host(), homes[i]);
  struct Account {
    std::size_t received = 0;
    std::size_t sent = 0;
  };
  std::map<SocketAddress, Account> victims;
  network.on_delivery([&](const Passing& datagram) {
    const auto found = victims.find(datagram.from);
    if (found != victims.end()) found->second.received += datagram.payload.size();
  });
  network.on_send([&](const Passing& datagram) {
    const auto found = victims.find(datagram.to);
    if (found == victims.end()) return;
    found->second.sent += datagram.payload.size();
    EXPECT_LE(found->second.sent, 3 * found->second.received);
  });
  double forgeries = 0;
  Pipe& up = network.pipe(client, server);
  Pipe& down = network.pipe(server, client);
  up.filter = [&](Passing& datagram) {
    if (network.random().chance(forgeries)) {
      const std::vector<u8> copied(datagram.payload.begin(), datagram.payload.end());
      const SocketAddress from = network.random().chance(0.5) || victims.empty()
                                     ? network.new_address()
                                     : victims.rbegin()->first;
      victims.emplace(from, Account{});
      network.inject(from, datagram.to, copied);
    }
    return Verdict{};
  };
  ASSERT_TRUE(run_until(client.confirmed(), 10s));
  client.sends(3_MiB);
  server.sends(3_MiB);
  const auto any = [&](std::size_t count) { return network.random().uniform(count); };
  for (int i = 0; i < 40; ++i) {
    const SocketAddress& home = homes[any(homes.size())];
    switch (any(8)) {
      case 0:
        network.rebind(client.host(), home, network.new_address());
        break;
      case 1:
        network.rebind(client.host(), home, home.with_port(static_cast<std::uint16_t>(5'000 + i)));
        break;
      case 2:
      case 3:
        static_cast<void>(migrate(client, home));
        break;
      case 4:
        static_cast<void>(client.connection().probe_path(network.now(), home));
        break;
      case 5:
        if (forges) (any(2) == 0 ? client : server).connection().rotate_connection_ids();
        break;
      case 6:
        up.link.mtu = down.link.mtu = any(2) == 0 ? 1'250 : 1'500;
        break;
      default:
        forgeries = forgeries > 0 || !forges ? 0 : 0.3;
        break;
    }
    client.wake();
    server.wake();
    run_for(std::chrono::milliseconds(1 + any(100)));
  }
  forgeries = 0;
  client.connection().ping();
  client.wake();
  const bool both = run_until(client.acknowledged(), 60s) && run_until(server.acknowledged(), 60s);
  EXPECT_TRUE(both) << (forges ? "with" : "without") << " forgeries and rotations";
}

// --- rotations -----------------------------------------------------------------------------------

/// The client rotates its connection IDs, and loses its address after `wait`; then it moves.
void rotate_and_move(PeerNetwork& network, bool rotates, Duration wait, int moves) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  ASSERT_TRUE(network.run_until(client.confirmed(), 5s));
  network.run_for(1s);
  if (rotates) {
    EXPECT_TRUE(client.connection().rotate_connection_ids());
    client.wake();
  }
  network.run_for(wait);
  SocketAddress from = client.address();
  for (int i = 0; i < moves; ++i) {
    const SocketAddress moved = network.new_address();
    network.change_address(client.host(), from, moved);
    from = moved;
    ASSERT_TRUE(migrate(client, moved).has_value()) << i;
    network.run_for(wait);
  }
  client.sends(10'000);
  EXPECT_TRUE(network.run_until(client.acknowledged(), 10s));
}

// RFC 9000 §5.1.2, §9: the round trip takes 40 ms, so that the peer has not yet retired the old IDs.
SIMULATE(Rotation, LeavesIdsForAMoveWithinTheRoundTrip) {
  for (const Duration wait : {25ms, 35ms, 100ms}) {
    SCOPED_TRACE(wait / 1ms);
    rotate_and_move(network, true, wait, 1);
  }
}

SIMULATE(Rotation, IsNotNeededForSeveralMovesInARow) {
  for (int moves = 1; moves <= 6; ++moves) {
    SCOPED_TRACE(moves);
    rotate_and_move(network, false, 200ms, moves);
  }
}

// --- tokens --------------------------------------------------------------------------------------

// [rfc9000-9.3-4]: a token for the new address, whether the client asked whether it works or not;
// and one only, however often it moves there.
SIMULATE(Tokens, AreGivenForEachAddressThatIsProved) {
  for (const bool deliberate : {true, false}) {
    auto [client, server] = network.pair(Link{.delay = 20ms});
    const SocketAddress old = client.address();
    const SocketAddress other = network.new_address();
    if (deliberate) network.add_address(client.host(), other);
    ASSERT_TRUE(run_until(client.confirmed(), 5s));
    run_for(1s);
    EXPECT_EQ(client.session().tokens.size(), 1U);
    for (int i = 0; i < 3; ++i) {
      if (deliberate) {
        ASSERT_TRUE(migrate(client, i % 2 == 0 ? other : old).has_value());
      } else if (i == 0) {
        network.rebind(client.host(), old, other);
      }
      client.connection().ping();
      client.wake();
      run_for(1s);
    }
    EXPECT_EQ(server.connection().path().remote, other);
    EXPECT_EQ(client.session().tokens.size(), 2U) << deliberate;
  }
}

// --- sizes and windows ---------------------------------------------------------------------------

// A probe that was on its way when the port changed is nobody's, and no other waits for it.
SIMULATE(Sizes, DiscoveryGoesOnBehindAnotherPort) {
  auto [client, server] = network.pair(Link{.delay = 5ms});
  bool probed = false;
  network.on_send([&, from = server.address()](const Passing& datagram) {
    probed = probed || (datagram.from == from && datagram.payload.size() > 1'200);
  });
  server.sends(200_KiB);
  ASSERT_TRUE(run_until([&] { return probed; }, 5s));
  network.rebind(client.host(), client.address(), client.address().with_port(50'000));
  client.connection().ping();
  client.wake();
  ASSERT_TRUE(run_until(server.acknowledged(), 10s));
  server.sends(1_MiB);
  ASSERT_TRUE(run_until(server.acknowledged(), 10s));
  EXPECT_EQ(server.session().stats().max_datagram_size, 1'472U);
}

// [rfc9000-14.2-6]: what is known of one path says nothing of another, not even what was configured.
SIMULATE(Sizes, ANewPathBeginsWithTheLeastSize) {
  PeerConfig config;
  config.endpoint.connection.max_datagram_size = 1'452;
  auto [client, server] = network.pair(Link{.delay = 10ms}, {}, config);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  network.pipe(server, client).link.mtu = 1'300;
  network.rebind(client.host(), client.address(), network.new_address());
  client.connection().ping();
  client.wake();
  run_for(500ms);
  EXPECT_EQ(server.session().stats().max_datagram_size, 1'200U);
  for (int i = 0; i < 20; ++i) {
    server.sends(100_KiB);
    ASSERT_TRUE(run_until(server.acknowledged(), 10s));
  }
  EXPECT_EQ(server.session().stats().packets_lost, 0U);
  EXPECT_GE(server.session().stats().max_datagram_size, 1'280U);
}

/// A window that knows nothing of the size of datagrams.
class OneSmallDatagram final : public transport::CongestionController {
 public:
  void on_packet_sent(Instant, std::uint64_t, std::uint64_t) override {}
  void on_ack(const transport::AckSample&) override {}
  void on_loss(const transport::LossSample&) override {}
  void on_ecn_ce(Instant, Instant) override {}
  void on_mtu_changed(std::uint16_t) override {}
  [[nodiscard]] std::uint64_t window() const override { return 2'500; }
  [[nodiscard]] std::optional<std::uint64_t> pacing_rate() const override { return std::nullopt; }
};

// A controller of the application's own may be narrower than the datagrams that discovery found.
SIMULATE(Sizes, AWindowBelowTheDatagramsSizeIsSlowButNoEnd) {
  PeerConfig config;
  config.connection.mtu_discovery.max_datagram_size = 4'000;
  config.connection.congestion_controller = [](std::uint16_t) {
    return std::make_unique<OneSmallDatagram>();
  };
  auto [client, server] = network.pair(Link{.delay = 1ms, .mtu = 4'000}, config);
  client.sends(200_KiB);
  EXPECT_TRUE(run_until(client.acknowledged(), 10s));
}

}  // namespace
}  // namespace qpeer::sim
