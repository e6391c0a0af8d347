// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/cache/bootstrap_cache.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "qpeer/tests/unit/cache/entries.hpp"

namespace qpeer::cache {
namespace {

using Ids = std::vector<PeerId>;

BootstrapCache with(std::uint32_t count, CacheConfig config = {}) {
  BootstrapCache out(config);
  for (std::uint32_t i = 0; i < count; ++i) out.on_reached(entry_of(i, 1000 + i));
  return out;
}

TEST(BootstrapCache, HoldsWhatWasReachedNewestFirst) {
  const BootstrapCache cache = with(3);
  EXPECT_EQ(ids(cache.entries()), (Ids{id_of(2), id_of(1), id_of(0)}));
  EXPECT_EQ(*cache.find(id_of(1)), entry_of(1, 1001));
  EXPECT_EQ(cache.find(id_of(9)), nullptr);
}

TEST(BootstrapCache, HoldsTheTwoHundredReachedLast) {
  const BootstrapCache cache = with(1'000);
  EXPECT_EQ(cache.size(), 200U);
  EXPECT_EQ(cache.entries().front().id, id_of(999));
  EXPECT_EQ(cache.entries().back().id, id_of(800));
}

TEST(BootstrapCache, ARefreshKeepsWhatItDoesNotBring) {
  BootstrapCache cache;
  CacheEntry entry = entry_of(1, 1000);
  entry.ticket = {1, 2};
  entry.address_token = {3};
  cache.on_reached(entry);
  cache.on_failed(entry.id);
  CacheEntry again = entry_of(1, 2000);
  again.address = address_in(0x0a0a, 7);
  again.certificate = {};
  again.address_token = {4};
  again.first_reached = 0;
  again.evidence = Evidence::dialled_back;
  again.failures = 5;
  cache.on_reached(again);
  ASSERT_EQ(cache.size(), 1U);
  const CacheEntry& now = cache.entries()[0];
  EXPECT_EQ(now.address, again.address);
  EXPECT_EQ(now.certificate, entry.certificate);
  EXPECT_EQ(now.ticket, entry.ticket);
  EXPECT_EQ(now.address_token, again.address_token);
  EXPECT_EQ(now.first_reached, 1000);
  EXPECT_EQ(now.last_reached, 2000);
  EXPECT_EQ(now.failures, 0U);
  EXPECT_EQ(now.evidence, Evidence::dialled_back);
}

TEST(BootstrapCache, WhatWasProvedOfAnAddressStays) {
  BootstrapCache cache;
  CacheEntry entry = entry_of(1, 1000);
  entry.evidence = Evidence::unproved;
  cache.on_reached(entry);
  EXPECT_EQ(cache.entries()[0].evidence, Evidence::unproved);
  const auto revision = cache.revision();
  cache.on_proved(entry_of(2, 1000).id);
  EXPECT_EQ(cache.revision(), revision);
  cache.on_proved(entry.id);
  EXPECT_EQ(cache.entries()[0].evidence, Evidence::dialled_back);
  EXPECT_GT(cache.revision(), revision);
  cache.on_reached(entry);
  EXPECT_EQ(cache.entries()[0].evidence, Evidence::dialled_back);
  entry.address = address_in(0x0a0a, 7);
  cache.on_reached(entry);
  EXPECT_EQ(cache.entries()[0].evidence, Evidence::unproved) << "another address";
}

TEST(BootstrapCache, ProvedNodesComeFirst) {
  BootstrapCache cache;
  cache.on_reached(entry_of(1, 1000));
  CacheEntry newer = entry_of(2, 2000);
  newer.evidence = Evidence::unproved;
  cache.on_reached(newer);
  EXPECT_EQ(cache.candidates().at(0)->id, entry_of(1, 0).id);
}

TEST(BootstrapCache, ANewIdAtAnAddressReplacesTheOld) {
  BootstrapCache cache = with(3);
  CacheEntry other = entry_of(9, 5000);
  other.address = cache.find(id_of(1))->address;
  cache.on_reached(other);
  EXPECT_EQ(ids(cache.entries()), (Ids{id_of(9), id_of(2), id_of(0)}));
}

TEST(BootstrapCache, CandidatesAreThoseOfFewestFailuresThenNewest) {
  BootstrapCache cache = with(5);
  cache.on_failed(id_of(4));
  cache.on_failed(id_of(4));
  cache.on_failed(id_of(1));
  cache.on_failed(id_of(2));
  cache.on_failed(id_of(77));
  EXPECT_EQ(ids(cache.candidates()), (Ids{id_of(3), id_of(0), id_of(2), id_of(1), id_of(4)}));
  EXPECT_EQ(cache.entries().front().id, id_of(4));
}

TEST(BootstrapCache, WhatNobodyCanDialIsNotTaken) {
  BootstrapCache cache;
  CacheEntry entry = entry_of(1, 1000);
  for (const SocketAddress& address :
       {SocketAddress{}, address_in(0x0b00, 1, 0), SocketAddress::ipv4({}, 443),
        SocketAddress::ipv6({}, 443)}) {
    entry.address = address;
    EXPECT_FALSE(cache.on_reached(entry)) << address.to_string();
    cache.merge(std::vector{entry});
  }
  entry = entry_of(1, 1000);
  entry.id = PeerId{};
  EXPECT_FALSE(cache.on_reached(entry));
  EXPECT_EQ(cache.size(), 0U);
  EXPECT_EQ(cache.revision(), 0U);
  BootstrapCache none(CacheConfig{.capacity = 0});
  EXPECT_FALSE(none.on_reached(entry_of(1, 1)));
  none.merge(cache);
  none.forget(id_of(1));
  EXPECT_EQ(none.size(), 0U);
}

TEST(BootstrapCache, BlobsHaveLimits) {
  BootstrapCache cache;
  const CacheConfig limits;
  CacheEntry entry = entry_of(1, 1000);
  entry.certificate.resize(limits.max_certificate);
  entry.ticket.resize(limits.max_ticket);
  entry.address_token.resize(limits.max_address_token);
  cache.on_reached(entry);
  EXPECT_EQ(cache.entries()[0], entry);
  entry = entry_of(2, 1000);
  entry.certificate.resize(limits.max_certificate + 1);
  entry.ticket.resize(limits.max_ticket + 1);
  entry.address_token.resize(limits.max_address_token + 1);
  CacheEntry third = entry;
  third.id = id_of(3);
  third.address = address_in(9, 9);
  cache.on_reached(entry);
  cache.merge(std::vector{third});
  for (const std::uint32_t number : {2U, 3U}) {
    EXPECT_TRUE(cache.find(id_of(number))->certificate.empty());
    EXPECT_TRUE(cache.find(id_of(number))->ticket.empty());
    EXPECT_TRUE(cache.find(id_of(number))->address_token.empty());
  }
  cache.add_ticket(id_of(1), std::vector<u8>(limits.max_ticket + 1));
  cache.set_address_token(id_of(1), {1});
  cache.set_address_token(id_of(1), std::vector<u8>(limits.max_address_token + 1));
  EXPECT_EQ(cache.find(id_of(1))->ticket.size(), limits.max_ticket) << "as it was";
  EXPECT_EQ(cache.find(id_of(1))->address_token, std::vector<u8>{1});
  CacheEntry spare = entry_of(4, 1000);
  spare.ticket.resize(limits.max_ticket + 1);
  spare.spare_ticket = {1};
  cache.on_reached(spare);
  EXPECT_EQ(cache.find(id_of(4))->ticket, std::vector<u8>{1});
}

TEST(BootstrapCache, TicketsAndTokensAreTakenOnce) {
  using Blob = std::vector<u8>;
  BootstrapCache cache = with(1);
  const PeerId id = id_of(0);
  for (const u8 each : {1, 2, 3}) cache.add_ticket(id, {each});  // Two are kept.
  cache.set_address_token(id, {4});
  cache.set_address_token(id, {5});
  const std::uint64_t before = cache.revision();
  auto taken = cache.take_resumption(id);
  EXPECT_EQ(taken.ticket, Blob{3});
  EXPECT_EQ(taken.address_token, Blob{5});
  taken = cache.take_resumption(id);
  EXPECT_EQ(taken.ticket, Blob{2});
  EXPECT_TRUE(taken.address_token.empty());
  EXPECT_EQ(cache.revision(), before + 2);
  EXPECT_TRUE(cache.take_resumption(id).ticket.empty());
  EXPECT_TRUE(cache.take_resumption(id_of(9)).ticket.empty());
  EXPECT_EQ(cache.revision(), before + 2) << "nothing was taken";
}

// The newest first, and none of them twice.
TEST(BootstrapCache, TicketsOfAnEntryThatIsReplacedAreKept) {
  using Blob = std::vector<u8>;
  BootstrapCache cache = with(1);
  cache.add_ticket(id_of(0), {1});
  cache.add_ticket(id_of(0), {2});
  CacheEntry again = *cache.find(id_of(0));
  again.spare_ticket.clear();
  set_reached(again, again.last_reached + 1);
  cache.on_reached(again);
  EXPECT_EQ(cache.find(id_of(0))->ticket, Blob{2});
  EXPECT_EQ(cache.find(id_of(0))->spare_ticket, Blob{1});
  again.ticket = {3};
  set_reached(again, again.last_reached + 1);
  cache.merge(std::vector{again});
  EXPECT_EQ(cache.find(id_of(0))->ticket, Blob{3});
  EXPECT_EQ(cache.find(id_of(0))->spare_ticket, Blob{2});
}

TEST(BootstrapCache, RevisionCountsChangesOnly) {
  BootstrapCache cache = with(2);
  std::uint64_t last = cache.revision();
  const auto changed = [&] { return std::exchange(last, cache.revision()) != last; };
  cache.on_failed(id_of(9));
  cache.add_ticket(id_of(9), {1});
  cache.set_address_token(id_of(9), {1});
  cache.merge(BootstrapCache(cache));
  cache.renumber([](const CacheEntry& entry) { return entry.order; });
  EXPECT_FALSE(changed());
  cache.on_reached(entry_of(1, 1001));
  EXPECT_TRUE(changed());
  cache.on_failed(id_of(1));
  EXPECT_TRUE(changed());
  cache.add_ticket(id_of(1), {1});
  EXPECT_TRUE(changed());
  cache.set_address_token(id_of(1), {1});
  EXPECT_TRUE(changed());
  cache.merge(with(3));
  EXPECT_TRUE(changed());
  cache.renumber([](const CacheEntry& entry) { return entry.order + 1; });
  EXPECT_TRUE(changed());
  cache.forget(id_of(1));
  EXPECT_TRUE(changed());
}

/// As the peer layer has it: when it is reached, whatever the clock says.
CacheEntry reached_now(std::uint32_t number, std::int64_t clock) {
  CacheEntry out = entry_of(number, clock);
  out.order = 0;
  return out;
}

TEST(BootstrapCache, NoClockDecidesWhatIsNewer) {
  BootstrapCache cache;
  cache.on_reached(reached_now(7, 4'000'000'000));
  cache.on_reached(reached_now(1, 1'000));
  cache.on_reached(reached_now(2, 500));
  EXPECT_EQ(ids(cache.candidates()), (Ids{id_of(2), id_of(1), id_of(7)}));
  EXPECT_EQ(cache.find(id_of(7))->last_reached, 4'000'000'000) << "times are not rewritten";
  BootstrapCache later;
  later.merge(cache);
  later.on_reached(reached_now(3, 10));
  later.on_reached(reached_now(1, 10));
  EXPECT_EQ(ids(later.candidates()), (Ids{id_of(1), id_of(3), id_of(2), id_of(7)}));
  cache.merge(later);
  EXPECT_EQ(ids(cache.candidates()), (Ids{id_of(1), id_of(3), id_of(2), id_of(7)}));
  EXPECT_EQ(cache.find(id_of(1))->last_reached, 10);
}

TEST(BootstrapCache, WhereNoOrderIsKnownTheTimesDecideAndAllElseIsNewer) {
  BootstrapCache cache;
  cache.on_reached(reached_now(1, 10));
  cache.merge(std::vector{reached_now(2, 4'000), reached_now(3, 5'000), reached_now(1, 6'000)});
  EXPECT_EQ(ids(cache.candidates()), (Ids{id_of(1), id_of(3), id_of(2)}));
  EXPECT_EQ(cache.find(id_of(1))->last_reached, 10);
}

TEST(BootstrapCache, ATimeThatIsNotKnownLeavesThoseOfBefore) {
  BootstrapCache cache = with(2);
  CacheEntry again = reached_now(0, 0);
  again.address = address_in(0x0a0a, 7);
  cache.on_reached(again);
  const CacheEntry& now = cache.entries().front();
  EXPECT_EQ(now.address, again.address);
  EXPECT_EQ(now.last_reached, 1'000);
  EXPECT_EQ(now.first_reached, 1'000);
  cache.on_reached(reached_now(9, 0));
  EXPECT_EQ(cache.find(id_of(9))->last_reached, 0);
  cache.on_reached(reached_now(9, 2'000));
  EXPECT_EQ(cache.find(id_of(9))->first_reached, 2'000) << "nothing earlier is known";
}

TEST(BootstrapCache, ANumberThatCannotBeIsNone) {
  BootstrapCache cache = with(1);
  CacheEntry entry = entry_of(5, 1);
  entry.order = std::numeric_limits<std::uint64_t>::max();
  cache.merge(std::vector{entry});
  EXPECT_EQ(ids(cache.candidates()), (Ids{id_of(0), id_of(5)}));
  cache.on_reached(reached_now(6, 1));
  EXPECT_EQ(cache.candidates().front()->id, id_of(6));
}

TEST(BootstrapCache, OddTimesAreBounded) {
  BootstrapCache cache;
  CacheEntry odd = entry_of(8, -5);
  odd.first_reached = 12;
  cache.merge(std::vector{odd});
  EXPECT_EQ(cache.find(id_of(8))->last_reached, 0);
  EXPECT_EQ(cache.find(id_of(8))->first_reached, 0);
}

// --- merge -------------------------------------------------------------------------------------

TEST(BootstrapCacheMerge, TheOneReachedLastWins) {
  BootstrapCache ours;
  ours.on_reached(entry_of(1, 1000));
  ours.on_reached(entry_of(2, 3000));
  ours.add_ticket(id_of(1), {9});
  CacheEntry newer = entry_of(1, 2000);
  newer.failures = 3;
  newer.first_reached = 1500;
  CacheEntry older = entry_of(2, 2000);
  older.ticket = {7};
  ours.merge(std::vector{newer, older, entry_of(3, 2500)});
  EXPECT_EQ(ids(ours.entries()), (Ids{id_of(2), id_of(3), id_of(1)}));
  EXPECT_EQ(ours.find(id_of(1))->failures, 3U);
  EXPECT_EQ(ours.find(id_of(1))->first_reached, 1000);
  EXPECT_EQ(ours.find(id_of(1))->ticket, std::vector<u8>{9});
  EXPECT_TRUE(ours.find(id_of(2))->ticket.empty());
}

TEST(BootstrapCacheMerge, OursWinsWhenBothAreAsOldWithTheMostFailures) {
  BootstrapCache ours = with(2);
  ours.on_failed(id_of(1));
  CacheEntry same = entry_of(0, 1000);
  same.failures = 2;
  same.certificate = {0xff};
  ours.merge(std::vector{same, entry_of(1, 1001)});
  EXPECT_EQ(ours.find(id_of(0))->failures, 2U);
  EXPECT_EQ(ours.find(id_of(0))->certificate, entry_of(0, 0).certificate);
  EXPECT_EQ(ours.find(id_of(1))->failures, 1U);
}

TEST(BootstrapCacheMerge, OneAddressIsTheIdReachedThereLast) {
  for (const std::int64_t time : {500, 1000, 5000}) {
    BootstrapCache ours = with(1);
    CacheEntry other = entry_of(9, time);
    other.address = ours.entries()[0].address;
    ours.merge(std::vector{other});
    ASSERT_EQ(ours.size(), 1U);
    EXPECT_EQ(ours.entries()[0].id, time > 1000 ? id_of(9) : id_of(0)) << time;
  }
}

TEST(BootstrapCacheMerge, KeepsTheNewestOfAll) {
  BootstrapCache ours = with(200);  // Times 1000 to 1199.
  std::vector<CacheEntry> theirs;
  for (std::uint32_t i = 0; i < 300; ++i) theirs.push_back(entry_of(1000 + i, 900 + i));
  ours.merge(theirs);
  EXPECT_EQ(ours.size(), 200U);
  EXPECT_GE(ours.entries().back().last_reached, 1099);
}

TEST(BootstrapCacheMerge, TheForgottenComeBackOnlyWhenReached) {
  BootstrapCache ours = with(3);
  const BootstrapCache before = ours;
  ours.forget(id_of(1));
  ours.forget(id_of(50));  // Of another process's making.
  ours.merge(before);
  ours.merge(std::vector{entry_of(50, 9000)});
  EXPECT_EQ(ids(ours.entries()), (Ids{id_of(2), id_of(0)}));
  ours.on_reached(entry_of(1, 5000));
  ours.forget(id_of(0));
  ours.merge(std::vector{entry_of(1, 6000)});
  EXPECT_EQ(ours.find(id_of(1))->last_reached, 6000);
}

TEST(BootstrapCacheMerge, WhatIsForgottenIsBounded) {
  BootstrapCache cache(CacheConfig{.capacity = 10});
  for (std::uint32_t i = 0; i < 11; ++i) cache.forget(id_of(i));
  cache.merge(std::vector{entry_of(0, 1), entry_of(1, 1)});
  EXPECT_EQ(ids(cache.entries()), Ids{id_of(0)});
}

}  // namespace
}  // namespace qpeer::cache
