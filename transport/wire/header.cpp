// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/wire/header.hpp"

#include "qpeer/transport/wire/retry_packet.hpp"

namespace qpeer::wire {

namespace {

using Decoded = std::expected<ProtectedHeader, DropReason>;

std::unexpected<DropReason> malformed() { return std::unexpected(DropReason::malformed_header); }

Decoded decode_short(Bytes packet, std::size_t dcid_length) {
  Reader in{packet};
  in.byte();
  ProtectedHeader header{.type = PacketType::one_rtt,
                         .destination_connection_id = ConnectionId(in.bytes(dcid_length)),
                         .packet_number_offset = in.position(),
                         .size = packet.size()};
  // RFC 9001 §5.4.2 [rfc9001-5.4.2-1]: without a whole sample the number stays hidden.
  if (!in.ok() || in.remaining() < kSampleOffset + kSampleSize) return malformed();
  return header;
}

/// What follows the connection IDs of a long header with a packet number.
Decoded decode_numbered(ProtectedHeader header, Reader& in) {
  if (header.type == PacketType::initial) header.token = in.bytes(in.varint());
  const std::uint64_t length = in.varint();
  header.packet_number_offset = in.position();
  // The Length field must not reach past the datagram, and leave room for the sample
  // (RFC 9001 §5.4.2 [rfc9001-5.4.2-1]).
  if (!in.ok() || length > in.remaining() || length < kSampleOffset + kSampleSize) {
    return malformed();
  }
  header.size = header.packet_number_offset + static_cast<std::size_t>(length);
  return header;
}

/// What follows the connection IDs of a Retry packet.
Decoded decode_retry_token(ProtectedHeader header, Reader& in) {
  // RFC 9000 §17.2.5.2 [rfc9000-17.2.5.2-4]: a Retry without a token proves nothing.
  if (in.remaining() <= kRetryIntegrityTagSize) return malformed();
  header.packet_number_offset = in.position();
  header.token = in.bytes(in.remaining() - kRetryIntegrityTagSize);
  header.size = in.position() + in.remaining();
  return header;
}

}  // namespace

std::optional<InvariantHeader> InvariantHeader::decode(Bytes datagram,
                                                       std::size_t short_dcid_length) {
  Reader in{datagram};
  InvariantHeader header{.first_byte = in.byte()};
  header.long_form = (header.first_byte & kLongFormBit) != 0;
  if (header.long_form) {
    // RFC 9000 §17.2 [rfc9000-17.2-4], [rfc9000-17.2-7]: any length that a byte can say, so that
    // other versions get their Version Negotiation packet.
    header.version = in.u32();
    header.destination_connection_id = in.bytes(in.byte());
    header.source_connection_id = in.bytes(in.byte());
  } else {
    header.destination_connection_id = in.bytes(short_dcid_length);
  }
  if (!in.ok()) return std::nullopt;
  return header;
}

Decoded decode_header(Bytes datagram_rest, std::size_t short_dcid_length,
                      bool accept_zero_fixed_bit) {
  if (datagram_rest.empty()) return malformed();
  const u8 first_byte = datagram_rest[0];
  const bool fixed_bit = (first_byte & kFixedBit) != 0 || accept_zero_fixed_bit;
  if ((first_byte & kLongFormBit) == 0) {
    // RFC 9000 §17.3.1 [rfc9000-17.3.1-1]; RFC 9287 §3 [rfc9287-3-2].
    if (!fixed_bit) return malformed();
    return decode_short(datagram_rest, short_dcid_length);
  }

  const auto invariant = InvariantHeader::decode(datagram_rest, short_dcid_length);
  if (!invariant) return malformed();
  const Bytes dcid = invariant->destination_connection_id;
  const Bytes scid = invariant->source_connection_id;
  const Version version{invariant->version};
  if (version != Version::negotiation && !is_supported(version)) {
    return std::unexpected(DropReason::unsupported_version);
  }
  // RFC 9000 §17.2 [rfc9000-17.2-3], [rfc9000-17.2-6]. In a Version Negotiation packet they echo
  // ours, which are no longer.
  if (dcid.size() > kMaxCidV1 || scid.size() > kMaxCidV1) return malformed();

  ProtectedHeader header{.version = version,
                         .destination_connection_id = ConnectionId(dcid),
                         .source_connection_id = ConnectionId(scid)};
  Reader in{datagram_rest};
  in.bytes(7 + dcid.size() + scid.size());
  if (version == Version::negotiation) {
    // RFC 9000 §17.2.1 [rfc9000-17.2.1-1]: here the fixed bit is one of the ignored ones.
    header.type = PacketType::version_negotiation;
    header.packet_number_offset = in.position();
    header.size = datagram_rest.size();
    return header;
  }
  // RFC 9000 §17.2 [rfc9000-17.2-1]; RFC 9287 §3 [rfc9287-3-2].
  if (!fixed_bit) return malformed();
  header.type = long_packet_type(first_byte, version);
  return header.type == PacketType::retry ? decode_retry_token(header, in)
                                          : decode_numbered(header, in);
}

std::size_t long_header_size(const LongHeader& header) {
  const std::size_t token = header.type == PacketType::initial
                                ? varint_size(header.token.size()) + header.token.size()
                                : 0;
  return 7 + header.dcid.size() + header.scid.size() + token + 2;
}

std::size_t encode_long_header(Writer& out, const LongHeader& header,
                               std::size_t packet_number_length, bool fixed_bit) {
  // RFC 9000 §17.2 [rfc9000-17.2-8]: the reserved bits stay zero.
  out.byte(long_first_byte(header.type, header.version, static_cast<u8>(packet_number_length - 1),
                           fixed_bit));
  out.u32(static_cast<std::uint32_t>(header.version));
  out.byte(static_cast<u8>(header.dcid.size()));
  out.bytes(header.dcid);
  out.byte(static_cast<u8>(header.scid.size()));
  out.bytes(header.scid);
  if (header.type == PacketType::initial) {
    out.varint(header.token.size());
    out.bytes(header.token);
  }
  const std::size_t position = out.size();
  out.varint_of_size(0, 2);
  return position;
}

void patch_length(MutableBytes packet, std::size_t position, std::size_t length) {
  Writer out{packet.subspan(position, 2)};
  out.varint_of_size(length, 2);
}

void encode_short_header(Writer& out, Bytes dcid, bool spin, bool key_phase,
                         std::size_t packet_number_length, bool fixed_bit) {
  // RFC 9000 §17.3.1 [rfc9000-17.3.1-2]: the reserved bits stay zero.
  out.byte(static_cast<u8>((fixed_bit ? kFixedBit : 0) | (spin ? kSpinBit : 0) |
                           (key_phase ? kKeyPhaseBit : 0) | (packet_number_length - 1)));
  out.bytes(dcid);
}

}  // namespace qpeer::wire
