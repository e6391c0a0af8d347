// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/nat/pcp.hpp"

#include <utility>

namespace qpeer::p2p {
namespace {

constexpr u8 kResponse = 0x80;
constexpr u8 kUdp = 17;
constexpr std::size_t kHeaderSize = 24;

// An IPv4 address is written as the IPv6 address ::ffff:a.b.c.d. RFC 6887 §5. The all-zeros one of a
// family says "any" of it: §11.1 [rfc6887-11.1-4].
void write_address(Writer& out, const SocketAddress& address) {
  if (address.is_ipv4()) {
    out.zeros(10);
    out.u16(0xffff);
  }
  out.bytes(address.octets());
}

SocketAddress read_address(Reader& in, std::uint16_t port) {
  std::array<u8, 16> octets{};
  const Bytes read = in.bytes(octets.size());
  if (!in.ok()) return {};
  copy(read, octets);
  return SocketAddress::ipv6(octets, port);
}

void write_mapping(Writer& out, const PcpMapping& mapping) {
  out.bytes(mapping.nonce);
  out.byte(kUdp);
  out.zeros(3);  // RFC 6887 §11.1 [rfc6887-11.1-1].
  out.u16(mapping.internal_port);
  out.u16(mapping.external.port());
  write_address(out, mapping.external);
}

/// Fails when it is of another protocol.
PcpMapping read_mapping(Reader& in) {
  PcpMapping out;
  const Bytes nonce = in.bytes(out.nonce.size());
  if (in.ok()) copy(nonce, out.nonce);
  if (in.byte() != kUdp) in.fail();
  in.bytes(3);  // Reserved: ignored [rfc6887-11.1-5].
  out.internal_port = in.u16();
  const std::uint16_t external_port = in.u16();
  out.external = read_address(in, external_port);
  return out;
}

// RFC 6887 §9, §8.3; RFC 6886 §3.5, whose answer may have the bit of responses or not, and the result in
// two bytes.
std::optional<PcpResponse> decode_other_version(Bytes datagram) {
  Reader in{datagram};
  const u8 version = in.byte();
  const u8 opcode = in.byte();
  const std::uint16_t result = in.u16();
  const bool is_nat_pmp = version == 0 && result == 1 && (opcode & ~kResponse) <= 1;
  const bool is_pcp = version != 0 && (opcode & kResponse) != 0 &&
                      PcpResult{static_cast<u8>(result)} == PcpResult::unsupported_version;
  if (!in.ok() || (!is_nat_pmp && !is_pcp)) return std::nullopt;
  return PcpResponse{.version = version, .result = PcpResult::unsupported_version};
}

}  // namespace

std::optional<PcpMapRequest> PcpMapRequest::decode(Bytes datagram) {
  Reader in{datagram};
  const u8 version = in.byte();
  const u8 opcode = in.byte();
  in.u16();
  PcpMapRequest out{.client = {}, .lifetime = in.u32(), .mapping = {}};
  out.client = read_address(in, 0);
  out.mapping = read_mapping(in);
  if (!in.ok() || version != kPcpVersion || opcode != std::to_underlying(PcpOpcode::map)) {
    return std::nullopt;
  }
  return out;
}

void PcpMapRequest::encode(Writer& out) const {
  out.byte(kPcpVersion);
  out.byte(std::to_underlying(PcpOpcode::map));
  out.u16(0);  // RFC 6887 §7.1 [rfc6887-7.1-1].
  out.u32(lifetime);
  write_address(out, client);  // RFC 6887 §8.1 [rfc6887-8.1-2].
  write_mapping(out, mapping);
}

std::optional<PcpResponse> PcpResponse::decode(Bytes datagram) {
  if (!datagram.empty() && datagram[0] != kPcpVersion) return decode_other_version(datagram);
  // RFC 6887 §8.3: other sizes are not valid.
  if (datagram.size() < kHeaderSize || datagram.size() > kMaxPcpSize || datagram.size() % 4 != 0) {
    return std::nullopt;
  }
  Reader in{datagram};
  in.byte();
  const u8 opcode = in.byte();
  in.byte();  // Reserved: ignored, as below [rfc6887-7.2-3] [rfc6887-7.2-4].
  PcpResponse out{.result = PcpResult{in.byte()}, .lifetime = in.u32(), .epoch = in.u32()};
  in.bytes(12);
  if (opcode == (std::to_underlying(PcpOpcode::map) | kResponse)) {
    out.opcode = PcpOpcode::map;
    out.mapping = read_mapping(in);
  } else if (opcode != (std::to_underlying(PcpOpcode::announce) | kResponse)) {
    return std::nullopt;  // No response [rfc6887-7.2-2], or of another opcode.
  }
  // Options may follow: ignored [rfc6887-7.3-12].
  if (!in.ok()) return std::nullopt;
  return out;
}

void PcpResponse::encode(Writer& out) const {
  out.byte(kPcpVersion);
  out.byte(std::to_underlying(opcode) | kResponse);
  out.byte(0);
  out.byte(std::to_underlying(result));
  out.u32(lifetime);
  out.u32(epoch);
  out.zeros(12);
  if (opcode == PcpOpcode::map) write_mapping(out, mapping);
}

}  // namespace qpeer::p2p
