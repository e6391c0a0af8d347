// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Each token counts once, within a bound on memory. RFC 9000 §8.1.4.
#include "qpeer/transport/endpoint/used_tokens.hpp"

#include <gtest/gtest.h>

namespace qpeer::transport {
namespace {

using Use = UsedTokens::Use;

constexpr Instant kStart{1'000s};

TEST(UsedTokens, RememberEachForItsLifetime) {
  for (Duration first = 0s; first < 30s; first += 1s) {
    UsedTokens used(15s, 4'096);
    used.use(kStart, 7);
    EXPECT_EQ(used.look(kStart + first, 42), Use::first);
    EXPECT_EQ(used.use(kStart + first, 42), Use::first);
    for (Duration later = 0s; later < 15s; later += 1s) {
      EXPECT_EQ(used.use(kStart + first + later, 42), Use::again) << later.count();
    }
    EXPECT_EQ(used.use(kStart + first + 60s, 42), Use::first) << "long expired, long forgotten";
  }
}

TEST(UsedTokens, AFullTableSaysSoAndTakesNoMore) {
  UsedTokens used(15s, 4'096);
  EXPECT_EQ(used.memory(), 0U) << "nothing before it is needed";
  std::uint64_t id = 1;
  while (used.use(kStart, id * 0x9e3779b97f4a7c15ULL) == Use::first) ++id;
  EXPECT_EQ(id - 1, used.capacity());
  EXPECT_GE(used.capacity(), 150U);
  EXPECT_EQ(used.use(kStart, id * 0x9e3779b97f4a7c15ULL), Use::unknown);
  EXPECT_EQ(used.use(kStart, 0x9e3779b97f4a7c15ULL), Use::again) << "those inside stay known";
  for (int round = 1; round < 50; ++round) {
    for (std::uint64_t i = 0; i < 1'000; ++i) {
      used.use(kStart + round * 10s, (i + 1) * 0xbf58476d1ce4e5b9ULL + round);
    }
    EXPECT_LE(used.memory(), 4'096U);
  }
  EXPECT_EQ(used.use(kStart + 1h, 5), Use::first) << "room again";
}

TEST(UsedTokens, WithoutRoomNothingIsKnown) {
  UsedTokens used(15s, 1'023);
  EXPECT_EQ(used.use(kStart, 1), Use::unknown);
  EXPECT_EQ(used.memory(), 0U);
}

TEST(UsedTokens, ZeroIsAnIdLikeAnyOther) {
  UsedTokens used(15s, 4'096);
  EXPECT_EQ(used.use(kStart, 0), Use::first);
  EXPECT_EQ(used.use(kStart, 0), Use::again);
}

}  // namespace
}  // namespace qpeer::transport
