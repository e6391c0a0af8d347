// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/lifetime.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace qpeer::transport {
namespace {

constexpr std::size_t kMaxReason = 256;
constexpr Duration kMaxClosingTime = 30s;

/// RFC 9000 §10.2 [rfc9000-10.2-1]: the state stays for three PTOs, to answer stragglers; but no
/// peer's slow answers make us keep its state for long.
Duration closing_time(Duration pto) { return std::min<Duration>(3 * pto, kMaxClosingTime); }

}  // namespace

CloseReason close_reason_of(const wire::ConnectionCloseFrame& frame) {
  return {.kind = frame.application ? CloseReason::Kind::peer_application
                                    : CloseReason::Kind::peer_transport,
          .code = frame.error_code,
          .frame_type = frame.frame_type,
          .reason = std::string(as_text(frame.reason_phrase).substr(0, kMaxReason))};
}

CloseReason application_close(std::uint64_t error_code, std::string_view reason) {
  return {.kind = CloseReason::Kind::local_application,
          .code = std::min(error_code, kMaxVarint),
          .reason = std::string(reason.substr(0, kMaxReason))};
}

Lifetime::Lifetime(Instant now, const LifetimeConfig& config, Duration pto) : config_(config) {
  if (config_.handshake_timeout > Duration{}) handshake_deadline_ = now + config_.handshake_timeout;
  restart_idle_timer(now, pto);
}

// --- ends ----------------------------------------------------------------------------------------

bool Lifetime::set_reason(CloseReason reason) {
  if (close_reason_) return false;
  close_reason_ = std::move(reason);
  return true;
}

bool Lifetime::enter_closing(Instant now, CloseReason reason, Duration pto) {
  if (!is_open()) return false;
  phase_ = Phase::closing;
  close_pending_ = true;
  closing_ends_ = now + closing_time(pto);
  return set_reason(std::move(reason));
}

/// RFC 9000 §10.2.2 [rfc9000-10.2.2-1]: nothing is sent any more.
bool Lifetime::enter_draining(Instant now, CloseReason reason, Duration pto) {
  if (is_drained()) return false;
  if (is_open()) closing_ends_ = now + closing_time(pto);
  phase_ = Phase::draining;
  close_pending_ = false;
  return set_reason(std::move(reason));
}

bool Lifetime::end_silently(CloseReason reason) {
  phase_ = Phase::drained;
  close_pending_ = false;
  return set_reason(std::move(reason));
}

/// RFC 9000 §10.2.1 [rfc9000-10.2.1-1]: answer, but ever more rarely.
void Lifetime::on_datagram() {
  if (!is_closing()) return;
  ++datagrams_received_;
  close_pending_ = close_pending_ || std::has_single_bit(datagrams_received_);
}

void Lifetime::write_close(EncryptionLevel level, PacketWriter& out) const {
  const bool application = close_reason_->kind == CloseReason::Kind::local_application;
  wire::ConnectionCloseFrame frame{.application = application,
                                   .error_code = close_reason_->code,
                                   .frame_type = close_reason_->frame_type,
                                   .reason_phrase = as_bytes(close_reason_->reason)};
  // RFC 9000 §10.2.3 [rfc9000-10.2.3-6], [rfc9000-10.2.3-7]: what the application says stays out of packets that
  // anyone on the path can read.
  if (application && level != EncryptionLevel::one_rtt) {
    frame = {.application = false,
             .error_code = static_cast<std::uint64_t>(TransportErrorCode::application_error),
             .frame_type = 0,
             .reason_phrase = {}};
  }
  if (frame.size() > out.remaining()) frame.reason_phrase = {};
  if (frame.size() <= out.remaining()) frame.encode(out.raw());
}

// --- time ----------------------------------------------------------------------------------------

/// RFC 9000 §10.1 [rfc9000-10.1-1]: the smaller of both, but never less than three PTOs.
Duration Lifetime::idle_timeout(Duration pto) const {
  Duration least = config_.max_idle_timeout;
  if (peer_idle_timeout_ != Duration{} && (least == Duration{} || peer_idle_timeout_ < least)) {
    least = peer_idle_timeout_;
  }
  return least == Duration{} ? least : std::max<Duration>(least, 3 * pto);
}

/// RFC 9000 §10.1.2: often enough that the idle timeout of neither end is reached.
Duration Lifetime::keep_alive_interval(Duration pto) const {
  const Duration timeout = idle_timeout(pto);
  return timeout == Duration{} ? config_.keep_alive : std::min(config_.keep_alive, timeout / 2);
}

void Lifetime::restart_idle_timer(Instant now, Duration pto) {
  const Duration timeout = idle_timeout(pto);
  idle_deadline_ = timeout == Duration{} ? kNever : now + timeout;
  blocked_deadline_ = timeout == Duration{} ? kNever : now + timeout / 2;
  idle_restarted_by_send_ = false;
  if (config_.keep_alive > Duration{} && handshake_complete_) {
    keep_alive_deadline_ = now + keep_alive_interval(pto);
  }
}

/// RFC 9000 §10.1: sending restarts the timer too, once per silence of the peer.
void Lifetime::on_ack_eliciting_sent(Instant now, Duration pto) {
  if (idle_restarted_by_send_) return;
  restart_idle_timer(now, pto);
  idle_restarted_by_send_ = true;
}

void Lifetime::on_handshake_complete(Instant now, Duration pto) {
  handshake_complete_ = true;
  handshake_deadline_ = kNever;
  restart_idle_timer(now, pto);
}

Instant Lifetime::deadline(bool may_be_blocked) const {
  if (is_drained()) return kNever;
  if (!is_open()) return closing_ends_;
  const Instant next = std::min({idle_deadline_, keep_alive_deadline_, handshake_deadline_});
  return may_be_blocked ? std::min(next, blocked_deadline_) : next;
}

Lifetime::Due Lifetime::on_deadline(Instant now, Duration pto) {
  if (!is_open()) {
    if (now >= closing_ends_) end_silently({});
    return {};
  }
  if (now >= idle_deadline_) {
    return {.closed = end_silently({.kind = CloseReason::Kind::idle_timeout,
                                    .reason = "nothing was heard for the idle timeout"})};
  }
  if (now >= handshake_deadline_) {
    return {.closed = end_silently({.kind = CloseReason::Kind::handshake_timeout,
                                    .reason = "the handshake did not complete in time"})};
  }
  Due due;
  if (now >= keep_alive_deadline_) {
    due.keep_alive = true;
    keep_alive_deadline_ = now + keep_alive_interval(pto);
  }
  if (now >= blocked_deadline_) {
    due.blocked = true;
    blocked_deadline_ = now + idle_timeout(pto) / 2;
  }
  return due;
}

bool Lifetime::consistent() const {
  const bool waits = is_closing() || is_draining();
  return is_open() != close_reason_.has_value() && (!close_pending_ || is_closing()) &&
         (!waits || closing_ends_ != kNever) && (!is_open() || closing_ends_ == kNever) &&
         (idle_deadline_ == kNever) == (blocked_deadline_ == kNever) &&
         (keep_alive_deadline_ == kNever ||
          (handshake_complete_ && config_.keep_alive > Duration{})) &&
         (!handshake_complete_ || handshake_deadline_ == kNever);
}

}  // namespace qpeer::transport
