// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Each model of a link does what it was asked for: its rate, its share of losses, its delay.
#include "qpeer/tests/sim/link_models.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/bottleneck.hpp"

namespace qpeer::sim {
namespace {

constexpr std::size_t kSize = 1'250;  // 10,000 bits.
constexpr Instant kStart{1s};

/// What datagrams of kSize become in a stage, or in a whole link.
struct Feed {
  std::array<u8, kSize> bytes{};
  Ecn ecn = Ecn::not_ect;

  Instant into(LinkStage& stage, Instant at, Ecn mark = Ecn::not_ect) {
    ecn = mark;
    Passing datagram{.now = at, .from = {}, .to = {}, .payload = bytes, .ecn = ecn};
    return stage.pass(at, datagram);
  }
  Pipe::Outcome into(Pipe& pipe, Instant at, Ecn mark = Ecn::not_ect) {
    ecn = mark;
    Passing datagram{.now = at, .from = {}, .to = {}, .payload = bytes, .ecn = ecn};
    return pipe.enter(datagram);
  }
};

double share(std::size_t part, std::size_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

TEST(Bottleneck, LetsPassItsRateAndNoMore) {
  Bottleneck link({.rate = 10_mbit, .queue = 20 * kSize});
  Feed feed;
  // 20 Mbit/s come for 10 s.
  Instant last{};
  for (int i = 0; i < 20'000; ++i) {
    const Instant leaves = feed.into(link, kStart + i * 500us);
    if (leaves == kNever) continue;
    EXPECT_GE(leaves - last, 1ms) << "two datagrams left faster than the rate allows";
    last = leaves;
  }
  EXPECT_NEAR(static_cast<double>(link.stats().passed), 10'000.0, 30.0);
  EXPECT_EQ(link.stats().passed + link.stats().dropped_tail, 20'000U);
  EXPECT_EQ(link.stats().longest_queue, 20 * kSize);
}

TEST(Bottleneck, AddsNoDelayWhenItIsNotFull) {
  Bottleneck link({.rate = 10_mbit});
  link.record_waits_from(kStart);
  Feed feed;
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_EQ(feed.into(link, kStart + i * 2ms), kStart + i * 2ms + 1ms);
  }
  EXPECT_EQ(std::ranges::max(link.waits_us()), 0U);
}

TEST(Bottleneck, AQueueInTimeHoldsThatTimeAtAnyRate) {
  for (const Rate rate : {Rate(1_mbit), Rate(100_mbit)}) {
    Bottleneck link({.rate = rate, .queue_time = 200ms});
    link.record_waits_from(kStart);
    Feed feed;
    const Duration each = rate.time_of(kSize) / 2;
    for (int i = 0; i < 50'000; ++i) feed.into(link, kStart + i * each);
    EXPECT_LE(std::ranges::max(link.waits_us()), 200'000U);
    EXPECT_GE(std::ranges::max(link.waits_us()), 190'000U);
  }
}

TEST(Bottleneck, MarksWhatFindsALongQueueWhereMarksAreTaken) {
  Bottleneck link({.rate = 10_mbit, .ce_above = 5 * kSize});
  Feed feed;
  std::vector<bool> marked;
  for (int i = 0; i < 10; ++i) {
    ASSERT_NE(feed.into(link, kStart, Ecn::ect0), kNever);
    marked.push_back(feed.ecn == Ecn::ce);
  }
  EXPECT_EQ(marked,
            (std::vector<bool>{false, false, false, false, false, true, true, true, true, true}));
  ASSERT_NE(feed.into(link, kStart, Ecn::not_ect), kNever);
  EXPECT_EQ(feed.ecn, Ecn::not_ect);
  EXPECT_EQ(link.stats().ce_marked, 5U);
}

TEST(Bottleneck, TwoLinksShareOne) {
  const auto shared = std::make_shared<Bottleneck>(BottleneckConfig{.rate = 10_mbit});
  Pipe first(Link{.delay = 5ms}, SeededRandom(1));
  Pipe second(Link{.delay = 50ms}, SeededRandom(2));
  first.stages = {shared};
  second.stages = {shared};
  Feed feed;
  EXPECT_EQ(feed.into(first, kStart).arrival, kStart + 1ms + 5ms);
  EXPECT_EQ(feed.into(second, kStart).arrival, kStart + 2ms + 50ms);
  EXPECT_EQ(feed.into(first, kStart).arrival, kStart + 3ms + 5ms);
}

TEST(Bottleneck, TwoInARowPassTheLowerRate) {
  Pipe pipe(Link{.delay = 10ms}, SeededRandom(1));
  const auto fast = std::make_shared<Bottleneck>(BottleneckConfig{.rate = 50_mbit});
  const auto slow =
      std::make_shared<Bottleneck>(BottleneckConfig{.rate = 10_mbit, .queue = 30 * kSize});
  pipe.stages = {fast, std::make_shared<Delay>(3ms), slow};
  Feed feed;
  EXPECT_EQ(feed.into(pipe, kStart).arrival, kStart + 200us + 3ms + 1ms + 10ms);
  for (int i = 0; i < 5'000; ++i) feed.into(pipe, kStart + i * 200us);
  EXPECT_EQ(fast->stats().passed, 5'001U);
  EXPECT_NEAR(static_cast<double>(slow->stats().passed), 1'030.0, 5.0);
  EXPECT_EQ(pipe.stats.dropped_stage, slow->stats().dropped_tail);
}

TEST(RateSchedule, StepsFollowEachOtherAgainAndAgain) {
  const RateSchedule rate(100ms, {10_mbit, Rate{0}, 20_mbit});
  const Instant start{300ms};  // Of the second round.
  EXPECT_EQ(rate.at(start).bytes_per_second, (10_mbit).bytes_per_second);
  EXPECT_EQ(rate.bytes_between(start, start + 300ms), 125'000U + 250'000U);
  EXPECT_EQ(rate.finish(start, 62'500), start + 50ms);
  // 125,000 bytes in the first step, none in the second, the rest in the third.
  EXPECT_EQ(rate.finish(start, 125'000 + 25'000), start + 210ms);
  EXPECT_EQ(rate.finish(start + 250ms, 125'000 + 1'250), start + 301ms);
}

TEST(RateSchedule, ALteCellVariesAsItSays) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const RateSchedule rate = lte_rate(SeededRandom(seed));
    std::size_t still = 0;
    double least = 1e9;
    double most = 0;
    double sum = 0;
    for (int i = 0; i < 3'000; ++i) {
      const double mbit = static_cast<double>(rate.at(Instant(i * 20ms)).bytes_per_second) * 8e-6;
      if (mbit == 0) {
        ++still;
        continue;
      }
      least = std::min(least, mbit);
      most = std::max(most, mbit);
      sum += mbit;
    }
    EXPECT_GE(least, 0.99);
    EXPECT_LE(most, 50.01);
    EXPECT_GT(most / least, 4);
    EXPECT_GT(sum / 3'000, 10);
    EXPECT_LT(sum / 3'000, 25);
    EXPECT_LT(still, 150U);
  }
}

TEST(CoDel, LeavesAQueueAloneThatDrains) {
  CoDel codel;
  // A burst that waits up to 50 ms and is gone before an interval is over.
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_FALSE(codel.drops(kStart + i * 1ms, i % 90 < 80 ? 50ms - i % 90 * 600us : 0ms));
  }
}

TEST(CoDel, DropsFasterAndFasterWhileAQueueStands) {
  CoDel codel;
  std::vector<Duration> drops;
  for (int i = 0; i < 2'000; ++i) {
    if (codel.drops(kStart + i * 1ms, 20ms)) drops.push_back(i * 1ms);
  }
  // RFC 8289 §5.6: the first after an interval, the next after 100 ms / sqrt(1), 100 ms / sqrt(2), ...
  ASSERT_GT(drops.size(), 50U);
  EXPECT_EQ(drops[0], 100ms);
  EXPECT_EQ(drops[1], 200ms);
  EXPECT_EQ(drops[2], 271ms);
  EXPECT_EQ(drops[3], 329ms);
}

TEST(CoDel, MarksInsteadWhereMarksAreTaken) {
  Feed feed;
  for (const Ecn ecn : {Ecn::not_ect, Ecn::ect0}) {
    Bottleneck link({.rate = 10_mbit, .queue = 100 * kSize, .codel = CoDel()});
    for (int i = 0; i < 3'000; ++i) feed.into(link, kStart + i * 950us, ecn);
    EXPECT_EQ(link.stats().dropped_codel > 0, ecn == Ecn::not_ect);
    EXPECT_EQ(link.stats().ce_marked > 0, ecn == Ecn::ect0);
  }
}

TEST(Policer, LetsPassItsRateAndOneBucket) {
  Policer policer(10_mbit, 40 * kSize);
  Feed feed;
  std::size_t passed = 0;
  std::size_t first = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Instant at = kStart + i * 500us;
    const Instant leaves = feed.into(policer, at);
    if (leaves == kNever) continue;
    EXPECT_EQ(leaves, at);
    ++passed;
    if (first == static_cast<std::size_t>(i)) ++first;
  }
  EXPECT_NEAR(static_cast<double>(passed), 10'040.0, 2.0);
  EXPECT_NEAR(static_cast<double>(first), 80.0, 2.0);  // A bucket and what fills it meanwhile.
}

TEST(BurstLoss, LosesItsShareInBurstsOfItsLength) {
  for (const auto& [lost, burst] : {std::pair{0.02, 3.0}, {0.25, 5.0}}) {
    BurstLoss loss(lost, burst, 0ms, SeededRandom(3));
    Feed feed;
    std::size_t losses = 0;
    std::size_t bursts = 0;
    bool before = false;
    constexpr std::size_t kCount = 400'000;
    for (std::size_t i = 0; i < kCount; ++i) {
      const bool gone = feed.into(loss, kStart) == kNever;
      losses += gone ? 1 : 0;
      bursts += gone && !before ? 1 : 0;
      before = gone;
    }
    EXPECT_NEAR(share(losses, kCount), lost, 0.05 * lost);
    EXPECT_NEAR(share(losses, bursts), burst, 0.05 * burst);
  }
}

// Of a fade of 4 ms on average, one who sends every 100 ms sees no more than its share.
TEST(BurstLoss, AFadeEndsWhenNothingIsSent) {
  for (const Duration slot : {0ms, 1ms}) {
    BurstLoss loss(0.25, 4, slot, SeededRandom(4));
    Feed feed;
    std::size_t again = 0;
    std::size_t losses = 0;
    bool before = false;
    constexpr std::size_t kCount = 100'000;
    for (std::size_t i = 0; i < kCount; ++i) {
      const bool gone = feed.into(loss, kStart + i * 100ms) == kNever;
      losses += gone ? 1 : 0;
      again += gone && before ? 1 : 0;
      before = gone;
    }
    EXPECT_NEAR(share(losses, kCount), 0.25, 0.02);
    EXPECT_NEAR(share(again, losses), slot == 0ms ? 0.75 : 0.25, 0.02);
  }
}

TEST(Outages, LetNothingPassWhileTheyLast) {
  Outages outages({{kStart + 1s, kStart + 3s}, {kStart + 5s, kStart + 6s}});
  Feed feed;
  EXPECT_EQ(feed.into(outages, kStart + 999ms), kStart + 999ms);
  EXPECT_EQ(feed.into(outages, kStart + 1s), kNever);
  EXPECT_EQ(feed.into(outages, kStart + 2999ms), kNever);
  EXPECT_EQ(feed.into(outages, kStart + 3s), kStart + 3s);
  EXPECT_EQ(feed.into(outages, kStart + 5500ms), kNever);
  EXPECT_EQ(feed.into(outages, kStart + 6s), kStart + 6s);
}

TEST(MtuLimit, DropsWhatIsLargerFromItsTimeOn) {
  MtuLimit small(kStart + 1s, kSize - 1);
  MtuLimit same(kStart + 1s, kSize);
  Feed feed;
  EXPECT_EQ(feed.into(small, kStart), kStart);
  EXPECT_EQ(feed.into(small, kStart + 1s), kNever);
  EXPECT_EQ(feed.into(same, kStart + 1s), kStart + 1s);
}

/// Shares and delays of the link itself, over many datagrams, 1 ms apart.
TEST(Link, LosesCopiesCorruptsMarksAndReordersItsShares) {
  const Link link{.delay = 20ms,
                  .loss = 0.01,
                  .reorder = 0.10,
                  .reorder_delay = 10ms,
                  .reorder_evenly = true,
                  .duplicate = 0.05,
                  .corrupt = 0.02,
                  .ce = 0.001};
  Pipe pipe(link, SeededRandom(9));
  Feed feed;
  constexpr std::size_t kCount = 200'000;
  double held = 0;
  std::size_t late = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const Instant at = kStart + i * 1ms;
    const auto outcome = feed.into(pipe, at, Ecn::ect0);
    if (outcome.arrival == kNever) continue;
    const Duration more = outcome.arrival - at - 20ms;
    EXPECT_GE(more, 0ms);
    EXPECT_LE(more, 10ms);
    if (more > 0ms) {
      ++late;
      held += std::chrono::duration<double, std::milli>(more).count();
    }
  }
  EXPECT_NEAR(share(pipe.stats.dropped_loss, kCount), 0.01, 0.001);
  EXPECT_NEAR(share(late, kCount), 0.10, 0.005);
  EXPECT_NEAR(held / static_cast<double>(late), 5, 0.1);
  EXPECT_NEAR(share(pipe.stats.duplicated, kCount), 0.05, 0.005);
  EXPECT_NEAR(share(pipe.stats.corrupted, kCount), 0.02, 0.002);
  EXPECT_NEAR(share(pipe.stats.ce_marked, kCount), 0.001, 0.0003);
  EXPECT_EQ(pipe.stats.dropped(), pipe.stats.dropped_loss);
}

}  // namespace
}  // namespace qpeer::sim
