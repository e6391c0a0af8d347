// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/ack_frequency.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace qpeer::transport {

void AckFrequency::set_peer(std::optional<Duration> min_ack_delay, Duration max_ack_delay) {
  min_ack_delay_ = min_ack_delay;
  offered_max_ack_delay_ = holds_ = max_ack_delay;
  request_.max_ack_delay = max_ack_delay;
}

Result AckFrequency::on_frame(const wire::AckFrequencyFrame& frame, AckTracker& acks) {
  // [draft-ietf-quic-ack-frequency-4-4]: whatever the order in which they come.
  constexpr std::uint64_t kMaxAckDelayUs = std::uint64_t{1U << 14} * 1000;
  const auto least = std::chrono::duration_cast<std::chrono::microseconds>(kMinAckDelay).count();
  if (frame.requested_max_ack_delay < static_cast<std::uint64_t>(least) ||
      frame.requested_max_ack_delay >= kMaxAckDelayUs) {
    return fail(TransportErrorCode::protocol_violation, "a delay of ACKs that cannot be",
                std::to_underlying(frame.kType));
  }
  // [draft-ietf-quic-ack-frequency-4-5].
  if (largest_received_ && frame.sequence_number <= *largest_received_) return {};
  largest_received_ = frame.sequence_number;
  // [draft-ietf-quic-ack-frequency-4-3].
  acks.set_frequency(frame.ack_eliciting_threshold,
                     std::chrono::microseconds(frame.requested_max_ack_delay),
                     frame.reordering_threshold);
  return {};
}

std::optional<AckFrequency::Request> AckFrequency::wanted(const Situation& situation,
                                                          std::uint64_t packets) const {
  // Where ACKs are lost as often as packets, few of them must not wait.
  if (lossy_ != 0 && packets <= kFewPackets) {
    return Request{.threshold = 0, .max_ack_delay = *min_ack_delay_, .reordering_threshold = 1};
  }
  if (packets < kBulk && lossy_ == 0 && next_sequence_number_ == 0) return std::nullopt;
  // draft-ietf-quic-ack-frequency §8.1: several ACKs a round trip, so that the window never waits; no
  // more than four when things have changed since.
  constexpr std::uint64_t kAcksPerRoundTrip = 3;
  return Request{
      .threshold = packets < kBulk ? 1 : std::min(packets / kAcksPerRoundTrip, kMaxThreshold) - 1,
      // §4: no less than the peer can do.
      .max_ack_delay = std::clamp<Duration>(situation.smoothed_rtt / kAcksPerRoundTrip,
                                            *min_ack_delay_, offered_max_ack_delay_),
      // [draft-ietf-quic-ack-frequency-9-1]: a packet that cannot be declared lost yet need not be reported missing.
      .reordering_threshold = situation.packet_threshold};
}

bool AckFrequency::differs(const Request& request) const {
  const auto much = [](auto now, auto before) {
    return 4 * now > 5 * before || 4 * now < 3 * before;
  };
  return much(request.threshold + 1, request_.threshold + 1) ||
         much(request.max_ack_delay, request_.max_ack_delay) ||
         much(request.reordering_threshold, request_.reordering_threshold);
}

void AckFrequency::update(const Situation& situation) {
  flight_ = std::max(flight_, situation.flight);
  if (situation.now < decide_at_ || to_send_ || !peer_takes_frames()) return;
  // §8.1: once a round trip is enough.
  decide_at_ = situation.now + situation.smoothed_rtt;
  if (std::exchange(packets_lost_, situation.packets_lost) != situation.packets_lost) {
    lossy_ = kLossMemory;
  } else if (lossy_ != 0) {
    --lossy_;
  }
  const auto request = wanted(situation, std::exchange(flight_, 0) / situation.packet_size);
  if (!request || !differs(*request)) return;
  request_ = *request;
  longest_in_flight_ = std::max(longest_in_flight_, request_.max_ack_delay);
  ++next_sequence_number_;  // [draft-ietf-quic-ack-frequency-4-1]
  to_send_ = true;
}

// [draft-ietf-quic-ack-frequency-7-1], [draft-ietf-quic-ack-frequency-7-2]: until it is known which of
// them holds. [draft-ietf-quic-ack-frequency-7-4] does not arise: we never ask for a threshold of 0.
Duration AckFrequency::max_ack_delay() const { return std::max(holds_, longest_in_flight_); }

void AckFrequency::write_frames(PacketWriter& out) {
  if (!to_send_) return;
  const wire::AckFrequencyFrame frame{
      .sequence_number = next_sequence_number_ - 1,
      .ack_eliciting_threshold = request_.threshold,
      .requested_max_ack_delay = static_cast<std::uint64_t>(
          std::chrono::ceil<std::chrono::microseconds>(request_.max_ack_delay).count()),
      .reordering_threshold = request_.reordering_threshold};
  const SentFrame sent{.owner = FrameOwner::ack_frequency,
                       .type = static_cast<u8>(frame.kType),
                       .stream = {},
                       .offset = frame.sequence_number};
  if (out.write(frame, sent)) to_send_ = false;
}

void AckFrequency::write_immediate(PacketWriter& out) const {
  if (!peer_takes_frames()) return;
  out.write(wire::ImmediateAckFrame{}, {.owner = FrameOwner::ack_frequency,
                                        .type = static_cast<u8>(wire::ImmediateAckFrame::kType),
                                        .stream = {}});
}

void AckFrequency::on_fate(const SentFrame& frame, Fate fate) {
  // draft-ietf-quic-ack-frequency §5: it is not sent again.
  if (frame.type == static_cast<u8>(wire::ImmediateAckFrame::kType)) return;
  // §4: a newer one takes its place.
  if (frame.offset + 1 != next_sequence_number_) return;
  if (fate == Fate::acked) {
    acknowledged_ = next_sequence_number_;
    holds_ = request_.max_ack_delay;
    longest_in_flight_ = {};
    to_send_ = false;
  } else if (acknowledged_ != next_sequence_number_) {
    to_send_ = true;
  }
}

}  // namespace qpeer::transport
