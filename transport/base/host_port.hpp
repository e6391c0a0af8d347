// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Hosts with ports as people write them. Text only: names are looked up elsewhere (io/resolve).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace qpeer {

struct HostPort {
  std::string host;  ///< A name or an IP address, without brackets.
  std::uint16_t port = 0;

  /// "example.net:443" or "[2001:db8::1]:443". Reads back through split_host_port().
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// Splits "example.net:443", "192.0.2.1:443" and "[2001:db8::1]:443". Without a port the default
/// one is taken; a bare IPv6 address without brackets is a host. Else what is wrong, in words.
[[nodiscard]] std::expected<HostPort, std::string> split_host_port(std::string_view text,
                                                                   std::uint16_t default_port);

}  // namespace qpeer
