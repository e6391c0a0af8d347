// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Paths by itself: the peer's moves, our own, challenges and their time-outs. RFC 9000 §8.2, §9.
#include "qpeer/transport/connection/paths.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "qpeer/transport/connection/setup.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::transport {
namespace {

using Intent = NetworkPath::Intent;

constexpr Instant at(Duration since_start) { return Instant{} + since_start; }

ConnectionId id_of(u8 value) { return ConnectionId(std::array<u8, 8>{value}); }

SocketAddress address(u8 host, std::uint16_t port = 1) {
  return SocketAddress::ipv4({10, 0, 0, host}, port);
}

constexpr u8 kHome = 1;
constexpr u8 kPeer = 2;

class QuietIssuer final : public CidIssuer {
 public:
  ConnectionId issue() override { return id_of(next_++); }
  ConnectionId issue_zero_length() override { return {}; }
  void retire(const ConnectionId&) override {}
  StatelessResetToken reset_token(const ConnectionId&) override { return {}; }
  void watch_reset_token(const StatelessResetToken&) override {}
  void unwatch_reset_token(const StatelessResetToken&) override {}

 private:
  u8 next_ = 1;
};

class Counting final : public Random {
 public:
  void fill_public(MutableBytes out) override { fill_private(out); }
  void fill_private(MutableBytes out) override {
    for (u8& each : out) each = next_++;
  }

 private:
  u8 next_ = 1;
};

struct Observer final : PathObserver {
  void on_path_result(const Path& path, bool works) override {
    (works ? validated : failed).push_back(path);
  }
  void on_path_changed(Instant, const Path& path) override { changes.push_back(path); }
  void on_new_address_validated(Instant) override { ++new_addresses; }

  std::vector<Path> validated, failed, changes;
  int new_addresses = 0;
};

/// The paths of one side, whose handshake is confirmed, and a peer that gave four connection IDs.
struct PathsFixture {
  explicit PathsFixture(Side side, ConnectionConfig changed = {})
      : config(sanitized(std::move(changed))),
        recovery(side, {}, make_new_reno(1200)),
        cids(issuer, id_of(50), 4),
        paths(side, config, {.local = address(kHome), .remote = address(kPeer)}, recovery, cids,
              observer) {
    for (u8 number = 1; number < 4; ++number) give_cid(number);
    paths.on_handshake_confirmed(at(0s));
    check();
  }

  void give_cid(u8 number) {
    EXPECT_TRUE(cids.on_frame({.sequence_number = number,
                               .retire_prior_to = 0,
                               .connection_id = id_of(static_cast<u8>(50 + number)),
                               .stateless_reset_token = {number}}));
  }
  void check() const { ASSERT_TRUE(paths.consistent()); }

  std::optional<IncomingDatagram> receive(const Path& from, std::size_t size = 1200,
                                          bool open = true) {
    std::vector<u8> bytes(size);
    return paths.on_datagram({.path = from, .payload = bytes}, open);
  }
  /// The newest packet of the peer, and no probe, comes from there.
  void peer_moves(Instant now, const Path& from, const ConnectionId& destination,
                  std::size_t size = 1200) {
    auto datagram = receive(from, size);
    ASSERT_TRUE(datagram);
    if (!paths.is_active(*datagram)) paths.on_peer_migrated(now, *datagram, destination);
    paths.on_packet(*datagram, destination);
    check();
  }

  struct Sent {
    Path path;
    std::size_t size = 0;
    std::vector<wire::PathChallengeFrame> challenges;
    std::vector<wire::PathResponseFrame> responses;
  };
  /// The path probe that is due, written.
  std::optional<Sent> probe(Instant now) {
    const auto due = paths.next_probe(now, 1500);
    if (!due || due->is_mtu_probe) return std::nullopt;
    std::vector<u8> storage(due->size);
    PacketWriter out(storage, wire::PacketType::one_rtt);
    const SentPacketInfo info = paths.write_probe(now, *due, random, out);
    EXPECT_TRUE(info.other_path && info.ack_eliciting);
    due->path->on_sent(due->size);
    Sent sent = read(Bytes(storage).first(out.size()));
    sent.path = due->path->address;
    sent.size = due->size;
    check();
    return sent;
  }
  /// What goes into a packet over the path in use.
  Sent frames(Instant now, bool expandable = true) {
    std::vector<u8> storage(1200);
    PacketWriter out(storage, wire::PacketType::one_rtt);
    const bool expand = paths.write_frames(now, random, out, expandable);
    EXPECT_EQ(expand, !out.empty()) << "what is written asks for an expanded datagram";
    return read(Bytes(storage).first(out.size()));
  }
  void respond(Instant now, const wire::PathChallengeFrame& challenge) {
    paths.on_path_response(now, {.data = challenge.data});
    check();
  }

