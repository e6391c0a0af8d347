// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The ends of a connection: immediate close, draining, time-outs. RFC 9000 §10; and all deadlines.
#include <algorithm>

#include "qpeer/transport/connection/connection_machine.hpp"

namespace qpeer::transport {
namespace {

constexpr std::size_t kMaxReason = 256;
constexpr Duration kMaxClosingTime = 30s;

}  // namespace

void ConnectionMachine::close(Instant now, std::uint64_t error_code, std::string_view reason) {
  now_ = now;
  if (phase_ != Phase::open) return;
  enter_closing(now, {.kind = CloseReason::Kind::local_application,
                      .code = std::min(error_code, kMaxVarint),
                      .reason = std::string(reason.substr(0, kMaxReason))});
}

void ConnectionMachine::fail(Instant now, const TransportError& error) {
  if (phase_ != Phase::open) return;
  enter_closing(now, {.kind = CloseReason::Kind::local_transport,
                      .code = static_cast<std::uint64_t>(error.code),
                      .frame_type = error.frame_type,
                      .reason = std::string(error.reason)});
}

/// RFC 9000 §10.2.1 [rfc9000-10.2-1]: the state stays for three PTOs, to answer stragglers.
void ConnectionMachine::enter_closing(Instant now, CloseReason reason) {
  phase_ = Phase::closing;
  close_pending_ = true;
  closing_ends_ = now + closing_time();
  tell_closed(std::move(reason));
}

/// RFC 9000 §10.2 [rfc9000-10.2-1]; but no peer's slow answers make us keep its state for long.
Duration ConnectionMachine::closing_time() const {
  return std::min<Duration>(3 * recovery_.pto(), kMaxClosingTime);
}

/// RFC 9000 §10.2.2 [rfc9000-10.2.2-1]: nothing is sent any more.
void ConnectionMachine::enter_draining(Instant now, CloseReason reason) {
  if (phase_ == Phase::open) closing_ends_ = now + closing_time();
  phase_ = Phase::draining;
  tell_closed(std::move(reason));
}

/// There is nobody to tell, and nothing to wait for.
void ConnectionMachine::end_silently(CloseReason reason) {
  phase_ = Phase::drained;
  tell_closed(std::move(reason));
}

void ConnectionMachine::tell_closed(CloseReason reason) {
  if (close_reason_) return;
  for (std::size_t i = 0; i < early_.size(); ++i) drop(DropReason::keys_unavailable);
  early_.clear();
  close_reason_ = std::move(reason);
  events_.push_back({.kind = ConnectionEvent::Kind::closed, .close = *close_reason_});
}

void ConnectionMachine::on_frame_close(Instant now, const wire::ConnectionCloseFrame& frame) {
  enter_draining(now, {.kind = frame.application ? CloseReason::Kind::peer_application
                                                 : CloseReason::Kind::peer_transport,
                       .code = frame.error_code,
                       .frame_type = frame.frame_type,
                       .reason = std::string(as_text(frame.reason_phrase).substr(0, kMaxReason))});
}

void ConnectionMachine::on_stateless_reset(Instant now) {
  now_ = now;
  if (phase_ == Phase::drained) return;
  enter_draining(now, {.kind = CloseReason::Kind::stateless_reset,
                       .reason = "the peer has no state for this connection"});
}

void ConnectionMachine::write_close(EncryptionLevel level, PacketWriter& out) const {
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
Duration ConnectionMachine::idle_timeout() const {
  const Duration peer = std::chrono::milliseconds(
      std::min<std::uint64_t>(peer_parameters_.max_idle_timeout_ms, 1ULL << 40));
  Duration least = config_.max_idle_timeout;
  if (peer != Duration{} && (least == Duration{} || peer < least)) least = peer;
  return least == Duration{} ? least : std::max<Duration>(least, 3 * recovery_.pto());
}

void ConnectionMachine::restart_idle_timer(Instant now) {
  const Duration timeout = idle_timeout();
  idle_deadline_ = timeout == Duration{} ? kNever : now + timeout;
  blocked_deadline_ = timeout == Duration{} ? kNever : now + timeout / 2;
  idle_restarted_by_send_ = false;
  if (config_.keep_alive > Duration{} && handshake_complete_) {
    keep_alive_deadline_ = now + keep_alive_interval();
  }
}

/// RFC 9000 §10.1.2: often enough that the idle timeout of neither end is reached.
Duration ConnectionMachine::keep_alive_interval() const {
  const Duration timeout = idle_timeout();
  return timeout == Duration{} ? config_.keep_alive : std::min(config_.keep_alive, timeout / 2);
}

/// RFC 9000 §10.1: sending restarts the timer too, once per silence of the peer.
void ConnectionMachine::on_ack_eliciting_sent(Instant now) {
  if (idle_restarted_by_send_) return;
  restart_idle_timer(now);
  idle_restarted_by_send_ = true;
}

Instant ConnectionMachine::next_deadline() const {
  if (phase_ == Phase::drained) return kNever;
  if (phase_ != Phase::open) return closing_ends_;
  Instant next = std::min({recovery_.deadline(), idle_deadline_, keep_alive_deadline_,
                           handshake_deadline_, key_phases_.deadline(), early_data_.keys_end,
                           observed_addresses_.deadline(), paths_.deadline(now_)});
  // RFC 9000 §8.1 [rfc9000-8.1-2]: what may not leave wakes nobody. Credit comes with a datagram, and
  // then we are polled.
  constexpr std::uint64_t kAnyAck = 128;
  const bool may_acknowledge = paths_.active().allowance() >= std::max(kAnyAck, least_allowance());
  for (const Space& each : spaces_) {
    if (may_acknowledge && !each.discarded) next = std::min(next, each.acks.deadline());
  }
  if (streams_.may_be_blocked()) next = std::min(next, blocked_deadline_);
  if (has_frames()) next = std::min(next, recovery_.pacing_deadline(now_));
  return next;
}

void ConnectionMachine::on_deadline(Instant now) {
  now_ = now;
  if (phase_ != Phase::open) {
    if (now >= closing_ends_) phase_ = Phase::drained;
    return;
  }
  if (now >= idle_deadline_) {
    return end_silently({.kind = CloseReason::Kind::idle_timeout,
                         .reason = "nothing was heard for the idle timeout"});
  }
  if (now >= handshake_deadline_) {
    return end_silently({.kind = CloseReason::Kind::handshake_timeout,
                         .reason = "the handshake did not complete in time"});
  }
  if (now >= keep_alive_deadline_) {
    ping_requested_ = true;
    keep_alive_deadline_ = now + keep_alive_interval();
  }
  if (now >= blocked_deadline_) {
    // RFC 9000 §4.1 [rfc9000-4.1-5]: who waits for a slow reader is not gone.
    if (!recovery_.ack_eliciting_in_flight()) streams_.repeat_blocked();
    blocked_deadline_ = now + idle_timeout() / 2;
  }
  if (now >= recovery_.deadline()) {
    recovery_.on_deadline(now, *this);
    look_for_black_hole(now);
  }
  on_path_deadline(now);
  key_phases_.on_deadline(now);
  if (now >= early_data_.keys_end) {
    early_data_.keys = {};
    early_data_.keys_end = kNever;
  }
  observed_addresses_.on_deadline(now);
}

}  // namespace qpeer::transport
