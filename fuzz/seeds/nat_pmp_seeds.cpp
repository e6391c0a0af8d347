// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/fuzz/seeds/corpus.hpp"

namespace qpeer::fuzz {

void add_seeds(Corpus& corpus) {
  corpus.add({0, 0});
  corpus.add({0, 1, 0, 0, 0x11, 0x51, 0x11, 0x51, 0, 0, 0x1c, 0x20});
  corpus.add({0, 128, 0, 0, 0, 0, 1, 2, 203, 0, 113, 7});
  corpus.add({0, 128, 0, 3, 0, 0, 1, 2, 0, 0, 0, 0});
  corpus.add({0, 129, 0, 0, 0, 0, 1, 2, 0x11, 0x51, 0x11, 0x51, 0, 0, 0x1c, 0x20});
  corpus.add({0, 129, 0, 5, 0x11, 0x51, 0x11, 0x51, 0, 0, 0x1c, 0x20});
  corpus.add({0, 0, 0, 1, 0, 0, 1, 2});
}

}  // namespace qpeer::fuzz