  static Sent read(Bytes payload) {
    Sent sent;
    Reader in(payload);
    while (!in.empty()) {
      const auto frame = wire::decode_frame(in, wire::PacketType::one_rtt);
      EXPECT_TRUE(frame);
      if (!frame) break;
      if (const auto* challenge = std::get_if<wire::PathChallengeFrame>(&*frame)) {
        sent.challenges.push_back(*challenge);
      } else if (const auto* response = std::get_if<wire::PathResponseFrame>(&*frame)) {
        sent.responses.push_back(*response);
      }
    }
    return sent;
  }

  Counting random;
  QuietIssuer issuer;
  Observer observer;
  ConnectionConfig config;
  Recovery recovery;
  RemoteCids cids;
  Paths paths;
};

Path from_peer(const SocketAddress& remote) { return {.local = address(kHome), .remote = remote}; }

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

// [rfc9000-9.3-1], [rfc9000-9.3.3-1], [rfc9000-9.3-4], [rfc9000-9.5-2].
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
  while (server.paths.active().address.remote != address(kPeer)) {
    const Instant next = server.paths.deadline(at(1s));
    ASSERT_LT(next, at(60s));
    server.paths.on_deadline(next);
    server.check();
  }
  EXPECT_EQ(server.observer.changes.size(), 2U);
  EXPECT_FALSE(server.paths.table().knows_remote(address(3)));
}

// [rfc9000-9.6.2-2], [rfc9000-9.6.3-4]: from another address of ours nothing but probes at first.
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
  EXPECT_LE(probe->size, 3 * 1200U);
  EXPECT_TRUE(server.observer.changes.empty()) << "a probe moves nobody";
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

// The mutation that showed it: without this a peer that moves often runs out of connection IDs.
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

// --- clients -------------------------------------------------------------------------------------

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
  const auto refusal = [](PathsFixture& fixture, const SocketAddress& local) {
    const auto begun = fixture.paths.begin(at(1s), local, Intent::migrate);
    return begun ? std::optional<PathError>{} : begun.error();
  };
  PathsFixture server(Side::server);
  EXPECT_EQ(refusal(server, address(9)), PathError::not_client);
  PathsFixture client(Side::client);
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
  ASSERT_EQ(client.observer.validated.size(), 1U) << "of the other it is told that it works";
  EXPECT_EQ(client.observer.validated[0].local, address(8));
}

// [rfc9000-9.6.1-2], [rfc9000-9.6.1-3], [rfc9000-21.5.6-2].
TEST(Paths, AClientMovesToThePreferredAddress) {
  const auto moved = [](const SocketAddress& preferred, bool use) {
    ConnectionConfig config = sanitized({.use_preferred_address = use});
    QuietIssuer issuer;
    Observer observer;
    Recovery recovery(Side::client, {}, make_new_reno(1200));
    RemoteCids cids(issuer, id_of(50), 4);
    Paths paths(Side::client, config, from_peer(address(kPeer)), recovery, cids, observer);
    cids.add_preferred(id_of(51), {1});
    paths.set_peer_parameters({.preferred_address = wire::PreferredAddress{.ipv4 = preferred}});
    paths.on_handshake_confirmed(at(0s));
    EXPECT_TRUE(paths.consistent());
    return paths.table().knows_remote(preferred) && paths.table().size() == 2;
  };
  EXPECT_TRUE(moved(address(5), true));
  EXPECT_FALSE(moved(address(5), false));
  EXPECT_FALSE(moved(SocketAddress::ipv4({127, 0, 0, 1}, 1), true));
  EXPECT_FALSE(moved(SocketAddress::ipv4({224, 0, 0, 1}, 1), true));
  EXPECT_FALSE(moved(address(5, 0), true));
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
}  // namespace qpeer::transport
