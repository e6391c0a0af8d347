// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The second bit of every packet, which other protocols on the port look at: one, or random towards
// a peer that takes both. RFC 9287.
#pragma once

#include <array>
#include <cstdint>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/random.hpp"

namespace qpeer::transport {

class QuicBit {
 public:
  void set_random(bool random) { random_ = random; }

  /// For the next packet. RFC 9287 §3.1 [rfc9287-3.1-1], [rfc9287-3.1-6].
  bool next(Random& random) {
    if (!random_) return true;
    if (bits_ <= 1) {
      std::array<u8, 8> fresh{};
      random.fill_public(fresh);
      bits_ = Reader{fresh}.u64() | std::uint64_t{1} << 63;
    }
    const bool bit = (bits_ & 1) != 0;
    bits_ >>= 1;
    return bit;
  }

 private:
  bool random_ = false;
  std::uint64_t bits_ = 0;  ///< Below a one that ends them.
};

}  // namespace qpeer::transport
