// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Nothing is allocated once the flight has its size: counted at operator new.
#include <gtest/gtest.h>

#include "qpeer/tests/sim/counting_new_operators.hpp"
#include "qpeer/tests/unit/recovery/support.hpp"
#include "qpeer/transport/recovery/ack_tracker.hpp"

namespace qpeer::transport {
namespace {

class Ignore final : public FateHandler {
 public:
  void on_frame_fate(Instant, PacketNumberSpace, const SentFrame&, Fate) override {}
};

void count_allocations(Sender sender) {
  constexpr PacketNumber kTrain = 20;
  sender.recovery.on_handshake_confirmed(sender.now);
  AckTracker peer{25ms};
  Ignore fates;
  const auto round = [&](PacketNumber lost) {
    for (PacketNumber i = 0; i < kTrain; ++i) {
      const PacketNumber number = sender.send();
      if (i >= lost) peer.on_packet_received(sender.now, number, true, Ecn::not_ect);
    }
    sender.now += 10ms;
    peer.on_ack_sent(sender.now);
    const wire::AckFrame ack{.largest_acknowledged = peer.ranges()[0].largest,
                             .first_ack_range = kTrain - 1 - lost};
    ASSERT_TRUE(sender.recovery.on_ack(sender.now, kApplication, ack, 0ms, fates).has_value());
  };
  for (int i = 0; i < 10; ++i) round(static_cast<PacketNumber>(i % 3));
  const std::uint64_t before = sim::allocation_counts().allocations;
  for (int i = 0; i < 500; ++i) round(static_cast<PacketNumber>(i % 3));
  EXPECT_EQ(sim::allocation_counts().allocations, before);
}

TEST(RecoveryAllocation, IsNoneOverTenThousandPackets) {
  count_allocations(Sender{Side::client, {.pacing = false}});
}

TEST(RecoveryAllocation, IsNoneWhereRatesAreSampled) {
  count_allocations(Sender{Side::client, {.pacing = false}, std::make_unique<RateRecorder>()});
}

}  // namespace
}  // namespace qpeer::transport
