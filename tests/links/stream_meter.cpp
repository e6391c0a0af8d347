// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/links/stream_meter.hpp"

#include <algorithm>
#include <variant>

#include "qpeer/transport/wire/frame_rules.hpp"
#include "qpeer/transport/wire/packet_decoder.hpp"

namespace qpeer::links {

void StreamMeter::count(const sim::Passing& datagram) {
  constexpr std::size_t kConnectionId = 8;
  constexpr std::size_t kTag = 16;
  const u8 first = datagram.payload.empty() ? u8{0x80} : datagram.payload.front();
  // Data flows in packets with a short header; the handshake is over.
  const std::size_t header = 1 + kConnectionId + (first & 3U) + 1;
  if ((first & 0x80) != 0 || datagram.payload.size() < header + kTag) return;
  Reader in{Bytes(datagram.payload).subspan(header, datagram.payload.size() - header - kTag)};
  while (!in.empty()) {
    const auto frame = wire::decode_frame(in, wire::PacketType::one_rtt);
    if (!frame) return;  // Not one of ours: corrupted.
    if (const auto* stream = std::get_if<wire::StreamFrame>(&*frame)) {
      count(stream->offset, stream->offset + stream->data.size());
    }
  }
}

void StreamMeter::count(std::uint64_t begin, std::uint64_t end) {
  bytes_ += end - begin;
  std::uint64_t fresh = end - begin;
  const auto before = [begin](const IntervalSet::Range& range) { return range.end <= begin; };
  const auto* range = std::partition_point(seen_.begin(), seen_.end(), before);
  for (; range != seen_.end() && range->begin < end; ++range) {
    fresh -= std::min(end, range->end) - std::max(begin, range->begin);
  }
  repeated_ += end - begin - fresh;
  if (!seen_.insert(begin, end))
    repeated_ = bytes_;  // Cannot be: there are too many gaps to count.
}

}  // namespace qpeer::links
