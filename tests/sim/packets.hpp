// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What can be told of a datagram without keys: the kinds of its coalesced packets. RFC 9000 §12.2,
// §17.2; RFC 9369 §3.2.
#pragma once

#include <string>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::sim {

/// One letter a packet: I(nitial), 0(-RTT), H(andshake), R(etry), V(ersion Negotiation), 1(-RTT),
/// and ? where the rest is no packet. Short header packets and garbage end a datagram.
std::string packet_kinds(Bytes datagram);

/// Whether a packet of this kind is in it.
inline bool has_packet(Bytes datagram, char kind) {
  return packet_kinds(datagram).find(kind) != std::string::npos;
}

}  // namespace qpeer::sim
