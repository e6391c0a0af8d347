// SPDX-License-Identifier: MIT OR BSD-3-Clause
// No network fills the cache alone, and whatever is done to it, its rules hold.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "qpeer/tests/unit/cache/entries.hpp"

namespace qpeer::cache {
namespace {

constexpr std::size_t kShare = 25;

class Network {
 public:
  explicit Network(BootstrapCache& cache) : cache_(cache) {}

  void honest(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) cache_.on_reached(entry_of(honest_++, ++time_));
  }
  /// Each with an id and an address of its own, in turn from `networks` networks.
  void attack(std::uint32_t count, std::uint16_t networks) {
    for (std::uint32_t i = 0; i < count; ++i) {
      CacheEntry entry = entry_of(1'000'000 + attackers_, ++time_);
      const auto prefix = static_cast<std::uint16_t>(0xc600 + attackers_ % networks);
      entry.address = address_in(prefix, attackers_ / networks);
      cache_.on_reached(entry);
      ++attackers_;
    }
  }
  [[nodiscard]] std::size_t honest_left() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        cache_.entries(),
        [](const CacheEntry& entry) { return entry.address.octets()[0] < 0xc6; }));
  }

 private:
  BootstrapCache& cache_;
  std::uint32_t honest_ = 0;
  std::uint32_t attackers_ = 0;
  std::int64_t time_ = 1000;
};

