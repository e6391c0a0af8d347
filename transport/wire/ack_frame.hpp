// SPDX-License-Identifier: MIT OR BSD-3-Clause
// ACK frames. RFC 9000 §19.3.
//
//   ranges, from the largest down:   [smallest .. largest]  gap  [smallest .. largest]  gap ...
//     next largest  = smallest - gap - 2
//     next smallest = next largest - length
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/wire/frame_type.hpp"

namespace qpeer::wire {

/// Packet numbers from `smallest` to `largest`, both included.
struct PacketNumberRange {
  PacketNumber smallest = 0;
  PacketNumber largest = 0;
  friend constexpr bool operator==(const PacketNumberRange&, const PacketNumberRange&) = default;
};

/// The totals of received marks, RFC 9000 §19.3.2.
struct EcnCounts {
  std::uint64_t ect0 = 0;
  std::uint64_t ect1 = 0;
  std::uint64_t ce = 0;

  constexpr std::size_t size() const {
    return varint_size(ect0) + varint_size(ect1) + varint_size(ce);
  }
  constexpr void encode(Writer& out) const {
    out.varint(ect0);
    out.varint(ect1);
    out.varint(ce);
  }
  friend constexpr bool operator==(const EcnCounts&, const EcnCounts&) = default;
};

/// ACK, RFC 9000 §19.3. What decode() accepted holds no range below zero.
struct AckFrame {
  PacketNumber largest_acknowledged = 0;
  std::uint64_t ack_delay = 0;  ///< As on the wire: not yet scaled by ack_delay_exponent.
  std::uint64_t range_count = 0;
  std::uint64_t first_ack_range = 0;
  Bytes ranges{};  ///< `range_count` pairs of gap and length, still encoded.
  std::optional<EcnCounts> ecn{};

  static constexpr AckFrame decode(std::uint64_t type, Reader& in);

  /// Calls f(smallest, largest) for each range from the largest down. When f returns bool, false
  /// stops the walk. Returns whether all ranges were visited.
  template <class F>
  constexpr bool for_each_range(F&& f) const;

  constexpr FrameType type() const { return ecn ? FrameType::ack_ecn : FrameType::ack; }
  constexpr std::size_t size() const {
    return 1 + varint_size(largest_acknowledged) + varint_size(ack_delay) +
           varint_size(range_count) + varint_size(first_ack_range) + ranges.size() +
           (ecn ? ecn->size() : 0);
  }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(type()));
    out.varint(largest_acknowledged);
    out.varint(ack_delay);
    out.varint(range_count);
    out.varint(first_ack_range);
    out.bytes(ranges);
    if (ecn) ecn->encode(out);
  }
};

namespace detail {

/// Steps `range` down by one encoded gap and length; false when it would pass below zero.
constexpr bool next_range(PacketNumberRange& range, std::uint64_t gap, std::uint64_t length) {
  // Neither sum overflows: varints stay below 2^62.
  if (range.smallest < gap + 2) return false;
  range.largest = range.smallest - gap - 2;
  if (range.largest < length) return false;
  range.smallest = range.largest - length;
  return true;
}

}  // namespace detail

constexpr AckFrame AckFrame::decode(std::uint64_t type, Reader& in) {
  AckFrame frame;
  frame.largest_acknowledged = in.varint();
  frame.ack_delay = in.varint();
  frame.range_count = in.varint();
  frame.first_ack_range = in.varint();
  // RFC 9000 §19.3.1 [rfc9000-19.3.1-1]: a range that reaches below packet number 0 fails here,
  // once, so that nobody who walks the ranges later has to check again.
  if (frame.first_ack_range > frame.largest_acknowledged) in.fail();
  const std::size_t start = in.position();
  PacketNumberRange range{.smallest = frame.largest_acknowledged - frame.first_ack_range,
                          .largest = frame.largest_acknowledged};
  // Each turn consumes two bytes at least, so an absurd count ends with the input.
  for (std::uint64_t i = 0; i < frame.range_count && in.ok(); ++i) {
    const std::uint64_t gap = in.varint();
    const std::uint64_t length = in.varint();
    if (!detail::next_range(range, gap, length)) in.fail();
  }
  if (!in.ok()) return {};
  frame.ranges = in.consumed().subspan(start);
  // RFC 9000 §19.3 [rfc9000-19.3-1]: both types decode, with and without the counts.
  if (type == std::to_underlying(FrameType::ack_ecn)) {
    frame.ecn = EcnCounts{.ect0 = in.varint(), .ect1 = in.varint(), .ce = in.varint()};
  }
  return frame;
}

template <class F>
constexpr bool AckFrame::for_each_range(F&& f) const {
  const auto visit = [&f](const PacketNumberRange& range) {
    if constexpr (std::is_same_v<decltype(f(range.smallest, range.largest)), bool>) {
      return f(range.smallest, range.largest);
    } else {
      f(range.smallest, range.largest);
      return true;
    }
  };
  if (first_ack_range > largest_acknowledged) return false;
  PacketNumberRange range{.smallest = largest_acknowledged - first_ack_range,
                          .largest = largest_acknowledged};
  if (!visit(range)) return false;
  Reader in{ranges};
  for (std::uint64_t i = 0; i < range_count; ++i) {
    const std::uint64_t gap = in.varint();
    const std::uint64_t length = in.varint();
    if (!in.ok() || !detail::next_range(range, gap, length) || !visit(range)) return false;
  }
  return true;
}

/// Writes an ACK of `ranges_descending`: disjoint, not adjacent, the largest first. Where they do
/// not all fit, the oldest are left out. Returns false, with nothing written, when there is no
/// range or not even the first fits. `ecn` may be null.
constexpr bool encode_ack(Writer& out, std::uint64_t ack_delay,
                          std::span<const PacketNumberRange> ranges_descending,
                          const EcnCounts* ecn) {
  if (ranges_descending.empty() || !out.ok()) return false;
  const auto gap = [&](std::size_t i) {
    return ranges_descending[i - 1].smallest - ranges_descending[i].largest - 2;
  };
  const auto length = [&](std::size_t i) {
    return ranges_descending[i].largest - ranges_descending[i].smallest;
  };
  const std::size_t fixed = 1 + varint_size(ranges_descending[0].largest) + varint_size(ack_delay) +
                            varint_size(length(0)) + (ecn != nullptr ? ecn->size() : 0);
  if (out.remaining() < fixed + 1) return false;

  std::size_t room = out.remaining() - fixed;
  std::size_t count = 0;  // Of the ranges after the first.
  for (std::size_t used = 0; count + 1 < ranges_descending.size(); ++count) {
    used += varint_size(gap(count + 1)) + varint_size(length(count + 1));
    if (used + varint_size(count + 1) > room) break;
  }

  out.varint(std::to_underlying(ecn != nullptr ? FrameType::ack_ecn : FrameType::ack));
  out.varint(ranges_descending[0].largest);
  out.varint(ack_delay);
  out.varint(count);
  out.varint(length(0));
  for (std::size_t i = 1; i <= count; ++i) {
    out.varint(gap(i));
    out.varint(length(i));
  }
  if (ecn != nullptr) ecn->encode(out);
  return out.ok();
}

}  // namespace qpeer::wire
