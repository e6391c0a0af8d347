// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What must hold of NewReno and CUBIC whatever they are told: the window stays within its bounds, and
// a congestion event never enlarges it.
#include "qpeer/transport/recovery/loss_based.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "qpeer/tests/unit/recovery/support.hpp"
#include "qpeer/transport/recovery/cubic.hpp"
#include "qpeer/transport/recovery/new_reno.hpp"

namespace qpeer::transport {
namespace {

/// Feeds a controller samples at random, over many orders of magnitude.
class RandomSamples {
 public:
  RandomSamples(LossBasedController& controller, std::uint64_t seed)
      : controller_(controller), random_(seed) {}

  void step() {
    now_ += duration();
    const std::uint64_t before = controller_.window();
    switch (below(10)) {
      case 0:
        controller_.on_loss({.now = now_,
                             .lost_bytes = below(1 << 20),
                             .largest_lost_sent_at = earlier(),
                             .persistent_congestion = below(20) == 0});
        EXPECT_LE(controller_.window(), before);
        break;
      case 1:
        controller_.on_ecn_ce(now_, earlier());
        EXPECT_LE(controller_.window(), before);
        break;
      case 2:
        controller_.on_spurious_loss(
            {.now = now_, .bytes = 1200, .largest_lost_sent_at = earlier()});
        EXPECT_GE(controller_.window(), before);
        break;
      case 3:
        size_ = static_cast<std::uint16_t>(1200 + below(8000));
        controller_.on_mtu_changed(size_);
        EXPECT_GE(controller_.window(), before == initial_ ? 0 : before);
        break;
      default: {
        const Duration rtt = duration();
        controller_.on_ack({.now = now_,
                            .acked_bytes = below(2 * before),
                            .largest_acked_sent_at = earlier(),
                            .bytes_in_flight = before,
                            .application_limited = below(4) == 0,
                            .rtt_sample = below(3) == 0 ? Duration{} : rtt,
                            .smoothed_rtt = rtt,
                            .min_rtt = rtt});
        EXPECT_GE(controller_.window(), before);
      }
    }
  }
  [[nodiscard]] std::uint16_t size() const { return size_; }

 private:
  std::uint64_t below(std::uint64_t end) { return random_() % std::max<std::uint64_t>(end, 1); }
  /// From a nanosecond to an hour.
  Duration duration() {
    return Duration{1 + static_cast<Duration::rep>(random_() >> (22 + below(42)))};
  }
  Instant earlier() { return now_ - duration() / 4; }

  LossBasedController& controller_;
  std::mt19937_64 random_;
  std::uint64_t initial_ = controller_.window();
  Instant now_ = at(1s);
  std::uint16_t size_ = 1200;
};

template <class Controller>
void expect_bounds() {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Controller controller{1200};
    RandomSamples samples{controller, seed};
    for (int i = 0; i < 2000 && !testing::Test::HasFailure(); ++i) {
      samples.step();
      EXPECT_GE(controller.window(), LossBasedController::minimum_window(samples.size())) << seed;
      EXPECT_LE(controller.window(), LossBasedController::kMaximumWindow) << seed;
      EXPECT_FALSE(controller.state().empty());
    }
  }
}

TEST(LossBased, CubicKeepsItsBounds) { expect_bounds<Cubic>(); }
TEST(LossBased, NewRenoKeepsItsBounds) { expect_bounds<NewReno>(); }

template <class Controller>
void expect_maximum() {
  Controller controller{1200};
  for (Duration t = 1s; t < 200s; t += 1s) {
    controller.on_ack({.now = at(t),
                       .acked_bytes = controller.window(),
                       .largest_acked_sent_at = at(t - 1ms),
                       .bytes_in_flight = controller.window()});
  }
  EXPECT_EQ(controller.window(), LossBasedController::kMaximumWindow);
  controller.on_loss({.now = at(300s), .lost_bytes = 1200, .largest_lost_sent_at = at(299s)});
  for (Duration t = 301s; t < 2000s; t += 1s) {
    controller.on_ack({.now = at(t),
                       .acked_bytes = controller.window(),
                       .largest_acked_sent_at = at(t - 1ms),
                       .bytes_in_flight = controller.window(),
                       .smoothed_rtt = 1h});
    EXPECT_LE(controller.window(), LossBasedController::kMaximumWindow);
  }
}

TEST(LossBased, CubicGrowsToTheMaximumAtMost) { expect_maximum<Cubic>(); }
TEST(LossBased, NewRenoGrowsToTheMaximumAtMost) { expect_maximum<NewReno>(); }

}  // namespace
}  // namespace qpeer::transport
