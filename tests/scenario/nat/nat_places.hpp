// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Where a peer may live: on the internet, behind a box of each kind, or behind two.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "qpeer/tests/scenario/p2p/world.hpp"
#include "qpeer/tests/sim/nat_types.hpp"

namespace qpeer::sim {

inline constexpr SocketAddress kPrivate = SocketAddress::ipv4({192, 168, 1, 2}, 4433);
inline constexpr SocketAddress kPrivate2 = SocketAddress::ipv4({192, 168, 1, 3}, 5000);

inline SimPeerConfig at(const SocketAddress& address, std::string identity = {}) {
  SimPeerConfig out;
  out.address = address;
  out.identity = std::move(identity);
  return out;
}

/// The boxes between a peer and the internet, the nearest first. The name has the letters of the kinds.
struct Place {
  std::string name;
  std::vector<NatBoxConfig> boxes;
};

/// Like symmetric(), but each internal host has its own 512 ports.
constexpr NatBoxConfig symmetric_in_a_block() {
  NatBoxConfig out = symmetric();
  out.ports = PortAssignment::block;
  return out;
}
/// Like symmetric(), with ports that rise by `step`.
constexpr NatBoxConfig symmetric_in_sequence(std::uint16_t step) {
  NatBoxConfig out = symmetric();
  out.ports = PortAssignment::sequential;
  out.port_step = step;
  return out;
}

/// All places from which a datagram gets out and an answer back.
inline std::vector<Place> places() {
  return {
      {"N", {}},
      {"W", {firewall()}},
      {"F", {full_cone()}},
      {"R", {address_restricted()}},
      {"P", {port_restricted()}},
      {"S", {symmetric()}},
      {"S, block", {symmetric_in_a_block()}},
      {"S, sequence", {symmetric_in_sequence(2)}},
      {"F+F", {full_cone(), full_cone()}},
      {"P+F", {port_restricted(), full_cone()}},
      {"P+P", {port_restricted(), port_restricted()}},
      {"P+S", {port_restricted(), symmetric()}},
      {"S+S", {symmetric(), symmetric()}},
  };
}

/// Puts the peer there, with routers of its own.
inline void settle(PeerWorld& world, const SimPeer& peer, const Place& place) {
  Router* outermost = nullptr;
  for (auto box = place.boxes.rbegin(); box != place.boxes.rend(); ++box) {
    Router& router = world.add_router(*box);
    if (outermost != nullptr) world.behind(*outermost, router);
    outermost = &router;
  }
  if (outermost != nullptr) world.behind(*outermost, peer);
}

/// The address that suits the place: a private one where it is translated.
inline SocketAddress address_at(PeerWorld& world, const Place& place) {
  const bool translated = !place.boxes.empty() && place.boxes.front().translates;
  return translated ? kPrivate : world.spread_address();
}

}  // namespace qpeer::sim
