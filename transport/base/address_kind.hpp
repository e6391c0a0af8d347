// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What an IP address is good for, and the network it lies in. RFC 6890 and IANA's registries of
// special-purpose addresses.
#pragma once

#include <algorithm>
#include <array>

#include "qpeer/transport/base/address.hpp"

namespace qpeer {

/// How far an address reaches, narrowest first.
enum class AddressScope : u8 {
  none,         ///< Names no single host that could be dialled: see scope_of.
  loopback,     ///< 127/8, ::1: this machine.
  link_local,   ///< 169.254/16, fe80::/10: this link.
  private_use,  ///< 10/8, 172.16/12, 192.168/16, 100.64/10 (shared by carriers), fc00::/7.
  global,       ///< The internet.
};

namespace address_kind_detail {

struct Block4 {
  std::array<u8, 4> octets;
  unsigned bits;
};
struct Block6 {
  std::array<u8, 16> octets;
  unsigned bits;
};

constexpr bool begins_with(Bytes octets, Bytes block, unsigned bits) {
  for (unsigned i = 0; i < bits / 8; ++i) {
    if (octets[i] != block[i]) return false;
  }
  const unsigned rest = bits % 8;
  return rest == 0 || ((octets[bits / 8] ^ block[bits / 8]) >> (8 - rest)) == 0;
}

template <class Blocks>
constexpr bool in_any(Bytes octets, const Blocks& blocks) {
  return std::ranges::any_of(
      blocks, [&](const auto& block) { return begins_with(octets, block.octets, block.bits); });
}

inline constexpr std::array kPrivate4{Block4{{10}, 8}, Block4{{172, 16}, 12},
                                      Block4{{192, 168}, 16}, Block4{{100, 64}, 10}};
/// "This network", protocol assignments, documentation, 6to4 relays, benchmarks; the rest of 224/3
/// is multicast, reserved and broadcast.
inline constexpr std::array kNobody4{Block4{{0}, 8},
                                     Block4{{192, 0, 0}, 24},
                                     Block4{{192, 0, 2}, 24},
                                     Block4{{198, 51, 100}, 24},
                                     Block4{{203, 0, 113}, 24},
                                     Block4{{192, 88, 99}, 24},
                                     Block4{{198, 18}, 15},
                                     Block4{{224}, 3}};
/// What of 2000::/3 is not the internet: Teredo and other protocol assignments, documentation, and
/// 6to4, which would carry packets to any IPv4 address that is written into it.
inline constexpr std::array kNobody6{Block6{{0x20, 0x01, 0x00}, 23},
                                     Block6{{0x20, 0x01, 0x0d, 0xb8}, 32}, Block6{{0x20, 0x02}, 16},
                                     Block6{{0x3f, 0xff, 0x00}, 20}};
/// The prefix of translators to IPv4, whose address is the last 4 octets. RFC 6052 §2.1.
inline constexpr Block6 kTranslated{{0x00, 0x64, 0xff, 0x9b}, 96};

constexpr AddressScope scope4(Bytes octets) {
  if (octets[0] == 127) return AddressScope::loopback;
  if (octets[0] == 169 && octets[1] == 254) return AddressScope::link_local;
  if (in_any(octets, kPrivate4)) return AddressScope::private_use;
  return in_any(octets, kNobody4) ? AddressScope::none : AddressScope::global;
}

constexpr AddressScope scope6(Bytes octets) {
  constexpr std::array<u8, 16> kLoopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  if (equal(octets, kLoopback)) return AddressScope::loopback;
  if (octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80) return AddressScope::link_local;
  if ((octets[0] & 0xfe) == 0xfc) return AddressScope::private_use;
  if (begins_with(octets, kTranslated.octets, kTranslated.bits)) {
    // RFC 6052 §3.1: of global addresses only.
    const AddressScope behind = scope4(octets.last(4));
    return behind == AddressScope::global ? behind : AddressScope::none;
  }
  const bool unicast = (octets[0] & 0xe0) == 0x20;  // 2000::/3
  return unicast && !in_any(octets, kNobody6) ? AddressScope::global : AddressScope::none;
}

}  // namespace address_kind_detail

/// How far the address reaches; the port does not count. `none` for unspecified, wildcard,
/// multicast, broadcast, reserved and documentation addresses, and for tunnels that hide one.
constexpr AddressScope scope_of(const SocketAddress& address) {
  if (address.is_ipv4()) return address_kind_detail::scope4(address.octets());
  if (address.is_ipv6()) return address_kind_detail::scope6(address.octets());
  return AddressScope::none;
}

constexpr bool is_loopback(const SocketAddress& address) {
  return scope_of(address) == AddressScope::loopback;
}
constexpr bool is_link_local(const SocketAddress& address) {
  return scope_of(address) == AddressScope::link_local;
}
constexpr bool is_global(const SocketAddress& address) {
  return scope_of(address) == AddressScope::global;
}
/// 224/4 or ff00::/8.
constexpr bool is_multicast(const SocketAddress& address) {
  const Bytes octets = address.octets();
  return !octets.empty() && (address.is_ipv4() ? octets[0] >> 4 == 0xe : octets[0] == 0xff);
}
/// Whether the address names one host and a port, so that a datagram may be sent there at all.
constexpr bool is_dialable(const SocketAddress& address) {
  return address.port() != 0 && scope_of(address) != AddressScope::none;
}

/// The first `bits` of the address, the others zero; without port and scope. `bits` must not
/// exceed the size of the address.
constexpr SocketAddress prefix_of(const SocketAddress& address, unsigned bits) {
  std::array<u8, 16> kept{};
  const Bytes octets = address.octets();
  for (unsigned i = 0; i < octets.size() && 8 * i < bits; ++i) {
    const unsigned cut = 8 * i + 8 > bits ? 8 * i + 8 - bits : 0;
    kept[i] = static_cast<u8>(octets[i] >> cut << cut);
  }
  if (address.is_ipv4()) return SocketAddress::ipv4({kept[0], kept[1], kept[2], kept[3]}, 0);
  return address.is_ipv6() ? SocketAddress::ipv6(kept, 0) : SocketAddress{};
}

/// The /24 or /48: what one site usually holds.
constexpr SocketAddress site_of(const SocketAddress& address) {
  return prefix_of(address, address.is_ipv4() ? 24 : 48);
}
/// The /16 or /32: what one provider usually holds, so that two of them rarely have one owner.
constexpr SocketAddress network_of(const SocketAddress& address) {
  return prefix_of(address, address.is_ipv4() ? 16 : 32);
}

}  // namespace qpeer
