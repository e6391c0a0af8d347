// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/io/resolve.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "qpeer/transport/io/udp_cmsg.hpp"

namespace qpeer::io {

std::vector<SocketAddress> first_of_each_family(const std::vector<SocketAddress>& all) {
  std::vector<SocketAddress> out;
  std::size_t ipv4 = 0;
  std::size_t ipv6 = 0;
  for (const SocketAddress& address : all) {
    std::size_t& count = address.is_ipv4() ? ipv4 : ipv6;
    if (count >= kMaxAddressesOfFamily || std::ranges::find(out, address) != out.end()) continue;
    ++count;
    out.push_back(address);
  }
  return out;
}

std::expected<std::vector<SocketAddress>, std::string> resolve(std::string_view host,
                                                               std::uint16_t port) {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const std::string name{host};
  if (name.empty()) return std::unexpected("no host is named");
  if (name.find('\0') != std::string::npos) return std::unexpected("a host's name has no NUL");
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(name.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    const std::string why =
        error == EAI_SYSTEM ? std::system_category().message(errno) : ::gai_strerror(error);
    return std::unexpected("cannot resolve " + name + ": " + why);
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, &::freeaddrinfo};
  std::vector<SocketAddress> out;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    sockaddr_storage storage{};
    std::memcpy(&storage, entry->ai_addr, std::min<std::size_t>(entry->ai_addrlen, sizeof storage));
    const SocketAddress address = from_sockaddr(storage).with_port(port);
    if (address.valid()) out.push_back(address);
  }
  out = first_of_each_family(out);
  if (out.empty()) return std::unexpected("cannot resolve " + name + ": no IP address");
  return out;
}

}  // namespace qpeer::io
