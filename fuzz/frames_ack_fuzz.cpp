// SPDX-License-Identifier: MIT OR BSD-3-Clause
// ACK frames: no range below zero, ranges fall, and encode_ack() gives the same ranges back.
#include "qpeer/fuzz/frames_fuzzing.hpp"

using namespace qpeer;
using namespace qpeer::fuzz;

namespace {

void check_ranges(const AckFrame& frame) {
  std::vector<PacketNumberRange> ranges;
  check(frame.for_each_range([&](PacketNumber smallest, PacketNumber largest) {
    check(smallest <= largest);
    check(ranges.empty() || largest + 1 < ranges.back().smallest);
    ranges.push_back({smallest, largest});
  }));
  check(ranges.size() == frame.range_count + 1);

  // Whole in a large buffer, the newest ranges in a small one.
  for (const std::size_t room : {frame.size() + 16, frame.size() / 2}) {
    std::vector<u8> storage(room);
    Writer out{storage};
    if (!encode_ack(out, frame.ack_delay, ranges, frame.ecn ? &*frame.ecn : nullptr)) {
      check(out.size() == 0);
      continue;
    }
    Reader in{out.written()};
    const auto back = decode_frame(in, PacketType::one_rtt);
    check(back.has_value() && in.empty());
    const auto& kept = std::get<AckFrame>(*back);
    check(kept.ecn == frame.ecn && kept.ack_delay == frame.ack_delay);
    check(room < frame.size() || kept.range_count == frame.range_count);
    std::size_t at = 0;
    check(kept.for_each_range([&](PacketNumber smallest, PacketNumber largest) {
      check(ranges[at++] == PacketNumberRange{smallest, largest});
    }));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  static constexpr std::array<u8, 2> kTypes{0x02, 0x03};
  decode_frames({data, size}, kTypes, [](const Frame& frame) {
    if (const auto* ack = std::get_if<AckFrame>(&frame)) check_ranges(*ack);
  });
  return 0;
}
