// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Where a datagram may go that somebody else asked us to send.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {

/// Whether no well-known service listens there that answers to datagrams: no port below 1024 but that of
/// HTTP/3, nor those of SSDP, WS-Discovery, NAT-PMP and PCP, mDNS and memcached.
constexpr bool is_probe_port(std::uint16_t port) {
  constexpr std::uint16_t kFirstFree = 1'024;
  constexpr std::uint16_t kHttps = 443;
  constexpr std::array<std::uint16_t, 6> kServices{1'900, 3'702, 5'350, 5'351, 5'353, 11'211};
  return (port >= kFirstFree || port == kHttps) &&
         std::ranges::find(kServices, port) == kServices.end();
}

/// Whether it is such a port of a host of the internet.
constexpr bool is_probe_target(const SocketAddress& address) {
  return is_global(address) && is_probe_port(address.port());
}

}  // namespace qpeer::p2p
