// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Sending, time and the progress of the handshake; recovery_ack.cpp is what ACKs cause.
#include "qpeer/transport/recovery/recovery.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer::transport {
Recovery::Recovery(Side side, const RecoveryConfig& config,
                   std::unique_ptr<CongestionController> controller)
    : side_(side),
      pacing_enabled_(config.pacing),
      peer_validated_address_(side == Side::server),
      path_(make_path(config, std::move(controller))) {
  for (Space& space : spaces_) {
    space.sent.set_path(path_->tag);
    if (path_->rate) space.sent.keep_snapshots();
  }
}

Recovery::~Recovery() = default;
Recovery::Recovery(Recovery&&) noexcept = default;
Recovery& Recovery::operator=(Recovery&&) noexcept = default;

Recovery::Space& Recovery::at(PacketNumberSpace space) {
  return spaces_[static_cast<std::size_t>(space)];
}
const Recovery::Space& Recovery::at(PacketNumberSpace space) const {
  return spaces_[static_cast<std::size_t>(space)];
}

// --- sending -----------------------------------------------------------------------------------

std::uint64_t Recovery::window() const {
  return std::max<std::uint64_t>(path_->controller->window(), path_->max_datagram_size);
}

Pacer::Rate Recovery::pacing() const {
  const std::uint16_t size = path_->max_datagram_size;
  const std::uint64_t burst =
      path_->rtt.first_sample_at() ? Pacer::kMinBurstPackets : Pacer::kInitialBurstPackets;
  const auto named = path_->controller->pacing_rate();
  Pacer::Rate rate = named ? Pacer::rate_of(*named, size, burst)
                           : Pacer::rate_of(window(), path_->rtt.smoothed(), size, burst);
  // Several trains a window, so that ACKs keep coming where the round trip is shorter than a train.
  rate.train = std::clamp<std::uint64_t>(window() / 4, size, rate.train);
  return rate;
}

std::uint64_t Recovery::window_allowance() const {
  for (const Space& space : spaces_) {
    if (space.sent.full()) return 0;
  }
  // RFC 9002 §7 [rfc9002-7-3]: the flight stays within the window.
  const std::uint64_t most = window();
  const std::uint64_t flight = bytes_in_flight();
  const std::uint64_t room = most > flight ? most - flight : 0;
  if (room >= path_->max_datagram_size) return room;
  return path_->recovery_packet ? path_->max_datagram_size : 0;
}

std::uint64_t Recovery::send_allowance(Instant now) const {
  const std::uint64_t room = window_allowance();
  if (room == 0 || !pacing_enabled_) return room;
  // RFC 9002 §7.7 [rfc9002-7.7-1].
  const Pacer::Rate rate = pacing();
  const std::int64_t budget = path_->pacer.budget(now, rate);
  const std::uint64_t least = path_->pacer.least(rate, path_->max_datagram_size);
  if (budget < static_cast<std::int64_t>(least)) return 0;
  return std::min(room, static_cast<std::uint64_t>(budget));
}

Instant Recovery::pacing_deadline(Instant now) const {
  if (!pacing_enabled_ || window_allowance() == 0) return kNever;
  const Pacer::Rate rate = pacing();
  const std::uint64_t least = path_->pacer.least(rate, path_->max_datagram_size);
  if (path_->pacer.budget(now, rate) >= static_cast<std::int64_t>(least)) return kNever;
  return path_->pacer.available_at(now, rate, least);
}

