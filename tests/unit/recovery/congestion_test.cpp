// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The choice of a controller, and what one does that overrides no more than it must.
#include "qpeer/transport/recovery/congestion.hpp"

#include <gtest/gtest.h>

#include "qpeer/tests/unit/recovery/support.hpp"

namespace qpeer::transport {
namespace {

class Smallest final : public CongestionController {
 public:
  void on_ack(const AckSample&) override {}
  void on_loss(const LossSample& sample) override { last = sample; }
  [[nodiscard]] std::uint64_t window() const override { return 20'000; }
  LossSample last;
};

TEST(CongestionController, NeedsNoMoreThanThreeFunctions) {
  Smallest controller;
  controller.on_packet_sent(at(1s), 1200, 1200);
  controller.on_spurious_loss({.now = at(1s)});
  controller.on_mtu_changed(1400);
  EXPECT_EQ(controller.pacing_rate(), std::nullopt);
  EXPECT_EQ(controller.slow_start_threshold(), std::nullopt);
  EXPECT_EQ(controller.state(), "");
}

TEST(CongestionController, TakesMarksForALossUnlessItKnowsBetter) {
  Smallest controller;
  controller.on_ecn_ce(at(2s), at(1s));
  EXPECT_EQ(controller.last.now, at(2s));
  EXPECT_EQ(controller.last.largest_lost_sent_at, at(1s));
  EXPECT_EQ(controller.last.lost_bytes, 0U);
  EXPECT_FALSE(controller.last.persistent_congestion);
}

TEST(CongestionAlgorithm, IsFoundByItsName) {
  for (const CongestionAlgorithm algorithm : kCongestionAlgorithms) {
    EXPECT_EQ(parse_congestion_algorithm(to_string(algorithm)), algorithm);
    const auto controller = make_congestion_controller(algorithm, 1200);
    ASSERT_NE(controller, nullptr);
    EXPECT_EQ(controller->window(), 12'000U) << to_string(algorithm);
    EXPECT_NE(controller->state(), "");
  }
  EXPECT_EQ(parse_congestion_algorithm("newreno"), CongestionAlgorithm::new_reno);
  EXPECT_EQ(parse_congestion_algorithm("cubic"), CongestionAlgorithm::cubic);
  EXPECT_EQ(parse_congestion_algorithm("bbr"), CongestionAlgorithm::bbr);
  EXPECT_EQ(parse_congestion_algorithm("vegas"), std::nullopt);
  EXPECT_EQ(parse_congestion_algorithm(""), std::nullopt);
}

}  // namespace
}  // namespace qpeer::transport
