// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The names of things on the wire, each a type of its own so that none is taken for another.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer {

/// Which end of a connection somebody is, RFC 9000 §1.2.
enum class Side : u8 { client, server };
/// The opposite end.
constexpr Side other(Side side) { return side == Side::client ? Side::server : Side::client; }

/// A stream ID, RFC 9000 §2.1: bit 0 is the initiator, bit 1 the direction.
struct StreamId {
  /// As on the wire.
  std::uint64_t value = 0;

  /// The ID of the `index`-th stream, from 0, of its kind.
  static constexpr StreamId make(Side initiator, bool bidirectional, std::uint64_t index) {
    return {index << 2 | (bidirectional ? 0U : 2U) | (initiator == Side::server ? 1U : 0U)};
  }
  /// Who opened it.
  [[nodiscard]] constexpr Side initiator() const {
    return (value & 1) == 0 ? Side::client : Side::server;
  }
  /// Whether both sides send on it.
  [[nodiscard]] constexpr bool is_bidirectional() const { return (value & 2) == 0; }
  /// How many streams of its kind come before it.
  [[nodiscard]] constexpr std::uint64_t index() const { return value >> 2; }
  friend constexpr auto operator<=>(StreamId, StreamId) = default;
};

/// The three packet number spaces, RFC 9000 §12.3.
enum class PacketNumberSpace : u8 { initial, handshake, application };
/// How many spaces there are.
inline constexpr std::size_t kPacketNumberSpaces = 3;

/// The TLS encryption levels, RFC 9001 §2.1.
enum class EncryptionLevel : u8 { initial, zero_rtt, handshake, one_rtt };
/// How many levels there are.
inline constexpr std::size_t kEncryptionLevels = 4;

/// The space that packets of a level are numbered in.
constexpr PacketNumberSpace space_of(EncryptionLevel level) {
  switch (level) {
    case EncryptionLevel::initial:
      return PacketNumberSpace::initial;
    case EncryptionLevel::handshake:
      return PacketNumberSpace::handshake;
    default:
      return PacketNumberSpace::application;
  }
}

/// The kinds of packets. RFC 9000 §17, Table 5.
enum class PacketType : u8 { initial, zero_rtt, handshake, retry, version_negotiation, one_rtt };

/// A packet number, RFC 9000 §12.3.
using PacketNumber = std::uint64_t;
/// The largest packet number.
inline constexpr PacketNumber kMaxPacketNumber = (std::uint64_t{1} << 62) - 1;

/// A connection ID of 0 to 20 bytes, RFC 9000 §5.1, RFC 8999 §5.3 for those of other versions
/// (which are handled as Bytes).
class ConnectionId {
 public:
  /// Bytes of the longest, in versions 1 and 2.
  static constexpr std::size_t kMaxSize = 20;

  constexpr ConnectionId() = default;
  /// Takes the first kMaxSize bytes at most.
  constexpr explicit ConnectionId(Bytes bytes)
      : size_(static_cast<u8>(bytes.size() < kMaxSize ? bytes.size() : kMaxSize)) {
    copy(bytes.first(size_), octets_);
  }
  /// The view is valid while this object is.
  [[nodiscard]] constexpr Bytes bytes() const { return Bytes(octets_).first(size_); }
  /// Its length in bytes.
  [[nodiscard]] constexpr std::size_t size() const { return size_; }
  /// Whether it has zero length.
  [[nodiscard]] constexpr bool empty() const { return size_ == 0; }
  friend constexpr bool operator==(const ConnectionId&, const ConnectionId&) = default;
  friend constexpr auto operator<=>(const ConnectionId&, const ConnectionId&) = default;

 private:
  std::array<u8, kMaxSize> octets_{};
  u8 size_ = 0;
};

/// The 16 bytes that end a stateless reset, RFC 9000 §10.3.
using StatelessResetToken = std::array<u8, 16>;

}  // namespace qpeer

template <>
struct std::hash<qpeer::StreamId> {
  std::size_t operator()(qpeer::StreamId id) const noexcept {
    return std::hash<std::uint64_t>{}(id.value);
  }
};
