// SPDX-License-Identifier: MIT OR BSD-3-Clause
// GatewayEpoch: which clocks of a gateway tell that it lost its mappings.
#include "qpeer/p2p/nat/gateway_epoch.hpp"

#include <gtest/gtest.h>

namespace qpeer::p2p {
namespace {

constexpr Instant kStart{1'000s};

bool nat_pmp(std::uint32_t before, Duration later, std::uint32_t after) {
  GatewayEpoch epoch;
  EXPECT_TRUE(epoch.on_nat_pmp(kStart, before));  // The first says nothing.
  return epoch.on_nat_pmp(kStart + later, after);
}

bool pcp(std::uint32_t before, Duration later, std::uint32_t after) {
  GatewayEpoch epoch;
  EXPECT_TRUE(epoch.on_pcp(kStart, before));
  return epoch.on_pcp(kStart + later, after);
}

// [rfc6886-3.6-2]
TEST(GatewayEpoch, OfNatPmpMayGoSlowByAnEighth) {
  EXPECT_TRUE(nat_pmp(100, 0s, 100));
  EXPECT_TRUE(nat_pmp(100, 80s, 180));
  EXPECT_TRUE(nat_pmp(100, 80s, 168));  // 100 + 70 - 2
  EXPECT_FALSE(nat_pmp(100, 80s, 167));
  EXPECT_FALSE(nat_pmp(100'000, 3'600s, 5));
  EXPECT_TRUE(nat_pmp(100, 80s, 4'000'000'000));  // Never too fast.
  EXPECT_TRUE(nat_pmp(1, 0s, 0));
}

TEST(GatewayEpoch, OfPcpMayDifferByASixteenth) {
  EXPECT_TRUE(pcp(100, 0s, 100));
  EXPECT_TRUE(pcp(100, 0s, 99));  // Reordering.
  EXPECT_FALSE(pcp(100, 0s, 98));
  EXPECT_TRUE(pcp(100, 160s, 260));
  EXPECT_TRUE(pcp(100, 160s, 248));  // 148 + 2 >= 160 - 10
  EXPECT_FALSE(pcp(100, 160s, 247));
  EXPECT_TRUE(pcp(100, 160s, 272));  // 160 + 2 >= 172 - 10
  EXPECT_FALSE(pcp(100, 160s, 274));
  EXPECT_FALSE(pcp(100'000, 3'600s, 5));
}

TEST(GatewayEpoch, ComparesWithTheNewestMessage) {
  GatewayEpoch epoch;
  EXPECT_TRUE(epoch.on_pcp(kStart, 1'000));
  EXPECT_FALSE(epoch.on_pcp(kStart + 10s, 0));
  EXPECT_TRUE(epoch.on_pcp(kStart + 20s, 10));
}

}  // namespace
}  // namespace qpeer::p2p
