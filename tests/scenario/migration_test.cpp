// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Clients that move on purpose, and servers that prefer another address; connection IDs on the way.
// RFC 9000 §5.1, §9.1, §9.2, §9.5, §9.6.
#include <algorithm>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/packets.hpp"
#include "qpeer/tests/sim/peer_network.hpp"

namespace qpeer::sim {
namespace {

using transport::CloseReason;
using transport::ConnectError;
using transport::PathError;

/// Asks the client for another path, and has it polled.
auto migrate(Peer& client, const SocketAddress& local) {
  const auto result = client.connection().migrate(client.network().now(), local);
  client.wake();
  return result;
}
auto probe(Peer& client, const SocketAddress& local) {
  const auto result = client.connection().probe_path(client.network().now(), local);
  client.wake();
  return result;
}

/// The connection IDs that 1-RTT packets between two addresses carried.
struct SeenIds {
  explicit SeenIds(PeerNetwork& network) {
    network.on_send([this](const Passing& datagram) {
      if ((datagram.payload[0] & 0x80) != 0) return;
      ids.emplace(ConnectionId(Bytes(datagram.payload).subspan(1, 8)), datagram.from, datagram.to);
    });
  }
  /// Whether an ID was seen between more than one pair of addresses.
  [[nodiscard]] bool reused() const {
    return std::ranges::adjacent_find(
               ids, {}, [](const auto& each) { return std::get<0>(each); }) != ids.end();
  }
  std::set<std::tuple<ConnectionId, SocketAddress, SocketAddress>> ids;
};

// [rfc9000-9-1], [rfc9000-9-2], [rfc9000-18.2-3], [rfc9000-9.5-5]
SIMULATE(Migration, IsRefusedWhereItMustNotBe) {
  PeerConfig fixed;
  fixed.endpoint.connection.disable_active_migration = true;
  auto [client, server] = network.pair(Link{.delay = 20ms}, {}, fixed);
  const SocketAddress other = network.new_address();
  network.add_address(client.host(), other);
  EXPECT_EQ(migrate(client, other).error(), PathError::not_confirmed);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  EXPECT_EQ(migrate(client, other).error(), PathError::disabled);
  EXPECT_EQ(probe(client, other).error(), PathError::disabled);
  EXPECT_EQ(migrate(server, other).error(), PathError::not_client);
  Peer& open = network.add_peer();
  client.connect(open);
  ASSERT_TRUE(
      run_until([&, &from = client] { return from.session(1).confirmed_at.has_value(); }, 5s));
  run_for(1s);
  auto& second = client.session(1).connection();
  EXPECT_EQ(second.migrate(network.now(), client.address()).error(), PathError::bad_address);
  EXPECT_EQ(second.migrate(network.now(), network.new_address6()).error(), PathError::bad_address);
  second.close(network.now(), 0, {});
  EXPECT_EQ(second.migrate(network.now(), other).error(), PathError::closed);
}

// [rfc9000-9.5-2], [rfc9000-9.5-3], [rfc9000-9.4-2], [rfc9000-8.2.1-5], [rfc9000-8.2.2-5],
// [rfc9000-5.1.1-11], [rfc9000-9.5-7]
SIMULATE(Migration, GoesOnOverAnotherAddressWithOtherIds) {
  auto [client, server] = network.pair(Link{.delay = 20ms, .rate = 50_mbit});
  const SocketAddress old = client.address();
  const SocketAddress other = network.new_address();
  network.add_address(client.host(), other);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  const SeenIds seen(network);
  std::size_t smallest = 10'000;
  network.on_send([&](const Passing& datagram) {
    // The first datagrams each way are challenges and responses.
    if (datagram.from == other && client.session().paths.empty()) {
      smallest = std::min(smallest, datagram.payload.size());
    }
  });
  client.sends(2_MiB);
  server.sends(2_MiB);
  run_for(200ms);
  ASSERT_TRUE(migrate(client, other).has_value());
  ASSERT_TRUE(run_until(client.acknowledged(), 20s));
  ASSERT_TRUE(run_until(server.acknowledged(), 20s));
  EXPECT_GE(smallest, 1'200U);
  ASSERT_EQ(client.session().paths.size(), 1U);
  EXPECT_EQ(client.session().paths[0].local, other);
  ASSERT_EQ(server.session().paths.size(), 1U);
  EXPECT_EQ(server.session().paths[0].remote, other);
  EXPECT_FALSE(seen.reused());
  // And on: each of both sides has given the other new IDs for the next time.
  run_for(15s);
  ASSERT_TRUE(migrate(client, old).has_value());
  run_for(1s);
  EXPECT_EQ(server.connection().path().remote, old);
  EXPECT_FALSE(seen.reused());
}

// [rfc9000-9.1-1], [rfc9000-9.2-1], [rfc9000-8.2.2-3]: a probe moves nothing.
SIMULATE(Migration, AProbeTellsWhetherAPathWorks) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  const SocketAddress other = network.new_address();
  const SocketAddress dead = network.new_address();
  network.add_address(client.host(), other);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  std::uint64_t answers = 0;
  network.on_delivery([&](const Passing& datagram) {
    if (datagram.to == other) ++answers;
  });
  ASSERT_TRUE(probe(client, other).has_value());
  ASSERT_TRUE(probe(client, dead).has_value());
  run_for(200ms);
  EXPECT_GE(answers, 1U) << "they come where the challenge came from";
  ASSERT_EQ(client.session().validated_paths.size(), 1U);
  EXPECT_EQ(client.session().validated_paths[0].local, other);
  run_for(10s);
  ASSERT_EQ(client.session().failed_paths.size(), 1U);
  EXPECT_EQ(client.session().failed_paths[0].local, dead);
  EXPECT_TRUE(client.session().paths.empty());
  EXPECT_TRUE(server.session().paths.empty());
  client.sends(10_KiB);
  EXPECT_TRUE(run_until(client.acknowledged(), 5s));
}

// What was probed before is used at once.
SIMULATE(Migration, ToAProbedPathNeedsNoRoundTrip) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  const SocketAddress other = network.new_address();
  network.add_address(client.host(), other);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  ASSERT_TRUE(probe(client, other).has_value());
  run_for(500ms);
  ASSERT_TRUE(migrate(client, other).has_value());
  run_for(21ms);
  EXPECT_EQ(client.connection().path().local, other);
  EXPECT_EQ(server.connection().path().remote, other);
}

// RFC 9000 §9: the limits of paths and IDs hold.
SIMULATE(Migration, ManyPathsAreRefused) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(probe(client, network.new_address()).has_value());
  const auto refused = probe(client, network.new_address());
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error() == PathError::too_many_paths ||
              refused.error() == PathError::no_connection_id);
}

