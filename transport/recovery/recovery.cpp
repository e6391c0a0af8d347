// Sending, time and the progress of the handshake; recovery_ack.cpp is what ACKs cause.
#include "transport/recovery/recovery.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace qpeer::transport {
namespace {

constexpr std::array kSpaces{PacketNumberSpace::initial, PacketNumberSpace::handshake,
                             PacketNumberSpace::application};

}  // namespace

Recovery::Recovery(Side side, const RecoveryConfig& config,
                   std::unique_ptr<CongestionController> controller)
    : side_(side),
      pacing_enabled_(config.pacing),
      peer_validated_address_(side == Side::server),
      max_datagram_size_(config.max_datagram_size),
      controller_(std::move(controller)),
      rtt_(config.initial_rtt),
      ecn_(config.ecn) {}

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

Pacer::Rate Recovery::pacing() const {
  if (const auto rate = controller_->pacing_rate()) {
    return Pacer::rate_of(*rate, max_datagram_size_);
  }
  return Pacer::rate_of(controller_->window(), rtt_.smoothed(), max_datagram_size_);
}

std::uint64_t Recovery::window_allowance() const {
  for (const Space& space : spaces_) {
    if (space.sent.full()) return 0;
  }
  // RFC 9002 §7 [rfc9002-7-3]: the flight stays within the window.
  const std::uint64_t window = controller_->window();
  const std::uint64_t flight = bytes_in_flight();
  const std::uint64_t room = window > flight ? window - flight : 0;
  if (room >= max_datagram_size_) return room;
  return recovery_packet_ ? max_datagram_size_ : 0;
}

std::uint64_t Recovery::send_allowance(Instant now) const {
  const std::uint64_t room = window_allowance();
  if (room == 0 || !pacing_enabled_) return room;
  // RFC 9002 §7.7 [rfc9002-7.7-1].
  const std::int64_t budget = pacer_.budget(now, pacing());
  if (budget < max_datagram_size_) return 0;
  return std::min(room, static_cast<std::uint64_t>(budget));
}

Instant Recovery::pacing_deadline(Instant now) const {
  if (!pacing_enabled_ || window_allowance() == 0) return kNever;
  const Pacer::Rate rate = pacing();
  if (pacer_.budget(now, rate) >= max_datagram_size_) return kNever;
  return pacer_.available_at(now, rate, max_datagram_size_);
}

void Recovery::on_packet_sent(Instant now, PacketNumberSpace id, const SentPacketInfo& packet,
                              std::span<const SentFrame> frames) {
  assert(!packet.ack_eliciting || packet.in_flight);
  Space& space = at(id);
  space.sent.add(now, packet, frames);
  ecn_.on_sent(id, packet.ecn);
  // RFC 9002 §7.7 [rfc9002-7.7-5]: ACKs alone are neither counted nor paced.
  if (!packet.in_flight) return;
  // RFC 9002 §7.5 [rfc9002-7.5-2]: probes count like all others.
  if (pacing_enabled_) {
    if (pacer_.must_refill(now)) pacer_.refill(now, pacing());
    pacer_.on_sent(packet.size);
  }
  controller_->on_packet_sent(now, packet.size, bytes_in_flight());
  recovery_packet_ = false;
  if (packet.ack_eliciting) {
    space.last_ack_eliciting_sent_at = now;
    // RFC 9002 §6.2.4 [rfc9002-6.2.4-3]: only what asks for an ACK is a probe.
    if (space.probes != 0) --space.probes;
  }
  set_timer(now);  // RFC 9002 §6.2.1 [rfc9002-6.2.1-4].
}

Ecn Recovery::ecn_mark() const {
  // A path that drops marked packets must not hold up the handshake: probes go without.
  if (ecn_.state() == EcnValidator::State::testing && pto_.count() != 0) return Ecn::not_ect;
  return ecn_.mark();
}

void Recovery::set_application_limited(bool limited) { application_limited_ = limited; }

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
  return pto_.next(pto_conditions(timer_set_at_), rtt_).at;
}

