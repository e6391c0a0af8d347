// SPDX-License-Identifier: MIT OR BSD-3-Clause
// IP addresses with ports, without any socket header.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer {

/// An IPv4 or IPv6 address and a UDP port. IPv4-mapped IPv6 addresses are kept as IPv4, so that
/// one peer has one spelling. A default-made one is "unspecified": valid() is false.
class SocketAddress {
 public:
  constexpr SocketAddress() = default;
  /// `octets` in network order.
  static constexpr SocketAddress ipv4(std::array<u8, 4> octets, std::uint16_t port) {
    SocketAddress out;
    copy(octets, out.octets_);
    out.family_ = 4;
    out.port_ = port;
    return out;
  }
  /// `octets` in network order. An IPv4-mapped address becomes an IPv4 one.
  static constexpr SocketAddress ipv6(std::array<u8, 16> octets, std::uint16_t port,
                                      std::uint32_t scope_id = 0) {
    constexpr std::array<u8, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (equal(Bytes(octets).first(12), kMapped)) {
      return ipv4({octets[12], octets[13], octets[14], octets[15]}, port);
    }
    SocketAddress out;
    out.octets_ = octets;
    out.family_ = 6;
    out.port_ = port;
    out.scope_id_ = scope_id;
    return out;
  }
  /// 127.0.0.1 with this port.
  static constexpr SocketAddress loopback4(std::uint16_t port) {
    return ipv4({127, 0, 0, 1}, port);
  }

  /// Reads "192.0.2.1:443" or "[2001:db8::1%2]:443" (a numeric scope); nullopt for anything else.
  static std::optional<SocketAddress> parse(std::string_view text);

  /// False for an unspecified one.
  [[nodiscard]] constexpr bool valid() const { return family_ != 0; }
  /// Whether it is an IPv4 address.
  [[nodiscard]] constexpr bool is_ipv4() const { return family_ == 4; }
  /// Whether it is an IPv6 address.
  [[nodiscard]] constexpr bool is_ipv6() const { return family_ == 6; }
  /// The UDP port, in host order.
  [[nodiscard]] constexpr std::uint16_t port() const { return port_; }
  /// The interface of a link-local IPv6 address; 0 when none is named.
  [[nodiscard]] constexpr std::uint32_t scope_id() const { return scope_id_; }
  /// The same host with another port.
  [[nodiscard]] constexpr SocketAddress with_port(std::uint16_t port) const {
    SocketAddress out = *this;
    out.port_ = port;
    return out;
  }
  /// The 4 or 16 octets of the address, in network order.
  [[nodiscard]] constexpr Bytes octets() const {
    return Bytes(octets_).first(family_ == 4 ? 4 : family_ == 6 ? 16 : 0);
  }
  /// 0.0.0.0 or [::], which names no host.
  [[nodiscard]] constexpr bool is_wildcard() const {
    return valid() && octets_ == std::array<u8, 16>{};
  }
  /// Whether both name one host, whatever their ports are.
  [[nodiscard]] constexpr bool same_host(const SocketAddress& other) const {
    return with_port(0) == other.with_port(0);
  }
  /// Reads back through parse().
  [[nodiscard]] std::string to_string() const;

  friend constexpr bool operator==(const SocketAddress&, const SocketAddress&) = default;
  friend constexpr auto operator<=>(const SocketAddress&, const SocketAddress&) = default;

 private:
  std::array<u8, 16> octets_{};
  std::uint32_t scope_id_ = 0;
  std::uint16_t port_ = 0;
  u8 family_ = 0;
};

/// The pair of addresses that a datagram travels between. RFC 9000 §9.
struct Path {
  SocketAddress local;   ///< Ours.
  SocketAddress remote;  ///< The peer's.
  friend constexpr bool operator==(const Path&, const Path&) = default;
};

}  // namespace qpeer

template <>
struct std::hash<qpeer::SocketAddress> {
  std::size_t operator()(const qpeer::SocketAddress& address) const noexcept {
    std::uint64_t h = 0xcbf29ce484222325ULL ^ address.port();
    for (const qpeer::u8 octet : address.octets()) h = (h ^ octet) * 0x100000001b3ULL;
    return h;
  }
};