TEST(CacheDiversity, FourNetworksLeaveHalfOfTheHonest) {
  for (const std::uint32_t honest : {100U, 101U, 130U, 175U, 200U}) {
    BootstrapCache cache;
    Network network(cache);
    network.honest(honest);
    network.attack(3'000, 4);
    // Four shares are the other half of the cache.
    EXPECT_EQ(network.honest_left(), 100U) << "of " << honest;
    EXPECT_EQ(cache.size(), 200U);
  }
}

TEST(CacheDiversity, OneNetworkPushesOutNoMoreThanItsShare) {
  BootstrapCache cache;
  Network network(cache);
  network.honest(200);
  network.attack(10'000, 1);
  EXPECT_EQ(network.honest_left(), 200 - kShare);
}

TEST(CacheDiversity, BelowHalfFullNobodyHonestIsPushedOut) {
  for (const std::uint32_t honest : {1U, 30U, 60U, 99U}) {
    for (const std::uint16_t networks : {1, 2, 4}) {
      BootstrapCache cache;
      Network network(cache);
      network.honest(honest);
      network.attack(2'000, networks);
      EXPECT_EQ(network.honest_left(), honest) << networks << " networks";
    }
  }
}

TEST(CacheDiversity, TheHonestTakeBackWhatOneNetworkTookOfAnEmptyCache) {
  BootstrapCache cache;
  Network network(cache);
  network.attack(10'000, 1);
  EXPECT_EQ(cache.size(), 101U);
  network.honest(500);
  EXPECT_EQ(network.honest_left(), 200U);
}

TEST(CacheDiversity, WhenFullTheNetworkMostOverItsShareGivesWay) {
  BootstrapCache cache;
  Network network(cache);
  network.honest(20);
  network.attack(81, 1);
  network.honest(99);
  ASSERT_EQ(cache.size(), 200U);
  network.honest(50);  // The first 20 are the oldest.
  EXPECT_EQ(network.honest_left(), 169U);
  EXPECT_NE(cache.find(id_of(0)), nullptr);
}

TEST(CacheDiversity, ARefreshInACrowdedNetworkCostsNobodyItsPlace) {
  BootstrapCache cache;
  Network network(cache);
  network.attack(101, 1);
  network.honest(20);
  CacheEntry known = cache.entries().back();
  set_reached(known, 9'000);
  cache.on_reached(known);
  EXPECT_EQ(cache.size(), 121U);
  set_reached(known, 10'000);
  cache.merge(std::vector{known});
  EXPECT_EQ(cache.size(), 121U);
}

TEST(CacheDiversity, MovingIntoACrowdedNetworkReplacesItsWorst) {
  BootstrapCache cache;
  Network network(cache);
  network.honest(150);
  network.attack(kShare, 1);
  CacheEntry moves = *cache.find(id_of(3));
  moves.address = address_in(0xc600, 60'000);
  set_reached(moves, 9'000);
  cache.on_reached(moves);
  EXPECT_EQ(cache.size(), 150 + kShare - 1);
  EXPECT_EQ(cache.find(id_of(1'000'000)), nullptr);  // The first of the attackers.
}

TEST(CacheDiversity, TheWorstIsWhoFailedMost) {
  BootstrapCache cache;
  Network network(cache);
  network.honest(200);
  cache.on_failed(id_of(120));
  network.honest(1);
  EXPECT_EQ(cache.find(id_of(120)), nullptr);
  EXPECT_NE(cache.find(id_of(0)), nullptr);
}

TEST(CacheDiversity, NetworksOfIpv6AreThirtyTwoBitsLong) {
  BootstrapCache cache;
  Network network(cache);
  network.honest(150);
  for (std::uint32_t i = 0; i < 300; ++i) {
    CacheEntry entry = entry_of(2'000'000 + i, 5'000 + i);
    entry.address = SocketAddress::ipv6(
        {0x20, 0x01, 0x0d, 0xb8, static_cast<u8>(i), static_cast<u8>(i >> 8), 0, 0, 1}, 443);
    cache.on_reached(entry);
  }
  EXPECT_EQ(cache.size(), 150 + kShare);
  CacheEntry other = entry_of(3'000'000, 9'000);
  other.address = SocketAddress::ipv6({0x20, 0x01, 0x0d, 0xb9}, 443);
  cache.on_reached(other);
  EXPECT_EQ(cache.size(), 150 + kShare + 1);
}

// --- any order of calls --------------------------------------------------------------------------

std::map<unsigned, std::size_t> prefixes(const BootstrapCache& cache) {
  std::map<unsigned, std::size_t> out;
  for (const CacheEntry& entry : cache.entries()) {
    ++out[entry.address.octets()[0] << 8U | entry.address.octets()[1]];
  }
  return out;
}

void expect_rules(const BootstrapCache& cache) {
  std::set<PeerId> all_ids;
  std::set<SocketAddress> addresses;
  for (const CacheEntry& entry : cache.entries()) {
    EXPECT_TRUE(all_ids.insert(entry.id).second);
    EXPECT_TRUE(addresses.insert(entry.address).second);
    EXPECT_LE(entry.first_reached, entry.last_reached);
    EXPECT_LE(entry.ticket.size(), cache.config().max_ticket);
    EXPECT_LE(entry.spare_ticket.size(), cache.config().max_ticket);
    EXPECT_EQ(cache.find(entry.id), &entry);
  }
  EXPECT_LE(cache.size(), cache.config().capacity);
  EXPECT_TRUE(std::ranges::is_sorted(cache.entries(), std::ranges::greater{}, &CacheEntry::order));
  const auto candidates = cache.candidates();
  EXPECT_EQ(candidates.size(), cache.size());
  EXPECT_TRUE(std::ranges::is_sorted(candidates, {}, [](const CacheEntry* entry) {
    return std::pair(entry->failures, -static_cast<std::int64_t>(entry->order));
  }));
}

class RandomCalls {
 public:
  RandomCalls(std::uint32_t seed, CacheConfig config)
      : cache(config), other(config), random_(seed) {}

  void step() {
    const PeerId id = id_of(draw(120));
    switch (draw(10)) {
      case 0:
        return cache.on_failed(id);
      case 1:
        return cache.forget(id);
      case 2:
        cache.add_ticket(id, std::vector<u8>(draw(12)));
        if (draw(2) == 0) (void)cache.take_resumption(id);
        return cache.set_address_token(id, std::vector<u8>(draw(3)));
      case 3:
        return cache.merge(other);
      case 4:
        return cache.renumber([this](const CacheEntry& one) { return one.order + draw(3); });
      case 5:
      case 6:
        other.on_reached(entry());
        return;
      default:
        cache.on_reached(entry());
    }
  }

  BootstrapCache cache;
  BootstrapCache other;

 private:
  std::uint32_t draw(std::uint32_t bound) { return random_() % bound; }
  CacheEntry entry() {
    CacheEntry out = entry_of(draw(120), draw(1'000));
    out.address = address_in(static_cast<std::uint16_t>(0x0b00 + draw(6)), draw(30));
    out.first_reached = draw(1'000);
    out.ticket.resize(draw(12));
    return out;
  }

  std::mt19937 random_;
};

TEST(CacheProperty, TheRulesHoldInAnyOrderOfCalls) {
  const CacheConfig config{.capacity = 32, .prefix_share = 4, .max_ticket = 10};
  for (std::uint32_t seed = 0; seed < 40; ++seed) {
    RandomCalls calls(seed, config);
    RandomCalls again(seed, config);
    for (int i = 0; i < 500; ++i) {
      const auto before = prefixes(calls.cache);
      const bool half_full = calls.cache.size() > config.capacity / 2;
      calls.step();
      again.step();
      expect_rules(calls.cache);
      EXPECT_EQ(calls.cache.entries(), again.cache.entries());
      if (half_full && calls.cache.size() > config.capacity / 2) {
        for (const auto& [prefix, count] : prefixes(calls.cache)) {
          const auto had = before.find(prefix);
          EXPECT_LE(count, std::max<std::size_t>(8, had == before.end() ? 0 : had->second));
        }
      }
      ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed << ", step " << i;
    }
  }
}

}  // namespace
}  // namespace qpeer::cache
