#include "transport/io/resolve.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <system_error>

#include "transport/io/udp_cmsg.hpp"

namespace qpeer::io {

std::expected<std::vector<SocketAddress>, std::string> resolve(std::string_view host,
                                                               std::uint16_t port) {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const std::string name{host};
  if (name.empty()) return std::unexpected("no host is named");
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
    if (address.valid() && std::ranges::find(out, address) == out.end()) out.push_back(address);
  }
  if (out.empty()) return std::unexpected("cannot resolve " + name + ": no IP address");
  return out;
}

std::expected<HostPort, std::string> split_host_port(std::string_view text,
                                                     std::uint16_t default_port) {
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::unexpected("\"[\" without \"]\"");
    host = text.substr(1, end - 1);
    const std::string_view after = text.substr(end + 1);
    has_port = after.starts_with(':');
    if (!after.empty() && !has_port) return std::unexpected("only a port may follow \"]\"");
    if (has_port) port = after.substr(1);
  } else if (std::ranges::count(text, ':') == 1) {
    const std::size_t colon = text.find(':');
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
  }
  if (host.empty()) return std::unexpected("no host is named");
  HostPort out{std::string{host}, default_port};
  if (has_port) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (error != std::errc{} || end != port.data() + port.size()) {
      return std::unexpected("\"" + std::string{port} + "\" is not a port");
    }
  }
  return out;
}

}  // namespace qpeer::io
