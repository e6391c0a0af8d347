// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/internet_path.hpp"

#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "qpeer/transport/io/finally.hpp"
#include "qpeer/transport/io/netlink.hpp"

namespace qpeer::io {
namespace {

/// Addresses that are reached as the internet is, and belong to no host: those at which PCP servers may be
/// asked. RFC 7723 §3.
constexpr std::array<u8, 4> kAnywhere4{192, 0, 0, 9};
constexpr std::array<u8, 16> kAnywhere6{0x20, 0x01, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

/// Asks for the route to one address.
struct Question {
  nlmsghdr header;
  rtmsg route;
  rtattr attribute;
  std::array<u8, 16> destination;
};

Question question_about(Bytes destination) {
  Question out{};
  out.header.nlmsg_len =
      static_cast<std::uint32_t>(NLMSG_LENGTH(sizeof out.route) + RTA_LENGTH(destination.size()));
  out.header.nlmsg_type = RTM_GETROUTE;
  out.header.nlmsg_flags = NLM_F_REQUEST;
  out.route.rtm_family = destination.size() == kAnywhere4.size() ? AF_INET : AF_INET6;
  out.route.rtm_dst_len = static_cast<u8>(8 * destination.size());
  out.attribute.rta_len = static_cast<unsigned short>(RTA_LENGTH(destination.size()));
  out.attribute.rta_type = RTA_DST;
  std::memcpy(out.destination.data(), destination.data(), destination.size());
  return out;
}

/// The router is not valid() where the destination needs none.
std::optional<Path> path_in(Bytes body) {
  const auto route = netlink::head_of<rtmsg>(body);
  if (!route || (route->rtm_type != RTN_UNICAST && route->rtm_type != RTN_LOCAL)) {
    return std::nullopt;
  }
  Path out;
  std::uint32_t link = 0;
  Bytes router;
  netlink::for_each_attribute(netlink::behind(body, sizeof *route),
                              [&](unsigned type, Bytes value) {
                                if (type == RTA_OIF)
                                  link = netlink::head_of<std::uint32_t>(value).value_or(0);
                                if (type == RTA_GATEWAY) router = value;
                                if (type == RTA_PREFSRC) out.local = netlink::address_of(value, 0);
                              });
  out.remote = netlink::address_of(router, link);
  if (!out.local.valid()) return std::nullopt;
  return out;
}

std::optional<Path> read_path(Bytes destination) {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return std::nullopt;
  const Finally close([fd] { ::close(fd); });
  const Question question = question_about(destination);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(fd, &question, question.header.nlmsg_len, 0,
               reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0) {
    return std::nullopt;
  }
  alignas(nlmsghdr) std::array<u8, 8192> answer;
  sockaddr_nl from{};
  socklen_t from_size = sizeof from;
  // The kernel has answered before sendto() returns.
  const auto size = ::recvfrom(fd, answer.data(), answer.size(), MSG_DONTWAIT,
                               reinterpret_cast<sockaddr*>(&from), &from_size);
  if (size <= 0 || from.nl_pid != 0) return std::nullopt;
  std::optional<Path> out;
  netlink::for_each_message(Bytes(answer).first(static_cast<std::size_t>(size)),
                            [&](unsigned type, Bytes body) {
                              if (type == RTM_NEWROUTE) out = path_in(body);
                            });
  return out;
}

Path read_path_over_router(Bytes destination, std::uint16_t port) {
  auto path = read_path(destination);
  if (!path || !path->remote.valid()) return {};
  path->local = path->local.with_port(port);
  return *path;
}

}  // namespace

Path read_ipv4_internet_path(std::uint16_t port) { return read_path_over_router(kAnywhere4, port); }

Path read_ipv6_internet_path(std::uint16_t port) { return read_path_over_router(kAnywhere6, port); }

Path read_internet_path(std::uint16_t port) {
  const Path ipv4 = read_ipv4_internet_path(port);
  return ipv4.local.valid() ? ipv4 : read_ipv6_internet_path(port);
}

SocketAddress read_source_address(const SocketAddress& destination) {
  const auto path = read_path(destination.octets());
  return path ? path->local.with_port(0) : SocketAddress{};
}

}  // namespace qpeer::io
