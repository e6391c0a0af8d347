// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Tickets, resumption and 0-RTT. RFC 9000 §7.4.1, §17.2.3; RFC 9001 §4.5, §4.6, §4.9.3, §9.2.
//
//   client   ticket -> offered --answer--> accepted            server   keys with the ClientHello:
//              |          \--answer, HelloRetryRequest-> rejected       accepted; or none
//              none: no ticket, not asked for, or not possible
#include <algorithm>
#include <utility>

#include "qpeer/transport/connection/connection_machine.hpp"
#include "qpeer/transport/connection/session_ticket.hpp"

namespace qpeer::transport {

using crypto::EarlyData;

/// For TLS. A view of tls_session_.
crypto::Resumption ConnectionMachine::read_ticket() {
  auto ticket = std::exchange(setup_.session_ticket, std::nullopt);
  // RFC 9369 §5 [rfc9369-5-1]: a ticket serves the version that it was given in.
  if (!ticket || ticket->version != setup_.version) return {};
  early_data_.remembered = ticket->parameters;
  tls_session_ = std::move(ticket->session);
  return {.session = tls_session_, .early_data = setup_.early_data != EarlyDataPolicy::none};
}

void ConnectionMachine::on_early_secret(crypto::Direction direction, crypto::CipherSuite suite,
                                        Bytes secret) {
  early_data_.keys = keys_.packet_keys(setup_.version, suite, crypto::Secret(secret));
  early_data_.usable = true;
  if (direction == crypto::Direction::receive) {
    early_data_.state = EarlyData::accepted;
    events_.push_back({.kind = ConnectionEvent::Kind::early_data_accepted});
    return;
  }
  early_data_.state = EarlyData::offered;
  // RFC 9000 §7.4.1 [rfc9000-7.4.1-4], [rfc9000-7.4.1-10]; RFC 9221 §3 [rfc9221-3-1].
  const wire::TransportParameters& limits = early_data_.remembered;
  streams_.set_peer_parameters(limits);
  datagrams_.set_peer_max_frame_size(limits.max_datagram_frame_size);
  paths_.limit_datagram_size(limits);
}

bool ConnectionMachine::can_send_early() const {
  return setup_.side == Side::client && early_data_.keys && lifetime_.is_open();
}

bool ConnectionMachine::has_early_frames() const {
  return streams_.has_frames() || datagrams_.has_frames() || ping_requested_ ||
         recovery_.probes(PacketNumberSpace::application) > 0;
}

void ConnectionMachine::count_early(std::span<const SentFrame> frames) {
  for (const SentFrame& frame : frames) early_data_.bytes += frame.length;
}

/// The present values of what the server lets us send.
void ConnectionMachine::apply_peer_limits() {
  streams_.set_peer_parameters(peer_parameters_);
  datagrams_.set_peer_max_frame_size(peer_parameters_.max_datagram_frame_size);
}

/// Client: what TLS has read may have decided.
Result ConnectionMachine::settle_early_data(Instant now) {
  tls_session_ = {};
  if (early_data_.state != EarlyData::offered) return {};
  switch (tls_->early_data()) {
    case EarlyData::accepted:
      // RFC 9000 §7.4.1 [rfc9000-7.4.1-5], [rfc9000-7.4.1-6]; RFC 9221 §3 [rfc9221-3-9].
      if (!keeps_limits(peer_parameters_, early_data_.remembered)) {
        return qpeer::fail(TransportErrorCode::protocol_violation,
                           "early data accepted under lower limits",
                           static_cast<std::uint64_t>(wire::FrameType::crypto));
      }
      early_data_.state = EarlyData::accepted;
      events_.push_back({.kind = ConnectionEvent::Kind::early_data_accepted});
      apply_peer_limits();
      break;
    case EarlyData::rejected: {
      reject_early_data(now);
      // After a HelloRetryRequest the parameters are still to come.
      if (peer_parameters_.initial_source_connection_id) apply_peer_limits();
      break;
    }
    default:
      break;
  }
  return {};
}

// RFC 9001 §4.6.2 [rfc9001-4.6.2-3]: the server knows nothing of what was sent.
void ConnectionMachine::reject_early_data(Instant now) {
  early_data_.state = EarlyData::rejected;
  early_data_.keys = {};
  early_data_.end = application_space().next_packet_number;
  recovery_.reset_space(now, PacketNumberSpace::application, *this);
  if (setup_.early_data == EarlyDataPolicy::report) {
    streams_.abandon();
    early_data_.usable = false;
  }
  events_.push_back({.kind = ConnectionEvent::Kind::early_data_rejected});
}

bool ConnectionMachine::acknowledges_rejected(const wire::AckFrame& frame) const {
  if (early_data_.end == 0) return false;
  return !frame.for_each_range(
      [&](PacketNumber smallest, PacketNumber) { return smallest >= early_data_.end; });
}

// --- tickets -------------------------------------------------------------------------------------

void ConnectionMachine::on_tls_session(Bytes session) {
  const SessionTicket ticket{.version = version(),
                             .parameters = remembered(peer_parameters_),
                             .session = {session.begin(), session.end()}};
  // What nobody polls must not pile up, however many the server sends.
  constexpr std::size_t kMaxUntold = 8;
  const auto untold =
      std::ranges::count(events_, ConnectionEvent::Kind::session_ticket, &ConnectionEvent::kind);
  if (!lifetime_.is_open() || untold >= static_cast<std::ptrdiff_t>(kMaxUntold)) return;
  events_.push_back(
      {.kind = ConnectionEvent::Kind::session_ticket, .session_ticket = ticket.encode()});
}

std::vector<u8> ConnectionMachine::tls_ticket_data() {
  return TicketData{.version = version(), .parameters = remembered(local_parameters())}.encode();
}

crypto::TicketUse ConnectionMachine::on_tls_ticket(Bytes ticket_data) {
  const auto ticket = TicketData::decode(ticket_data);
  // RFC 9369 §5 [rfc9369-5-2].
  if (!ticket || ticket->version != setup_.version) return crypto::TicketUse::refuse;
  // RFC 9000 §7.4.1 [rfc9000-7.4.1-9].
  return keeps_limits(local_parameters(), ticket->parameters)
             ? crypto::TicketUse::resume_with_early_data
             : crypto::TicketUse::resume;
}

}  // namespace qpeer::transport