void Recovery::on_packet_sent(Instant now, PacketNumberSpace id, const SentPacketInfo& packet,
                              std::span<const SentFrame> frames) {
  QPEER_INVARIANT(!packet.ack_eliciting || packet.in_flight || packet.other_path, return);
  Space& space = at(id);
  space.sent.add(now, packet, frames);
  if (packet.other_path) return;
  path_->ecn.on_sent(id, packet.ecn);
  // RFC 9002 §7.7 [rfc9002-7.7-5]: ACKs alone are neither counted nor paced.
  if (!packet.in_flight) return;
  if (path_->rate) sample_sent(now, id, packet.size);
  // RFC 9002 §7.5 [rfc9002-7.5-2]: probes count like all others.
  if (pacing_enabled_) {
    if (path_->pacer.must_refill(now)) path_->pacer.refill(now, pacing());
    path_->pacer.on_sent(packet.size);
  }
  const std::uint64_t flight = bytes_in_flight();
  path_->window_use.on_sent(flight);
  path_->controller->on_packet_sent(now, packet.size, flight);
  path_->recovery_packet = false;
  if (packet.ack_eliciting) {
    space.last_ack_eliciting_sent_at = now;
    // RFC 9002 §6.2.4 [rfc9002-6.2.4-3]: only what asks for an ACK is a probe.
    // One that is larger than what is known to arrive is none either.
    if (space.probes != 0 && !packet.mtu_probe) --space.probes;
  }
  set_timer(now);  // RFC 9002 §6.2.1 [rfc9002-6.2.1-4].
  log_changes();
}

Ecn Recovery::ecn_mark() const {
  // A path that drops marked packets must not hold up the handshake: probes go without.
  if (path_->ecn.state() == EcnValidator::State::testing && pto_.count() != 0) return Ecn::not_ect;
  return path_->ecn.mark();
}

void Recovery::sample_sent(Instant now, PacketNumberSpace id, std::uint16_t size) {
  const std::uint64_t flight = bytes_in_flight();
  DeliveryRate& rate = *path_->rate;
  if (flight <= size && rate.is_application_limited()) path_->controller->on_restart_from_idle(now);
  // A handshake never fills the path.
  if (id != PacketNumberSpace::application) rate.mark_application_limited(flight);
  at(id).sent.set_snapshot(rate.on_packet_sent(now, size, flight));
}

void Recovery::set_application_limited(bool limited) {
  path_->application_limited = limited;
  if (limited && path_->rate && bytes_in_flight() < window()) {
    path_->rate->mark_application_limited(bytes_in_flight());
  }
}

// --- time --------------------------------------------------------------------------------------

Instant Recovery::deadline() const {
  if (timer_changed_) deadline_ = timer();
  timer_changed_ = false;
  return deadline_;
}

void Recovery::set_timer(Instant now) {
  timer_set_at_ = now;
  timer_changed_ = true;
}

Pto::Conditions Recovery::pto_conditions(Instant now) const {
  Pto::Conditions conditions{.now = now,
                             .max_ack_delay = max_ack_delay_,
                             .handshake_confirmed = handshake_confirmed_,
                             .has_handshake_keys = has_handshake_keys_,
                             .peer_validated_address = peer_validated_address_};
  for (std::size_t i = 0; i < kPacketNumberSpaces; ++i) {
    conditions.outstanding[i] = spaces_[i].sent.ack_eliciting_outstanding() != 0;
    conditions.last_sent_at[i] = spaces_[i].last_ack_eliciting_sent_at;
  }
  return conditions;
}

Instant Recovery::timer() const {
  Instant loss_time = kNever;
  for (const Space& space : spaces_) loss_time = std::min(loss_time, space.loss_time);
  // RFC 9002 §6.2.1 [rfc9002-6.2.1-6]: the time threshold goes before the PTO.
  if (loss_time != kNever) return loss_time;
  // RFC 9002 §6.2.2.1 [rfc9002-6.2.2.1-1]: we could not send the probe.
  if (side_ == Side::server && amplification_blocked_) return kNever;
  return pto_.next(pto_conditions(timer_set_at_), path_->rtt).at;
}

void Recovery::on_deadline(Instant now, FateHandler& fates) {
  if (now < deadline()) return;
  if (log_ != nullptr) log_->on_timer_expired(logged_timer());
  const auto earliest =
      std::min_element(spaces_.begin(), spaces_.end(),
                       [](const Space& a, const Space& b) { return a.loss_time < b.loss_time; });
  if (earliest->loss_time != kNever) {
    detect_losses(now, kAllPacketNumberSpaces[static_cast<std::size_t>(earliest - spaces_.begin())],
                  fates);
  } else {
    on_pto(now);
  }
  set_timer(now);
  log_changes();
  if (log_ != nullptr) log_->on_timer(logged_timer());
  QPEER_ASSERT(consistent());
}

