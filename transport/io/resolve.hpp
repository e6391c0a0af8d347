// Names to addresses, for command-line tools: it blocks, so never call it from an event loop.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "transport/base/address.hpp"

namespace qpeer::io {

/// The addresses of `host` (a name, or a literal with or without brackets), each with `port`, in
/// the system's order of preference and without repetition. Never empty; else why not, in words.
[[nodiscard]] std::expected<std::vector<SocketAddress>, std::string> resolve(std::string_view host,
                                                                             std::uint16_t port);

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// Splits "example.net:443", "192.0.2.1:443" and "[2001:db8::1]:443". Without a port the default
/// one is taken; a bare IPv6 address without brackets is a host. Else what is wrong, in words.
[[nodiscard]] std::expected<HostPort, std::string> split_host_port(std::string_view text,
                                                                   std::uint16_t default_port);

}  // namespace qpeer::io
