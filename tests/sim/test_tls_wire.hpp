// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The messages of the test handshake, and what it says when they are wrong.
#pragma once

#include <array>
#include <cstddef>
#include <expected>
#include <string_view>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/error.hpp"

namespace qpeer::sim {

// Message types, RFC 8446 §4, and the alerts used here, §6.
enum class Message : u8 {
  client_hello = 1,
  server_hello = 2,
  new_session_ticket = 4,
  encrypted_extensions = 8,
  certificate = 11,
  certificate_request = 13,
  finished = 20,
};
inline constexpr u8 kUnexpectedMessage = 10;
inline constexpr u8 kBadCertificate = 42;
inline constexpr u8 kDecodeError = 50;
inline constexpr u8 kDecryptError = 51;
inline constexpr u8 kMissingExtension = 109;
inline constexpr u8 kCertificateRequired = 116;
inline constexpr u8 kNoApplicationProtocol = 120;

inline constexpr std::size_t kHeaderSize = 4;  // Type, and a length of three bytes.
inline constexpr std::size_t kChecksumSize = 8;
inline constexpr std::size_t kMaxMessage = 64 << 10;
inline constexpr std::size_t kTicketSize = 233;
inline constexpr std::size_t kFinishedSize = kHeaderSize + 8 + kChecksumSize;

using TlsRandom = std::array<u8, 32>;

inline std::unexpected<TransportError> alert(u8 code, std::string_view reason) {
  return fail(crypto_error(code), reason);
}

inline void put_string(Writer& out, Bytes bytes) {
  out.varint(bytes.size());
  out.bytes(bytes);
}

inline Bytes get_string(Reader& in) { return in.bytes(in.varint()); }

}  // namespace qpeer::sim
