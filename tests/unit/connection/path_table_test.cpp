// SPDX-License-Identifier: MIT OR BSD-3-Clause
// PathValidator, PathTable and MtuDiscovery by themselves. RFC 9000 §8.2, §9, §14.3; RFC 8899.
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/connection/paths_fixture.hpp"
#include "qpeer/transport/connection/path_table.hpp"

namespace qpeer::transport::test {
namespace {

// --- PathValidator -------------------------------------------------------------------------------

struct Challenger {
  /// The challenge that one packet of `room` bytes carries.
  std::optional<PathValidator::Data> challenge(Instant now, bool expanded = true,
                                               std::size_t room = 1200) {
    std::vector<u8> storage(room);
    PacketWriter out(storage, wire::PacketType::one_rtt);
    if (!validator.write_frames(now, random, out, expanded)) return std::nullopt;
    EXPECT_EQ(out.sent_frames().size(), 1U);
    PathValidator::Data data{};
    copy(Bytes(storage).subspan(1, data.size()), data);
    return data;
  }
  CountingRandom random;
  PathValidator validator;
};

// [rfc9000-8.2.1-2], [rfc9000-8.2.1-3], [rfc9000-8.2.1-4], [rfc9000-8.2.4-1], [rfc9000-8.2.4-2]: at
// once, after one PTO, and never again: after three it is over.
TEST(PathValidator, AsksTwiceAndGivesUpAfterThreePtos) {
  constexpr Duration kPto = 100ms;
  Challenger path;
  EXPECT_FALSE(path.validator.is_active());
  EXPECT_FALSE(path.challenge(at(0ms))) << "validation has not started";
  EXPECT_EQ(path.validator.deadline(at(0ms)), kNever);
  path.validator.start(at(0ms), kPto);
  EXPECT_TRUE(path.validator.is_active());
  const auto first = path.challenge(at(0ms));
  ASSERT_TRUE(first);
  EXPECT_FALSE(path.challenge(at(0ms))) << "one a packet, and one at a time";
  EXPECT_EQ(path.validator.deadline(at(0ms)), at(kPto));
  EXPECT_FALSE(path.challenge(at(kPto - 1ns)));
  const auto second = path.challenge(at(kPto));
  ASSERT_TRUE(second);
  EXPECT_NE(*first, *second);
  EXPECT_EQ(path.validator.deadline(at(kPto)), at(3 * kPto));
  EXPECT_FALSE(path.validator.has_failed(at(3 * kPto - 1ns)));
  EXPECT_FALSE(path.challenge(at(3 * kPto - 1ns)));
  EXPECT_TRUE(path.validator.has_failed(at(3 * kPto)));
}

TEST(PathValidator, ADueChallengeThatCannotLeaveDoesNotWakeAnybody) {
  Challenger path;
  path.validator.start(at(0ms), 100ms);
  EXPECT_TRUE(path.validator.is_due(at(0ms)));
  EXPECT_EQ(path.validator.deadline(at(0ms)), at(300ms));
  EXPECT_FALSE(path.challenge(at(0ms), true, 8)) << "there is no room";
  EXPECT_TRUE(path.challenge(at(250ms))) << "late, but not lost";
  EXPECT_EQ(path.validator.deadline(at(250ms)), at(300ms)) << "the end does not move";
}

// [rfc9000-8.2.1-6]: what each answer proves is what its own challenge asked.
TEST(PathValidator, AnswersProveWhatTheirChallengeAsked) {
  Challenger path;
  path.validator.start(at(0ms), 100ms);
  const auto small = path.challenge(at(0ms), false);
  const auto large = path.challenge(at(100ms), true);
  ASSERT_TRUE(small && large);
  const auto late = path.validator.on_response(at(150ms), *small);
  ASSERT_TRUE(late);
  EXPECT_FALSE(late->expanded);
  EXPECT_EQ(late->round_trip, 150ms);
  const auto proof = path.validator.on_response(at(150ms), *large);
  ASSERT_TRUE(proof);
  EXPECT_TRUE(proof->expanded);
  EXPECT_EQ(proof->round_trip, 50ms);
  auto forged = *large;
  forged[7] ^= 1;
  EXPECT_FALSE(path.validator.on_response(at(150ms), forged));
}

TEST(PathValidator, NothingIsProvedByWhatWasNotAsked) {
  Challenger path;
  const PathValidator::Data zeros{};
  EXPECT_FALSE(path.validator.on_response(at(0ms), zeros));
  path.validator.start(at(0ms), 100ms);
  EXPECT_FALSE(path.validator.on_response(at(0ms), zeros)) << "before the first challenge";
  const auto data = path.challenge(at(0ms));
  ASSERT_TRUE(data);
  EXPECT_FALSE(path.validator.on_response(at(0ms), zeros));
  path.validator.stop();
  EXPECT_FALSE(path.validator.is_active());
  EXPECT_FALSE(path.validator.on_response(at(1ms), *data));
  EXPECT_FALSE(path.validator.is_due(at(1h)));
}

// --- PathTable ---------------------------------------------------------------------------------

NetworkPath path_to(const SocketAddress& remote, std::uint64_t cid = 0) {
  return {{.local = address(1), .remote = remote}, cid, MtuDiscovery(1200, 1200, 600s)};
}

PathTable manager(Side side = Side::server, std::size_t limit = 4) {
  PathTable paths(side, limit, path_to(address(2)));
  paths.active().validated = paths.active().address_validated = true;
  return paths;
}

// RFC 9000 §9: to a server another of either address is another path; to a client the network may
// choose which of its own a datagram comes to.
TEST(PathTable, FindsPathsAsEachSideKnowsThem) {
  for (const Side side : {Side::client, Side::server}) {
    PathTable paths = manager(side);
    NetworkPath& other = paths.add(path_to(address(3)));
    const bool is_client = side == Side::client;
    EXPECT_EQ(paths.find({address(1), address(2)}), &paths.active());
    EXPECT_EQ(paths.find({address(1), address(3)}), &other);
    EXPECT_EQ(paths.find({address(9), address(3)}), is_client ? &other : nullptr);
    EXPECT_EQ(paths.find({address(9), address(2)}), is_client ? &paths.active() : nullptr);
    EXPECT_EQ(paths.find({address(1), address(2, 2)}), nullptr) << "the peer's port counts";
    EXPECT_EQ(paths.find_exactly({address(9), address(3)}), nullptr);
    EXPECT_TRUE(paths.knows_remote(address(3)));
    EXPECT_FALSE(paths.knows_remote(address(4)));
    EXPECT_TRUE(paths.is_validated(address(2)));
    EXPECT_FALSE(paths.is_validated(address(3)));
  }
}

// Neither the path in use nor the way back ever goes; of the others the unproved first.
TEST(PathTable, ForgetsTheLeastWorth) {
  PathTable paths = manager(Side::server, 4);
  EXPECT_EQ(paths.dispensable(), nullptr) << "there is room";
  NetworkPath& home = paths.active();
  NetworkPath& spoofed = paths.add(path_to(address(3)));
  paths.activate(at(0s), spoofed);
  EXPECT_EQ(paths.fallback(), &home);
  NetworkPath& proved = paths.add(path_to(address(4)));
  proved.validated = true;
  EXPECT_FALSE(paths.full());
  NetworkPath& unproved = paths.add(path_to(address(5)));
  EXPECT_TRUE(paths.full());
  EXPECT_EQ(paths.dispensable(), &unproved);
  unproved.intent = NetworkPath::Intent::migrate;
  EXPECT_EQ(paths.dispensable(), &proved) << "the application waits for the other";
  proved.intent = NetworkPath::Intent::probe;
  EXPECT_EQ(paths.dispensable(), &proved) << "the answer came";
  proved.validator.start(at(0s), 1s);
  EXPECT_EQ(paths.dispensable(), nullptr);
  EXPECT_TRUE(paths.full());
  paths.remove(unproved);
  EXPECT_EQ(paths.size(), 3U);
  EXPECT_FALSE(paths.full());
}

// [rfc9000-9.3.2-1]: the way back is the last path that was validated, over any number of others.
TEST(PathTable, KeepsTheWayBackUntilAnotherPathIsProved) {
  PathTable paths = manager(Side::server, 8);
  NetworkPath& home = paths.active();
  for (u8 i = 3; i < 6; ++i) {
    paths.activate(at(0s), paths.add(path_to(address(i))));
    EXPECT_EQ(paths.fallback(), &home);
  }
  NetworkPath& last = paths.active();
  paths.activate(at(0s), home);
  EXPECT_EQ(paths.fallback(), nullptr) << "it is where it would go back to";
  last.validated = true;
  paths.activate(at(0s), last);
  EXPECT_EQ(paths.fallback(), nullptr);
}

TEST(PathTable, WakesForChallengesAndForPathsThatAreIdle) {
  PathTable paths = manager();
  EXPECT_EQ(paths.deadline(at(0s)), kNever);
  NetworkPath& home = paths.active();
  NetworkPath& other = paths.add(path_to(address(3)));
  other.idle_since = at(1s);
  EXPECT_EQ(paths.deadline(at(2s)), at(1s) + PathTable::kIdleTime);
  other.validator.start(at(2s), 1s);
  EXPECT_EQ(paths.deadline(at(2s)), at(5s)) << "it is due: that sets no timer";
  paths.activate(at(3s), other);
  other.validator.stop();
  EXPECT_EQ(paths.deadline(at(3s)), kNever) << "the way back is kept for as long as it takes";
  other.validated = true;
  paths.forget_fallback();
  EXPECT_EQ(home.idle_since, at(3s));
  EXPECT_EQ(paths.deadline(at(3s)), at(3s) + PathTable::kIdleTime);
}

// A peer that does not know the new path yet goes on over the old one.
TEST(PathTable, ForgetsNoPathBeforeThePeerIsHeardOnTheOneInUse) {
  PathTable paths = manager();
  NetworkPath& home = paths.active();
  NetworkPath& other = paths.add(path_to(address(3)));
  other.silent = true;
  other.validated = true;
  paths.activate(at(1s), other);
  paths.forget_fallback();
  EXPECT_EQ(paths.idle_end(home), kNever);
  EXPECT_EQ(paths.deadline(at(2s)), kNever);
  other.on_received(100);
  EXPECT_EQ(paths.idle_end(home), at(1s) + PathTable::kIdleTime);
  EXPECT_EQ(paths.deadline(at(2s)), at(1s) + PathTable::kIdleTime);
}

// [rfc9000-8.1-2]: what may not be sent blocks no other path.
TEST(PathTable, ProbesOnlyWhereThereIsCredit) {
  PathTable paths = manager();
  NetworkPath& poor = paths.add(path_to(address(3)));
  NetworkPath& rich = paths.add(path_to(address(4)));
  EXPECT_EQ(paths.next_to_probe(at(0s)), nullptr) << "there are no frames";
  poor.validator.start(at(0s), 1s);
  EXPECT_EQ(paths.next_to_probe(at(0s)), nullptr);
  rich.responder.on_challenge({.data = {1}});
  rich.on_received(400);
  EXPECT_EQ(rich.allowance(), 1'200U);
  EXPECT_EQ(paths.next_to_probe(at(0s)), &rich);
  rich.on_sent(1'200 - PathTable::kLeastAllowance + 1);
  EXPECT_EQ(paths.next_to_probe(at(0s)), nullptr);
  poor.on_received(PathTable::kLeastAllowance / 3 + 1);
  EXPECT_EQ(paths.next_to_probe(at(0s)), &poor);
  // A packet with the longest connection ID must fit into the least that is tried.
  constexpr std::size_t kLongest = 1 + ConnectionId::kMaxSize + 4 + 32 + 16;
  EXPECT_GE(PathTable::kLeastAllowance, kLongest);
}

TEST(PathTable, KnowsWhichPathsShareAConnectionId) {
  PathTable paths = manager();
  NetworkPath& first = paths.add(path_to(address(3), 7));
  EXPECT_FALSE(paths.shares_cid(first));
  NetworkPath& second = paths.add(path_to(address(4), 7));
  EXPECT_TRUE(paths.shares_cid(first));
  EXPECT_NE(first.id, second.id);
  const std::uint64_t id = second.id;
  paths.remove(second);
  EXPECT_FALSE(paths.shares_cid(first));
  EXPECT_GT(paths.add(path_to(address(4), 7)).id, id) << "names of paths are never used again";
}

// --- MtuDiscovery --------------------------------------------------------------------------------

/// Probes, as long as more are due at `now`, on a path that carries `mtu`. Returns how many.
unsigned search(MtuDiscovery& discovery, Instant now, std::uint16_t mtu) {
  unsigned probes = 0;
  for (; probes < 100; ++probes) {
    discovery.on_full_datagram();
    const auto size = discovery.due(now);
    if (!size) break;
    const std::uint64_t probe = discovery.on_probe_sent(now);
    EXPECT_FALSE(discovery.due(now)) << "one at a time";
    if (*size <= mtu) {
      EXPECT_TRUE(discovery.on_probe_acknowledged(now, probe, *size));
    } else {
      discovery.on_probe_lost(now, probe);
    }
  }
  return probes;
}

// [rfc9000-14.3-1], [rfc8899-5.3.2-1]
TEST(MtuDiscovery, FindsWhatAPathCarriesWithFewProbes) {
  struct Case {
    std::uint16_t limit, mtu;
    unsigned most_probes;
  };
  for (const Case& c : {Case{1472, 1472, 1},
                        {1472, 1452, 12},
                        {1472, 1200, 15},
                        {1472, 1300, 16},
                        {9000, 9000, 1},
                        {9000, 1500, 30},
                        {1200, 1500, 0},
                        {1210, 1500, 1}}) {
    MtuDiscovery discovery(MtuDiscovery::kBase, c.limit, 600s);
    EXPECT_LE(search(discovery, at(0s), c.mtu), c.most_probes) << c.limit << ' ' << c.mtu;
    EXPECT_LE(discovery.size(), std::min(c.mtu, c.limit));
    EXPECT_GT(discovery.size() + MtuDiscovery::kLeastStep, std::min(c.mtu, c.limit));
    discovery.on_full_datagram();
    EXPECT_FALSE(discovery.due(at(599s))) << "and rests then";
  }
}

// [rfc8899-5.1.1-2]: only who has much to send looks for more.
TEST(MtuDiscovery, WaitsUntilALargerSizeIsOfUse) {
  MtuDiscovery discovery(1200, 1472, 600s);
  EXPECT_FALSE(discovery.due(at(0s)));
  discovery.on_full_datagram();
  EXPECT_EQ(discovery.due(at(0s)), 1472);
}

TEST(MtuDiscovery, LooksAgainAfterTheRaiseInterval) {
  MtuDiscovery discovery(1200, 1472, 600s);
  search(discovery, at(0s), 1300);
  EXPECT_EQ(search(discovery, at(600s) - 1ns, 1472), 0U);
  EXPECT_EQ(search(discovery, at(600s), 1472), 1U);
  EXPECT_EQ(discovery.size(), 1472);
}

// The peer's max_udp_payload_size, which never makes less than the base of it.
TEST(MtuDiscovery, ALimitHoldsForWhatIsKnownAndWhatIsFound) {
  for (const std::uint16_t limit : {0, 1199, 1200, 1201, 1300, 1471, 1472, 65535}) {
    MtuDiscovery discovery(1400, 1472, 600s);
    discovery.set_limit(limit);
    search(discovery, at(0s), 65535);
    const auto most = std::clamp<std::uint16_t>(limit, 1200, 1472);
    EXPECT_LE(discovery.size(), most);
    EXPECT_GT(discovery.size() + MtuDiscovery::kLeastStep, most);
    EXPECT_FALSE(discovery.on_probe_acknowledged(at(0s), 1, 1500)) << "from before the limit";
    EXPECT_LE(discovery.size(), most);
  }
}

// [rfc8899-4.3-1]: what is found to be a black hole leaves the base, and the search goes on at once
// below what failed; that itself is tried again after the raise interval.
TEST(MtuDiscovery, LeavesABlackHoleAndGoesOnSearchingBelowIt) {
  MtuDiscovery discovery(1200, 1472, 600s);
  EXPECT_FALSE(discovery.on_black_hole(at(0s))) << "there is nothing less";
  search(discovery, at(100s), 1472);
  ASSERT_EQ(discovery.size(), 1472);
  EXPECT_TRUE(discovery.on_black_hole(at(200s)));
  EXPECT_EQ(discovery.size(), MtuDiscovery::kBase);
  search(discovery, at(200s), 1300);
  EXPECT_LE(discovery.size(), 1300);
  EXPECT_GT(discovery.size() + MtuDiscovery::kLeastStep, 1300);
  EXPECT_EQ(search(discovery, at(799s), 1472), 0U);
  EXPECT_EQ(search(discovery, at(800s), 1472), 1U);
  EXPECT_EQ(discovery.size(), 1472);
}

// [rfc8899-3-7]: as many losses as that give a size up, and no fewer.
TEST(MtuDiscovery, TheLossOfAProbeCountsOnce) {
  MtuDiscovery discovery(1200, 1472, 600s);
  for (unsigned i = 0; i < MtuDiscovery::kMaxProbes; ++i) {
    discovery.on_full_datagram();
    ASSERT_EQ(discovery.due(at(0s)), 1472) << i;
    const std::uint64_t probe = discovery.on_probe_sent(at(0s));
    for (int again = 0; again < 5; ++again) discovery.on_probe_lost(at(0s), probe);
    discovery.on_probe_lost(at(0s), probe - 1);
  }
  discovery.on_full_datagram();
  EXPECT_LT(discovery.due(at(0s)).value_or(9999), 1472);
  // A probe that was thought lost arrived after all.
  EXPECT_TRUE(discovery.on_probe_acknowledged(at(0s), 1, 1472));
  EXPECT_EQ(discovery.size(), 1472);
}

}  // namespace
}  // namespace qpeer::transport::test
