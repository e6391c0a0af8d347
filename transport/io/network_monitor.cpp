// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/network_monitor.hpp"

#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::io {
namespace {

/// The fixed part of a message or attribute at the start of `bytes`; nullopt when they are too few.
template <class T>
std::optional<T> head_of(Bytes bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T out{};
  std::memcpy(&out, bytes.data(), sizeof out);
  return out;
}

/// Past a message or attribute of this size, whose successor is aligned.
Bytes behind(Bytes bytes, std::size_t size) {
  return bytes.subspan(std::min<std::size_t>(bytes.size(), NLMSG_ALIGN(size)));
}

bool is_link_local(Bytes octets) { return octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80; }

SocketAddress address_of(const ifaddrmsg& message, Bytes octets) {
  if (message.ifa_family == AF_INET && octets.size() == 4) {
    std::array<u8, 4> out{};
    copy(octets, out);
    return SocketAddress::ipv4(out, 0);
  }
  if (message.ifa_family == AF_INET6 && octets.size() == 16) {
    std::array<u8, 16> out{};
    copy(octets, out);
    return SocketAddress::ipv6(out, 0, is_link_local(octets) ? message.ifa_index : 0);
  }
  return {};
}

/// Calls `visit` with the type and value of each attribute in `rest`.
template <class Visit>
void for_each_attribute(Bytes rest, Visit visit) {
  while (const auto attribute = head_of<rtattr>(rest)) {
    const std::size_t size = attribute->rta_len;
    if (size < sizeof *attribute || size > rest.size()) return;
    visit(attribute->rta_type, rest.first(size).subspan(sizeof *attribute));
    rest = behind(rest, size);
  }
}

/// The address that a RTM_DELADDR message is about. Of a point-to-point link IFA_ADDRESS is the other
/// end's, and IFA_LOCAL ours.
SocketAddress gone_in(Bytes body) {
  const auto message = head_of<ifaddrmsg>(body);
  if (!message) return {};
  SocketAddress address;
  SocketAddress local;
  for_each_attribute(behind(body, sizeof *message), [&](unsigned type, Bytes value) {
    if (type == IFA_LOCAL) local = address_of(*message, value);
    if (type == IFA_ADDRESS) address = address_of(*message, value);
  });
  return local.valid() ? local : address;
}

/// Whether a RTM_NEWADDR message is about a new address, and not about one that lives longer now, as
/// routers say every few minutes.
bool is_new_address(Bytes body) {
  constexpr std::uint32_t kSecond = 100;  // The kernel counts hundredths.
  const auto message = head_of<ifaddrmsg>(body);
  if (!message || (message->ifa_flags & IFA_F_TENTATIVE) != 0) return false;
  bool is_new = true;
  for_each_attribute(behind(body, sizeof *message), [&](unsigned type, Bytes value) {
    const auto info = type == IFA_CACHEINFO ? head_of<ifa_cacheinfo>(value) : std::nullopt;
    if (info) is_new = info->tstamp - info->cstamp < kSecond;
  });
  return is_new;
}

bool is_default_route(Bytes body) {
  const auto message = head_of<rtmsg>(body);
  return message && message->rtm_dst_len == 0 && message->rtm_table == RT_TABLE_MAIN &&
         message->rtm_type == RTN_UNICAST;
}

/// Whether a RTM_NEWLINK message says that a link begins to work. Most are about something else.
bool is_link_up(Bytes body) {
  const auto message = head_of<ifinfomsg>(body);
  return message && (message->ifi_flags & IFF_RUNNING) != 0 &&
         (message->ifi_change & (IFF_UP | IFF_RUNNING | IFF_LOWER_UP)) != 0;
}

void take_message(unsigned type, Bytes body, NetworkChanges& out) {
  switch (type) {
    case RTM_DELADDR:
      if (const SocketAddress address = gone_in(body); address.valid()) out.gone.push_back(address);
      return;
    case RTM_NEWADDR:
      out.gained = out.gained || is_new_address(body);
      return;
    case RTM_NEWROUTE:
      out.gained = out.gained || is_default_route(body);
      return;
    case RTM_NEWLINK:
      out.gained = out.gained || is_link_up(body);
      return;
    default:
      return;
  }
}

void take_messages(Bytes bytes, NetworkChanges& out) {
  while (const auto header = head_of<nlmsghdr>(bytes)) {
    const std::size_t size = header->nlmsg_len;
    if (size < sizeof *header || size > bytes.size()) return;
    take_message(header->nlmsg_type, bytes.first(size).subspan(sizeof *header), out);
    bytes = behind(bytes, size);
  }
}

}  // namespace

std::optional<NetworkMonitor> NetworkMonitor::open() {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return std::nullopt;
  NetworkMonitor out{fd};
  sockaddr_nl name{};
  name.nl_family = AF_NETLINK;
  name.nl_groups =
      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return std::nullopt;
  return out;
}

NetworkMonitor::~NetworkMonitor() {
  if (fd_ >= 0) ::close(fd_);
}

NetworkChanges NetworkMonitor::take_changes() {
  NetworkChanges changes;
  alignas(nlmsghdr) std::array<u8, 8192> buffer;
  for (;;) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const auto size = ::recvfrom(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT,
                                 reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0 && (errno == EINTR || errno == ENOBUFS)) continue;
    if (size <= 0) return changes;
    // Any process may send to the socket; the kernel is number 0.
    if (from.nl_pid != 0) continue;
    take_messages(Bytes(buffer).first(static_cast<std::size_t>(size)), changes);
  }
}

}  // namespace qpeer::io
