// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A NatBox with the time at it, and the endpoints that its tests name.
#pragma once

#include <cstdint>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/nat_types.hpp"

namespace qpeer::sim {

inline constexpr SocketAddress kOutside = SocketAddress::ipv4({150, 1, 1, 1}, 0);
inline constexpr SocketAddress kHost = SocketAddress::ipv4({192, 168, 1, 2}, 4433);
inline constexpr SocketAddress kHost2 = SocketAddress::ipv4({192, 168, 1, 3}, 4433);
inline constexpr SocketAddress kHost3 = SocketAddress::ipv4({192, 168, 1, 4}, 4433);
inline constexpr SocketAddress kPeer = SocketAddress::ipv4({11, 1, 1, 1}, 443);
inline constexpr SocketAddress kPeer2 = SocketAddress::ipv4({11, 2, 1, 1}, 443);

inline constexpr auto kIndependent = NatDependence::endpoint_independent;
inline constexpr auto kByAddress = NatDependence::address_dependent;
inline constexpr auto kByBoth = NatDependence::address_and_port_dependent;

/// A box and the time at it; claims the invariants of the box after each datagram.
class Box {
 public:
  explicit Box(const NatBoxConfig& config, std::uint64_t seed = 1) : box_(config, kOutside, seed) {}

  Translation outward(const SocketAddress& from, const SocketAddress& to) {
    const Translation result = box_.from_inside(now_, from, to);
    EXPECT_TRUE(box_.consistent());
    return result;
  }
  Translation inward(const SocketAddress& from, const SocketAddress& to) {
    const Translation result = box_.from_outside(now_, from, to);
    EXPECT_TRUE(box_.consistent());
    return result;
  }
  /// Where `to` sees `from`.
  SocketAddress external(const SocketAddress& from, const SocketAddress& to) {
    const Translation result = outward(from, to);
    EXPECT_EQ(result.fate, NatFate::forwarded);
    EXPECT_EQ(result.to, to);
    return result.from;
  }
  void wait(Duration time) { now_ += time; }
  [[nodiscard]] Instant now() const { return now_; }
  NatBox* operator->() { return &box_; }

 private:
  NatBox box_;
  Instant now_{1s};
};

}  // namespace qpeer::sim
