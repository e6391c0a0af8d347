// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/recovery/loss_detector.hpp"

#include <algorithm>

namespace qpeer::transport {
namespace {

/// Watches the lost packets of one pass, oldest first, for two that prove persistent congestion.
class PersistentCongestion {
 public:
  PersistentCongestion(const LossQuery& query, const RttEstimator& rtt)
      : duration_(persistent_congestion_duration(rtt, query.max_ack_delay)),
        first_sample_at_(rtt.first_sample_at().value_or(kNever)),
        acknowledged_elsewhere_(query.acknowledged_elsewhere) {}

  void on_acknowledged() { start_ = kNever; }
  void on_lost(const SentPacket& packet) {
    // RFC 9002 §7.6.2 [rfc9002-7.6.2-1], [rfc9002-7.6.2-2]: both ends ask for an ACK and were sent
    // when an RTT was known.
    if (!packet.ack_eliciting || packet.sent_at <= first_sample_at_) return;
    // RFC 9002 §7.6.2 [rfc9002-7.6.2-3]: something between them arrived, if in another space.
    if (start_ < acknowledged_elsewhere_ && acknowledged_elsewhere_ < packet.sent_at) {
      start_ = kNever;
    }
    if (start_ == kNever) start_ = packet.sent_at;
    established_ = established_ || packet.sent_at - start_ > duration_;
  }
  [[nodiscard]] bool established() const { return established_; }

 private:
  Duration duration_;
  Instant first_sample_at_;
  Instant acknowledged_elsewhere_;
  Instant start_ = kNever;  ///< When the oldest of an unbroken row of losses was sent.
  bool established_ = false;
};

}  // namespace

Duration persistent_congestion_duration(const RttEstimator& rtt, Duration max_ack_delay) {
  return rtt.pto(max_ack_delay) * kPersistentCongestionThreshold;
}

LossFindings detect_lost(SentPackets& packets, LostPackets& lost, PathState& path,
                         const LossQuery& query, FateHandler& fates) {
  LossFindings found;
  PersistentCongestion persistent{query, path.rtt};
  path.reordering.expire(query.now, path.rtt);
  const Duration delay = path.reordering.time_threshold(path.rtt);
  const PacketNumber packet_threshold = path.reordering.packet_threshold();
  for (auto at = packets.begin_index(); at != packets.end_index(); ++at) {
    const SentPacket& packet = packets[at];
    if (packet.number > query.largest_acknowledged) break;
    if (packet.state == SentPacket::State::acked) persistent.on_acknowledged();
    if (!packet.outstanding()) continue;
    const bool overtaken = query.largest_acknowledged - packet.number >= packet_threshold;
    // RFC 9002 §6.1.2 [rfc9002-6.1.2-1].
    if (!overtaken && packet.sent_at + delay > query.now) {
      if (!packet.in_flight) continue;
      // RFC 9002 §6.1.2 [rfc9002-6.1.2-3]. All that follow were sent later, so none is lost yet.
      found.loss_time = packet.sent_at + delay;
      break;
    }
    packets.resolve(at, SentPacket::State::lost);
    log::emit(query.log, [&] {
      using Trigger = log::PacketLost::Trigger;
      return log::PacketLost{
          .space = query.space,
          .packet_number = packet.number,
          .is_mtu_probe_packet = packet.mtu_probe,
          .trigger = overtaken ? Trigger::reordering_threshold : Trigger::time_threshold};
    });
    // RFC 9000 §9.4 [rfc9000-9.4-1], §14.4 [rfc9000-14.4-1]; RFC 8899 §3 [rfc8899-3-16]: another
    // path's losses, and a probe's that was too large, are no congestion here.
    const bool counts = packet.path == packets.path() && !packet.mtu_probe;
    if (counts) persistent.on_lost(packet);
    if (packet.in_flight && !packet.mtu_probe) ++found.packets;
    std::uint32_t event = 0;
    if (packet.in_flight && counts) {
      found.bytes += packet.size;
      found.largest_sent_at = std::max(found.largest_sent_at, packet.sent_at);
      if (packet.ecn != Ecn::not_ect) ++found.marked;
      if (path.rate) {
        path.controller->on_packet_lost(
            path.rate->on_packet_lost(query.now, packet.size, packets.snapshot(at)));
      }
      const std::uint32_t before = path.loss_event.id();
      event = path.loss_event.on_lost(query.now, packet.sent_at, packet.size);
      found.recovery_begins = found.recovery_begins || event != before;
      path.black_hole.on_lost(packet.number, packet.size);
    }
    // Whether one of another path comes late teaches nothing of this one.
    if (packet.in_flight && packet.path == packets.path()) lost.add(packets, packet, event);
    // The frames of one that a probe replaced were reported then.
    if (packet.replaced) continue;
    packets.for_each_frame(packet, [&](const SentFrame& frame) {
      fates.on_frame_fate(query.now, query.space, frame, Fate::lost);
    });
  }
  path.black_hole.end_pass();
  found.persistent_congestion = persistent.established();
  packets.forget_resolved();
  return found;
}

}  // namespace qpeer::transport
