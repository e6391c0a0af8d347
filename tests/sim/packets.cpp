// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/sim/packets.hpp"

#include "qpeer/transport/base/version.hpp"

namespace qpeer::sim {
namespace {

/// Steps over one packet and names it; '?' fails the reader.
char step_over(Reader& in) {
  const u8 first = in.peek();
  if ((first & 0x80) == 0) {
    in.rest();
    return '1';  // The QUIC Bit may be greased.
  }
  in.byte();
  const auto version = Version{in.u32()};
  in.bytes(in.byte());
  in.bytes(in.byte());
  if (version == Version::negotiation) {
    in.rest();
    return in.ok() ? 'V' : '?';
  }
  unsigned type = first >> 4 & 3;
  if (version == Version::v2) type = (type + 3) % 4;
  if (type == 3) {
    in.rest();
  } else {
    if (type == 0) in.bytes(in.varint());
    in.bytes(in.varint());
  }
  return in.ok() ? "I0HR"[type] : '?';
}

}  // namespace

std::string packet_kinds(Bytes datagram) {
  std::string kinds;
  Reader in{datagram};
  while (!in.empty() && !kinds.ends_with('?')) kinds += step_over(in);
  return kinds;
}

}  // namespace qpeer::sim
