// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/wire/retry_packet.hpp"

#include "qpeer/transport/wire/header.hpp"

namespace qpeer::wire {

std::expected<RetryPacket, DropReason> decode_retry(Bytes packet) {
  // The fixed bit may be greased: the tag tells whether the packet is whole.
  const auto header = decode_header(packet, 0, /*accept_zero_fixed_bit=*/true);
  if (!header) return std::unexpected(header.error());
  if (header->type != PacketType::retry) return std::unexpected(DropReason::unexpected_packet);
  return RetryPacket{.version = header->version,
                     .destination_connection_id = header->destination_connection_id,
                     .source_connection_id = header->source_connection_id,
                     .token = header->token,
                     .integrity_tag = packet.last(kRetryIntegrityTagSize),
                     .without_tag = packet.first(packet.size() - kRetryIntegrityTagSize)};
}

void encode_retry(Writer& out, Version version, Bytes dcid, Bytes scid, Bytes token,
                  u8 unused_bits) {
  out.byte(long_first_byte(PacketType::retry, version, unused_bits & 0x0f));
  out.u32(static_cast<std::uint32_t>(version));
  out.byte(static_cast<u8>(dcid.size()));
  out.bytes(dcid);
  out.byte(static_cast<u8>(scid.size()));
  out.bytes(scid);
  out.bytes(token);
}

}  // namespace qpeer::wire
