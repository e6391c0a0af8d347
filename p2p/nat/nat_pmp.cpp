// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/nat/nat_pmp.hpp"

#include <utility>

namespace qpeer::p2p {
namespace {

constexpr u8 kVersion = 0;
constexpr u8 kResponse = 128;

constexpr std::size_t request_size(NatPmpOpcode opcode) {
  return opcode == NatPmpOpcode::external_address ? 2 : 12;
}
constexpr std::size_t response_size(NatPmpOpcode opcode) {
  return opcode == NatPmpOpcode::external_address ? 12 : 16;
}

/// The opcode that `byte` is, with the bit of responses or without it.
std::optional<NatPmpOpcode> opcode_of(u8 byte, u8 bit) {
  for (const auto each : {NatPmpOpcode::external_address, NatPmpOpcode::map_udp}) {
    if (byte == (std::to_underlying(each) | bit)) return each;
  }
  return std::nullopt;
}

}  // namespace

std::optional<NatPmpRequest> NatPmpRequest::decode(Bytes datagram) {
  Reader in{datagram};
  const u8 version = in.byte();
  const auto opcode = opcode_of(in.byte(), 0);
  if (version != kVersion || !opcode || datagram.size() != request_size(*opcode))
    return std::nullopt;
  if (*opcode == NatPmpOpcode::external_address) return NatPmpRequest{.opcode = *opcode};
  in.u16();  // Reserved: ignored. RFC 6886 §3.3 [rfc6886-3.3-1].
  return NatPmpRequest{.opcode = *opcode,
                       .internal_port = in.u16(),
                       .external_port = in.u16(),
                       .lifetime = in.u32()};
}

void NatPmpRequest::encode(Writer& out) const {
  out.byte(kVersion);
  out.byte(std::to_underlying(opcode));
  if (opcode == NatPmpOpcode::external_address) return;
  out.u16(0);  // [rfc6886-3.3-1]
  out.u16(internal_port);
  out.u16(external_port);
  out.u32(lifetime);
}

std::optional<NatPmpResponse> NatPmpResponse::decode(Bytes datagram) {
  Reader in{datagram};
  const u8 version = in.byte();
  // RFC 6886 §3.3 [rfc6886-3.3-4]: the opcode says which request it answers.
  const auto opcode = opcode_of(in.byte(), kResponse);
  NatPmpResponse out{.result = NatPmpResult{in.u16()}};
  if (version != kVersion || !opcode || !in.ok()) return std::nullopt;
  out.opcode = *opcode;
  if (datagram.size() != response_size(*opcode)) {
    if (out.result == NatPmpResult::success) return std::nullopt;
    return out;
  }
  out.epoch = in.u32();
  if (*opcode == NatPmpOpcode::map_udp) {
    out.internal_port = in.u16();
    out.external_port = in.u16();
    out.lifetime = in.u32();
    return out;
  }
  const Bytes octets = in.rest();
  // RFC 6886 §3.2 [rfc6886-3.2-2]: on failure it is not looked at.
  if (out.result == NatPmpResult::success) {
    out.external_address = SocketAddress::ipv4({octets[0], octets[1], octets[2], octets[3]}, 0);
  }
  return out;
}

void NatPmpResponse::encode(Writer& out) const {
  out.byte(kVersion);
  out.byte(std::to_underlying(opcode) | kResponse);
  out.u16(std::to_underlying(result));
  out.u32(epoch);
  if (opcode == NatPmpOpcode::map_udp) {
    out.u16(internal_port);
    out.u16(external_port);
    out.u32(lifetime);
  } else if (external_address.is_ipv4()) {
    out.bytes(external_address.octets());
  } else {
    out.zeros(4);
  }
}

}  // namespace qpeer::p2p
