// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Paths by itself: the peer's moves, challenges and their time-outs. RFC 9000 §8.2, §9.
#include "qpeer/transport/connection/paths.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/connection/paths_fixture.hpp"

namespace qpeer::transport::test {
namespace {

// [rfc9000-9-3], [rfc9000-9-7]: servers follow, once the handshake is confirmed; clients do not.
TEST(Paths, OnlyAServerTakesDatagramsOverUnknownPaths) {
  PathsFixture server(Side::server);
  const auto known = server.receive(from_peer(address(kPeer)));
  ASSERT_TRUE(known);
  EXPECT_TRUE(server.paths.is_active(*known));
  const auto unknown = server.receive(from_peer(address(3)));
  ASSERT_TRUE(unknown);
  EXPECT_FALSE(unknown->path);
  EXPECT_FALSE(server.receive(from_peer(address(3)), 1200, false)) << "it is closing";

  PathsFixture client(Side::client);
  EXPECT_TRUE(client.receive({.local = address(9), .remote = address(kPeer)}));
  EXPECT_FALSE(client.receive(from_peer(address(3))));

  Recovery recovery(Side::server, {}, make_new_reno(1200));
  Paths early(Side::server, server.config, from_peer(address(kPeer)), recovery, server.cids,
              server.observer);
  std::vector<u8> bytes(1200);
  EXPECT_FALSE(early.on_datagram({.path = from_peer(address(3)), .payload = bytes}, true));
  EXPECT_EQ(early.least_allowance(), 1200U);
  EXPECT_EQ(server.paths.least_allowance(), PathTable::kLeastAllowance);
}

// [rfc9000-9.3-1], [rfc9000-9.3.3-1], [rfc9000-9.3-4], [rfc9000-9.5-3].
TEST(Paths, AServerFollowsAndAsksBothPaths) {
  PathsFixture server(Side::server);
  server.peer_moves(at(1s), from_peer(address(3)), id_of(1));
  ASSERT_EQ(server.observer.changes.size(), 1U);
  EXPECT_EQ(server.observer.changes[0].remote, address(3));
  EXPECT_EQ(server.paths.active().remote_cid, 1U) << "a fresh connection ID";
  ASSERT_NE(server.paths.table().fallback(), nullptr);
  const auto old = server.probe(at(1s));
  ASSERT_TRUE(old);
  EXPECT_EQ(old->path.remote, address(kPeer));
  ASSERT_EQ(old->challenges.size(), 1U);
  EXPECT_TRUE(server.paths.has_frames(at(1s)));
  const auto fresh = server.frames(at(1s));
  ASSERT_EQ(fresh.challenges.size(), 1U);
  EXPECT_EQ(server.observer.new_addresses, 0);
  server.respond(at(2s), fresh.challenges[0]);
  EXPECT_EQ(server.paths.table().fallback(), nullptr);
  EXPECT_EQ(server.observer.new_addresses, 1);
  EXPECT_TRUE(server.paths.active().validated);
}

// [rfc9000-8.2.1-6]: a small datagram proves the address alone.
TEST(Paths, ASmallChallengeIsFollowedByAnExpandedOne) {
  PathsFixture server(Side::server);
  server.peer_moves(at(1s), from_peer(address(3)), id_of(1));
  const auto small = server.frames(at(1s), false);
  ASSERT_EQ(small.challenges.size(), 1U);
  server.respond(at(1s), small.challenges[0]);
  EXPECT_FALSE(server.paths.active().validated);
  EXPECT_TRUE(server.paths.active().address_validated);
  const auto large = server.frames(at(1s), true);
  ASSERT_EQ(large.challenges.size(), 1U);
  server.respond(at(1s), large.challenges[0]);
  EXPECT_TRUE(server.paths.active().validated);
}

// [rfc9000-9.3.2-1]: the way back is the last validated path.
TEST(Paths, AServerRevertsWhenTheNewPathDoesNotAnswer) {
  PathsFixture server(Side::server);
  server.peer_moves(at(1s), from_peer(address(3)), id_of(1));
  Instant now = at(1s);
  for (int i = 0; i < 10 && server.paths.active().address.remote != address(kPeer); ++i) {
    now = server.paths.deadline(now);
    ASSERT_LT(now, at(60s));
    server.paths.on_deadline(now);
    server.check();
  }
  EXPECT_EQ(server.paths.active().address.remote, address(kPeer));
  EXPECT_EQ(server.observer.changes.size(), 2U);
  EXPECT_FALSE(server.paths.table().knows_remote(address(3)));
}

// [rfc9000-9.6.2-2]: from another address of ours nothing but probes at first.
TEST(Paths, AnotherAddressOfOursIsProvedBeforeItIsUsed) {
  PathsFixture server(Side::server);
  const Path other{.local = address(7), .remote = address(kPeer)};
  server.peer_moves(at(1s), other, id_of(1));
  EXPECT_TRUE(server.observer.changes.empty());
  const auto probe = server.probe(at(1s));
  ASSERT_TRUE(probe);
  EXPECT_EQ(probe->path, other);
  ASSERT_EQ(probe->challenges.size(), 1U);
  server.respond(at(2s), probe->challenges[0]);
  ASSERT_EQ(server.observer.changes.size(), 1U);
  EXPECT_EQ(server.observer.changes[0], other);
}

// [rfc9000-9.6.3-4]: a packet to the preferred address that comes from an unknown address takes the
// connection along only when that address answers, and sets off no more than three times its size.
TEST(Paths, APreferredAddressIsUsedOnlyForRemoteAddressesThatAnswer) {
  const Path other{.local = address(7), .remote = address(3)};
  for (const bool answers : {false, true}) {
    PathsFixture server(Side::server, {.preferred_ipv4 = address(7)});
    server.peer_moves(at(1s), other, id_of(1), 100);
    EXPECT_TRUE(server.observer.changes.empty());
    const auto small = server.probe(at(1s));
    ASSERT_TRUE(small);
    EXPECT_EQ(small->path, other);
    EXPECT_EQ(small->size, 300U);
    ASSERT_EQ(small->challenges.size(), 1U);
    EXPECT_FALSE(server.probe(at(1500ms))) << "nothing is left of the limit";
    if (answers) {
      server.respond(at(2s), small->challenges[0]);
      EXPECT_TRUE(server.observer.changes.empty()) << "a small datagram proves the address alone";
      const auto large = server.probe(at(2s));
      ASSERT_TRUE(large);
      ASSERT_EQ(large->challenges.size(), 1U);
      server.respond(at(2s), large->challenges[0]);
      ASSERT_EQ(server.observer.changes.size(), 1U);
      EXPECT_EQ(server.observer.changes[0], other);
    } else {
      server.paths.on_deadline(at(60s));
      server.check();
      EXPECT_TRUE(server.observer.changes.empty());
      EXPECT_EQ(server.paths.active().address, from_peer(address(kPeer)));
      EXPECT_FALSE(server.paths.table().knows_remote(address(3)));
    }
  }
}

// [rfc9000-8.2.2-3]: the answer leaves where the challenge came.
TEST(Paths, ChallengesAreAnsweredOnTheirPath) {
  PathsFixture server(Side::server);
  auto datagram = server.receive(from_peer(address(3)));
  ASSERT_TRUE(datagram);
  server.paths.on_path_challenge(at(1s), *datagram, id_of(1), {.data = {42}});
  server.check();
  ASSERT_TRUE(datagram->path) << "the path is known now";
  const auto probe = server.probe(at(1s));
  ASSERT_TRUE(probe);
  EXPECT_EQ(probe->path.remote, address(3));
  ASSERT_EQ(probe->responses.size(), 1U);
  EXPECT_EQ(probe->responses[0].data[0], 42);
  EXPECT_EQ(probe->size, 1200U);
  EXPECT_TRUE(server.observer.changes.empty()) << "a probe is no migration";
}

// [rfc9000-8.2.2-6]: an answer is no larger than three times what came from there.
TEST(Paths, AnswersToSmallChallengesAreSmall) {
  const auto answer = [](std::size_t received) {
    PathsFixture server(Side::server);
    auto datagram = server.receive(from_peer(address(3)), received);
    EXPECT_TRUE(datagram);
    server.paths.on_path_challenge(at(1s), *datagram, id_of(1), {.data = {42}});
    const auto probe = server.probe(at(1s));
    return probe ? probe->size : 0;
  };
  EXPECT_EQ(answer(100), 300U);
  EXPECT_EQ(answer(27), 81U);
  EXPECT_EQ(answer(26), 0U) << "78 bytes have no room for a packet";
}

// The present path is never the one that goes.
TEST(Paths, ManyAddressesDoNotCrowdOutThePathInUse) {
  PathsFixture server(Side::server, {.max_paths = 3});
  for (u8 host = 3; host < 40; ++host) {
    auto datagram = server.receive(from_peer(address(host)));
    ASSERT_TRUE(datagram);
    server.paths.on_path_challenge(at(1s), *datagram, id_of(host), {.data = {host}});
    server.check();
    ASSERT_LE(server.paths.table().size(), 3U);
  }
  EXPECT_EQ(server.paths.active().address.remote, address(kPeer));
}

// Without this a peer that moves often runs out of connection IDs.
TEST(Paths, AConnectionIdIsReleasedForTheNextMigration) {
  PathsFixture server(Side::server, {.max_paths = 8});
  for (u8 host = 3; host < 6; ++host) {
    server.peer_moves(at(1s), from_peer(address(host)), id_of(host));
  }
  EXPECT_EQ(server.observer.changes.size(), 3U);
  EXPECT_EQ(server.cids.unused(), 0U);
  EXPECT_TRUE(server.cids.owes_retirements())
      << "one is given back, so that the peer gives another";
  EXPECT_TRUE(server.paths.table().knows_remote(address(kPeer))) << "the way back stays";
  EXPECT_TRUE(server.paths.table().knows_remote(address(4))) << "and so does the path before";
  EXPECT_FALSE(server.paths.table().knows_remote(address(3)));
}

// A client that moves often leaves paths behind, whose connection IDs its next moves need.
// [rfc9000-5.1.2-1]
TEST(Paths, AClientGivesBackTheConnectionIdsOfPathsThatItHasLeft) {
  PathsFixture client(Side::client, {.max_paths = 8});
  ASSERT_TRUE(client.paths.begin(at(1s), address(20), Intent::probe));
  const auto asked = client.probe(at(1s));
  ASSERT_TRUE(asked);
  client.respond(at(1s), asked->challenges[0]);
  for (u8 host = 3; host < 5; ++host) {
    ASSERT_TRUE(client.paths.begin(at(1s), address(host), Intent::migrate));
    const auto challenge = client.probe(at(1s));
    ASSERT_TRUE(challenge);
    client.respond(at(1s), challenge->challenges[0]);
  }
  EXPECT_EQ(client.paths.active().address.local, address(4));
  EXPECT_TRUE(client.cids.owes_retirements()) << "that of the first path";
  EXPECT_EQ(client.cids.find(0), nullptr);
  const auto knows = [&](u8 host) {
    const Path path{.local = address(host), .remote = address(kPeer)};
    return client.paths.table().find_exactly(path) != nullptr;
  };
  EXPECT_FALSE(knows(kHome));
  EXPECT_TRUE(knows(3)) << "the path before stays";
  EXPECT_TRUE(knows(20)) << "and so does one that was asked for";
}

// The path that goes may be the one whose connection ID the new path shares.
TEST(Paths, APathThatTakesTheLastPlaceKeepsTheConnectionIdThatItShares) {
  PathsFixture server(Side::server, {.max_paths = 3});
  const auto challenge = [&](u8 host, u8 destination) {
    auto datagram = server.receive(from_peer(address(host)));
    ASSERT_TRUE(datagram);
    server.paths.on_path_challenge(at(1s), *datagram, id_of(destination), {.data = {host}});
    server.check();
  };
  challenge(3, 9);
  challenge(4, 10);
  ASSERT_TRUE(server.paths.table().full());
  const std::size_t unused = server.cids.unused();
  challenge(5, 9);
  EXPECT_EQ(server.cids.unused(), unused) << "none is spent on a copy";
  EXPECT_FALSE(server.paths.table().knows_remote(address(3)));
  const NetworkPath* const path = server.paths.table().find_exactly(from_peer(address(5)));
  ASSERT_NE(path, nullptr);
  EXPECT_EQ(path->remote_cid, 1U);
  EXPECT_NE(server.cids.find(1), nullptr) << "it is not retired";
}

// An attacker who copies packets makes paths that share a connection ID. They take the places of each
// other, and not those of paths that the peer looks at, each with an ID of its own.
TEST(Paths, ForgedAddressesDoNotCrowdOutThePathsThatThePeerLooksAt) {
  PathsFixture server(Side::server, {.max_paths = 4});
  server.peer_moves(at(1s), from_peer(address(kPeer)), id_of(1));
  const auto challenge = [&](u8 host, u8 destination) {
    auto datagram = server.receive(from_peer(address(host)));
    ASSERT_TRUE(datagram);
    server.paths.on_path_challenge(at(1s), *datagram, id_of(destination), {.data = {host}});
    server.check();
  };
  challenge(3, 9);
  challenge(4, 10);
  for (u8 forged = 20; forged < 30; ++forged) {
    challenge(forged, 1);
    EXPECT_TRUE(server.paths.table().knows_remote(address(forged)));
  }
  EXPECT_TRUE(server.paths.table().knows_remote(address(3)));
  EXPECT_TRUE(server.paths.table().knows_remote(address(4)));
}

TEST(Paths, RetiredConnectionIdsAreReplaced) {
  PathsFixture server(Side::server);
  ASSERT_TRUE(server.cids.on_frame({.sequence_number = 4,
                                    .retire_prior_to = 3,
                                    .connection_id = id_of(60),
                                    .stateless_reset_token = {4}}));
  server.paths.replace_retired_cids();
  server.check();
  EXPECT_EQ(server.paths.active().remote_cid, server.cids.current_sequence_number());
  EXPECT_GE(server.paths.active().remote_cid, 3U);
}

// [rfc9000-9.6.2-4]: what comes to the address that the client left is late, or not its.
TEST(Paths, OnlyThePreferredAddressMakesTheOthersStale) {
  PathsFixture plain(Side::server);
  EXPECT_FALSE(plain.paths.is_stale_local_address({.local = address(7), .remote = address(kPeer)}));
  PathsFixture preferred(Side::server, {.preferred_ipv4 = address(kHome)});
  EXPECT_TRUE(
      preferred.paths.is_stale_local_address({.local = address(7), .remote = address(kPeer)}));
  EXPECT_FALSE(preferred.paths.is_stale_local_address(from_peer(address(kPeer))));
  PathsFixture client(Side::client, {.preferred_ipv4 = address(kHome)});
  EXPECT_FALSE(
      client.paths.is_stale_local_address({.local = address(7), .remote = address(kPeer)}));
}

// --- sizes ---------------------------------------------------------------------------------------

TEST(Paths, AProbeOfTheSizeGrowsTheDatagrams) {
  PathsFixture client(Side::client);
  EXPECT_EQ(client.paths.datagram_size(), 1200U);
  client.paths.active().mtu.on_full_datagram();
  const auto probe = client.paths.next_probe(at(1s), 1500);
  ASSERT_TRUE(probe);
  ASSERT_TRUE(probe->is_mtu_probe);
  std::vector<u8> storage(probe->size);
  PacketWriter out(storage, wire::PacketType::one_rtt);
  const SentPacketInfo info = client.paths.write_probe(at(1s), *probe, client.random, out);
  EXPECT_TRUE(info.mtu_probe && info.in_flight);
  ASSERT_EQ(out.sent_frames().size(), 1U);
  EXPECT_EQ(out.sent_frames()[0].owner, FrameOwner::mtu_discovery);
  EXPECT_FALSE(client.paths.next_probe(at(1s), 1500)) << "one at a time";
  client.paths.on_mtu_probe_fate(at(2s), out.sent_frames()[0], Fate::acked);
  EXPECT_EQ(client.paths.datagram_size(), probe->size);
  SentFrame unknown = out.sent_frames()[0];
  unknown.stream.value = 99;
  client.paths.on_mtu_probe_fate(at(2s), unknown, Fate::lost);
  client.check();
}

// RFC 9000 §14: what the operating system refuses to send needs no three losses to be too large.
TEST(Paths, AProbeOfTheSizeThatIsRefusedHasFailedAtOnce) {
  PathsFixture client(Side::client);
  const Path path = client.paths.active().address;
  const auto probe = [&] {
    client.paths.active().mtu.on_full_datagram();
    const auto due = client.paths.next_probe(at(1s), 1500);
    if (!due || !due->is_mtu_probe) return std::size_t{0};
    std::vector<u8> storage(due->size);
    PacketWriter out(storage, wire::PacketType::one_rtt);
    client.paths.write_probe(at(1s), *due, client.random, out);
    return due->size;
  };
  const std::size_t first = probe();
  ASSERT_EQ(first, 1472U);
  EXPECT_EQ(probe(), 0U) << "it is on its way";
  EXPECT_FALSE(client.paths.on_datagram_too_large(at(1s), path, first));
  const std::size_t second = probe();
  EXPECT_GT(second, 1200U);
  EXPECT_LT(second, first);
  EXPECT_FALSE(client.paths.on_datagram_too_large(at(1s), from_peer(address(9)), second));
  EXPECT_EQ(probe(), 0U) << "that was another path";
  EXPECT_EQ(client.paths.datagram_size(), 1200U);
}

TEST(Paths, DatagramsThatAreRefusedFallToTheBase) {
  PathsFixture client(Side::client, {.max_datagram_size = 1452});
  const Path path = client.paths.active().address;
  EXPECT_FALSE(client.paths.on_datagram_too_large(at(1s), path, 1200));
  EXPECT_EQ(client.paths.datagram_size(), 1452U);
  EXPECT_TRUE(client.paths.on_datagram_too_large(at(1s), path, 1452));
  EXPECT_EQ(client.paths.datagram_size(), 1200U);
  EXPECT_FALSE(client.paths.on_datagram_too_large(at(1s), path, 1452)) << "it is done already";
}

TEST(Paths, NoPathTakesMoreThanThePeerDoes) {
  PathsFixture client(Side::client, {.max_datagram_size = 1452});
  EXPECT_EQ(client.paths.datagram_size(), 1452U);
  client.paths.set_peer_parameters({.max_udp_payload_size = 1300});
  EXPECT_EQ(client.paths.datagram_size(), 1300U);
  ASSERT_TRUE(client.paths.begin(at(1s), address(9), Intent::probe));
  NetworkPath& other = *client.paths.table().all().back();
  other.mtu.on_full_datagram();
  EXPECT_EQ(other.mtu.due(at(1s)), 1300);
}

}  // namespace
}  // namespace qpeer::transport::test
