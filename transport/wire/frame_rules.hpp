// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which frame may appear where, what it asks of its receiver, and how one is decoded under those
// rules. RFC 9000 §12.4 (Table 3), §12.5, §13.2; RFC 9001 §8.3; RFC 9221 §5;
// draft-ietf-quic-address-discovery §4.1.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <utility>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/wire/frame.hpp"
#include "qpeer/transport/wire/packet_type.hpp"

namespace qpeer::wire {

/// Whether a packet with this frame asks for an acknowledgement. RFC 9000 §13.2, Table 3 "N".
constexpr bool is_ack_eliciting(FrameType type) {
  switch (type) {
    case FrameType::padding:
    case FrameType::ack:
    case FrameType::ack_ecn:
    case FrameType::connection_close:
    case FrameType::connection_close_application:
      return false;
    default:
      return true;
  }
}

/// Whether a packet of such frames alone may probe a new path. RFC 9000 §9.1, Table 3 "P".
constexpr bool is_probing(FrameType type) {
  switch (type) {
    case FrameType::padding:
    case FrameType::new_connection_id:
    case FrameType::path_challenge:
    case FrameType::path_response:
    case FrameType::observed_address_ipv4:
    case FrameType::observed_address_ipv6:
      return true;
    default:
      return false;
  }
}

namespace detail {

inline constexpr u8 kInInitial = 1;
inline constexpr u8 kInHandshake = 2;
inline constexpr u8 kInZeroRtt = 4;
inline constexpr u8 kInOneRtt = 8;

/// The "Pkts" column of Table 3 for one type; 0 for unknown ones.
constexpr u8 packets_of(std::uint64_t type) {
  if (is_stream(type) || is_datagram(type)) return kInZeroRtt | kInOneRtt;
  if (!is_known(type)) return 0;
  switch (FrameType{type}) {
    case FrameType::padding:
    case FrameType::ping:
    case FrameType::connection_close:
      return kInInitial | kInHandshake | kInZeroRtt | kInOneRtt;
    case FrameType::ack:
    case FrameType::ack_ecn:
    case FrameType::crypto:  // RFC 9001 §8.3 [rfc9001-8.3-2]: 0-RTT carries no handshake.
      return kInInitial | kInHandshake | kInOneRtt;
    case FrameType::new_token:
    case FrameType::path_response:
    case FrameType::handshake_done:
    // draft-ietf-quic-ack-frequency §3: what allows them is not remembered.
    case FrameType::ack_frequency:
    case FrameType::immediate_ack:
    // RFC 9000 §12.5 [rfc9000-12.5-6]: Table 3 allows it in 0-RTT, but a client has no second ID
    // of the server's then, so that there is nothing to retire.
    case FrameType::retire_connection_id:
      return kInOneRtt;
    // RFC 9000 §12.5 [rfc9000-12.5-3], [rfc9000-12.5-5]: all else is application data, the
    // application's close included; [draft-ietf-quic-address-discovery-4.1-3] so too.
    default:
      return kInZeroRtt | kInOneRtt;
  }
}

inline constexpr auto kPacketsOf = [] {
  std::array<u8, 0x40> table{};
  for (std::uint64_t type = 0; type < table.size(); ++type) table[type] = packets_of(type);
  return table;
}();

constexpr u8 bit_of(PacketType packet) {
  switch (packet) {
    case PacketType::initial:
      return kInInitial;
    case PacketType::handshake:
      return kInHandshake;
    case PacketType::zero_rtt:
      return kInZeroRtt;
    case PacketType::one_rtt:
      return kInOneRtt;
    case PacketType::retry:
    case PacketType::version_negotiation:
      break;  // These hold no frames.
  }
  return 0;
}

}  // namespace detail

/// Whether a packet of type `packet` may hold a frame of `type`; false for unknown types. Which
/// side may send it (NEW_TOKEN, HANDSHAKE_DONE) is the connection's to check.
constexpr bool may_appear(std::uint64_t type, PacketType packet) {
  const u8 packets =
      type < detail::kPacketsOf.size() ? detail::kPacketsOf[type] : detail::packets_of(type);
  return (packets & detail::bit_of(packet)) != 0;
}
constexpr bool may_appear(FrameType type, PacketType packet) {
  return may_appear(std::to_underlying(type), packet);
}

/// Decodes the next frame of a packet's payload, which must not be at its end. Views in the frame
/// point into the payload. Errors name the frame's type: FRAME_ENCODING_ERROR for an unknown type
/// or a malformed frame, PROTOCOL_VIOLATION for a type that is not in its shortest form or not
/// permitted in this packet. After an error the reader is of no use.
[[nodiscard]] std::expected<Frame, TransportError> decode_frame(Reader& in, PacketType packet);

}  // namespace qpeer::wire
