// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Packet numbers cut short for the wire, and made whole again. RFC 9000 §17.1, §A.2, §A.3.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ids.hpp"

namespace qpeer::wire {

/// How many bytes (1 to 4) `full` needs on the wire when `largest_acked` is the largest that the
/// peer acknowledged in this space. A sender keeps less than 2^31 packets unacknowledged.
constexpr std::size_t encode_packet_number_length(PacketNumber full,
                                                  std::optional<PacketNumber> largest_acked) {
  const std::uint64_t unacknowledged = largest_acked ? full - *largest_acked : full + 1;
  // RFC 9000 §17.1 [rfc9000-17.1-2]: one bit more than the span, so that the receiver, whose
  // largest lies anywhere in it, finds one candidate only.
  const auto bits = static_cast<std::size_t>(std::bit_width(unacknowledged - 1)) + 1;
  return std::clamp<std::size_t>((bits + 7) / 8, 1, 4);
}

/// The low `length` bytes of `full`.
constexpr void write_packet_number(Writer& out, PacketNumber full, std::size_t length) {
  out.big_endian(full & ((std::uint64_t{1} << (8 * length)) - 1), length);
}

/// The full number whose low `length` (1 to 4) bytes are `truncated`, nearest to the one expected
/// next after `largest_received` in this space.
constexpr PacketNumber decode_packet_number(std::optional<PacketNumber> largest_received,
                                            std::uint64_t truncated, std::size_t length) {
  const std::uint64_t expected = largest_received ? *largest_received + 1 : 0;
  const std::uint64_t window = std::uint64_t{1} << (8 * length);
  const std::uint64_t half = window / 2;
  const std::uint64_t candidate = (expected & ~(window - 1)) | truncated;
  if (candidate + half <= expected && candidate < kMaxPacketNumber + 1 - window) {
    return candidate + window;
  }
  const bool too_far = candidate > expected + half || candidate > kMaxPacketNumber;
  return too_far && candidate >= window ? candidate - window : candidate;
}

}  // namespace qpeer::wire
