// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/logged_events.hpp"

#include "qpeer/transport/wire/frame_type.hpp"

namespace qpeer::transport {

log::Source source_of(const ConnectionSetup& setup, Instant now) {
  return {.original_destination_connection_id = setup.original_destination_connection_id,
          .side = setup.side,
          .created_at = now,
          .clock_offset = setup.clock_offset};
}

log::ConnectionClosed closed_event(const CloseReason& reason) {
  using Kind = CloseReason::Kind;
  using Trigger = log::ConnectionClosed::Trigger;
  log::ConnectionClosed event{.reason = reason.reason};
  switch (reason.kind) {
    case Kind::local_application:
    case Kind::peer_application:
      event.initiator =
          reason.kind == Kind::local_application ? log::Initiator::local : log::Initiator::remote;
      event.application_error = reason.code;
      event.trigger = Trigger::application;
      break;
    case Kind::local_transport:
    case Kind::peer_transport:
      event.initiator =
          reason.kind == Kind::local_transport ? log::Initiator::local : log::Initiator::remote;
      event.connection_error = reason.code;
      event.trigger = Trigger::error;
      break;
    case Kind::idle_timeout:
      event.trigger = Trigger::idle_timeout;
      break;
    case Kind::stateless_reset:
      event.initiator = log::Initiator::remote;
      event.trigger = Trigger::stateless_reset;
      break;
    case Kind::version_negotiation:
      event.trigger = Trigger::version_mismatch;
      break;
    case Kind::handshake_timeout:
    case Kind::port_closed:
      event.trigger = Trigger::aborted;
      break;
  }
  return event;
}

log::PacketHeader logged_header(const wire::ProtectedHeader& header) {
  log::PacketHeader out{.packet_type = header.type};
  if (!wire::has_long_header(header.type)) return out;
  out.version = header.version;
  out.source = header.source_connection_id;
  out.destination = header.destination_connection_id;
  if (!header.token.empty()) out.token_length = header.token.size();
  return out;
}

log::PacketHeader logged_header(const wire::ProtectedHeader& header, const OpenPacket& packet) {
  log::PacketHeader out = logged_header(header);
  out.packet_number = packet.number;
  if (!wire::has_long_header(header.type)) out.key_phase_bit = packet.key_phase;
  return out;
}

bool carries_data(const SentFrame& frame) {
  return frame.owner == FrameOwner::crypto_stream ||
         (frame.owner == FrameOwner::stream_set && wire::is_stream(frame.type));
}

log::MarkedForRetransmit retransmission(const SentFrame& frame) {
  log::MarkedForRetransmit event{.offset = frame.offset, .length = frame.length, .fin = frame.fin};
  if (frame.owner == FrameOwner::stream_set) event.stream_id = frame.stream;
  return event;
}

}  // namespace qpeer::transport
