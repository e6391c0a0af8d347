// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/interface_addresses.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "qpeer/transport/io/finally.hpp"

namespace qpeer::io {
namespace {

SocketAddress address_in(const sockaddr* address) {
  if (address == nullptr) return {};
  if (address->sa_family == AF_INET) {
    sockaddr_in in4{};
    std::memcpy(&in4, address, sizeof in4);
    std::array<u8, 4> octets{};
    std::memcpy(octets.data(), &in4.sin_addr, octets.size());
    return SocketAddress::ipv4(octets, 0);
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 in6{};
    std::memcpy(&in6, address, sizeof in6);
    std::array<u8, 16> octets{};
    std::memcpy(octets.data(), &in6.sin6_addr, octets.size());
    return SocketAddress::ipv6(octets, 0, in6.sin6_scope_id);
  }
  return {};
}

}  // namespace

std::vector<SocketAddress> read_interface_addresses() {
  std::vector<SocketAddress> out;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return out;
  const Finally release([all] { ::freeifaddrs(all); });
  constexpr unsigned kWorks = IFF_UP | IFF_RUNNING;
  for (const ifaddrs* each = all; each != nullptr; each = each->ifa_next) {
    if ((each->ifa_flags & kWorks) != kWorks) continue;
    if (const SocketAddress address = address_in(each->ifa_addr); address.valid()) {
      out.push_back(address);
    }
  }
  return out;
}

}  // namespace qpeer::io
