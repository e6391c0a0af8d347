// SPDX-License-Identifier: MIT OR BSD-3-Clause
// BootstrapPlan under virtual time: however many candidates are dead, the live one is dialled soon.
#include "qpeer/p2p/bootstrap_plan.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace qpeer::p2p {
namespace {

constexpr Instant kStart{1'000s};

SocketAddress address(std::size_t n) {
  return SocketAddress::ipv4(
      {20, static_cast<u8>(n >> 16), static_cast<u8>(n >> 8), static_cast<u8>(n)}, 443);
}

std::vector<Candidate> candidates(std::size_t count) {
  std::vector<Candidate> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back({.address = address(i)});
  return out;
}

/// What becomes of an attempt, how long after it began. Silence is an outcome that never comes.
struct Fate {
  enum class Kind : u8 { silent, fails, wins } kind = Kind::silent;
  Duration after{};
  Duration answers_after = Duration::max();
};

/// Drives a plan as its owner does, with events in the order of their time.
struct Owner {
  explicit Owner(BootstrapPlan& driven) : plan(driven) {}

  BootstrapPlan& plan;
  std::map<std::size_t, Fate> fates{};
  Fate otherwise{};
  Duration lateness{};  ///< How late each timer fires.
  Instant now = kStart;
  std::map<std::size_t, Instant> dialled{};
  std::map<std::size_t, Instant> given_up{};
  std::size_t most_in_flight = 0;

  void run() {
    plan.start(now);
    for (int rounds = 0; rounds < 100'000; ++rounds) {
      work();
      if (plan.exhausted() || (plan.winner() && plan.in_flight() == 0)) return;
      const Instant wake = plan.next_deadline();
      const Instant timer = wake == kNever ? kNever : std::max(wake, now) + lateness;
      if (events_.empty() || timer < events_.begin()->first) {
        if (timer == kNever) return;
        now = timer;
        continue;
      }
      const auto [index, what] = events_.begin()->second;
      now = std::max(now, events_.begin()->first);
      events_.erase(events_.begin());
      if (given_up.contains(index)) continue;
      if (what == What::answer) plan.on_answer(index);
      if (what == What::failure) plan.on_failed(now, index, "refused");
      if (what == What::win) plan.on_won(index);
    }
    ADD_FAILURE() << "the plan spins";
  }

 private:
  enum class What : u8 { answer, failure, win };

  void work() {
    while (const auto index = plan.give_up(now)) {
      ASSERT_TRUE(dialled.contains(*index));
      ASSERT_TRUE(given_up.emplace(*index, now).second) << "given up once";
    }
    while (const auto index = plan.next(now)) {
      ASSERT_TRUE(dialled.emplace(*index, now).second) << "dialled once";
      const auto at = fates.find(*index);
      const Fate fate = at == fates.end() ? otherwise : at->second;
      if (fate.answers_after != Duration::max()) {
        events_.emplace(now + fate.answers_after, std::pair{*index, What::answer});
      }
      if (fate.kind == Fate::Kind::fails) {
        events_.emplace(now + fate.after, std::pair{*index, What::failure});
      }
      if (fate.kind == Fate::Kind::wins) {
        events_.emplace(now + fate.after, std::pair{*index, What::win});
      }
      most_in_flight = std::max(most_in_flight, plan.in_flight());
    }
  }

  std::multimap<Instant, std::pair<std::size_t, What>> events_{};
};

constexpr Fate wins(Duration after) { return {.kind = Fate::Kind::wins, .after = after}; }
constexpr Fate fails(Duration after) { return {.kind = Fate::Kind::fails, .after = after}; }

TEST(BootstrapPlan, WithoutCandidatesItIsExhaustedAtOnce) {
  BootstrapPlan plan({});
  EXPECT_TRUE(plan.exhausted());
  plan.start(kStart);
  EXPECT_TRUE(plan.exhausted());
  EXPECT_EQ(plan.next(kStart), std::nullopt);
  EXPECT_EQ(plan.next_deadline(), kNever);
  EXPECT_TRUE(plan.failures().empty());
}

TEST(BootstrapPlan, WaitsForItsStart) {
  BootstrapPlan plan(candidates(2));
  EXPECT_EQ(plan.next(kStart), std::nullopt);
  EXPECT_EQ(plan.next_deadline(), kNever);
  EXPECT_FALSE(plan.exhausted());
}

TEST(BootstrapPlan, TheFirstIsDialledAtOnceAndTheGapsShrink) {
  BootstrapPlan plan(candidates(40));
  Owner owner(plan);
  owner.fates[39] = wins(1ms);
  owner.run();
  EXPECT_EQ(owner.dialled[0], kStart);
  EXPECT_EQ(owner.dialled[1], kStart + 100ms);
  EXPECT_EQ(owner.dialled[2], kStart + 175ms);
  Duration before = 100ms;
  for (std::size_t i = 1; i < 39; ++i) {
    const Duration gap = owner.dialled[i + 1] - owner.dialled[i];
    EXPECT_EQ(gap, std::max<Duration>(before * 3 / 4, 2ms)) << i;
    before = gap;
  }
  EXPECT_EQ(before, 2ms);
}

TEST(BootstrapPlan, TheOneThatAnswersAtOnceIsTheOnlyOneDialled) {
  BootstrapPlan plan(candidates(200));
  Owner owner(plan);
  owner.otherwise = wins(99ms);
  owner.run();
  EXPECT_EQ(plan.winner(), 0U);
  EXPECT_EQ(owner.dialled.size(), 1U);
  EXPECT_EQ(plan.next_deadline(), kNever);
  EXPECT_FALSE(plan.exhausted());
}

TEST(BootstrapPlan, FindsTheLiveOneBehindFiveHundredDeadOnes) {
  for (const Duration lateness : {Duration{0}, Duration{1ms}, Duration{4ms}}) {
    BootstrapPlan plan(candidates(501));
    Owner owner(plan);
    owner.lateness = lateness;
    owner.fates[500] = wins(50ms);
    owner.run();
    EXPECT_EQ(plan.winner(), 500U);
    ASSERT_TRUE(owner.dialled.contains(500));
    EXPECT_LT(owner.dialled[500] - kStart, 2s);
    EXPECT_LE(owner.most_in_flight, BootstrapConfig{}.max_in_flight);
    EXPECT_EQ(owner.given_up.size(), 500U) << "none of them is left behind";
  }
}

TEST(BootstrapPlan, FindsItFasterWhenTheDeadOnesSaySo) {
  BootstrapPlan plan(candidates(501));
  Owner owner(plan);
  owner.otherwise = fails(20ms);
  owner.fates[500] = wins(50ms);
  owner.run();
  EXPECT_EQ(plan.winner(), 500U);
  EXPECT_LT(owner.dialled[500] - kStart, 1'500ms);
  EXPECT_EQ(plan.failures().size(), 500U);
}

TEST(BootstrapPlan, AFailureStartsTheNextAtOnce) {
  BootstrapPlan plan(candidates(3));
  plan.start(kStart);
  EXPECT_EQ(plan.next(kStart), 0U);
  EXPECT_EQ(plan.next(kStart), std::nullopt);
  EXPECT_EQ(plan.next_deadline(), kStart + 100ms);
  plan.on_failed(kStart + 5ms, 0, "refused");
  EXPECT_EQ(plan.next_deadline(), kStart + 5ms);
  EXPECT_EQ(plan.next(kStart + 5ms), 1U);
  EXPECT_EQ(plan.next(kStart + 5ms), std::nullopt) << "one for one";
}

TEST(BootstrapPlan, SilenceIsGivenUpForRoomOnly) {
  const BootstrapConfig config{.max_in_flight = 4};
  BootstrapPlan plan(candidates(5), config);
  Owner owner(plan);
  owner.fates[0].answers_after = 30ms;
  owner.fates[4] = wins(10ms);
  owner.run();
  EXPECT_EQ(owner.dialled[4], owner.dialled[1] + 1s) << "0 answered, so 1 makes room";
  EXPECT_EQ(owner.given_up[1], owner.dialled[4]);
  EXPECT_EQ(plan.winner(), 4U);
  ASSERT_EQ(plan.failures().size(), 1U);
  EXPECT_EQ(plan.failures()[0].why, "it was silent for 1 s while others waited");

  BootstrapPlan roomy(candidates(4), config);
  Owner patient(roomy);
  patient.run();
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(patient.given_up[i] - patient.dialled[i], 5s) << "nobody waits for its slot";
  }
}

TEST(BootstrapPlan, EachAttemptHasItsTime) {
  BootstrapPlan plan(candidates(3));
  Owner owner(plan);
  owner.otherwise.answers_after = 10ms;  // But never completes.
  owner.run();
  EXPECT_TRUE(plan.exhausted());
  for (const auto& [index, when] : owner.given_up) EXPECT_EQ(when - owner.dialled[index], 5s);
  const auto failures = plan.failures();
  ASSERT_EQ(failures.size(), 3U);
  EXPECT_EQ(failures[2].candidate.address, address(2));
  EXPECT_EQ(failures[2].why, "it did not take us in within 5 s");
}

TEST(BootstrapPlan, EndsWhenTheTimeForAllIsUp) {
  BootstrapPlan plan(candidates(BootstrapPlan::kMaxCandidates),
                     {.max_in_flight = 100, .total_timeout = 1'500ms});
  Owner owner(plan);
  owner.run();
  EXPECT_TRUE(plan.exhausted());
  EXPECT_EQ(owner.now, kStart + 1'500ms);
  EXPECT_EQ(plan.in_flight(), 0U);
  EXPECT_EQ(owner.given_up.size(), owner.dialled.size());
  EXPECT_EQ(plan.next_deadline(), kNever);
  EXPECT_EQ(plan.next(owner.now), std::nullopt);
  const auto failures = plan.failures();
  ASSERT_EQ(failures.size(), BootstrapPlan::kMaxCandidates) << "each is named";
  EXPECT_EQ(failures.front().why, "it was silent for 1 s while others waited");
  EXPECT_EQ(failures.back().why, "the time for all was up before its turn");
  for (const auto& failure : failures) EXPECT_FALSE(failure.why.empty());
}

TEST(BootstrapPlan, AllCandidatesHaveTheirTurnWithinTheTime) {
  BootstrapPlan plan(candidates(BootstrapPlan::kMaxCandidates + 1));
  EXPECT_EQ(plan.candidates().size(), BootstrapPlan::kMaxCandidates);
  Owner owner(plan);
  owner.run();
  EXPECT_EQ(owner.dialled.size(), BootstrapPlan::kMaxCandidates);
  EXPECT_LT(owner.now - kStart, 15s);
  EXPECT_LE(owner.most_in_flight, 256U);
}

TEST(BootstrapPlan, TheFirstToWinIsTheOnlyOne) {
  BootstrapPlan plan(candidates(5));
  plan.start(kStart);
  const Instant now = kStart + 200ms;
  EXPECT_EQ(plan.next(kStart), 0U);
  EXPECT_EQ(plan.next(kStart + 100ms), 1U);
  EXPECT_EQ(plan.next(now), 2U);
  EXPECT_FALSE(plan.on_won(3)) << "who was not dialled cannot win";
  EXPECT_FALSE(plan.on_won(99));
  EXPECT_TRUE(plan.on_won(1));
  EXPECT_FALSE(plan.on_won(0));
  EXPECT_EQ(plan.winner(), 1U);
  EXPECT_LE(plan.next_deadline(), now) << "the others are to be given up";
  EXPECT_EQ(plan.next(now + 1s), std::nullopt);
  EXPECT_EQ(plan.give_up(now), 0U);
  EXPECT_EQ(plan.give_up(now), 2U);
  EXPECT_EQ(plan.give_up(now), std::nullopt);
  EXPECT_EQ(plan.next_deadline(), kNever);
  EXPECT_TRUE(plan.failures().empty()) << "that they lost is no fault of theirs";
  EXPECT_FALSE(plan.exhausted());
}

TEST(BootstrapPlan, WhatIsNotInFlightCannotFail) {
  BootstrapPlan plan(candidates(2));
  plan.start(kStart);
  plan.on_failed(kStart, 0, "early");
  plan.on_failed(kStart, 9, "nobody");
  EXPECT_EQ(plan.next(kStart), 0U);
  plan.on_failed(kStart, 0, "refused");
  plan.on_failed(kStart, 0, "again");
  plan.on_answer(0);
  plan.on_answer(9);
  EXPECT_EQ(plan.in_flight(), 0U);
  ASSERT_EQ(plan.failures().size(), 1U);
  EXPECT_EQ(plan.failures()[0].why, "refused");
}

TEST(BootstrapPlan, ManyCandidatesOfOneAddressAreOne) {
  auto list = candidates(2);
  list.push_back({.address = address(0), .server_name = "again"});
  list.push_back({.address = address(2)});
  BootstrapPlan plan(std::move(list));
  ASSERT_EQ(plan.candidates().size(), 3U);
  EXPECT_EQ(plan.candidates()[0].server_name, "") << "the first stays";
  EXPECT_EQ(plan.candidates()[2].address, address(2));
}

TEST(BootstrapPlan, WhatCannotBeDialledHasFailedAtOnce) {
  BootstrapPlan plan({{.address = SocketAddress::ipv4({0, 0, 0, 0}, 443)},
                      {.address = address(1).with_port(0)},
                      {.address = address(2)},
                      {.address = SocketAddress{}}});
  EXPECT_FALSE(plan.exhausted());
  Owner owner(plan);
  owner.otherwise = fails(1ms);
  owner.run();
  EXPECT_EQ(owner.dialled.size(), 1U);
  EXPECT_TRUE(owner.dialled.contains(2));
  EXPECT_TRUE(plan.exhausted());
  ASSERT_EQ(plan.failures().size(), 4U);
  EXPECT_EQ(plan.failures()[0].why, "it is no address that can be dialled");
  EXPECT_EQ(plan.failures()[2].why, "refused");

  BootstrapPlan none({{.address = SocketAddress{}}});
  EXPECT_TRUE(none.exhausted());
  EXPECT_EQ(none.failures().size(), 1U);
}

// Random fates: bounds hold, every attempt ends, and nobody who would win is overlooked.
TEST(BootstrapPlan, KeepsItsInvariantsForAnyOutcomes) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random{seed};
    const std::size_t count = random() % 400;
    const BootstrapConfig config{.max_in_flight = 1 + random() % 40,
                                 .total_timeout = 1s + Duration{1s} * (random() % 60)};
    BootstrapPlan plan(candidates(count), config);
    Owner owner(plan);
    owner.lateness = Duration{1us} * (random() % 2'000);
    const bool anyone_lives = random() % 2 == 0;
    for (std::size_t i = 0; i < count; ++i) {
      Fate& fate = owner.fates[i];
      const auto kind = random() % 100;
      fate.after = Duration{1ms} * (1 + random() % 3'000);
      if (kind < 40) fate.kind = Fate::Kind::fails;
      if (kind > 97 && anyone_lives) fate.kind = Fate::Kind::wins;
      if (random() % 2 == 0) fate.answers_after = fate.after / 2;
    }
    owner.run();
    EXPECT_LE(owner.most_in_flight, config.max_in_flight);
    EXPECT_LE(owner.now - kStart, config.total_timeout + owner.lateness + 1ms);
    EXPECT_EQ(plan.in_flight(), 0U);
    EXPECT_NE(plan.winner().has_value(), plan.exhausted());
    EXPECT_EQ(plan.next_deadline(), kNever);
    if (plan.winner()) {
      EXPECT_EQ(owner.fates[*plan.winner()].kind, Fate::Kind::wins);
    } else {
      EXPECT_EQ(plan.failures().size(), count);
    }
    for (const auto& failure : plan.failures()) EXPECT_FALSE(failure.why.empty());
  }
}

}  // namespace
}  // namespace qpeer::p2p
