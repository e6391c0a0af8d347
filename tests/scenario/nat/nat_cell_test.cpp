// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Each cell with a few seeds. See nat_cell.hpp.
#include "qpeer/tests/scenario/nat/nat_cell.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/sim/simulate.hpp"

namespace qpeer::sim {
namespace {

void expect_cells(const std::vector<NatCell>& cells, std::size_t runs) {
  for_each_seed("NatCell", [&](std::uint64_t seed) {
    for (NatCell cell : cells) {
      // Today's figure, where that is not the needed one yet.
      for (NatBound& bound : cell.bounds) bound.most += cell.lacking.empty() ? 0 : 1;
      const NatResult result = measure(cell, seed, runs);
      EXPECT_TRUE(result.holds(cell)) << cell.name << ": " << result.seen(cell);
    }
  });
}

TEST(NatCell, NodesAreToldTheTruth) { expect_cells(node_cells(), 2); }

TEST(NatCell, AttacksGainLittle) { expect_cells(attack_cells(), 1); }

TEST(NatCell, AFigureBeyondItsBoundIsNotGood) {
  const NatCell cell{.within = 4s, .bounds = {{"knocks", 2}}, .share = 0.5};
  EXPECT_TRUE(cell.is_good({.holds = true, .took = 4s, .figures = {2}}));
  EXPECT_FALSE(cell.is_good({.holds = false, .took = 4s, .figures = {2}}));
  EXPECT_FALSE(cell.is_good({.holds = true, .took = 4s + 1ms, .figures = {2}}));
  EXPECT_FALSE(cell.is_good({.holds = true, .figures = {2}})) << "it never came";
  EXPECT_FALSE(cell.is_good({.holds = true, .took = 1s, .figures = {3}}));
  EXPECT_FALSE(cell.is_good({.holds = true, .took = 1s})) << "not measured";
}

TEST(NatCell, ARowSaysHowManyRunsHoldAndHowLongTheyTook) {
  NatCell cell{.name = "X", .what = "what", .needed = "half", .bounds = {{"knocks", 9}}};
  cell.share = 0.5;
  cell.run = [](std::uint64_t seed) {
    return NatRun{
        .holds = seed % 2 == 0, .took = seed * 1s, .figures = {static_cast<double>(seed)}};
  };
  NatResult result = measure(cell, 1, 4);
  EXPECT_EQ(result.failed, (std::vector<std::uint64_t>{1, 3}));
  EXPECT_EQ(row(cell, result),
            "| X | what | half | so in 2 of 4; 2.00 s / 4.00 s; knocks: 4 | holds |");
  cell.share = 0.6;
  cell.lacking = "not built";
  EXPECT_EQ(row(cell, result),
            "| X | what | half | so in 2 of 4; 2.00 s / 4.00 s; knocks: 4 | **falls short**: not "
            "built |");
}

}  // namespace
}  // namespace qpeer::sim
