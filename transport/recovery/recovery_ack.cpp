// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What an ACK frame causes: fates, an RTT sample, ECN, losses, congestion. RFC 9002 §A.7.
#include <algorithm>
#include <utility>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/recovery/recovery.hpp"

namespace qpeer::transport {

struct Recovery::Acknowledged {
  bool any = false;
  bool ack_eliciting = false;
  PacketNumber largest = 0;
  PacketNumber largest_before = 0;  ///< Of all ACKs before this one.
  Instant largest_sent_at = Instant::min();
  bool largest_on_path = false;
  std::uint64_t bytes = 0;   ///< Of those in flight on the path in use.
  std::uint64_t marked = 0;  ///< How many left with ECT(0).
};

void Recovery::acknowledge(Instant now, PacketNumberSpace id, PacketNumber smallest,
                           PacketNumber largest, Acknowledged& newly, FateHandler& fates) {
  SentPackets& sent = at(id).sent;
  const std::uint16_t path = path_->tag;
  DeliveryRate* const rate = path_->rate.get();
  const auto end = sent.end_index();
  for (auto i = sent.lower_bound(smallest); i != end; ++i) {
    const SentPacket& packet = sent[i];
    if (packet.number > largest) break;
    if (!packet.outstanding()) continue;
    sent.resolve(i, SentPacket::State::acked);
    newly.any = true;
    newly.ack_eliciting = newly.ack_eliciting || packet.ack_eliciting;
    // RFC 9000 §9.4 [rfc9000-9.4-1].
    const bool on_path = packet.path == path;
    if (on_path && packet.in_flight) {
      newly.bytes += packet.size;
      if (rate != nullptr)
        rate->on_packet_acked(now, packet.sent_at, packet.size, sent.snapshot(i));
    }
    if (on_path && packet.ecn == Ecn::ect0) ++newly.marked;
    if (on_path && packet.ack_eliciting) {
      path_->black_hole.on_acknowledged(packet.number, packet.size);
    }
    if (packet.number < newly.largest_before && on_path) {
      path_->reordering.on_reordered(now, packet.sent_at, newly.largest_before - packet.number,
                                     path_->rtt);
    }
    if (packet.sent_at >= newly.largest_sent_at) {
      newly.largest_sent_at = packet.sent_at;
      newly.largest_on_path = on_path;
      newly.largest = std::max(newly.largest, packet.number);
    }
    sent.for_each_frame(
        packet, [&](const SentFrame& frame) { fates.on_frame_fate(now, id, frame, Fate::acked); });
  }
}

/// Losses that were none: their frames need not go out again, and the path reorders.
void Recovery::acknowledge_late(Instant now, PacketNumberSpace id, const wire::AckFrame& ack,
                                PacketNumber largest_before, FateHandler& fates) {
  LostPackets& lost = at(id).lost;
  // What comes later than this will hardly come, and would teach us nothing that we could use.
  constexpr int kMemoryPtos = 3;
  lost.forget_older(now - kMemoryPtos * pto());
  ack.for_each_range([&](PacketNumber smallest, PacketNumber largest) {
    lost.acknowledge(
        smallest, largest,
        [&](const LostPackets::Record& packet) { on_spurious_loss(now, packet, largest_before); },
        [&](const SentFrame& frame) { fates.on_frame_fate(now, id, frame, Fate::acked); });
    return !lost.empty();
  });
}

void Recovery::on_spurious_loss(Instant now, const LostPackets::Record& packet,
                                PacketNumber largest_before) {
  ++spurious_losses_;
  if (packet.path != path_->tag) return;
  path_->black_hole.on_acknowledged(packet.number, packet.size);
  if (path_->rate) path_->rate->on_spurious_loss(now, packet.size);
  if (packet.number < largest_before) {
    path_->reordering.on_reordered(now, packet.sent_at, largest_before - packet.number, path_->rtt);
  }
  LossEvent& event = path_->loss_event;
  if (!event.on_spurious(packet.event)) return;
  path_->controller->on_spurious_loss(
      {.now = now, .bytes = event.bytes(), .largest_lost_sent_at = event.largest_sent_at()});
}

void Recovery::update_rtt(Instant now, PacketNumberSpace id, Instant sent_at, Duration ack_delay) {
  if (id == PacketNumberSpace::initial) {
    ack_delay = Duration::zero();  // RFC 9002 §5.3 [rfc9002-5.3-3].
  } else if (handshake_confirmed_) {
    ack_delay =
        std::min(ack_delay, max_ack_delay_);  // RFC 9002 §5.3 [rfc9002-5.3-4], [rfc9002-5.3-5]
  }
  path_->rtt.update(now, now - sent_at, ack_delay);
}

std::expected<AckOutcome, TransportError> Recovery::on_ack(Instant now, PacketNumberSpace id,
                                                           const wire::AckFrame& ack,
                                                           Duration ack_delay, FateHandler& fates) {
  Space& space = at(id);
  // RFC 9000 §13.1 [rfc9000-13.1-2]: checked before anything is believed.
  if (!ack.for_each_range([&](PacketNumber smallest, PacketNumber largest) {
        return space.sent.were_sent(smallest, largest);
      })) {
    return fail(TransportErrorCode::protocol_violation, "ACK of a packet that was never sent",
                std::to_underlying(ack.type()));
  }
  const bool rises =
      !space.largest_acknowledged || ack.largest_acknowledged > *space.largest_acknowledged;
  const PacketNumber largest_before = space.largest_acknowledged.value_or(0);
  if (rises) space.largest_acknowledged = ack.largest_acknowledged;
  if (!space.lost.empty()) acknowledge_late(now, id, ack, largest_before, fates);

  const std::uint64_t flight = bytes_in_flight();
  Acknowledged newly{.largest_before = largest_before};
  ack.for_each_range([&](PacketNumber smallest, PacketNumber largest) {
    acknowledge(now, id, smallest, largest, newly, fates);
    // Ranges descend, so the rest is older than all that is tracked.
    return !space.sent.empty() && smallest > space.sent[space.sent.begin_index()].number;
  });
  if (!newly.any) return AckOutcome{};
  space.newest_acknowledged_sent_at =
      std::max(space.newest_acknowledged_sent_at, newly.largest_sent_at);

  // RFC 9002 §5.1 [rfc9002-5.1-1], [rfc9002-5.1-2].
  const bool measures =
      newly.largest == ack.largest_acknowledged && newly.ack_eliciting && newly.largest_on_path;
  if (measures) update_rtt(now, id, newly.largest_sent_at, ack_delay);
  // RFC 9000 §13.4.2.1 [rfc9000-13.4.2.1-1]: older ACKs say nothing of ECN.
  // RFC 9000 §9.4 [rfc9000-9.4-1]: where nothing of this path was acknowledged, another was congested.
  const std::uint64_t ce = rises ? path_->ecn.on_ack(id, newly.marked, ack.ecn) : 0;
  if (ce != 0 && newly.marked != 0) {
    if (path_->rate) path_->rate->on_marked(std::min(ce * path_->max_datagram_size, newly.bytes));
    path_->loss_event.on_ecn_ce();
    path_->controller->on_ecn_ce(now, newly.largest_sent_at);
  }
  space.sent.forget_resolved();
  detect_losses(now, id, fates);
  if (newly.bytes != 0) {
    const RttEstimator& rtt = path_->rtt;
    const RateSample* const rate =
        path_->rate ? &path_->rate->take_sample(now, rtt.min(), bytes_in_flight()) : nullptr;
    path_->window_use.on_ack(now, newly.largest_sent_at, flight);
    const bool limited =
        path_->application_limited || !path_->window_use.covers(path_->controller->window());
    path_->controller->on_ack({.now = now,
                               .acked_bytes = newly.bytes,
                               .largest_acked_sent_at = newly.largest_sent_at,
                               .bytes_in_flight = flight,
                               .application_limited = limited,
                               .rtt_sample = measures ? rtt.latest() : Duration::zero(),
                               .smoothed_rtt = rtt.smoothed(),
                               .min_rtt = rtt.min(),
                               .rate = rate});
  }
  if (id == PacketNumberSpace::handshake) peer_validated_address_ = true;
  // RFC 9002 §6.2.1: a client that may still have to unblock the server keeps its back-off.
  if (peer_validated_address_) pto_.reset();
  if (newly.ack_eliciting) space.probes = 0;
  set_timer(now);
  log_changes();
  if (log_ != nullptr) [[unlikely]]
    log_->on_timer(logged_timer());
  QPEER_ASSERT(consistent());
  return AckOutcome{.newly_acknowledged = true, .ack_eliciting = newly.ack_eliciting};
}

void Recovery::detect_losses(Instant now, PacketNumberSpace id, FateHandler& fates) {
  Space& space = at(id);
  space.loss_time = kNever;
  if (!space.largest_acknowledged) return;
  LossQuery query{.now = now,
                  .space = id,
                  .largest_acknowledged = *space.largest_acknowledged,
                  .max_ack_delay = max_ack_delay_,
                  .log = log_ != nullptr ? &log_->log() : nullptr};
  for (const Space& other : spaces_) {
    if (&other == &space) continue;
    query.acknowledged_elsewhere =
        std::max(query.acknowledged_elsewhere, other.newest_acknowledged_sent_at);
  }
  const LossFindings found = detect_lost(space.sent, space.lost, *path_, query, fates);
  space.loss_time = found.loss_time;
  if (found.packets == 0) return;
  packets_lost_ += found.packets;
  if (found.bytes == 0) return;  // All of them were of other paths.
  path_->ecn.on_lost(found.marked);
  if (found.persistent_congestion) path_->rtt.on_persistent_congestion();
  // RFC 9000 §13.3 [rfc9000-13.3-7].
  path_->controller->on_loss({.now = now,
                              .lost_bytes = found.bytes,
                              .largest_lost_sent_at = found.largest_sent_at,
                              .persistent_congestion = found.persistent_congestion});
  // RFC 9002 §7.3.2, §B.6: also where the window is as small as it can be.
  if (found.recovery_begins) path_->recovery_packet = true;
}

}  // namespace qpeer::transport
