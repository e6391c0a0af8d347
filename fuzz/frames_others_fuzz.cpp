// SPDX-License-Identifier: MIT OR BSD-3-Clause
// PADDING, PING, NEW_TOKEN, DATAGRAM, OBSERVED_ADDRESS (0x80, and then its type goes on), and types that do not exist or are spelt too long.
#include "qpeer/fuzz/frames_fuzzing.hpp"

using namespace qpeer;
using namespace qpeer::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  static constexpr std::array<u8, 9> kTypes{0x00, 0x01, 0x07, 0x30, 0x31, 0x1f, 0x40, 0xc0, 0x80};
  decode_frames({data, size}, kTypes, [](const Frame& frame) {
    if (const auto* token = std::get_if<NewTokenFrame>(&frame)) check(!token->token.empty());
    if (const auto* padding = std::get_if<PaddingFrame>(&frame)) check(padding->length >= 1);
    if (const auto* datagram = std::get_if<DatagramFrame>(&frame)) {
      check(datagram->received_size > datagram->data.size());
    }
    if (const auto* observed = std::get_if<ObservedAddressFrame>(&frame)) {
      check(observed->address.valid());
    }
  });
  return 0;
}
