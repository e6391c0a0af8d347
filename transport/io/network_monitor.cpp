// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/network_monitor.hpp"

#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/io/netlink.hpp"

namespace qpeer::io {
namespace {

using netlink::address_of;
using netlink::behind;
using netlink::for_each_attribute;
using netlink::head_of;

static_assert(sizeof(nlmsghdr) == sizeof(netlink::MessageHeader));
static_assert(sizeof(rtattr) == sizeof(netlink::AttributeHeader));

/// The address that a RTM_DELADDR message is about. Of a point-to-point link IFA_ADDRESS is the other
/// end's, and IFA_LOCAL ours.
SocketAddress gone_in(Bytes body) {
  const auto message = head_of<ifaddrmsg>(body);
  if (!message) return {};
  SocketAddress address;
  SocketAddress local;
  for_each_attribute(behind(body, sizeof *message), [&](unsigned type, Bytes value) {
    if (type == IFA_LOCAL) local = address_of(value, message->ifa_index);
    if (type == IFA_ADDRESS) address = address_of(value, message->ifa_index);
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
      if (const SocketAddress address = gone_in(body); address.valid()) out.add_gone(address);
      return;
    case RTM_NEWADDR:
      out.gained = out.gained || is_new_address(body);
      return;
    case RTM_NEWROUTE:
      out.gained = out.gained || is_default_route(body);
      return;
    case RTM_DELROUTE:
      out.lost_route = out.lost_route || is_default_route(body);
      return;
    case RTM_NEWLINK:
      out.gained = out.gained || is_link_up(body);
      return;
    default:
      return;
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
    netlink::for_each_message(
        Bytes(buffer).first(static_cast<std::size_t>(size)),
        [&](unsigned type, Bytes body) { take_message(type, body, changes); });
  }
}

}  // namespace qpeer::io