void Recovery::on_pto(Instant now) {
  const Pto::Timer timer = pto_.next(pto_conditions(now), path_->rtt);
  pto_.on_expired();
  if (timer.anti_deadlock) return arm_probes(timer.space, 1);
  // RFC 9002 §6.2.4 [rfc9002-6.2.4-1], [rfc9002-6.2.4-2].
  const bool single = timer.space != PacketNumberSpace::application &&
                      at(timer.space).sent.ack_eliciting_outstanding() < 2;
  arm_probes(timer.space, single ? 1 : 2);
  // RFC 9002 §6.2.4 [rfc9002-6.2.4-4]: the peer may have the keys of one space only.
  for (const PacketNumberSpace other : kAllPacketNumberSpaces) {
    if (other != timer.space && at(other).sent.ack_eliciting_outstanding() != 0) {
      arm_probes(other, 1);
    }
  }
}

void Recovery::on_refused(Instant /*now*/) {
  for (const PacketNumberSpace space : kAllPacketNumberSpaces) {
    if (at(space).sent.ack_eliciting_outstanding() != 0) arm_probes(space, 2);
  }
}

void Recovery::on_packet_received(Instant now) {
  const Instant before = std::exchange(received_at_, now);
  if (pto_.count() == 0 || !peer_validated_address_) return;
  // RFC 9002 §6.2.1 [rfc9002-6.2.1-5]: the peer is there again. Who sends without end and acknowledges
  // nothing does not keep us from backing off.
  if (before != Instant::min() && now - before < pto()) return;
  pto_.reset();
  set_timer(now);
}

void Recovery::on_network_changed(Instant now) {
  pto_.reset();
  on_refused(now);
  set_timer(now);
}

void Recovery::arm_probes(PacketNumberSpace id, unsigned count) {
  Space& space = at(id);
  space.probes = std::max(space.probes, count);
  if (!space.sent.empty()) {
    space.replaceable_below = space.sent[space.sent.end_index() - 1].number + 1;
  }
}

bool Recovery::replace_oldest(Instant now, PacketNumberSpace id, FateHandler& fates) {
  SentPackets& sent = at(id).sent;
  // RFC 9002 §6.2 [rfc9002-6.2-1]: the packet stays outstanding. Only its frames are asked for
  // again, so that a probe carries what the peer waits for longest. The second probe of a timeout is
  // no copy of the first.
  for (auto i = sent.begin_index(); i != sent.end_index(); ++i) {
    const SentPacket& packet = sent[i];
    if (packet.number >= at(id).replaceable_below) return false;
    if (!packet.outstanding() || !packet.ack_eliciting || packet.mtu_probe || packet.replaced) {
      continue;
    }
    sent.replace(i);
    sent.for_each_frame(
        packet, [&](const SentFrame& frame) { fates.on_frame_fate(now, id, frame, Fate::lost); });
    return true;
  }
  return false;
}

unsigned Recovery::probes(PacketNumberSpace space) const { return at(space).probes; }

// --- progress of the handshake -----------------------------------------------------------------

void Recovery::set_amplification_blocked(Instant now, bool blocked) {
  if (amplification_blocked_ == blocked) return;
  amplification_blocked_ = blocked;
  set_timer(now);
}

void Recovery::on_address_validated_by_peer(Instant now) {
  peer_validated_address_ = true;
  set_timer(now);
}

void Recovery::on_handshake_keys() { has_handshake_keys_ = true; }

void Recovery::on_handshake_confirmed(Instant now) {
  handshake_confirmed_ = true;
  peer_validated_address_ = true;
  set_timer(now);
}

void Recovery::set_peer_max_ack_delay(Duration max_ack_delay) { max_ack_delay_ = max_ack_delay; }

