// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Entries for the tests of the cache.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "qpeer/cache/bootstrap_cache.hpp"

namespace qpeer::cache {

inline PeerId id_of(std::uint32_t number) {
  std::array<u8, PeerId::kSize> bytes{1};
  Writer out{bytes};
  out.skip(28);
  out.u32(number);
  return PeerId(bytes);
}

/// An address in the network `prefix`.0.0/16.
inline SocketAddress address_in(std::uint16_t prefix, std::uint32_t host,
                                std::uint16_t port = 4433) {
  return SocketAddress::ipv4({static_cast<u8>(prefix >> 8), static_cast<u8>(prefix),
                              static_cast<u8>(host >> 8), static_cast<u8>(host)},
                             port);
}

/// By a clock that was always right: what was reached later has the larger time.
inline void set_reached(CacheEntry& entry, std::int64_t time) {
  entry.last_reached = time;
  entry.order = static_cast<std::uint64_t>(std::clamp<std::int64_t>(time, 0, 1LL << 59));
}

/// Number `number`, each in a network of its own, reached at `time`.
inline CacheEntry entry_of(std::uint32_t number, std::int64_t time) {
  CacheEntry out;
  out.id = id_of(number);
  out.address = address_in(static_cast<std::uint16_t>(0x0b00 + number), number);
  out.certificate = {0x30, static_cast<u8>(number)};
  out.first_reached = time;
  set_reached(out, time);
  return out;
}

inline std::vector<PeerId> ids(const std::vector<const CacheEntry*>& entries) {
  std::vector<PeerId> out;
  for (const CacheEntry* entry : entries) out.push_back(entry->id);
  return out;
}

inline std::vector<PeerId> ids(const std::vector<CacheEntry>& entries) {
  std::vector<PeerId> out;
  for (const CacheEntry& entry : entries) out.push_back(entry.id);
  return out;
}

}  // namespace qpeer::cache
