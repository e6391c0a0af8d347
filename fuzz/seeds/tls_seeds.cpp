// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Handshakes of every kind, untouched and with one edit of each kind in each flight.
#include <array>

#include "qpeer/fuzz/seeds/corpus.hpp"

namespace qpeer::fuzz {

void add_seeds(Corpus& corpus) {
  for (u8 options = 0; options < 32; ++options) {
    corpus.add({options, 0});
    corpus.add({options, 7});
    for (u8 flight = 0; flight < 8; ++flight) {
      for (u8 kind = 0; kind < 8; ++kind) {
        if ((options + flight + kind) % 4 != 0)
          continue;  // A quarter of them is enough to begin with.
        corpus.add({options, 0, flight, kind, 0, 40, 4, 1, 2, 3, 4});
      }
    }
  }
}

}  // namespace qpeer::fuzz