void Recovery::drop_outstanding(Instant now, PacketNumberSpace id, Fate fate, FateHandler& fates) {
  Space& space = at(id);
  for (auto i = space.sent.begin_index(); i != space.sent.end_index(); ++i) {
    if (!space.sent[i].outstanding()) continue;
    space.sent.for_each_frame(
        space.sent[i], [&](const SentFrame& frame) { fates.on_frame_fate(now, id, frame, fate); });
  }
  space.sent.clear();
  space.lost.clear();
  space.loss_time = kNever;
  space.probes = 0;
  pto_.reset();
}

void Recovery::discard_space(Instant now, PacketNumberSpace space, FateHandler& fates) {
  // RFC 9002 §6.4 [rfc9002-6.4-1], §6.2.2 [rfc9002-6.2.2-4].
  drop_outstanding(now, space, Fate::discarded, fates);
  set_timer(now);
  log_changes();
}

void Recovery::reset_space(Instant now, PacketNumberSpace space, FateHandler& fates) {
  // RFC 9002 §6.3: a Retry acknowledges nothing and says nothing of congestion.
  drop_outstanding(now, space, Fate::lost, fates);
  set_timer(now);
}

void Recovery::set_max_datagram_size(std::uint16_t size) {
  path_->max_datagram_size = size;
  path_->black_hole.set_full_size(size);
  path_->controller->on_mtu_changed(size);
  log_changes();
}

// --- paths -------------------------------------------------------------------------------------

std::unique_ptr<PathState> Recovery::make_path(const RecoveryConfig& config,
                                               std::unique_ptr<CongestionController> controller) {
  auto path = std::make_unique<PathState>(config, std::move(controller));
  if (++last_tag_ == PathState::kNoTag) ++last_tag_;
  path->tag = last_tag_;
  return path;
}

std::unique_ptr<PathState> Recovery::change_path(Instant now, std::unique_ptr<PathState> path) {
  // The peer's counts go on over all paths.
  path->ecn.continue_counts_of(path_->ecn);
  std::swap(path_, path);
  // RFC 9000 §9.4 [rfc9000-9.4-1]: what left over another path is in flight there.
  for (Space& space : spaces_) {
    space.sent.set_path(path_->tag);
    if (path_->rate) space.sent.keep_snapshots();
  }
  // Failures of the old path do not make the new one wait.
  pto_.reset();
  set_timer(now);
  log_changes();
  QPEER_ASSERT(consistent());
  return path;
}

// --- figures -----------------------------------------------------------------------------------

const RttEstimator& Recovery::rtt() const { return path_->rtt; }
Duration Recovery::pto() const { return path_->rtt.pto(max_ack_delay_); }
std::uint64_t Recovery::congestion_window() const { return path_->controller->window(); }
std::uint64_t Recovery::packets_lost() const { return packets_lost_; }

std::uint64_t Recovery::bytes_in_flight() const {
  std::uint64_t bytes = 0;
  for (const Space& space : spaces_) bytes += space.sent.bytes_in_flight();
  return bytes;
}

bool Recovery::ack_eliciting_in_flight() const {
  return std::any_of(spaces_.begin(), spaces_.end(), [](const Space& space) {
    return space.sent.ack_eliciting_outstanding() != 0;
  });
}

std::optional<PacketNumber> Recovery::largest_acknowledged(PacketNumberSpace space) const {
  return at(space).largest_acknowledged;
}

std::size_t Recovery::tracked_packets() const {
  std::size_t count = 0;
  for (const Space& space : spaces_) count += space.sent.size();
  return count;
}

bool Recovery::consistent() const {
  return path_ != nullptr && path_->consistent() &&
         std::all_of(spaces_.begin(), spaces_.end(), [this](const Space& space) {
           const bool timed = space.loss_time != kNever;
           return space.sent.consistent() && space.lost.consistent() &&
                  space.sent.path() == path_->tag &&
                  (path_->rate == nullptr || space.sent.keeps_snapshots()) &&
                  space.probes <= kMaxProbes && (!timed || space.largest_acknowledged) &&
                  (!timed || !space.sent.empty());
         });
}

}  // namespace qpeer::transport
