// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Hosts with ports as people write them. Text only: names are looked up elsewhere (io/resolve).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace qpeer {

struct HostPort {
  /// A name or an IP address, without brackets. An id may stand before it, "ID@2001:db8::1".
  std::string host;
  std::uint16_t port = 0;

  /// "example.net:443", "[2001:db8::1]:443" or "ID@[2001:db8::1]:443". What split_host_port() gives
  /// reads back through it.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// Splits "example.net:443", "192.0.2.1:443" and "[2001:db8::1]:443". Without a port the default
/// one is taken; a bare IPv6 address without brackets is a host. What stands before the last "@"
/// stays with the host. Else what is wrong, in words.
[[nodiscard]] std::expected<HostPort, std::string> split_host_port(std::string_view text,
                                                                   std::uint16_t default_port);

}  // namespace qpeer
