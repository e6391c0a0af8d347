// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The errors that reach the wire, and the reasons for which a packet is dropped in silence.
// RFC 9000 §11, §20.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace qpeer {

/// Transport error codes, RFC 9000 §20.1, RFC 9368 §6.
enum class TransportErrorCode : std::uint64_t {
  no_error = 0x00,
  internal_error = 0x01,
  connection_refused = 0x02,
  flow_control_error = 0x03,
  stream_limit_error = 0x04,
  stream_state_error = 0x05,
  final_size_error = 0x06,
  frame_encoding_error = 0x07,
  transport_parameter_error = 0x08,
  connection_id_limit_error = 0x09,
  protocol_violation = 0x0a,
  invalid_token = 0x0b,
  application_error = 0x0c,
  crypto_buffer_exceeded = 0x0d,
  key_update_error = 0x0e,
  aead_limit_reached = 0x0f,
  no_viable_path = 0x10,
  version_negotiation_error = 0x11,
  crypto_error = 0x100,  ///< First of 256: a TLS alert is added.
};

/// CRYPTO_ERROR for a TLS alert, RFC 9001 §4.8.
constexpr TransportErrorCode crypto_error(std::uint8_t alert) {
  return TransportErrorCode{static_cast<std::uint64_t>(TransportErrorCode::crypto_error) + alert};
}

/// The RFC's name of a code, such as "FLOW_CONTROL_ERROR"; "CRYPTO_ERROR" for all TLS alerts.
std::string_view to_string(TransportErrorCode code);

/// Closes the connection with a CONNECTION_CLOSE of type 0x1c. `reason` is always a literal, so
/// that nothing of the peer's or of ours leaks through it. RFC 9000 §19.19.
struct [[nodiscard]] TransportError {
  TransportErrorCode code = TransportErrorCode::no_error;  ///< What CONNECTION_CLOSE carries.
  std::string_view reason;       ///< For people; at most 256 bytes are sent.
  std::uint64_t frame_type = 0;  ///< The frame that caused it; 0 when not known.

  friend bool operator==(const TransportError& a, const TransportError& b) {
    return a.code == b.code && a.frame_type == b.frame_type;
  }
};

/// Either nothing, or what closes the connection.
using Result = std::expected<void, TransportError>;

/// What a function that gives a Result returns on error. `reason` must be a literal.
constexpr std::unexpected<TransportError> fail(TransportErrorCode code, std::string_view reason,
                                               std::uint64_t frame_type = 0) {
  return std::unexpected(TransportError{code, reason, frame_type});
}

/// Why a datagram or packet was discarded without an error. Counted, never an error of a connection.
enum class DropReason : std::uint8_t {
  malformed_header,     ///< The header cannot be decoded.
  unsupported_version,  ///< Of a version that we do not speak; a server may have answered.
  unknown_connection,  ///< No connection has this connection ID; a stateless reset may have answered.
  too_small,           ///< An Initial packet in less than 1,200 bytes.
  too_large,           ///< Kept for its number: nothing is dropped for it now.
  wrong_address,       ///< From, or to, an address that this connection does not use.
  keys_unavailable,    ///< The keys are not there yet, or not any more.
  undecryptable,       ///< The packet is not authentic.
  duplicate,           ///< The packet number was received before.
  invalid_token,       ///< The token of a Retry is not valid.
  connection_limit,    ///< There are too many connections or handshakes.
  rate_limited,        ///< Too many stateless answers in the last second.
  unexpected_packet,  ///< A type of packet that cannot come here or now.
  handover_full,      ///< The queue of the thread that it is for is full: see SharedPort.
  count_,             ///< How many reasons there are.
};

/// The reason in words, such as "keys unavailable"; a literal.
std::string_view to_string(DropReason reason);

}  // namespace qpeer
