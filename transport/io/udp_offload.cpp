// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/udp_offload.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "qpeer/transport/io/udp_cmsg.hpp"

namespace qpeer::io {
namespace {

bool set(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

std::size_t get(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd, level, name, &value, &size) != 0 || value < 0) return 0;
  return static_cast<std::size_t>(value);
}

// The forced form passes net.core.{r,w}mem_max, but needs CAP_NET_ADMIN.
void ask_for_buffer(int fd, int forced, int plain, std::size_t size) {
  constexpr std::size_t kMax = std::numeric_limits<int>::max() / 2;
  const int value = static_cast<int>(std::min(size, kMax));
  if (!set(fd, SOL_SOCKET, forced, value)) set(fd, SOL_SOCKET, plain, value);
}

// Of an option that exists for each family: an IPv6 socket that speaks IPv4 too needs both.
bool set_both(int fd, bool is_ipv6, bool dual_stack, int name4, int value4, int name6, int value6) {
  if (!is_ipv6) return set(fd, IPPROTO_IP, name4, value4);
  return set(fd, IPPROTO_IPV6, name6, value6) &&
         (!dual_stack || set(fd, IPPROTO_IP, name4, value4));
}

// Which addresses: IPv4 too, or the one family only; and one port for several sockets.
std::error_code configure_binding(int fd, const SocketAddress& address, const UdpOptions& options,
                                  UdpCapabilities& out) {
  if (options.reuse_port && !set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) {
    return {errno, std::system_category()};
  }
  if (address.is_ipv6()) {
    out.dual_stack =
        options.dual_stack && address.is_wildcard() && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (!out.dual_stack) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  }
  return {};
}

void configure_buffers(int fd, std::size_t size, UdpCapabilities& out) {
  if (size != 0) {
    ask_for_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, size);
    ask_for_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, size);
  }
  out.send_buffer = get(fd, SOL_SOCKET, SO_SNDBUF);
  out.receive_buffer = get(fd, SOL_SOCKET, SO_RCVBUF);
}

}  // namespace

std::error_code configure(int fd, const SocketAddress& address, const UdpOptions& options,
                          UdpCapabilities& out) {
  if (const auto error = configure_binding(fd, address, options, out)) return error;
  configure_buffers(fd, options.buffer_size, out);
  const bool is_ipv6 = address.is_ipv6();
  // RFC 9000 §14: datagrams must not be fragmented. PROBE sets DF, and leaves path MTU discovery
  // to the transport.
  out.dont_fragment =
      options.dont_fragment && set_both(fd, is_ipv6, out.dual_stack, IP_MTU_DISCOVER,
                                        IP_PMTUDISC_PROBE, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
  out.ecn = options.ecn && set_both(fd, is_ipv6, out.dual_stack, IP_RECVTOS, 1, IPV6_RECVTCLASS, 1);
  // A socket bound to one address knows what its datagrams were sent to. An IPv6 socket is told
  // IPv4 addresses as IPv4-mapped.
  out.packet_info = !address.is_wildcard() ||
                    (options.packet_info && (is_ipv6 ? set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
                                                     : set(fd, IPPROTO_IP, IP_PKTINFO, 1)));
  out.closed_ports =
      options.closed_ports && set_both(fd, is_ipv6, out.dual_stack, IP_RECVERR, 1, IPV6_RECVERR, 1);
  out.gro = options.gro && set(fd, IPPROTO_UDP, UDP_GRO, 1);
  out.gso = options.gso && set(fd, IPPROTO_UDP, UDP_SEGMENT, 0);  // Off, but known to the kernel.
  return {};
}

}  // namespace qpeer::io
