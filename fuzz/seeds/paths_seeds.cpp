// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Every act with every operand, alone and between others, for a few kinds of server and client.
#include <array>

#include "qpeer/fuzz/seeds/corpus.hpp"
#include "qpeer/fuzz/seeds/frame_families.hpp"

namespace qpeer::fuzz {

void add_seeds(Corpus& corpus) {
  constexpr u8 kSecond = 32;
  constexpr u8 kSend = 0x40 | 5 << 3;
  constexpr u8 kMove = 0x40 | 1;
  for (const u8 options : {0, 1, 2, 3, 4, 8, 16, 32, 64, 16 | 32}) {
    for (u8 act = 0x40; act < 0x80; ++act) {
      if (options != 0 && act % 4 != options % 4) continue;
      corpus.add({options, 10, act, kSecond});
      corpus.add({options, 10, kSend | 6, act, 20, kMove, 20, act, kSend | 7, kSecond});
    }
    // Blocked one way, and the last datagram comes from elsewhere.
    for (u8 replay = 0xc0; replay < 0xf8; replay += 8) {
      corpus.add({options, 10, 0x5b, kSend, 5, replay, 20, 0x58, kSecond});
    }
  }
  for (const Family& family : families()) {
    for (const Input& frame : family.frames) {
      for (const u8 kind : {0x80, 0xa0, 0x88, 0xa8}) {
        corpus.add(join({std::array<u8, 5>{128, 10, kind, 0, static_cast<u8>(frame.size())}, frame,
                         Input{20, kMove, kSecond}}));
      }
    }
  }
}

}  // namespace qpeer::fuzz
