// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Packet headers, before and without protection. RFC 8999 §5; RFC 9000 §17; RFC 9369 §3.2.
//
//   long    1 form | 1 fixed | 2 type | 2 reserved | 2 packet number length
//           version, 4 | dcid length, 1 | dcid | scid length, 1 | scid |
//           Initial only: token length, token | length | packet number, payload
//   short   0 form | 1 fixed | spin | 2 reserved | key phase | 2 packet number length
//           dcid | packet number, payload
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/version.hpp"
#include "qpeer/transport/wire/packet_type.hpp"

namespace qpeer::wire {

/// The smallest datagram that may carry an Initial packet, RFC 9000 §14.1.
inline constexpr std::size_t kMinInitialDatagramSize = 1200;
/// The longest connection ID of versions 1 and 2, RFC 9000 §17.2.
inline constexpr std::size_t kMaxCidV1 = ConnectionId::kMaxSize;
/// What header protection samples, and where: this far after the packet number's start, as if
/// that had its full four bytes. RFC 9001 §5.4.2.
inline constexpr std::size_t kSampleSize = 16;
inline constexpr std::size_t kSampleOffset = 4;

inline constexpr u8 kLongFormBit = 0x80;
inline constexpr u8 kFixedBit = 0x40;  ///< RFC 9287 calls it the QUIC Bit.
inline constexpr u8 kSpinBit = 0x20;
inline constexpr u8 kKeyPhaseBit = 0x04;
inline constexpr u8 kPacketNumberLengthMask = 0x03;

/// The bits of the first byte that must be zero once protection is removed. RFC 9000 §17.2, §17.3.
constexpr u8 reserved_bits_mask(PacketType type) { return has_long_header(type) ? 0x0c : 0x18; }

/// What every version of QUIC has in its header, RFC 8999 §5. Views into the datagram.
struct InvariantHeader {
  bool long_form = false;
  u8 first_byte = 0;
  std::uint32_t version = 0;  ///< 0 in a short header, which has none.
  Bytes destination_connection_id{};
  Bytes source_connection_id{};

  /// nullopt when the datagram ends within the header. Connection IDs may have up to 255 bytes;
  /// that of a short header is `short_dcid_length` long.
  static std::optional<InvariantHeader> decode(Bytes datagram, std::size_t short_dcid_length);
};

/// What a packet of version 1 or 2 tells while its header is still protected.
struct ProtectedHeader {
  PacketType type = PacketType::one_rtt;
  Version version = Version::negotiation;  ///< Not on the wire, and so not set, for one_rtt.
  ConnectionId destination_connection_id{};
  ConnectionId source_connection_id{};
  Bytes token{};  ///< Of Initial and Retry (there without the integrity tag). A view.
  std::size_t packet_number_offset = 0;  ///< Where the header ends for types without a number.
  std::size_t size = 0;                  ///< Of the whole packet inside the datagram.
};

/// Decodes the header of the first packet in `datagram_rest`. A packet with a number is at least
/// long enough for the header protection sample. `accept_zero_fixed_bit` is for endpoints that
/// advertised grease_quic_bit, RFC 9287 §3.
[[nodiscard]] std::expected<ProtectedHeader, DropReason> decode_header(
    Bytes datagram_rest, std::size_t short_dcid_length, bool accept_zero_fixed_bit = false);

/// The fields of a long header that carries a packet number: Initial, 0-RTT, Handshake.
struct LongHeader {
  PacketType type = PacketType::initial;
  Version version = Version::v1;
  Bytes dcid{};
  Bytes scid{};
  Bytes token{};  ///< Written for Initial only.
};

/// The size of what encode_long_header() writes: all before the packet number.
std::size_t long_header_size(const LongHeader& header);

/// Writes a long header up to and with the Length field, which has two bytes and is filled in by
/// patch_length(). Returns the position of that field in `out`. `fixed_bit` false is the grease
/// of RFC 9287.
std::size_t encode_long_header(Writer& out, const LongHeader& header,
                               std::size_t packet_number_length, bool fixed_bit = true);

/// The largest `length` that patch_length() can write.
inline constexpr std::size_t kMaxPatchedLength = 0x3fff;

/// Fills in the Length field at `position`: the bytes of packet number, payload and AEAD tag.
void patch_length(MutableBytes packet, std::size_t position, std::size_t length);

/// The size of what encode_short_header() writes.
constexpr std::size_t short_header_size(Bytes dcid) { return 1 + dcid.size(); }

/// Writes a short header up to, and without, the packet number.
void encode_short_header(Writer& out, Bytes dcid, bool spin, bool key_phase,
                         std::size_t packet_number_length, bool fixed_bit = true);

/// The first byte of a long header, with the type's bits as `version` has them. `low_bits` are
/// the four that the type gives meaning to.
constexpr u8 long_first_byte(PacketType type, Version version, u8 low_bits, bool fixed_bit = true) {
  // RFC 9369 §3.2: version 2 counts the types from Retry, version 1 from Initial.
  u8 bits = 0;
  switch (type) {
    case PacketType::zero_rtt:
      bits = 1;
      break;
    case PacketType::handshake:
      bits = 2;
      break;
    case PacketType::retry:
      bits = 3;
      break;
    default:
      break;
  }
  if (version == Version::v2) bits = (bits + 1) & 3;
  return static_cast<u8>(kLongFormBit | (fixed_bit ? kFixedBit : 0) | bits << 4 | low_bits);
}

/// The type that a long header of version 1 or 2 names.
constexpr PacketType long_packet_type(u8 first_byte, Version version) {
  constexpr PacketType kTypes[] = {PacketType::initial, PacketType::zero_rtt, PacketType::handshake,
                                   PacketType::retry};
  const unsigned bits = first_byte >> 4 & 3U;
  return kTypes[version == Version::v2 ? (bits + 3) & 3 : bits];
}

}  // namespace qpeer::wire
