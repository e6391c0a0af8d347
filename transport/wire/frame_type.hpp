// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The frame types of QUIC and their names. RFC 9000 §12.4, §19; RFC 9221 §4;
// draft-ietf-quic-address-discovery §4; draft-ietf-quic-ack-frequency §4, §5.
#pragma once

#include <cstdint>

namespace qpeer::wire {

/// The first field of a frame. STREAM takes 0x08 to 0x0f, its low bits being flags; the value
/// `stream` names them all.
enum class FrameType : std::uint64_t {
  padding = 0x00,
  ping = 0x01,
  ack = 0x02,
  ack_ecn = 0x03,
  reset_stream = 0x04,
  stop_sending = 0x05,
  crypto = 0x06,
  new_token = 0x07,
  stream = 0x08,
  max_data = 0x10,
  max_stream_data = 0x11,
  max_streams_bidi = 0x12,
  max_streams_uni = 0x13,
  data_blocked = 0x14,
  stream_data_blocked = 0x15,
  streams_blocked_bidi = 0x16,
  streams_blocked_uni = 0x17,
  new_connection_id = 0x18,
  retire_connection_id = 0x19,
  path_challenge = 0x1a,
  path_response = 0x1b,
  connection_close = 0x1c,
  connection_close_application = 0x1d,
  handshake_done = 0x1e,
  immediate_ack = 0x1f,
  datagram = 0x30,
  ack_frequency = 0xaf,
  observed_address_ipv4 = 0x9f81a6,
  observed_address_ipv6 = 0x9f81a7,
};

inline constexpr std::uint64_t kStreamFinBit = 0x01;
inline constexpr std::uint64_t kStreamLengthBit = 0x02;
inline constexpr std::uint64_t kStreamOffsetBit = 0x04;
inline constexpr std::uint64_t kDatagramLengthBit = 0x01;

/// Whether `type` is one of the eight STREAM types.
constexpr bool is_stream(std::uint64_t type) { return (type & ~std::uint64_t{7}) == 0x08; }
/// Whether `type` is one of the two DATAGRAM types.
constexpr bool is_datagram(std::uint64_t type) { return (type & ~std::uint64_t{1}) == 0x30; }
/// Whether `type` is one of the two OBSERVED_ADDRESS types.
constexpr bool is_observed_address(std::uint64_t type) {
  return (type & ~std::uint64_t{1}) == 0x9f81a6;
}
/// Whether this library decodes `type`.
constexpr bool is_known(std::uint64_t type) {
  return type <= 0x1f || is_datagram(type) || type == 0xaf || is_observed_address(type);
}

}  // namespace qpeer::wire
