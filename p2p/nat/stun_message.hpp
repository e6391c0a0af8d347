// SPDX-License-Identifier: MIT OR BSD-3-Clause
// STUN messages of the Binding method, and the knock, which is a Binding indication with a token.
// RFC 8489 §5, §14.
//
//   00 | method and class (14) | length (16)       length: of all that follows the header
//   magic cookie (32)
//   transaction ID (96)
//   attributes: type (16) | length (16) | value | padding to 4 bytes; FINGERPRINT last
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/inline_vector.hpp"

namespace qpeer::p2p {

/// Tells STUN from other protocols at the same port, RFC 8489 §5.
inline constexpr std::uint32_t kStunCookie = 0x2112'a442;
inline constexpr std::size_t kStunHeaderSize = 20;
/// No message of ours is longer.
inline constexpr std::size_t kMaxStunSize = 160;

/// What an answer must repeat.
using StunTransactionId = std::array<u8, 12>;
/// What a knock carries: the judge drew it.
using KnockToken = std::array<u8, 16>;

/// RFC 8489 §5. The values are the two class bits.
enum class StunClass : u8 { request = 0, indication = 1, success = 2, error = 3 };

/// Types of attributes, RFC 8489 §18.3. Receivers must understand those below 0x8000.
enum class StunAttribute : std::uint16_t {
  mapped_address = 0x0001,
  change_request = 0x0003,  ///< RFC 5780 §7.2.
  username = 0x0006,
  message_integrity = 0x0008,
  error_code = 0x0009,
  unknown_attributes = 0x000a,
  realm = 0x0014,
  nonce = 0x0015,
  message_integrity_sha256 = 0x001c,
  password_algorithm = 0x001d,
  userhash = 0x001e,
  xor_mapped_address = 0x0020,
  fingerprint = 0x8028,
  other_address = 0x802c,  ///< RFC 5780 §7.4.
  knock_token = 0xc0f1,    ///< Ours.
};

/// Error codes that we send or treat apart, RFC 8489 §14.8.
inline constexpr std::uint16_t kStunBadRequest = 400;
inline constexpr std::uint16_t kStunUnknownAttribute = 420;

/// From where a server that has another address shall answer, RFC 5780 §7.2.
struct StunChange {
  bool host = false;  ///< From its other host.
  bool port = false;  ///< From its other port.

  [[nodiscard]] bool any() const { return host || port; }
  friend bool operator==(const StunChange&, const StunChange&) = default;
};

/// Types of attributes. Of more than these the first are kept.
using StunAttributeTypes = InlineVector<std::uint16_t, 16>;

/// Whether a datagram may be STUN, by what all STUN messages have in common. QUIC packets to us never
/// look so, by chance at most: see transport::LocalCids.
constexpr bool looks_like_stun(Bytes datagram) {
  if (datagram.size() < kStunHeaderSize || datagram[0] > 3) return false;
  return Reader(datagram.subspan(4)).u32() == kStunCookie;
}

/// A Binding message; a view of nothing. Attributes that are not named here are skipped: SOFTWARE, and
/// those of credentials.
struct StunMessage {
  StunClass message_class = StunClass::request;
  StunTransactionId transaction_id{};
  /// The sender of a request as its receiver sees it: XOR-MAPPED-ADDRESS, or else MAPPED-ADDRESS.
  std::optional<SocketAddress> mapped_address{};
  /// Another address of a server that can be asked, to learn how a NAT filters.
  std::optional<SocketAddress> other_address{};
  std::optional<std::uint16_t> error_code{};  ///< 300 to 699.
  StunAttributeTypes unknown_attributes{};    ///< What UNKNOWN-ATTRIBUTES lists.
  std::optional<KnockToken> knock_token{};
  /// Of encode() alone: our server has no other address, so that decode() does not understand it.
  StunChange change{};
  /// Of decode() alone: attributes that a receiver must understand, and that we do not.
  StunAttributeTypes not_understood{};

  /// The message that the whole of `datagram` is. nullopt for what is no STUN message, breaks its
  /// format, is of another method, or has a FINGERPRINT that is wrong or not at the end.
  static std::optional<StunMessage> decode(Bytes datagram);
  /// Ends with FINGERPRINT. Fits into kMaxStunSize bytes.
  void encode(Writer& out) const;

  friend bool operator==(const StunMessage&, const StunMessage&) = default;
};

}  // namespace qpeer::p2p
