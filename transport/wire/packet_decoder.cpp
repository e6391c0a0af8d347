// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/wire/packet_decoder.hpp"

namespace qpeer::wire {

namespace {

/// The bits of the first byte that protection covers, RFC 9001 §5.4.1.
constexpr u8 protected_bits(u8 first_byte) {
  return (first_byte & kLongFormBit) != 0 ? 0x0f : 0x1f;
}

}  // namespace

Unprotected unprotect_header(MutableBytes packet, std::size_t packet_number_offset,
                             const HeaderMask& mask) {
  packet[0] ^= mask[0] & protected_bits(packet[0]);
  Unprotected out{.first_byte = packet[0]};
  out.packet_number_length = std::size_t{1} + (packet[0] & kPacketNumberLengthMask);
  out.header_size = packet_number_offset + out.packet_number_length;
  for (std::size_t i = 0; i < out.packet_number_length; ++i) {
    u8& byte = packet[packet_number_offset + i];
    byte ^= mask[1 + i];
    out.truncated = out.truncated << 8 | byte;
  }
  return out;
}

void protect_header(MutableBytes packet, std::size_t packet_number_offset,
                    std::size_t packet_number_length, const HeaderMask& mask) {
  packet[0] ^= mask[0] & protected_bits(packet[0]);
  for (std::size_t i = 0; i < packet_number_length; ++i) {
    packet[packet_number_offset + i] ^= mask[1 + i];
  }
}

std::optional<std::expected<ProtectedHeader, DropReason>> PacketSplitter::next() {
  if (rest_.empty()) return std::nullopt;
  auto header = decode_header(rest_, short_dcid_length_, accept_zero_fixed_bit_);
  if (!header) {
    packet_ = rest_;
    rest_ = {};
    return header;
  }
  // RFC 9000 §12.2 [rfc9000-12.2-1]: each packet is a view of its own.
  packet_ = rest_.first(header->size);
  rest_ = rest_.subspan(header->size);
  if (!first_dcid_) {
    first_dcid_ = header->destination_connection_id;
  } else if (*first_dcid_ != header->destination_connection_id) {
    // RFC 9000 §12.2 [rfc9000-12.2-5]: no honest sender mixes connections in a datagram.
    return std::unexpected(DropReason::unknown_connection);
  }
  return header;
}

}  // namespace qpeer::wire
