// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Frames about connection IDs, paths and the connection's end.
#include "qpeer/fuzz/frames_fuzzing.hpp"

using namespace qpeer;
using namespace qpeer::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  static constexpr std::array<u8, 7> kTypes{0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e};
  decode_frames({data, size}, kTypes, [](const Frame& frame) {
    if (const auto* id = std::get_if<NewConnectionIdFrame>(&frame)) {
      check(!id->connection_id.empty() && id->connection_id.size() <= ConnectionId::kMaxSize);
      check(id->retire_prior_to <= id->sequence_number);
    }
  });
  return 0;
}
