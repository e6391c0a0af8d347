// SPDX-License-Identifier: MIT OR BSD-3-Clause
// STREAM, CRYPTO, RESET_STREAM, STOP_SENDING: no data ends past 2^62-1.
#include "qpeer/fuzz/frames_fuzzing.hpp"

using namespace qpeer;
using namespace qpeer::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  static constexpr std::array<u8, 11> kTypes{0x04, 0x05, 0x06, 0x08, 0x09, 0x0a,
                                             0x0b, 0x0c, 0x0d, 0x0e, 0x0f};
  decode_frames({data, size}, kTypes, [](const Frame& frame) {
    if (const auto* stream = std::get_if<StreamFrame>(&frame)) {
      check(stream->offset + stream->data.size() <= kMaxVarint);
    }
    if (const auto* crypto = std::get_if<CryptoFrame>(&frame)) {
      check(crypto->offset + crypto->data.size() <= kMaxVarint);
    }
  });
  return 0;
}
