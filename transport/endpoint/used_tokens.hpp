// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which address tokens were used, so that none is good for a second connection. RFC 9000 §8.1.4.
//
// Two generations of a table, each for one lifetime: a token in neither was never used or has expired.
// The tables grow up to a bound. When the current one is full, look() gives `unknown`; no token is forgotten.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::transport {

class UsedTokens {
 public:
  enum class Use : u8 {
    first,
    again,
    unknown,  ///< There is no room to remember it: it may have been used before.
  };

  /// Takes at most `memory` bytes, and none before the first token.
  UsedTokens(Duration lifetime, std::size_t memory);

  /// What use() would say of the token of this ID, which has not expired.
  [[nodiscard]] Use look(Instant now, std::uint64_t id);
  /// Marks the token as used. Returns what look() gave before.
  Use use(Instant now, std::uint64_t id);

  /// How many used tokens are certainly remembered until they expire.
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  /// Bytes held now.
  [[nodiscard]] std::size_t memory() const;
  /// Whether neither table is fuller than a search can end in. For assertions.
  [[nodiscard]] bool consistent() const {
    const auto holds = [this](const Generation& each) {
      return each.used <= capacity_ && (each.slots.empty() || each.used < each.slots.size());
    };
    return holds(current_) && holds(previous_);
  }

 private:
  struct Generation {
    std::vector<std::uint64_t> slots;  ///< Open addressing; 0 is free. IDs are random already.
    std::size_t used = 0;
  };
  void rotate(Instant now);
  void grow();
  static void insert(std::vector<std::uint64_t>& slots, std::uint64_t id);
  [[nodiscard]] static bool contains(const Generation& generation, std::uint64_t id);

  Duration lifetime_;
  std::size_t capacity_;
  Instant began_{};  ///< When the current generation began.
  Generation current_;
  Generation previous_;
};

}  // namespace qpeer::transport
