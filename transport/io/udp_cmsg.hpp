// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Addresses and control messages as the kernel spells them. Internal to io.
//
// Two traps of dual-stack sockets: an IPv4 datagram brings its ECN mark as IP_TOS, and takes it as
// IP_TOS too, for the kernel ignores IPV6_TCLASS towards an IPv4-mapped destination.
#pragma once

#include <cstddef>
#include <cstdint>

#include "qpeer/transport/base/datagram.hpp"

struct msghdr;
struct sockaddr_storage;

namespace qpeer::io {

/// Which addresses a socket reaches.
enum class SocketFamily : u8 {
  ipv4,
  ipv6,        ///< IPv6 alone.
  dual_stack,  ///< An IPv6 socket that reaches IPv4 too.
};

/// Writes `address` for a socket of the given family (IPv4 becomes IPv4-mapped on a dual-stack one);
/// returns its length, 0 when such a socket cannot reach it.
[[nodiscard]] std::uint32_t to_sockaddr(const SocketAddress& address, SocketFamily socket,
                                        sockaddr_storage& out);

/// Unspecified when the family is neither IPv4 nor IPv6.
[[nodiscard]] SocketAddress from_sockaddr(const sockaddr_storage& in);

/// What the control messages of a received datagram say.
struct ReceivedControl {
  SocketAddress local;  ///< Without a port; unspecified when the kernel did not say.
  Ecn ecn = Ecn::not_ect;
  std::size_t segment_size = 0;  ///< 0: a single datagram.
};
[[nodiscard]] ReceivedControl read_control(msghdr& message);

/// The errno of an ICMP error read from a socket's error queue; 0 when it is an error of another kind.
[[nodiscard]] int read_icmp_error(msghdr& message);

/// What the control messages of a sent datagram shall say.
struct SendControl {
  SocketAddress source;  ///< Unspecified: the kernel chooses.
  Ecn ecn = Ecn::not_ect;
  std::size_t segment_size = 0;  ///< 0: a single datagram.
  bool to_ipv4 = false;
};
/// Room that is enough for either direction, aligned as control messages must be.
struct alignas(8) ControlBuffer {
  u8 bytes[160];
};
/// Points msg_control into `buffer`, and fills it.
void write_control(const SendControl& control, ControlBuffer& buffer, msghdr& message);

}  // namespace qpeer::io
