// SPDX-License-Identifier: MIT OR BSD-3-Clause
// For each frames_<family>_fuzz: each frame of the family, in each type of packet.
#include <algorithm>
#include <array>

#include "qpeer/fuzz/seeds/frame_families.hpp"

namespace qpeer::fuzz {

void add_seeds(Corpus& corpus) {
  for (const Family& family : families()) {
    if (corpus.harness() != family.harness) continue;
    for (const Input& frame : family.frames) {
      const auto type = std::ranges::find(family.types, frame[0]);
      if (type == family.types.end()) continue;
      const auto index = static_cast<u8>(type - family.types.begin());
      for (u8 packet = 0; packet < 4; ++packet) {
        corpus.add(join({std::array{packet, index}, Bytes(frame).subspan(1)}));
      }
    }
  }
}

}  // namespace qpeer::fuzz