SIMULATE(Migration, OverAndOverUnderLossLosesNothing) {
  auto [client, server] = network.pair(Link{.delay = 10ms, .rate = 20_mbit, .loss = 0.02});
  const std::vector<SocketAddress> homes{client.address(), network.new_address(),
                                         network.new_address()};
  network.add_address(client.host(), homes[1]);
  network.add_address(client.host(), homes[2]);
  ASSERT_TRUE(run_until(client.confirmed(), 10s));
  client.sends(4_MiB);
  server.sends(4_MiB);
  for (std::size_t i = 1; i < 12; ++i) {
    run_for(400ms);
    static_cast<void>(migrate(client, homes[i % 3]));
  }
  EXPECT_TRUE(run_until(client.acknowledged(), 60s));
  EXPECT_TRUE(run_until(server.acknowledged(), 60s));
  EXPECT_GT(client.session().paths.size(), 3U);
}

// --- preferred_address ---------------------------------------------------------------------------

PeerConfig prefers(const SocketAddress& address) {
  PeerConfig config;
  config.endpoint.connection.preferred_ipv4 = address;
  return config;
}

// [rfc9000-9.6.1-2], [rfc9000-9.6.1-3], [rfc9000-9.6.2-1], [rfc9000-9.6.2-2], [rfc9000-9.6.2-3],
// [rfc9000-21.5.3-1], [rfc9000-9.5-3]
SIMULATE(PreferredAddress, IsMovedToOnceValidated) {
  const SocketAddress preferred = network.new_address();
  PeerConfig config = prefers(preferred);
  config.endpoint.connection.disable_active_migration = true;
  auto [client, server] = network.pair(Link{.delay = 20ms}, {}, config);
  network.add_address(server.host(), preferred);
  const SeenIds seen(network);
  std::size_t early = 0;
  network.on_send([&](const Passing& datagram) {
    const bool moved = !client.has_session() || !client.session().paths.empty();
    if (datagram.to == preferred && !moved) {
      // Challenges and nothing else: 1-RTT header, PATH_CHALLENGE, padding.
      EXPECT_EQ(datagram.payload.size(), 1'200U);
      ++early;
    }
  });
  client.sends(1_MiB);
  server.sends(1_MiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 10s));
  ASSERT_TRUE(run_until(server.acknowledged(), 10s));
  EXPECT_GE(early, 1U);
  EXPECT_EQ(client.connection().path().remote, preferred);
  EXPECT_EQ(server.connection().path().local, preferred);
  EXPECT_FALSE(seen.reused());
  // And now the client may move as well, in spite of disable_active_migration. [rfc9000-9-2]
  const SocketAddress other = network.new_address();
  network.add_address(client.host(), other);
  run_for(12s);
  EXPECT_TRUE(migrate(client, other).has_value());
  run_for(1s);
  EXPECT_EQ(server.connection().path(), (Path{.local = preferred, .remote = other}));
}

