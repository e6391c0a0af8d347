// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/fuzz/seeds/corpus.hpp"

namespace qpeer::fuzz {

void add_seeds(Corpus& corpus) {
  const Input wait{0, 0, 1, 0};
  const Input hour{0, 0x0e, 0x10, 0};
  const Input pcp{2, 0, 0, 0, 0x1c, 0x20, 0, 0, 0, 9, 203, 0, 113, 7, 0x11, 0x51};
  const Input refused{2, 8, 0, 0, 0, 30, 0, 0, 0, 9, 203, 0, 113, 7, 0x11, 0x51};
  const Input rebooted{2, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  const Input unsupported{1, 8, 0, 0, 0, 1, 0, 0, 0, 9};
  const Input address{3, 0, 0, 0, 0, 9, 203, 0, 113, 7};
  const Input mapping{4, 0, 0, 0, 0, 9, 0x11, 0x51, 0, 0, 0x1c, 0x20};
  const Input deleted{4, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0};
  const Input restart{5};
  const Input remove{6};
  corpus.add(join({pcp, hour, pcp, rebooted, wait, wait, pcp, remove, wait}));
  corpus.add(join({refused, wait, address, mapping, hour, address, mapping, remove, deleted}));
  corpus.add(
      join({unsupported, address, mapping, hour, hour, hour, wait, pcp, restart, wait, pcp}));
  corpus.add(join({wait, wait, hour, rebooted, hour, pcp, hour, hour, Input{7}, wait, pcp}));
}

}  // namespace qpeer::fuzz
