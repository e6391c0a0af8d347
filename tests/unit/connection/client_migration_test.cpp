// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Paths of a client: what the application asks for, and the preferred address. RFC 9000 §9.1, §9.6.
#include <optional>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/connection/paths_fixture.hpp"

namespace qpeer::transport::test {
namespace {

TEST(Paths, AClientProbesAndThenMigratesAtOnce) {
  PathsFixture client(Side::client);
  const Path other{.local = address(9), .remote = address(kPeer)};
  ASSERT_TRUE(client.paths.begin(at(1s), address(9), Intent::probe));
  client.check();
  const auto probe = client.probe(at(1s));
  ASSERT_TRUE(probe);
  EXPECT_EQ(probe->path, other);
  EXPECT_EQ(probe->size, 1200U);
  client.respond(at(2s), probe->challenges.at(0));
  ASSERT_EQ(client.observer.validated.size(), 1U);
  EXPECT_EQ(client.observer.validated[0], other);
  EXPECT_TRUE(client.observer.changes.empty());
  ASSERT_TRUE(client.paths.begin(at(3s), address(9), Intent::migrate));
  client.check();
  ASSERT_EQ(client.observer.changes.size(), 1U);
  EXPECT_EQ(client.paths.active().address, other);
}

TEST(Paths, AProbeWithoutAnAnswerFails) {
  PathsFixture client(Side::client);
  ASSERT_TRUE(client.paths.begin(at(1s), address(9), Intent::probe));
  client.paths.on_deadline(at(59s));
  client.check();
  ASSERT_EQ(client.observer.failed.size(), 1U);
  EXPECT_EQ(client.paths.table().size(), 1U);
}

// [rfc9000-9-1], [rfc9000-9-2], [rfc9000-9.5-5].
TEST(Paths, AClientMustNotAlwaysMigrate) {
  const auto refusal_of = [](Paths& paths, const SocketAddress& local) {
    const auto begun = paths.begin(at(1s), local, Intent::migrate);
    return begun ? std::optional<PathError>{} : begun.error();
  };
  const auto refusal = [&](PathsFixture& fixture, const SocketAddress& local) {
    return refusal_of(fixture.paths, local);
  };
  PathsFixture server(Side::server);
  EXPECT_EQ(refusal(server, address(9)), PathError::not_client);
  PathsFixture client(Side::client);
  Recovery recovery(Side::client, {}, make_new_reno(1200));
  Paths unconfirmed(Side::client, client.config, from_peer(address(kPeer)), recovery, client.cids,
                    client.observer);
  EXPECT_EQ(refusal_of(unconfirmed, address(9)), PathError::not_confirmed);
  EXPECT_EQ(refusal(client, address(kHome)), PathError::bad_address) << "the one in use";
  EXPECT_EQ(refusal(client, {}), PathError::bad_address);
  EXPECT_EQ(refusal(client, *SocketAddress::parse("[::1]:1")), PathError::bad_address);
  client.paths.set_peer_parameters({.disable_active_migration = true});
  EXPECT_EQ(refusal(client, address(9)), PathError::disabled);
  PathsFixture without(Side::client, {.zero_length_connection_id = true});
  EXPECT_EQ(refusal(without, address(9)), PathError::no_connection_id);
  PathsFixture many(Side::client, {.max_paths = 3});
  for (u8 host = 8; host < 10; ++host) {
    EXPECT_TRUE(many.paths.begin(at(1s), address(host), Intent::probe));
  }
  EXPECT_EQ(refusal(many, address(10)), PathError::too_many_paths);
  PathsFixture few(Side::client, {.max_paths = 16});
  for (u8 host = 8; host < 11; ++host) {
    EXPECT_TRUE(few.paths.begin(at(1s), address(host), Intent::probe));
  }
  EXPECT_EQ(refusal(few, address(11)), PathError::no_connection_id);
  few.check();
}

TEST(Paths, TheNewestMigrationCounts) {
  PathsFixture client(Side::client);
  ASSERT_TRUE(client.paths.begin(at(1s), address(8), Intent::migrate));
  ASSERT_TRUE(client.paths.begin(at(1s), address(9), Intent::migrate));
  client.check();
  for (int i = 0; i < 2; ++i) {
    const auto probe = client.probe(at(1s));
    ASSERT_TRUE(probe);
    client.respond(at(2s), probe->challenges.at(0));
  }
  ASSERT_EQ(client.observer.changes.size(), 1U);
  EXPECT_EQ(client.paths.active().address.local, address(9));
  ASSERT_EQ(client.observer.validated.size(), 1U) << "the event for the other one: it works";
  EXPECT_EQ(client.observer.validated[0].local, address(8));
}

// [rfc9000-9.6.1-2], [rfc9000-9.6.1-3], [rfc9000-21.5.6-2].
TEST(Paths, AClientMovesToThePreferredAddress) {
  const auto moved = [](const SocketAddress& preferred, bool use) {
    PathsFixture client(Side::client, {.use_preferred_address = use}, preferred);
    const auto probe = client.probe(at(1s));
    if (!probe) {
      EXPECT_EQ(client.paths.table().size(), 1U);
      return false;
    }
    EXPECT_EQ(probe->path, from_peer(preferred));
    EXPECT_TRUE(client.observer.changes.empty()) << "it is not proved yet";
    client.respond(at(2s), probe->challenges.at(0));
    EXPECT_EQ(client.observer.changes, std::vector{from_peer(preferred)});
    EXPECT_EQ(client.paths.active().remote_cid, 1U) << "the connection ID of that address";
    return client.paths.active().address == from_peer(preferred);
  };
  EXPECT_TRUE(moved(address(5), true));
  EXPECT_FALSE(moved(address(5), false));
  EXPECT_FALSE(moved(SocketAddress::ipv4({127, 0, 0, 1}, 1), true));
  EXPECT_FALSE(moved(SocketAddress::ipv4({224, 0, 0, 1}, 1), true));
  EXPECT_FALSE(moved(address(5, 0), true));
}

/// A packet comes over the path in use, to this address of ours.
void receive_at(PathsFixture& client, Instant now, const SocketAddress& local) {
  const auto datagram = client.receive({.local = local, .remote = address(kPeer)});
  ASSERT_TRUE(datagram);
  client.paths.on_packet(now, *datagram, id_of(1));
  client.check();
}

// [rfc9000-9.5-2], [rfc9000-8.2.4-1]
TEST(Paths, AClientGoesOnWithoutAnAddressThatIsGone) {
  PathsFixture client(Side::client);
  const Path gone{.local = address(kHome), .remote = address(kPeer)};
  ASSERT_TRUE(client.paths.on_local_address_gone(at(1s), gone));
  client.check();
  EXPECT_EQ(client.paths.active().address, (Path{.local = {}, .remote = address(kPeer)}));
  EXPECT_EQ(client.paths.active().remote_cid, 1U) << "another connection ID";
  EXPECT_EQ(client.paths.table().size(), 1U) << "no way back";
  ASSERT_EQ(client.observer.changes.size(), 1U);
  EXPECT_FALSE(client.paths.on_local_address_gone(at(1s), gone)) << "once";
  // What was on its way to the old address says nothing.
  receive_at(client, at(2s), address(kHome));
  EXPECT_TRUE(client.observer.learned.empty());
  const auto sent = client.frames(at(2s));
  ASSERT_EQ(sent.challenges.size(), 1U);
  // No answer in time: it is asked again as soon as something comes.
  client.paths.on_deadline(at(60s));
  EXPECT_FALSE(client.paths.active().validator.is_active());
  receive_at(client, at(61s), address(9));
  ASSERT_EQ(client.observer.learned.size(), 1U);
  EXPECT_EQ(client.observer.learned[0].local, address(9));
  const auto again = client.frames(at(61s));
  ASSERT_EQ(again.challenges.size(), 1U);
  client.respond(at(62s), again.challenges[0]);
  EXPECT_TRUE(client.paths.active().validated);
  receive_at(client, at(62s), address(9));
  EXPECT_EQ(client.observer.learned.size(), 1U);
}

TEST(Paths, AnAddressThatCameBackIsKnownOnceItAnswers) {
  PathsFixture client(Side::client);
  ASSERT_TRUE(client.paths.on_local_address_gone(
      at(1s), {.local = address(kHome), .remote = address(kPeer)}));
  const auto sent = client.frames(at(1s));
  ASSERT_EQ(sent.challenges.size(), 1U);
  client.respond(at(2s), sent.challenges[0]);
  receive_at(client, at(2s), address(kHome));
  ASSERT_EQ(client.observer.learned.size(), 1U);
  EXPECT_EQ(client.observer.learned[0].local, address(kHome));
}

// The old address may still be ours, and lead to where no answer comes back from.
TEST(Paths, AClientFollowsTheAddressThatTheSystemChooses) {
  PathsFixture client(Side::client);
  EXPECT_FALSE(client.paths.on_source_changed(at(1s), address(9))) << "the application chose it";
  ASSERT_TRUE(client.paths.on_local_address_gone(
      at(1s), {.local = address(kHome), .remote = address(kPeer)}));
  EXPECT_FALSE(client.paths.on_source_changed(at(1s), address(9))) << "the system chooses anyway";
  const auto sent = client.frames(at(1s));
  ASSERT_EQ(sent.challenges.size(), 1U);
  client.respond(at(2s), sent.challenges[0]);
  receive_at(client, at(2s), address(9));
  ASSERT_EQ(client.paths.active().address.local, address(9));
  EXPECT_FALSE(client.paths.on_source_changed(at(3s), {})) << "there is no way at all";
  EXPECT_FALSE(client.paths.on_source_changed(at(3s), address(9).with_port(0)));
  EXPECT_TRUE(client.paths.on_source_changed(at(3s), address(8)));
  client.check();
  EXPECT_EQ(client.paths.active().address, (Path{.local = {}, .remote = address(kPeer)}));
}

TEST(Paths, APathThatIsKnownToWorkIsTheWayOut) {
  PathsFixture client(Side::client);
  ASSERT_TRUE(client.paths.begin(at(1s), address(9), Intent::probe));
  const auto probe = client.probe(at(1s));
  ASSERT_TRUE(probe);
  client.respond(at(2s), probe->challenges.at(0));
  ASSERT_TRUE(client.paths.on_local_address_gone(
      at(3s), {.local = address(kHome), .remote = address(kPeer)}));
  client.check();
  EXPECT_EQ(client.paths.active().address.local, address(9));
  EXPECT_EQ(client.paths.table().size(), 1U);
}

TEST(Paths, AProbeFromAnAddressThatIsGoneFails) {
  PathsFixture client(Side::client);
  ASSERT_TRUE(client.paths.begin(at(1s), address(9), Intent::probe));
  EXPECT_FALSE(
      client.paths.on_local_address_gone(at(1s), {.local = address(9), .remote = address(kPeer)}));
  ASSERT_EQ(client.observer.failed.size(), 1U);
  EXPECT_EQ(client.paths.active().address.local, address(kHome));
}

// [rfc9000-9-1], [rfc9000-9-2], [rfc9000-9.5-2], [rfc9000-9.5-5]: it waits for the address.
TEST(Paths, NobodyLeavesAnAddressWhoMayNotMove) {
  const auto stays = [](PathsFixture& fixture) {
    const Path before = fixture.paths.active().address;
    const bool moved = fixture.paths.on_local_address_gone(at(1s), before);
    fixture.check();
    return !moved && fixture.paths.active().address == before;
  };
  PathsFixture server(Side::server);
  EXPECT_TRUE(stays(server));
  PathsFixture fixed(Side::client);
  fixed.paths.set_peer_parameters({.disable_active_migration = true});
  EXPECT_TRUE(stays(fixed));
  PathsFixture without(Side::client, {.zero_length_connection_id = true});
  EXPECT_TRUE(stays(without));
  PathsFixture few(Side::client);
  while (few.cids.take()) continue;
  EXPECT_TRUE(stays(few));
}

}  // namespace
}  // namespace qpeer::transport::test
