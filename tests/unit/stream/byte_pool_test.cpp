// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/stream/byte_pool.hpp"

#include <algorithm>
#include <deque>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/unit/stream/stream_pair.hpp"

namespace qpeer::transport::test {
namespace {

constexpr std::uint64_t kKiB = 1 << 10;
constexpr std::uint64_t kMiB = 1 << 20;

/// 100 accounts: each has 5 KiB, and 512 KiB are shared.
constexpr PoolLimits kSmall{.total = 1'024'000, .network = 256'000};
constexpr std::size_t kAccounts = 100;

void take_all(PoolAccount& account) { account.take(account.room()); }

TEST(BytePool, HalfOfTheTotalGivesEachAccountItsPart) {
  const BytePool standard({}, 100'000);
  EXPECT_EQ(standard.guaranteed(), (1U << 30) / 2 / 100'000);
  EXPECT_GE(standard.shared_limit(), 512 * kMiB);
  const BytePool few({}, 1'000);
  EXPECT_EQ(few.guaranteed(), BytePool::kMostGuaranteed);
  EXPECT_EQ(few.shared_limit(), (1U << 30) - 1'000 * BytePool::kMostGuaranteed);
  const BytePool stingy({.total = 0}, 10);
  EXPECT_EQ(stingy.guaranteed(), BytePool::kLeastGuaranteed);
  EXPECT_EQ(stingy.limits().total, 20 * BytePool::kLeastGuaranteed);
}

TEST(BytePool, WithoutAPoolNothingIsBounded) {
  PoolAccount account({});
  EXPECT_FALSE(account.is_bounded());
  EXPECT_TRUE(account.has_room());
  account.take(std::uint64_t{1} << 40);
  account.give_back(1);
  EXPECT_EQ(account.held(), (std::uint64_t{1} << 40) - 1);
}

TEST(BytePool, EachAccountHasItsPartWhateverTheOthersHold) {
  BytePool pool(kSmall, kAccounts);
  std::deque<PoolAccount> accounts;
  for (std::size_t i = 0; i < kAccounts; ++i) {
    PoolAccount& account = accounts.emplace_back(PoolMember{&pool, i % 5, PoolOwner(i)});
    EXPECT_GE(account.room(), pool.guaranteed());
    for (int round = 0; round < 5; ++round) {
      for (PoolAccount& each : accounts) take_all(each);
    }
    ASSERT_TRUE(pool.consistent());
    ASSERT_LE(pool.held(), kSmall.total);
  }
  for (const PoolAccount& account : accounts) EXPECT_GE(account.held(), pool.guaranteed());
}

TEST(BytePool, ANetworkHasItsShare) {
  BytePool pool(kSmall, kAccounts);
  std::deque<PoolAccount> crowd;
  for (PoolOwner i = 0; i < 50; ++i) take_all(crowd.emplace_back(PoolMember{&pool, 1, i}));
  EXPECT_LE(pool.held(), kSmall.network + 50 * pool.guaranteed());
  PoolAccount one_more({&pool, 1, 50});
  EXPECT_EQ(one_more.room(), pool.guaranteed());
  PoolAccount elsewhere({&pool, 2, 51});
  EXPECT_GE(elsewhere.room(), pool.guaranteed() + (pool.shared_limit() - kSmall.network) / 8);
}

TEST(BytePool, OneAccountTakesAnEighthOfWhatTheOthersLeave) {
  BytePool pool({.total = 1 << 20, .network = 1 << 20}, 1);
  PoolAccount account({&pool, 0, 0});
  EXPECT_EQ(account.room(), pool.guaranteed() + pool.shared_limit() / 8);
  take_all(account);
  EXPECT_EQ(account.room(), 0U);
  EXPECT_FALSE(account.has_room());
}

// What was granted while there was room comes back as it is used, and then it is shared.
TEST(BytePool, BusyAccountsEndWithAboutTheSame) {
  BytePool pool({.total = 1 << 20, .network = 1 << 20}, 64);
  std::deque<PoolAccount> accounts;
  for (PoolOwner i = 0; i < 64; ++i) take_all(accounts.emplace_back(PoolMember{&pool, i, i}));
  EXPECT_GT(accounts.front().held(), 3 * accounts.back().held());
  for (int round = 0; round < 200; ++round) {
    for (PoolAccount& account : accounts) {
      account.give_back(account.held() / 2);
      take_all(account);
      ASSERT_TRUE(pool.consistent());
    }
  }
  std::vector<std::uint64_t> held;
  for (const PoolAccount& account : accounts) held.push_back(account.held());
  const auto [least, most] = std::ranges::minmax(held);
  EXPECT_LT(most - least, least / 4);
}

TEST(BytePool, AnAccountGivesAllBackWhenItIsDestroyed) {
  BytePool pool(kSmall, kAccounts);
  {
    PoolAccount account({&pool, 7, 0});
    take_all(account);
    account.wait();
    EXPECT_EQ(pool.accounts(), 1U);
  }
  EXPECT_EQ(pool.held(), 0U);
  EXPECT_EQ(pool.accounts(), 0U);
  EXPECT_EQ(pool.next_to_wake(), std::nullopt);
  EXPECT_TRUE(pool.consistent());
}

TEST(BytePool, WaitingAccountsAreNamedInOrderWhenThereIsRoom) {
  BytePool pool(kSmall, kAccounts);
  std::deque<PoolAccount> accounts;
  for (PoolOwner i = 0; i < 60; ++i) {
    accounts.emplace_back(PoolMember{&pool, i, i});
    for (PoolAccount& each : accounts) take_all(each);
  }
  for (const PoolOwner i : {50U, 40U, 45U}) accounts[i].wait();
  accounts[50].wait();  // Stays where it is.
  EXPECT_EQ(pool.next_to_wake(), std::nullopt);
  for (PoolOwner i = 0; i < 30; ++i) accounts[i].give_back(accounts[i].held());
  EXPECT_EQ(pool.next_to_wake(), 50U);
  EXPECT_EQ(pool.next_to_wake(), 40U);
  accounts[45].stop_waiting();
  EXPECT_EQ(pool.next_to_wake(), std::nullopt);
  EXPECT_TRUE(pool.consistent());
}

// An account whose network is full does not hold up the accounts behind it, and keeps its turn.
TEST(BytePool, AnAccountWhoseNetworkIsFullWaitsOn) {
  BytePool pool(kSmall, kAccounts);
  std::deque<PoolAccount> crowd;
  for (PoolOwner i = 0; i < 50; ++i) take_all(crowd.emplace_back(PoolMember{&pool, 1, i}));
  std::deque<PoolAccount> others;
  for (PoolOwner i = 50; i < 100; ++i) {
    others.emplace_back(PoolMember{&pool, i, i});
    for (PoolAccount& each : others) take_all(each);
  }
  crowd.back().wait();
  others[40].wait();
  for (std::size_t i = 0; i < 30; ++i) others[i].give_back(others[i].held());
  EXPECT_EQ(pool.next_to_wake(), 90U);
  EXPECT_EQ(pool.next_to_wake(), std::nullopt);
  for (std::size_t i = 0; i < 30; ++i) crowd[i].give_back(crowd[i].held());
  EXPECT_EQ(pool.next_to_wake(), 49U);
}

// All accounts take what there is and wait for more, in any order, until none holds anything.
TEST(BytePool, SumsKeepWithinTheBoundsAndNoAccountIsForgotten) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Seeded random(seed);
    const PoolLimits limits{.total = 2 * kKiB + random.below(4 * kMiB),
                            .network = random.below(4 * kMiB)};
    const std::size_t count = 1 + random.below(60);
    BytePool pool(limits, count);
    std::deque<PoolAccount> accounts;
    std::vector<bool> waits(count);
    for (PoolOwner i = 0; i < count; ++i) {
      accounts.emplace_back(PoolMember{&pool, random.below(6), i});
    }
    const auto wake = [&] {
      while (const auto owner = pool.next_to_wake()) {
        ASSERT_TRUE(waits[*owner]);
        ASSERT_TRUE(accounts[*owner].has_room());
        waits[*owner] = false;
      }
    };
    for (int step = 0; step < 2'000; ++step) {
      const std::size_t i = random.below(count);
      PoolAccount& account = accounts[i];
      if (random.chance(60)) {
        account.take(std::min(account.room(), random.below(kMiB)));
        if (!account.has_room()) {
          account.wait();
          waits[i] = true;
        }
      } else {
        account.give_back(random.below(account.held() + 1));
      }
      if (random.chance(30)) wake();
      ASSERT_TRUE(pool.consistent()) << "seed " << seed;
      ASSERT_LE(pool.held(), pool.limits().total) << "seed " << seed;
    }
    for (PoolAccount& account : accounts) account.give_back(account.held());
    wake();
    EXPECT_EQ(std::accumulate(waits.begin(), waits.end(), 0), 0) << "seed " << seed;
    EXPECT_EQ(pool.held(), 0U);
  }
}

}  // namespace
}  // namespace qpeer::transport::test
