// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How this machine reaches the internet, as Linux says (rtnetlink, without privileges).
#pragma once

#include <cstdint>

#include "qpeer/transport/base/address.hpp"

namespace qpeer::io {

/// `local` is the address of ours that packets to the internet have as their source, with this port;
/// `remote` is the router, with port 0, and with a zone where it is link-local. Neither is valid() where there
/// is no way, or one without a router, as over a tunnel. Asks the system; sends no packet, and never blocks.
/// Any thread.
[[nodiscard]] Path read_ipv4_internet_path(std::uint16_t port);
/// The same of IPv6.
[[nodiscard]] Path read_ipv6_internet_path(std::uint16_t port);
/// That of IPv4, where NATs are, or else of IPv6.
[[nodiscard]] Path read_internet_path(std::uint16_t port);

/// The address of ours that packets to `destination` have as their source, with port 0; not valid() without a
/// way. As above.
[[nodiscard]] SocketAddress read_source_address(const SocketAddress& destination);

}  // namespace qpeer::io
