// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Tickets, resumption and 0-RTT. RFC 9000 §7.4.1, §17.2.3; RFC 9001 §4.5, §4.6, §4.9.3, §9.2.
//
//   client   ticket -> offered --answer--> accepted            server   keys with the ClientHello:
//              |          \--answer, HelloRetryRequest-> rejected       accepted; or none
//              none: no ticket, not asked for, or not possible
#include <utility>

#include "qpeer/transport/connection/handshake.hpp"
#include "qpeer/transport/connection/session_ticket.hpp"

namespace qpeer::transport {

using crypto::EarlyData;

/// For TLS. A view of the ticket, which is kept until early data is settled.
crypto::Resumption Handshake::read_ticket() {
  const auto& ticket = setup_.session_ticket;
  // RFC 9369 §5 [rfc9369-5-1]: a ticket serves the version that it was given in.
  if (!ticket || ticket->version != setup_.version) return {};
  early_.remembered = ticket->parameters;
  return {.session = ticket->session, .early_data = setup_.early_data != EarlyDataPolicy::none};
}

void Handshake::on_early_secret(crypto::Direction direction, crypto::CipherSuite suite,
                                Bytes secret) {
  early_.keys = keys_.packet_keys(setup_.version, suite, crypto::Secret(secret));
  early_.usable = true;
  if (direction == crypto::Direction::receive) {
    early_.state = EarlyData::accepted;
    observer_.on_early_data_accepted();
    return;
  }
  early_.state = EarlyData::offered;
  // RFC 9000 §7.4.1 [rfc9000-7.4.1-4], [rfc9000-7.4.1-10]; RFC 9221 §3 [rfc9221-3-1].
  observer_.on_peer_limits(early_.remembered, true);
}

/// Client: what TLS has read may have decided.
Result Handshake::settle_early_data(Instant now) {
  setup_.session_ticket.reset();
  if (early_.state != EarlyData::offered) return {};
  switch (tls_->early_data()) {
    case EarlyData::accepted:
      // RFC 9000 §7.4.1 [rfc9000-7.4.1-5], [rfc9000-7.4.1-6]; RFC 9221 §3 [rfc9221-3-9].
      if (!keeps_limits(peer_parameters_, early_.remembered)) {
        return qpeer::fail(TransportErrorCode::protocol_violation,
                           "early data accepted under lower limits",
                           static_cast<std::uint64_t>(wire::FrameType::crypto));
      }
      early_.state = EarlyData::accepted;
      observer_.on_early_data_accepted();
      observer_.on_peer_limits(peer_parameters_, false);
      break;
    case EarlyData::rejected:
      reject_early_data(now);
      // After a HelloRetryRequest the parameters are still to come.
      if (peer_parameters_.initial_source_connection_id) {
        observer_.on_peer_limits(peer_parameters_, false);
      }
      break;
    default:
      break;
  }
  return {};
}

// RFC 9001 §4.6.2 [rfc9001-4.6.2-3]: the server knows nothing of what was sent.
void Handshake::reject_early_data(Instant now) {
  early_.state = EarlyData::rejected;
  early_.keys = {};
  early_.end = spaces_.application().next_packet_number;
  if (setup_.early_data == EarlyDataPolicy::report) early_.usable = false;
  observer_.on_early_data_rejected(now);
}

bool Handshake::acknowledges_rejected(const wire::AckFrame& frame) const {
  if (early_.end == 0) return false;
  return !frame.for_each_range(
      [&](PacketNumber smallest, PacketNumber) { return smallest >= early_.end; });
}

void Handshake::on_deadline(Instant now) {
  if (now < early_.keys_end) return;
  early_.keys = {};
  early_.keys_end = kNever;
}

// --- tickets -------------------------------------------------------------------------------------

void Handshake::on_tls_session(Bytes session) {
  const SessionTicket ticket{.version = version(),
                             .parameters = remembered(peer_parameters_),
                             .session = {session.begin(), session.end()}};
  observer_.on_session_ticket(ticket.encode());
}

std::vector<u8> Handshake::tls_ticket_data() {
  return TicketData{.version = version(), .parameters = remembered(local_parameters())}.encode();
}

crypto::TicketUse Handshake::on_tls_ticket(Bytes ticket_data) {
  const auto ticket = TicketData::decode(ticket_data);
  // RFC 9369 §5 [rfc9369-5-2].
  if (!ticket || ticket->version != setup_.version) return crypto::TicketUse::refuse;
  // RFC 9000 §7.4.1 [rfc9000-7.4.1-9].
  return keeps_limits(local_parameters(), ticket->parameters)
             ? crypto::TicketUse::resume_with_early_data
             : crypto::TicketUse::resume;
}

}  // namespace qpeer::transport
