// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Headers and the packets of a datagram. An input is: the length of our connection IDs (1 byte),
// flags (1 byte: bit 0 accepts a greased fixed bit, bits 1 and 2 choose the first packet's version,
// which no mutation would guess), the mask (5 bytes), the datagram.
#include <algorithm>
#include <array>
#include <vector>

#include "qpeer/fuzz/check.hpp"
#include "qpeer/transport/wire/packet_decoder.hpp"
#include "qpeer/transport/wire/packet_number.hpp"
#include "qpeer/transport/wire/retry_packet.hpp"
#include "qpeer/transport/wire/stateless.hpp"
#include "qpeer/transport/wire/version_negotiation.hpp"

using namespace qpeer;
using fuzz::check;
using namespace qpeer::wire;

namespace {

bool is_numbered(PacketType type) {
  return type != PacketType::retry && type != PacketType::version_negotiation;
}

/// Protection taken off and put on again leaves the packet as it was.
void check_protection(MutableBytes packet, const ProtectedHeader& header, const HeaderMask& mask) {
  check(header_sample(packet, header.packet_number_offset).size() == kSampleSize);
  const std::vector<u8> before(packet.begin(), packet.end());
  const Unprotected out = unprotect_header(packet, header.packet_number_offset, mask);
  check(out.header_size == header.packet_number_offset + out.packet_number_length);
  check(out.packet_number_length >= 1 && out.packet_number_length <= 4);
  check(out.truncated < std::uint64_t{1} << (8 * out.packet_number_length));
  const PacketNumber number = decode_packet_number(77, out.truncated, out.packet_number_length);
  check(number <= kMaxPacketNumber);
  protect_header(packet, header.packet_number_offset, out.packet_number_length, mask);
  check(std::equal(packet.begin(), packet.end(), before.begin()));
}

/// A long header written from what was decoded decodes to the same.
void check_round_trip(Bytes packet, const ProtectedHeader& header) {
  const std::size_t length = packet.size() - header.packet_number_offset;
  if (length > kMaxPatchedLength) return;
  const LongHeader long_header{.type = header.type,
                               .version = header.version,
                               .dcid = header.destination_connection_id.bytes(),
                               .scid = header.source_connection_id.bytes(),
                               .token = header.token};
  std::vector<u8> storage(long_header_size(long_header) + length);
  Writer out{storage};
  const std::size_t position = encode_long_header(out, long_header, 1);
  check(out.ok() && out.size() + length == storage.size());
  patch_length(storage, position, length);
  const auto back = decode_header(storage, 0);
  check(back.has_value() && back->type == header.type && back->version == header.version);
  check(back->destination_connection_id == header.destination_connection_id);
  check(back->source_connection_id == header.source_connection_id);
  check(equal(back->token, header.token));
  check(back->size == storage.size());
}

void check_packet(MutableBytes packet, const ProtectedHeader& header, const HeaderMask& mask) {
  check(header.size == packet.size() && header.packet_number_offset <= packet.size());
  if (is_numbered(header.type)) check_protection(packet, header, mask);
  switch (header.type) {
    case PacketType::retry:
      check(decode_retry(packet).has_value());
      break;
    case PacketType::version_negotiation:
      if (const auto out = decode_version_negotiation(packet)) {
        std::size_t count = 0;
        for ([[maybe_unused]] const Version version : out->supported_versions) ++count;
        check(count == out->supported_versions.size() && count > 0);
      }
      break;
    case PacketType::one_rtt:
      break;
    default:
      check_round_trip(packet, header);
  }
}

void choose_version(MutableBytes at, unsigned choice) {
  constexpr std::array kVersions{Version::v1, Version::v2, Version::negotiation};
  if (choice >= kVersions.size()) return;
  Writer out{at};
  out.u32(static_cast<std::uint32_t>(kVersions[choice]));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size < 7) return 0;
  const std::size_t short_dcid_length = data[0] % 21;
  const u8 flags = data[1];
  HeaderMask mask{};
  copy({data + 2, mask.size()}, mask);
  std::vector<u8> datagram(data + 7, data + size);
  if (!datagram.empty()) choose_version(MutableBytes(datagram).subspan(1), flags >> 1 & 3);

  if (const auto header = InvariantHeader::decode(datagram, short_dcid_length)) {
    check(header->destination_connection_id.size() <= 255);
  }
  check(reset_token_of(datagram).has_value() == (datagram.size() >= kMinStatelessResetSize));

  std::size_t total = 0;
  PacketSplitter split{datagram, short_dcid_length, (flags & 1) != 0};
  while (const auto header = split.next()) {
    total += split.packet().size();
    if (*header) check_packet(split.packet(), **header, mask);
  }
  check(total == datagram.size());
  return 0;
}
