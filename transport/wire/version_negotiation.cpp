// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/wire/version_negotiation.hpp"

#include "qpeer/transport/wire/header.hpp"

namespace qpeer::wire {

std::expected<VersionNegotiationPacket, DropReason> decode_version_negotiation(Bytes packet) {
  // RFC 8999 §6 [rfc8999-6-1], RFC 9000 §17.2.1 [rfc9000-17.2.1-1]: of the first byte only the
  // form bit counts.
  const auto header = InvariantHeader::decode(packet, 0);
  if (!header || !header->long_form || header->version != 0) {
    return std::unexpected(DropReason::malformed_header);
  }
  const Bytes versions = packet.subspan(7 + header->destination_connection_id.size() +
                                        header->source_connection_id.size());
  // RFC 8999 §6 [rfc8999-6-2]: half a version may be the rest of a packet that was cut.
  if (versions.empty() || versions.size() % 4 != 0) {
    return std::unexpected(DropReason::malformed_header);
  }
  return VersionNegotiationPacket{.destination_connection_id = header->destination_connection_id,
                                  .source_connection_id = header->source_connection_id,
                                  .supported_versions = VersionList(versions)};
}

void encode_version_negotiation(Writer& out, u8 random, Bytes dcid, Bytes scid,
                                std::span<const Version> supported_versions) {
  // RFC 9000 §17.2.1 [rfc9000-17.2.1-2]: with the fixed bit, so that what shares the port with
  // QUIC takes it for QUIC.
  out.byte(static_cast<u8>(kLongFormBit | kFixedBit | (random & 0x3f)));
  out.u32(0);  // [rfc9000-17.2.1-3]: this is what names the packet's type.
  out.byte(static_cast<u8>(dcid.size()));
  out.bytes(dcid);
  out.byte(static_cast<u8>(scid.size()));
  out.bytes(scid);
  for (const Version version : supported_versions) out.u32(static_cast<std::uint32_t>(version));
}

}  // namespace qpeer::wire
