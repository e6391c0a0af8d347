// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Randomness that a seed decides: xoshiro256** seeded by splitmix64. Never for keys that matter.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "qpeer/transport/base/random.hpp"

namespace qpeer::sim {

/// The next state and output of splitmix64: good enough to turn any two numbers into a third.
constexpr std::uint64_t splitmix(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

/// Equal seeds give equal bytes, on every machine.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) {
    for (auto& word : state_) word = splitmix(seed);
  }

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// True with this probability; draws nothing when it is 0.
  bool chance(double probability) {
    return probability > 0 && static_cast<double>(next() >> 11) * 0x1p-53 < probability;
  }

  /// In [0, bound); `bound` must not be 0.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

  /// A generator of its own, so that what one machine draws does not shift what another gets.
  SeededRandom split() { return SeededRandom(next()); }

  void fill_public(MutableBytes out) override { fill(out); }
  void fill_private(MutableBytes out) override { fill(out); }

 private:
  void fill(MutableBytes out) {
    for (std::size_t i = 0; i < out.size(); i += 8) {
      const std::uint64_t word = next();
      for (std::size_t j = i; j < out.size() && j < i + 8; ++j) {
        out[j] = static_cast<u8>(word >> (8 * (j - i)));
      }
    }
  }

  std::array<std::uint64_t, 4> state_{};
};

}  // namespace qpeer::sim
