// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Nothing is allocated once the flight has its size: counted at operator new.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "qpeer/tests/unit/recovery/support.hpp"
#include "qpeer/transport/recovery/ack_tracker.hpp"

namespace {

std::size_t allocations = 0;

void* counted(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  std::abort();
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

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
  const std::size_t before = allocations;
  for (int i = 0; i < 500; ++i) round(static_cast<PacketNumber>(i % 3));
  EXPECT_EQ(allocations, before);
}

TEST(RecoveryAllocation, IsNoneOverTenThousandPackets) {
  count_allocations(Sender{Side::client, {.pacing = false}});
}

TEST(RecoveryAllocation, IsNoneWhereRatesAreSampled) {
  count_allocations(Sender{Side::client, {.pacing = false}, std::make_unique<RateRecorder>()});
}

}  // namespace
}  // namespace qpeer::transport
