// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Each kind of box with each kind of gateway, and each act in some of them.
#include <array>

#include "qpeer/fuzz/seeds/corpus.hpp"

namespace qpeer::fuzz {

void add_seeds(Corpus& corpus) {
  constexpr u8 kSecond = 32;
  constexpr u8 kReboot = 0x40;
  constexpr u8 kShutDown = 0x40 | 4 << 3 | 7;
  for (const u8 box : {0, 1, 2, 3, 4 | 2, 4 | 8 | 2, 16 | 2, 32 | 1, 64 | 2, 128}) {
    for (const u8 gateway : {0, 1, 2, 3, 3 | 4, 3 | 16, 2 | 32, 3 | 64, 3 | 128}) {
      corpus.add({box, gateway, kSecond, kSecond, kReboot, kSecond, 0x50 | 4, kSecond});
      corpus.add({box, gateway, 10, kShutDown});
    }
  }
  constexpr u8 kAllLinked = 3 | 64;
  for (const u8 box : {0, 1, 2, 6}) {
    for (unsigned act = 0x40; act < 0x100; ++act) {
      if ((act + box) % 2 != 0) continue;  // A half of them is enough to begin with.
      const u8 kind = static_cast<u8>(act);
      corpus.add(
          {box, kAllLinked, kSecond, kind, 10, 1, 2, 3, 4, 5, kSecond + 5, kind, 9, 8, 7, 6});
    }
    // Lies about knocks, and requests by STUN, one after the other.
    corpus.add({box, kAllLinked, kSecond, 0xf3, 0xf1, 0, 1, 0xf1, 2, 3, 0xf8, 77, 0xf8, 78, kSecond,
                0xf2, 1, 2, 0});
    corpus.add(
        {box, 2, kSecond, 0x8a, 39, 0x8a, 39, 20, 0x8f, 39, kSecond, 0xaa, 1, 0xae, 1, kSecond});
  }
}

}  // namespace qpeer::fuzz
