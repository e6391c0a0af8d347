// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/address_monitor.hpp"

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

/// The address that a RTM_DELADDR message is about. Of a point-to-point link IFA_ADDRESS is the other
/// end's, and IFA_LOCAL ours.
SocketAddress gone_in(Bytes body) {
  const auto message = head_of<ifaddrmsg>(body);
  if (!message) return {};
  SocketAddress out;
  Bytes rest = behind(body, sizeof *message);
  while (const auto attribute = head_of<rtattr>(rest)) {
    const std::size_t size = attribute->rta_len;
    if (size < sizeof *attribute || size > rest.size()) break;
    const Bytes value = rest.first(size).subspan(sizeof *attribute);
    if (attribute->rta_type == IFA_LOCAL) return address_of(*message, value);
    if (attribute->rta_type == IFA_ADDRESS) out = address_of(*message, value);
    rest = behind(rest, size);
  }
  return out;
}

void take_messages(Bytes bytes, std::vector<SocketAddress>& gone) {
  while (const auto header = head_of<nlmsghdr>(bytes)) {
    const std::size_t size = header->nlmsg_len;
    if (size < sizeof *header || size > bytes.size()) return;
    if (header->nlmsg_type == RTM_DELADDR) {
      const SocketAddress address = gone_in(bytes.first(size).subspan(sizeof *header));
      if (address.valid()) gone.push_back(address);
    }
    bytes = behind(bytes, size);
  }
}

}  // namespace

std::optional<AddressMonitor> AddressMonitor::open() {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return std::nullopt;
  AddressMonitor out{fd};
  sockaddr_nl name{};
  name.nl_family = AF_NETLINK;
  name.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return std::nullopt;
  return out;
}

AddressMonitor::~AddressMonitor() {
  if (fd_ >= 0) ::close(fd_);
}

std::vector<SocketAddress> AddressMonitor::take_gone() {
  std::vector<SocketAddress> gone;
  alignas(nlmsghdr) std::array<u8, 8192> buffer;
  for (;;) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const auto size = ::recvfrom(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT,
                                 reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0 && (errno == EINTR || errno == ENOBUFS)) continue;
    if (size <= 0) return gone;
    // Any process may send to the socket; the kernel is number 0.
    if (from.nl_pid != 0) continue;
    take_messages(Bytes(buffer).first(static_cast<std::size_t>(size)), gone);
  }
}

}  // namespace qpeer::io
