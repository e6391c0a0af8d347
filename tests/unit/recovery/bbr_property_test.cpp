// SPDX-License-Identifier: MIT OR BSD-3-Clause
// BBRv3 under random sequences of events: window and pacing rate stay within bounds, its parts agree,
// and it still finds the bandwidth of a quiet path afterwards.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <random>
#include <string>

#include "qpeer/tests/unit/recovery/bottleneck.hpp"
#include "qpeer/transport/recovery/bbr/bbr.hpp"

namespace qpeer::transport {
namespace {

class RandomEvents {
 public:
  explicit RandomEvents(std::uint64_t seed) : random_(seed), bbr_(1200, seed) {}

  void run() {
    for (int i = 0; i < 3000 && !testing::Test::HasFatalFailure(); ++i) {
      step();
      check();
    }
  }
  Bbr& controller() { return bbr_; }

 private:
  struct Packet {
    Instant sent_at;
    std::uint64_t size;
    DeliverySnapshot snapshot;
  };
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  void step() {
    now_ +=
        Duration{static_cast<Duration::rep>(below(4) == 0 ? below(200'000'000) : below(2'000'000))};
    switch (below(16)) {
      case 0:
        return bbr_.on_spurious_loss({.now = now_});
      case 1:
        packet_ = static_cast<std::uint16_t>(1200 + below(8000));
        return bbr_.on_mtu_changed(packet_);
      case 2:
        return rate_.mark_application_limited(flight_);
      case 3:
        return bbr_.on_loss({.now = now_,
                             .largest_lost_sent_at = now_ - 1ms,
                             .persistent_congestion = below(8) == 0});
      case 4:
        rate_.on_marked(below(3) * packet_);
        return bbr_.on_ecn_ce(now_, now_ - 1ms);
      case 5:
        now_ += Duration{static_cast<Duration::rep>(below(8'000'000'000))};
        return;
      default:
        return below(2) == 0 ? send() : acknowledge();
    }
  }

  void send() {
    for (std::uint64_t left = below(40); left != 0 && flight_ + packet_ <= bbr_.window(); --left) {
      if (flight_ == 0 && rate_.is_application_limited()) bbr_.on_restart_from_idle(now_);
      flight_ += packet_;
      packets_.push_back({now_, packet_, rate_.on_packet_sent(now_, packet_, flight_)});
      bbr_.on_packet_sent(now_, packet_, flight_);
    }
  }

  void acknowledge() {
    std::uint64_t acked = 0;
    std::uint64_t lost = 0;
    Instant newest = Instant::min();
    const std::uint64_t flight = flight_;
    const std::uint64_t loss_percent = below(3) == 0 ? below(100) : below(4);
    for (std::uint64_t left = below(60); left != 0 && !packets_.empty(); --left) {
      const Packet packet = packets_.front();
      packets_.pop_front();
      flight_ -= packet.size;
      if (below(100) < loss_percent) {
        lost += packet.size;
        bbr_.on_packet_lost(rate_.on_packet_lost(now_, packet.size, packet.snapshot));
      } else {
        acked += packet.size;
        rate_.on_packet_acked(now_, packet.sent_at, packet.size, packet.snapshot);
        min_rtt_ = std::min(min_rtt_, now_ - packet.sent_at);
        newest = packet.sent_at;
      }
    }
    if (lost != 0)
      bbr_.on_loss({.now = now_, .lost_bytes = lost, .largest_lost_sent_at = now_ - 1ms});
    if (acked == 0) return;
    bbr_.on_ack({.now = now_,
                 .acked_bytes = acked,
                 .largest_acked_sent_at = newest,
                 .bytes_in_flight = flight,
                 .smoothed_rtt = min_rtt_,
                 .min_rtt = min_rtt_,
                 .rate = &rate_.take_sample(now_, min_rtt_, flight_)});
  }

  void check() {
    ASSERT_TRUE(bbr_.consistent());
    ASSERT_TRUE(rate_.consistent());
    ASSERT_GE(bbr_.window(), 4U * packet_);
    ASSERT_LT(bbr_.window(), std::uint64_t{1} << 40);
    ASSERT_GT(*bbr_.pacing_rate(), 0U);
    ASSERT_LT(*bbr_.pacing_rate(), std::uint64_t{1} << 50);
  }

  std::mt19937_64 random_;
  Bbr bbr_;
  DeliveryRate rate_;
  Instant now_{1s};
  Duration min_rtt_ = Duration::max();
  std::uint16_t packet_ = 1200;
  std::uint64_t flight_ = 0;
  std::deque<Packet> packets_;
};

TEST(BbrProperty, StaysWithinItsBoundsWhateverHappens) {
  const char* const fixed = std::getenv("QPEER_SEED");
  const std::uint64_t first = fixed != nullptr ? std::stoull(fixed) : 1;
  const std::uint64_t last = fixed != nullptr ? first : 40;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("QPEER_SEED=" + std::to_string(seed));
    RandomEvents{seed}.run();
    if (testing::Test::HasFailure()) return;
  }
}

TEST(BbrProperty, FindsTheBandwidthOfAnyPath) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    Bbr bbr{1200, seed};
    Bottleneck path{bbr};
    path.bytes_per_second = std::uint64_t{50'000} << random() % 8;
    path.round_trip = Duration{1'000'000LL << random() % 9};
    path.run(6s);
    EXPECT_NEAR(double(bbr.max_bw()), double(path.bytes_per_second),
                0.1 * double(path.bytes_per_second))
        << path.bytes_per_second << " bytes/s, " << path.round_trip.count() << " ns";
    EXPECT_TRUE(bbr.consistent());
  }
}

}  // namespace
}  // namespace qpeer::transport