// [rfc9000-9.6.2-4]: once the client is at the preferred address, a newer packet that comes to the old
// one is dropped. It moves nothing, and counts as not received: the original arrives after it.
SIMULATE(PreferredAddress, NewerPacketsToTheOldAddressAreDropped) {
  const SocketAddress preferred = network.new_address();
  auto [client, server] = network.pair(Link{.delay = 20ms}, {}, prefers(preferred));
  const SocketAddress original = server.address();
  network.add_address(server.host(), preferred);
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(2s);
  const Path moved{.local = preferred, .remote = client.address()};
  ASSERT_EQ(server.connection().path(), moved);
  std::vector<u8> newest;
  network.on_send([&, from = client.address()](const Passing& datagram) {
    if (datagram.from == from) newest.assign(datagram.payload.begin(), datagram.payload.end());
  });
  std::size_t to_original = 0;
  network.on_send([&](const Passing& datagram) { to_original += datagram.from == original; });
  const auto dropped = [&, &at = server] {
    return at.endpoint().stats().dropped[static_cast<std::size_t>(DropReason::wrong_address)];
  };
  const std::uint64_t dropped_before = dropped();  // What was on its way when the client moved.
  client.sends(1'000);
  run_for(1ms);
  ASSERT_FALSE(newest.empty());
  network.inject(client.address(), original, newest);
  run_for(1ms);
  EXPECT_EQ(dropped(), dropped_before + 1);
  EXPECT_EQ(server.received_bytes(), 0U);
  EXPECT_TRUE(run_until(client.acknowledged(), 5s));
  EXPECT_EQ(server.received_bytes(), 1'000U);
  EXPECT_EQ(client.session().stats().packets_lost, 0U);
  EXPECT_EQ(server.connection().path(), moved);
  EXPECT_EQ(to_original, 0U) << "nothing left from the old address, a challenge neither";
}

// [rfc9000-9.6.1-4]
SIMULATE(PreferredAddress, ThatDoesNotAnswerIsForgotten) {
  const SocketAddress nowhere = network.new_address();
  auto [client, server] = network.pair(Link{.delay = 20ms}, {}, prefers(nowhere));
  const SocketAddress first = server.address();
  std::uint64_t probes = 0;
  network.on_send([&](const Passing& datagram) { probes += datagram.to == nowhere ? 1 : 0; });
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(10s);
  EXPECT_EQ(probes, 2U) << "after one PTO again, and then no more";
  ASSERT_EQ(client.session().failed_paths.size(), 1U);
  EXPECT_EQ(client.connection().path().remote, first);
  client.sends(100_KiB);
  EXPECT_TRUE(run_until(client.acknowledged(), 5s));
}

// [rfc9000-9-7], [rfc9000-9.6-1], [rfc9000-21.5.6-2]
SIMULATE(PreferredAddress, IsDeclinedOnRequestAndWhereItMakesNoSense) {
  for (const bool loopback : {false, true}) {
    const SocketAddress preferred =
        loopback ? SocketAddress::loopback4(443) : network.new_address();
    PeerConfig stays;
    stays.connection.use_preferred_address = loopback;
    auto [client, server] = network.pair(Link{.delay = 20ms}, stays, prefers(preferred));
    std::uint64_t strange = 0;
    std::vector<u8> last;
    network.on_send([&, preferred, from = server.address()](const Passing& datagram) {
      if (datagram.to == preferred) ++strange;
      if (datagram.from == from) last.assign(datagram.payload.begin(), datagram.payload.end());
    });
    ASSERT_TRUE(run_until(client.confirmed(), 5s));
    run_for(5s);
    EXPECT_EQ(strange, 0U);
    // Even what the server sent is nobody's when it comes from where the client did not move to.
    const auto dropped = [&] {
      const auto reason = static_cast<std::size_t>(DropReason::wrong_address);
      return client.endpoint().stats().dropped[reason];
    };
    EXPECT_EQ(dropped(), 0U);
    server.sends(1_KiB);
    run_for(1ms);
    network.inject(preferred, client.address(), last);
    EXPECT_TRUE(run_until([&] { return dropped() == 1; }, 1s));
    EXPECT_TRUE(run_until(server.acknowledged(), 5s));
  }
}

// --- connection IDs ------------------------------------------------------------------------------

// [rfc9000-5.1-3], [rfc9000-9.5-5], [rfc9000-19.15-2]
SIMULATE(ConnectionIds, NoneOnTheClientWorks) {
  PeerConfig config;
  config.connection.zero_length_connection_id = true;
  auto [client, server] = network.pair(Link{.delay = 20ms}, config);
  client.sends(1_MiB);
  server.sends(1_MiB);
  ASSERT_TRUE(run_until(client.acknowledged(), 10s));
  ASSERT_TRUE(run_until(server.acknowledged(), 10s));
  EXPECT_EQ(client.connection().migrate(network.now(), network.new_address()).error(),
            PathError::no_connection_id);
  // A second one cannot be told from it.
  client.connect(server);
  EXPECT_TRUE(client.session(1).closed());
  EXPECT_EQ(client.session(1).close->reason, to_string(ConnectError::zero_length_in_use));
  // A NAT may still move it. [rfc9000-9.5-4]
  network.rebind(client.host(), client.address(), network.new_address());
  client.sends(100_KiB);
  EXPECT_TRUE(run_until(client.acknowledged(), 10s));
  EXPECT_EQ(server.session().paths.size(), 1U);
  client.session().closes(0, {});
  ASSERT_TRUE(run_until(server.closed(), 5s));
  run_for(5s);
  EXPECT_FALSE(client.connect(server).closed()) << "the next one may have none again";
}

// [rfc9000-5.1.1-5], [rfc9000-5.1.2-4], [rfc9000-5.1.2-8]
SIMULATE(ConnectionIds, AreRotatedInBothDirections) {
  auto [client, server] = network.pair(Link{.delay = 20ms});
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  run_for(1s);
  client.sends(1_MiB);
  server.sends(1_MiB);
  for (int i = 0; i < 6; ++i) {
    for (Peer* each : {&client, &server}) {
      EXPECT_TRUE(each->connection().rotate_connection_ids());
      EXPECT_FALSE(each->connection().rotate_connection_ids()) << "one at a time";
      each->wake();
    }
    run_for(300ms);
  }
  EXPECT_TRUE(run_until(client.acknowledged(), 10s));
  EXPECT_TRUE(run_until(server.acknowledged(), 10s));
  EXPECT_FALSE(client.closed()());
  EXPECT_FALSE(server.closed()());
}

// Rotation while paths change: none is left without an ID. §5.1.2, §9.5
SIMULATE(ConnectionIds, AreRotatedWhilePathsChange) {
  auto [client, server] = network.pair(Link{.delay = 10ms, .rate = 20_mbit, .loss = 0.01});
  const SocketAddress inside = client.address();
  ASSERT_TRUE(run_until(client.confirmed(), 5s));
  client.sends(2_MiB);
  server.sends(2_MiB);
  for (int i = 0; i < 10; ++i) {
    network.rebind(client.host(), inside, network.new_address());
    client.connection().rotate_connection_ids();
    server.connection().rotate_connection_ids();
    client.wake();
    server.wake();
    run_for(200ms);
  }
  EXPECT_TRUE(run_until(client.acknowledged(), 60s));
  EXPECT_TRUE(run_until(server.acknowledged(), 60s));
}

}  // namespace
}  // namespace qpeer::sim
