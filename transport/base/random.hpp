// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The only source of randomness. Production fills from OpenSSL's generators, tests from a seed.
#pragma once

#include <array>
#include <cstdint>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer {

/// A source of random bytes. Public output may be seen by anyone (connection IDs, path challenges,
/// skipped packet numbers); private output never leaves the process (keys). They are separate so
/// that what is published tells nothing of what is kept. Single-threaded; never fails: a source
/// that cannot deliver ends the process rather than weaken keys.
class Random {
 public:
  virtual ~Random() = default;
  /// Fills `out` with bytes that anyone may see.
  virtual void fill_public(MutableBytes out) = 0;
  /// Fills `out` with bytes for secrets.
  virtual void fill_private(MutableBytes out) = 0;

  /// A public number, uniform in [0, bound). `bound` must not be 0.
  std::uint64_t uniform(std::uint64_t bound) {
    const std::uint64_t limit = ~std::uint64_t{0} - ~std::uint64_t{0} % bound;
    for (;;) {
      std::array<u8, 8> raw{};
      fill_public(raw);
      const std::uint64_t value = Reader{raw}.u64();
      if (value < limit) return value % bound;
    }
  }
};

}  // namespace qpeer
