// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/fuzz/seeds/corpus.hpp"

namespace qpeer::fuzz {

void add_seeds(Corpus& corpus) {
  corpus.add({0});
  corpus.add({1, 0, 0xff});
  corpus.add({2, 30, 1, 60, 0x80});
  corpus.add(Input(100, 7));
  corpus.add({0x80});
  corpus.add({0x81, 40, 1});
  corpus.add(Input(80, 0x80));
}

}  // namespace qpeer::fuzz
