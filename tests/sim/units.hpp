// SPDX-License-Identifier: MIT OR BSD-3-Clause
// 50_mbit, 1_MiB: sizes and rates as a scenario says them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "qpeer/transport/base/time.hpp"

namespace qpeer::sim {

/// How fast a link is; zero is "without limit".
struct Rate {
  std::uint64_t bytes_per_second = 0;

  [[nodiscard]] constexpr bool limited() const { return bytes_per_second != 0; }
  /// How long `size` bytes take.
  [[nodiscard]] constexpr Duration time_of(std::uint64_t size) const {
    return Duration(static_cast<std::int64_t>(size * 1'000'000'000 / bytes_per_second));
  }
  /// How many bytes leave in that time.
  [[nodiscard]] constexpr std::uint64_t bytes_in(Duration time) const {
    return static_cast<std::uint64_t>(static_cast<double>(time.count()) * 1e-9 *
                                      static_cast<double>(bytes_per_second));
  }
};

inline namespace literals {

consteval Rate operator""_kbit(unsigned long long n) { return {n * 1'000 / 8}; }
consteval Rate operator""_mbit(unsigned long long n) { return {n * 1'000'000 / 8}; }
consteval Rate operator""_gbit(unsigned long long n) { return {n * 1'000'000'000 / 8}; }
consteval std::uint64_t operator""_KiB(unsigned long long n) { return n << 10; }
consteval std::uint64_t operator""_MiB(unsigned long long n) { return n << 20; }
consteval std::uint64_t operator""_GiB(unsigned long long n) { return n << 30; }

}  // namespace literals
}  // namespace qpeer::sim
