// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Frames of credit and of its lack: no more than 2^60 streams.
#include "qpeer/fuzz/frames_fuzzing.hpp"

using namespace qpeer;
using namespace qpeer::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  static constexpr std::array<u8, 8> kTypes{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17};
  decode_frames({data, size}, kTypes, [](const Frame& frame) {
    if (const auto* streams = std::get_if<MaxStreamsFrame>(&frame)) {
      check(streams->maximum_streams <= kMaxStreams);
    }
    if (const auto* blocked = std::get_if<StreamsBlockedFrame>(&frame)) {
      check(blocked->maximum_streams <= kMaxStreams);
    }
  });
  return 0;
}
