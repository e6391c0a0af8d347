// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the harnesses of the frame families share. An input is: packet type (1 byte), frame type
// (1 byte, taken modulo the family), then the fields and whatever frames follow.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <variant>
#include <vector>

#include "qpeer/fuzz/check.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::fuzz {

using namespace qpeer::wire;

inline std::vector<u8> encoded(const Frame& frame) {
  const std::size_t size = std::visit([](const auto& each) { return each.size(); }, frame);
  std::vector<u8> storage(size);
  Writer out{storage};
  std::visit([&](const auto& each) { each.encode(out); }, frame);
  check(out.ok() && out.size() == size);
  return storage;
}

/// What decoded must encode to something that decodes to the same.
inline void check_round_trip(const Frame& frame) {
  const std::vector<u8> bytes = encoded(frame);
  Reader in{bytes};
  const auto back = decode_frame(in, PacketType::one_rtt);
  check(back.has_value() && in.empty());
  check(back->index() == frame.index());
  check(encoded(*back) == bytes);
}

/// Decodes an input whose first frame is of one of `types`; hands each frame to `visit`.
template <class Visit>
void decode_frames(Bytes input, std::span<const u8> types, Visit&& visit) {
  constexpr std::array kPackets{PacketType::one_rtt, PacketType::initial, PacketType::handshake,
                                PacketType::zero_rtt};
  if (input.size() < 2) return;
  const PacketType packet = kPackets[input[0] % kPackets.size()];
  std::vector<u8> payload(input.begin() + 1, input.end());
  payload[0] = types[payload[0] % types.size()];

  Reader in{payload};
  while (!in.empty()) {
    const std::size_t before = in.position();
    const auto frame = decode_frame(in, packet);
    if (!frame) {
      check(frame.error().code == TransportErrorCode::frame_encoding_error ||
            frame.error().code == TransportErrorCode::protocol_violation);
      check(!frame.error().reason.empty());
      return;
    }
    check(in.ok() && in.position() > before);
    check_round_trip(*frame);
    visit(*frame);
  }
}

}  // namespace qpeer::fuzz