void Recovery::on_deadline(Instant now, FateHandler& fates) {
  if (now < deadline()) return;
  const auto earliest =
      std::min_element(spaces_.begin(), spaces_.end(),
                       [](const Space& a, const Space& b) { return a.loss_time < b.loss_time; });
  if (earliest->loss_time != kNever) {
    detect_losses(now, kSpaces[static_cast<std::size_t>(earliest - spaces_.begin())], fates);
  } else {
    on_pto(now, fates);
  }
  set_timer(now);
  assert(consistent());
}

void Recovery::on_pto(Instant now, FateHandler& fates) {
  const Pto::Timer timer = pto_.next(pto_conditions(now), rtt_);
  pto_.on_expired();
  if (timer.anti_deadlock) {
    at(timer.space).probes = std::max(at(timer.space).probes, 1U);
    return;
  }
  // RFC 9002 §6.2.4 [rfc9002-6.2.4-1], [rfc9002-6.2.4-2].
  const bool single = timer.space != PacketNumberSpace::application &&
                      at(timer.space).sent.ack_eliciting_outstanding() < 2;
  arm_probes(timer.space, single ? 1 : 2, fates);
  // RFC 9002 §6.2.4 [rfc9002-6.2.4-4]: the peer may have the keys of one space only.
  for (const PacketNumberSpace other : kSpaces) {
    if (other != timer.space && at(other).sent.ack_eliciting_outstanding() != 0) {
      arm_probes(other, 1, fates);
    }
  }
}

void Recovery::arm_probes(PacketNumberSpace id, unsigned count, FateHandler& fates) {
  Space& space = at(id);
  space.probes = std::max(space.probes, count);
  // RFC 9002 §6.2 [rfc9002-6.2-1]: the packets stay outstanding. Only their frames are asked for
  // again, so that a probe carries what the peer waits for longest.
  for (auto i = space.sent.begin_index(); i != space.sent.end_index() && count != 0; ++i) {
    const SentPacket& packet = space.sent[i];
    if (!packet.outstanding() || !packet.ack_eliciting) continue;
    --count;
    space.sent.for_each_frame(
        packet, [&](const SentFrame& frame) { fates.on_frame_fate(id, frame, Fate::lost); });
  }
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

void Recovery::drop_outstanding(PacketNumberSpace id, Fate fate, FateHandler& fates) {
  Space& space = at(id);
  for (auto i = space.sent.begin_index(); i != space.sent.end_index(); ++i) {
    if (!space.sent[i].outstanding()) continue;
    space.sent.for_each_frame(
        space.sent[i], [&](const SentFrame& frame) { fates.on_frame_fate(id, frame, fate); });
  }
  space.sent.clear();
  space.loss_time = kNever;
  space.probes = 0;
  pto_.reset();
}

void Recovery::discard_space(Instant now, PacketNumberSpace space, FateHandler& fates) {
  // RFC 9002 §6.4 [rfc9002-6.4-1], §6.2.2 [rfc9002-6.2.2-4].
  drop_outstanding(space, Fate::discarded, fates);
  set_timer(now);
}

void Recovery::reset_space(Instant now, PacketNumberSpace space, FateHandler& fates) {
  // RFC 9002 §6.3: a Retry acknowledges nothing and says nothing of congestion.
  drop_outstanding(space, Fate::lost, fates);
  set_timer(now);
}

void Recovery::set_max_datagram_size(std::uint16_t size) {
  max_datagram_size_ = size;
  controller_->on_mtu_changed(size);
}

// --- figures -----------------------------------------------------------------------------------

const RttEstimator& Recovery::rtt() const { return rtt_; }
Duration Recovery::pto() const { return rtt_.pto(max_ack_delay_); }
std::uint64_t Recovery::congestion_window() const { return controller_->window(); }
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

bool Recovery::consistent() const {
  return std::all_of(spaces_.begin(), spaces_.end(),
                     [](const Space& space) { return space.sent.consistent(); });
}

}  // namespace qpeer::transport
