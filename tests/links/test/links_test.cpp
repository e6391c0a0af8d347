// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Each link of the zoo with each controller: it ends, nothing is lost or altered.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "qpeer/tests/links/report.hpp"

namespace qpeer::links {
namespace {

std::string test_name(const testing::TestParamInfo<CellName>& info) {
  std::string name = info.param.link + "_" + info.param.flows;
  for (char& each : name) {
    if (each == '-') each = '_';
    if (each == '+') each = 'w';
  }
  return name;
}

class Zoo : public testing::TestWithParam<CellName> {};

TEST_P(Zoo, AllThatWasWrittenArrives) {
  const auto& [link, flows] = GetParam();
  const CellRun run = run_cell(*find_link(link), parse_flows(flows), 1, CellOptions{.brief = true});
  EXPECT_EQ(at(run.result, Metric::finished), 1.0) << run.trouble;
}

// With assertions each run takes too long; what is looked at here is the same in every build.
#ifndef QPEER_ASSERTIONS

/// The cells whose requirements hold, all of them, with one seed. docs/congestion.md shows all, over many.
const CellName kHeld[] = {
    {"cable", "newreno"},          {"cable", "cubic"},          {"cable", "bbr"},
    {"long-fat", "cubic"},         {"long-fat", "bbr"},         {"satellite", "bbr"},
    {"reordering", "newreno"},     {"reordering", "cubic"},     {"reordering", "bbr"},
    {"ce-random", "cubic"},        {"ce-random", "bbr"},        {"bufferbloat", "bbr"},
    {"outage", "newreno"},         {"outage", "cubic"},         {"outage", "bbr"},
    {"outage-touched", "newreno"}, {"outage-touched", "cubic"}, {"outage-touched", "bbr"},
    {"shared", "2xnewreno"},       {"shared", "2xcubic"},       {"shared", "2xbbr"},
};

class Required : public testing::TestWithParam<CellName> {};

TEST_P(Required, HoldsWithOneSeed) {
  const auto& [link, flows] = GetParam();
  const CellRun run = run_cell(*find_link(link), parse_flows(flows), 1);
  EXPECT_EQ(at(run.result, Metric::finished), 1.0) << run.trouble;
  std::size_t looked_at = 0;
  for (const Requirement& each : requirements()) {
    if (each.link != link || each.flows != flows) continue;
    ++looked_at;
    EXPECT_TRUE(holds(each, {run.result}))
        << to_string(each.metric) << ": " << at(run.result, each.metric).value_or(0);
  }
  EXPECT_GT(looked_at, 0U);
}

INSTANTIATE_TEST_SUITE_P(Cells, Required, testing::ValuesIn(kHeld), test_name);

/// The cells whose losses are so many that a single seed shows little. Few packets pass, so that 30 seeds
/// take little time.
const CellName kHeavyLoss[] = {
    {"short-30", "newreno"},  {"short-30", "cubic"},  {"short-30", "bbr"},
    {"short-10", "newreno"},  {"short-10", "cubic"},  {"short-10", "bbr"},
    {"bursts-25", "newreno"}, {"bursts-25", "cubic"}, {"bursts-25", "bbr"},
    {"fades-25", "newreno"},  {"fades-25", "cubic"},  {"fades-25", "bbr"},
};

class HeavyLoss : public testing::TestWithParam<CellName> {};

TEST_P(HeavyLoss, EndsAndHoldsOverThirtySeeds) {
  const auto& [link, flows] = GetParam();
  Results results;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const CellRun run =
        run_cell(*find_link(link), parse_flows(flows), seed, CellOptions{.brief = true});
    EXPECT_EQ(at(run.result, Metric::finished), 1.0) << "seed " << seed << ": " << run.trouble;
    results.push_back(run.result);
  }
  for (const Requirement& each : requirements()) {
    if (each.link != link || each.flows != flows) continue;
    const auto values = spread(results, each.metric, each.at_least);
    EXPECT_TRUE(holds(each, results))
        << to_string(each.metric) << ": " << (values ? values->median : 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Cells, HeavyLoss, testing::ValuesIn(kHeavyLoss), test_name);

#endif

CellResult with(Metric metric, double value) {
  CellResult result{};
  at(result, metric) = value;
  return result;
}

TEST(Requirements, HoldByTheMedianAndTheWorstTwentieth) {
  constexpr Requirement kUsed{.link = "cable",
                              .flows = "newreno",
                              .metric = Metric::utilisation,
                              .at_least = true,
                              .bound = 0.9};
  Results results(30, with(Metric::utilisation, 0.95));
  EXPECT_TRUE(holds(kUsed, results));
  results[3] = with(Metric::utilisation, 0.1);
  EXPECT_TRUE(holds(kUsed, results)) << "one of 30 may be worse";
  results[4] = with(Metric::utilisation, 0.75);
  EXPECT_FALSE(holds(kUsed, results)) << "0.75 is less than 80 % of 0.95";
  EXPECT_FALSE(holds(kUsed, Results(30, with(Metric::utilisation, 0.89))));
  EXPECT_FALSE(holds(kUsed, Results(30, CellResult{}))) << "nothing was measured";
  EXPECT_FALSE(holds(kUsed, {}));

  constexpr Requirement kDone{.link = "short-30",
                              .flows = "newreno",
                              .metric = Metric::seconds,
                              .at_least = false,
                              .bound = 4};
  Results times(30, with(Metric::seconds, 3.9));
  times[0] = times[1] = with(Metric::seconds, 5.1);
  EXPECT_FALSE(holds(kDone, times));
  Requirement median_only = kDone;
  median_only.median_only = true;
  EXPECT_TRUE(holds(median_only, times));
}

TEST(Report, LinesAreReadAsTheyWereWritten) {
  CellResult result = with(Metric::utilisation, 0.976331);
  at(result, Metric::finished) = 1;
  const std::string line = to_line({"cable", "newreno"}, 7, result);
  EXPECT_EQ(line, "cable newreno 7 utilisation=0.976331 finished=1");
  ResultTable table;
  ASSERT_TRUE(add_line(table, line));
  const auto& [cell, results] = *table.begin();
  EXPECT_EQ(cell.flows, "newreno");
  EXPECT_EQ(results, Results{result});
  for (const auto* wrong : {"", "cable", "cable newreno", "cable newreno x", "cable newreno 1 a=1",
                            "cable newreno 1 finished", "cable newreno 1 finished=x"}) {
    EXPECT_FALSE(add_line(table, wrong)) << wrong;
  }
  const std::string page = make_page(table);
  EXPECT_TRUE(page.ends_with(" fall short\n")) << page;
  EXPECT_TRUE(make_page(table, true).ends_with("\nlinks: 2 hold, 0 fall short\n"));
}

TEST(Flows, AreReadFromTheirNames) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(parse_flows("newreno"), Names{"newreno"});
  EXPECT_EQ(parse_flows("2xnewreno"), (Names{"newreno", "newreno"}));
  EXPECT_EQ(parse_flows("newreno+newreno"), (Names{"newreno", "newreno"}));
  for (const auto* wrong :
       {"", "x", "reno", "2x", "0xnewreno", "newreno+", "+newreno", "newreno+x"}) {
    EXPECT_TRUE(parse_flows(wrong).empty()) << wrong;
  }
}

INSTANTIATE_TEST_SUITE_P(Cells, Zoo, testing::ValuesIn(cells()), test_name);

}  // namespace
}  // namespace qpeer::links
