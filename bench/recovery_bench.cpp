// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The cost of recovery a packet: a train of 45 packets sent and acknowledged by one ACK, and the
// receiver's bookkeeping.
#include <benchmark/benchmark.h>

#include <array>
#include <span>

#include "qpeer/transport/recovery/ack_tracker.hpp"
#include "qpeer/transport/recovery/recovery.hpp"
#include "qpeer/transport/wire/ack_frame.hpp"

namespace qpeer::transport {
namespace {

constexpr std::size_t kTrain = 45;
constexpr auto kSpace = PacketNumberSpace::application;

class CountFates final : public FateHandler {
 public:
  void on_frame_fate(Instant, PacketNumberSpace, const SentFrame&, Fate) override { ++count; }
  std::uint64_t count = 0;
};

/// Sends trains; the peer acknowledges each with one ACK, which leaves out `lost` of its packets.
void send_trains(benchmark::State& state, std::size_t lost) {
  Recovery recovery{Side::client, {}, make_new_reno(1200)};
  CountFates fates;
  Instant now{1s};
  recovery.on_handshake_confirmed(now);
  PacketNumber next = 0;
  const std::array<SentFrame, 1> frames{
      SentFrame{.owner = FrameOwner::stream_set, .type = 8, .length = 1150, .stream = {4}}};
  for (auto _ : state) {
    benchmark::DoNotOptimize(recovery.send_allowance(now));
    for (std::size_t i = 0; i < kTrain; ++i) {
      recovery.on_packet_sent(
          now, kSpace, {.number = next++, .size = 1200, .ack_eliciting = true, .in_flight = true},
          frames);
    }
    now += 1ms;
    const wire::AckFrame ack{.largest_acknowledged = next - 1,
                             .first_ack_range = kTrain - 1 - lost};
    benchmark::DoNotOptimize(recovery.on_ack(now, kSpace, ack, 0ms, fates));
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kTrain));
  if (fates.count < kTrain) state.SkipWithError("fates are missing");
}

void recovery_train(benchmark::State& state) { send_trains(state, 0); }
BENCHMARK(recovery_train);

void recovery_train_with_losses(benchmark::State& state) { send_trains(state, 5); }
BENCHMARK(recovery_train_with_losses);

/// An ACK of a train in congestion avoidance, through the controller alone; at times a loss, so that
/// the window stays what it is on a real path.
void controller_ack(benchmark::State& state, CongestionAlgorithm algorithm) {
  const auto controller = make_congestion_controller(algorithm, 1200);
  Instant now{1s};
  std::uint64_t acks = 0;
  constexpr std::uint64_t kAcked = kTrain * 1200;
  RateSample rate{.delivery_rate = 1000 * kAcked,
                  .delivered = 50 * kAcked,
                  .interval = 50ms,
                  .rtt = 50ms,
                  .tx_in_flight = 50 * kAcked,
                  .newly_acked = kAcked,
                  .total_delivered = 50 * kAcked,
                  .bytes_in_flight = 49 * kAcked};
  for (auto _ : state) {
    now += 1ms;
    rate.prior_delivered = rate.total_delivered - rate.delivered;
    rate.total_delivered += kAcked;
    if (++acks % 4096 == 0) {
      controller->on_packet_lost({.now = now,
                                  .order = acks,
                                  .size = 1200,
                                  .tx_in_flight = rate.tx_in_flight,
                                  .lost = 1200,
                                  .prior_delivered = rate.prior_delivered,
                                  .delivered = rate.total_delivered});
      controller->on_loss({.now = now, .lost_bytes = 1200, .largest_lost_sent_at = now - 1us});
    }
    controller->on_ack({.now = now,
                        .acked_bytes = kTrain * 1200,
                        .largest_acked_sent_at = now - 500us,
                        .bytes_in_flight = controller->window(),
                        .rtt_sample = 50ms,
                        .smoothed_rtt = 50ms,
                        .min_rtt = 50ms,
                        .rate = &rate});
    benchmark::DoNotOptimize(controller->window());
  }
}
BENCHMARK_CAPTURE(controller_ack, newreno, CongestionAlgorithm::new_reno);
BENCHMARK_CAPTURE(controller_ack, cubic, CongestionAlgorithm::cubic);
BENCHMARK_CAPTURE(controller_ack, bbr, CongestionAlgorithm::bbr);

void ack_tracker_in_order(benchmark::State& state) {
  AckTracker tracker{25ms};
  Instant now{1s};
  PacketNumber next = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < kTrain; ++i, ++next) {
      if (tracker.is_duplicate(next)) state.SkipWithError("not new");
      tracker.on_packet_received(now, next, true, Ecn::not_ect);
    }
    benchmark::DoNotOptimize(tracker.ack_due(now));
    tracker.on_ack_sent(now);
    now += 1ms;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kTrain));
}
BENCHMARK(ack_tracker_in_order);

/// Each tenth packet never comes.
void ack_tracker_with_gaps(benchmark::State& state) {
  AckTracker tracker{25ms};
  Instant now{1s};
  PacketNumber next = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < kTrain; ++i, ++next) {
      if (next % 10 == 9) ++next;
      benchmark::DoNotOptimize(tracker.is_duplicate(next));
      tracker.on_packet_received(now, next, true, Ecn::not_ect);
    }
    benchmark::DoNotOptimize(tracker.ack_due(now));
    tracker.on_ack_sent(now);
    now += 1ms;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kTrain));
}
BENCHMARK(ack_tracker_with_gaps);

}  // namespace
}  // namespace qpeer::transport
