// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One or more frames of every type, for the harnesses of frames and of connections.
#pragma once

#include <vector>

#include "qpeer/fuzz/seeds/corpus.hpp"

namespace qpeer::fuzz {

/// A family of frames, as its harness takes them: the types in the harness's order.
struct Family {
  const char* harness;
  std::vector<u8> types;
  std::vector<Input> frames;
};

std::vector<Family> families();

}  // namespace qpeer::fuzz
