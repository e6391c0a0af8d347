// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Recovery over several network paths, and under controllers that are not ours. RFC 9000 §9.4.
#include <gtest/gtest.h>

#include "qpeer/tests/unit/recovery/support.hpp"

namespace qpeer::transport {
namespace {

std::unique_ptr<PathState> change(Sender& sender) {
  return sender.recovery.change_path(sender.now,
                                     sender.recovery.make_path({}, make_new_reno(1200)));
}

// [rfc9000-9.4-1]: what was congested was the path before.
TEST(RecoveryPaths, MarksOfTheOldPathAreNoCongestionOfTheNewOne) {
  Sender sender = Sender::established();
  const SentPacketInfo marked{
      .size = 1200, .ack_eliciting = true, .in_flight = true, .ecn = Ecn::ect0};
  for (int i = 0; i < 4; ++i) sender.send_packet(kApplication, marked);
  const auto old = change(sender);
  const std::uint64_t window = sender.recovery.congestion_window();
  sender.now += 50ms;
  ASSERT_TRUE(sender.ack({{0, 3}}, kApplication, {}, wire::EcnCounts{.ect0 = 2, .ce = 2}));
  EXPECT_EQ(sender.recovery.congestion_window(), window);
  for (int i = 0; i < 2; ++i) sender.send_packet(kApplication, marked);
  sender.now += 50ms;
  ASSERT_TRUE(sender.ack({{4, 4}}, kApplication, {}, wire::EcnCounts{.ect0 = 3, .ce = 2}));
  EXPECT_EQ(sender.recovery.congestion_window(), window + 1200) << "it was told of those before";
  sender.send_packet(kApplication, marked);
  sender.now += 50ms;
  ASSERT_TRUE(sender.ack({{5, 6}}, kApplication, {}, wire::EcnCounts{.ect0 = 4, .ce = 3}));
  EXPECT_LT(sender.recovery.congestion_window(), window) << "and this one is its own";
}

// RFC 9002 §6.2.2 [rfc9002-6.2.2-3]: how long a path took to answer its challenge is where the estimate
// begins, and no sample of it.
TEST(RecoveryPaths, TakesTheTimeOfAChallengeForNoSample) {
  Sender sender = Sender::established();
  sender.recovery.change_path(
      sender.now, sender.recovery.make_path({.initial_rtt = 70ms}, make_new_reno(1200)));
  const RttEstimator& rtt = sender.recovery.rtt();
  EXPECT_EQ(rtt.smoothed(), 70ms);
  EXPECT_FALSE(rtt.first_sample_at());
  EXPECT_EQ(rtt.min(), 0ms);
  sender.send();
  sender.now += 40ms;
  ASSERT_TRUE(sender.ack({{0, 0}}));
  EXPECT_EQ(rtt.smoothed(), 40ms) << "the first sample replaces it";
  EXPECT_EQ(rtt.min(), 40ms);
}

// Nobody can make so many paths that two of them are taken for one.
TEST(RecoveryPaths, StayApartHoweverManyComeAndGo) {
  Sender sender = Sender::established();
  for (int i = 0; i < 4; ++i) sender.send();
  auto first = change(sender);
  for (int i = 0; i < 1'000; ++i) {
    const auto gone = change(sender);
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 0U) << i;
  }
  sender.recovery.change_path(sender.now, std::move(first));
  EXPECT_EQ(sender.recovery.bytes_in_flight(), 4'800U);
}

/// A controller that knows nothing of the size of datagrams.
class Fixed final : public CongestionController {
 public:
  Fixed(std::uint64_t window, std::optional<std::uint64_t> rate) : window_(window), rate_(rate) {}
  void on_packet_sent(Instant, std::uint64_t, std::uint64_t) override {}
  void on_ack(const AckSample&) override {}
  void on_loss(const LossSample&) override {}
  void on_ecn_ce(Instant, Instant) override {}
  void on_mtu_changed(std::uint16_t) override {}
  [[nodiscard]] std::uint64_t window() const override { return window_; }
  [[nodiscard]] std::optional<std::uint64_t> pacing_rate() const override { return rate_; }

 private:
  std::uint64_t window_;
  std::optional<std::uint64_t> rate_;
};

// A window with no room for a datagram lets one leave at a time: nothing would come back to open it.
TEST(RecoveryPaths, AWindowBelowOneDatagramIsOne) {
  for (const std::uint64_t window : {0U, 1U, 1'300U, 1'471U, 1'472U}) {
    Sender sender = Sender::established();
    auto state = sender.recovery.make_path(
        {.max_datagram_size = 1'472}, std::make_unique<Fixed>(window, std::uint64_t{1'000'000}));
    sender.recovery.change_path(sender.now, std::move(state));
    EXPECT_EQ(sender.recovery.send_allowance(sender.now), 1'472U) << window;
    const PacketNumber number = sender.send(kApplication, 1'472);
    EXPECT_EQ(sender.recovery.send_allowance(sender.now), 0U) << window;
    sender.now += 1s;
    ASSERT_TRUE(sender.ack({{number, number}}));
    EXPECT_EQ(sender.recovery.send_allowance(sender.now), 1'472U) << window;
  }
}

}  // namespace
}  // namespace qpeer::transport
