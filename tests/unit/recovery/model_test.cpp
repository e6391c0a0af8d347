// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Random sends, losses and reorderings, held against a naive model: every frame gets one final
// fate, the flight is the sum of what is outstanding, the window is kept.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/tests/unit/recovery/support.hpp"
#include "qpeer/transport/recovery/ack_tracker.hpp"

namespace qpeer::transport {
namespace {

struct Modelled {
  std::uint64_t size = 0;
  bool in_flight = false;
  bool outstanding = true;
  int acked = 0;
  int lost = 0;
  int late = 0;  ///< Acknowledged after it was lost.
};

/// One sender, one receiver that is an AckTracker, and a link that loses and reorders both ways.
class Model final : public FateHandler {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {
    sender_.recovery.on_handshake_confirmed(sender_.now);
  }

  void run() {
    for (int step = 0; step < 3000 && !testing::Test::HasFatalFailure(); ++step) turn();
    for (int step = 0; step < 400 && !testing::Test::HasFatalFailure(); ++step) settle();
    for (const auto& [number, packet] : packets_) {
      if (!packet.in_flight) continue;
      ASSERT_FALSE(packet.outstanding) << "packet " << number << " has no fate";
      ASSERT_EQ(packet.acked + packet.lost, 1) << "packet " << number;
    }
    EXPECT_EQ(sender_.recovery.spurious_losses(),
              static_cast<std::uint64_t>(std::ranges::count_if(
                  packets_, [](const auto& each) { return each.second.late; })));
    EXPECT_EQ(sender_.recovery.bytes_in_flight(), 0U);
    EXPECT_EQ(sender_.recovery.deadline(), kNever);
  }

  void on_frame_fate(Instant, PacketNumberSpace, const SentFrame& frame, Fate fate) override {
    Modelled& packet = packets_.at(frame.offset);
    if (!packet.outstanding) {
      ASSERT_EQ(fate, Fate::acked) << "a second fate for " << frame.offset;
      ASSERT_TRUE(packet.lost == 1 && packet.late == 0 && arrived_.contains(frame.offset));
      ++packet.late;
      return;
    }
    packet.outstanding = false;
    ++(fate == Fate::acked ? packet.acked : packet.lost);
    if (fate == Fate::acked) {
      ASSERT_TRUE(arrived_.contains(frame.offset));
    }
  }

 private:
  bool chance(unsigned percent) { return random_() % 100 < percent; }

  void turn() {
    sender_.now += Duration{random_() % 2'000'000};
    on_timer();
    const std::uint64_t burst = random_() % 5;
    for (std::uint64_t i = 0; i < burst; ++i) {
      if (sender_.recovery.send_allowance(sender_.now) != 0) send(chance(85));
    }
    if (chance(5)) sender_.skip();
    avoid_deadlock();
    deliver();
    check();
  }
  /// Sends only what brings the rest to an end, over a link that loses nothing any more.
  void settle() {
    lossy_ = false;
    sender_.now += 20ms;
    on_timer();
    avoid_deadlock();
    deliver();
    check();
  }

  /// RFC 9000 §13.2.7 [rfc9000-13.2.7-1]: nobody acknowledges padding alone.
  void avoid_deadlock() {
    const Recovery& recovery = sender_.recovery;
    if (recovery.bytes_in_flight() != 0 && !recovery.ack_eliciting_in_flight()) send(true);
  }

  void on_timer() {
    if (sender_.now < sender_.recovery.deadline()) return;
    sender_.recovery.on_deadline(sender_.now, *this);
    while (sender_.recovery.probes(kApplication) != 0) send(true);
  }

  void send(bool ack_eliciting) {
    const auto size = static_cast<std::uint16_t>(100 + random_() % 1100);
    const bool in_flight = ack_eliciting || chance(50);
    const PacketNumber number = sender_.next[2];
    packets_[number] = {.size = size, .in_flight = in_flight};
    sender_.send_packet(kApplication,
                        {.size = size, .ack_eliciting = ack_eliciting, .in_flight = in_flight});
    if (lossy_ && chance(8)) return;
    const Instant arrival = sender_.now + 10ms + Duration{random_() % 4'000'000};
    to_peer_.emplace(arrival, std::pair{number, ack_eliciting});
  }

  void deliver() {
    while (!to_peer_.empty() && to_peer_.begin()->first <= sender_.now) {
      const auto [number, ack_eliciting] = to_peer_.begin()->second;
      to_peer_.erase(to_peer_.begin());
      if (peer_.is_duplicate(number)) continue;
      arrived_[number] = true;
      peer_.on_packet_received(sender_.now, number, ack_eliciting, Ecn::not_ect);
    }
    if (peer_.ack_due(sender_.now)) {
      const auto ranges = peer_.ranges();
      peer_.on_ack_sent(sender_.now);
      if (!lossy_ || !chance(10)) {
        to_us_.emplace(sender_.now + 10ms + Duration{random_() % 4'000'000},
                       std::vector(ranges.begin(), ranges.end()));
      }
    }
    while (!to_us_.empty() && to_us_.begin()->first <= sender_.now) {
      const Ack ack{to_us_.begin()->second};
      to_us_.erase(to_us_.begin());
      const auto outcome =
          sender_.recovery.on_ack(sender_.now, kApplication, ack.frame(), {}, *this);
      ASSERT_TRUE(outcome.has_value());
      if (chance(30)) peer_.on_ack_acknowledged(ack.frame().largest_acknowledged);
    }
  }

  void check() {
    std::uint64_t flight = 0;
    for (const auto& [number, packet] : packets_) {
      if (packet.outstanding && packet.in_flight) flight += packet.size;
    }
    ASSERT_EQ(flight, sender_.recovery.bytes_in_flight());
    ASSERT_GE(sender_.recovery.congestion_window(), 2400U);
    const std::uint64_t allowance = sender_.recovery.send_allowance(sender_.now);
    ASSERT_TRUE(allowance == 0 || allowance >= 1200);
  }

  std::mt19937_64 random_;
  Sender sender_;
  AckTracker peer_{25ms};
  std::map<PacketNumber, Modelled> packets_;
  std::map<PacketNumber, bool> arrived_;
  std::multimap<Instant, std::pair<PacketNumber, bool>> to_peer_;
  std::multimap<Instant, std::vector<wire::PacketNumberRange>> to_us_;
  bool lossy_ = true;
};

TEST(RecoveryModel, GivesEachFrameOneFateUnderLossAndReordering) {
  const char* const fixed = std::getenv("QPEER_SEED");
  const std::uint64_t first = fixed != nullptr ? std::stoull(fixed) : 1;
  const std::uint64_t last = fixed != nullptr ? first : 30;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("QPEER_SEED=" + std::to_string(seed));
    Model{seed}.run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace qpeer::transport
