// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Frames that give credit, or tell that it is missing. RFC 9000 §19.9 to §19.14.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/wire/frame_type.hpp"

namespace qpeer::wire {

/// No stream count may exceed this: a stream ID must fit a variable-length integer. RFC 9000 §4.6.
inline constexpr std::uint64_t kMaxStreams = std::uint64_t{1} << 60;

/// MAX_DATA, RFC 9000 §19.9.
struct MaxDataFrame {
  static constexpr FrameType kType = FrameType::max_data;
  std::uint64_t maximum_data = 0;

  static constexpr MaxDataFrame decode(Reader& in) { return {.maximum_data = in.varint()}; }
  constexpr std::size_t size() const { return 1 + varint_size(maximum_data); }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(kType));
    out.varint(maximum_data);
  }
};

/// MAX_STREAM_DATA, RFC 9000 §19.10.
struct MaxStreamDataFrame {
  static constexpr FrameType kType = FrameType::max_stream_data;
  StreamId stream_id{};
  std::uint64_t maximum_stream_data = 0;

  static constexpr MaxStreamDataFrame decode(Reader& in) {
    return {.stream_id = {in.varint()}, .maximum_stream_data = in.varint()};
  }
  constexpr std::size_t size() const {
    return 1 + varint_size(stream_id.value) + varint_size(maximum_stream_data);
  }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(kType));
    out.varint(stream_id.value);
    out.varint(maximum_stream_data);
  }
};

/// MAX_STREAMS, RFC 9000 §19.11.
struct MaxStreamsFrame {
  bool bidirectional = false;
  std::uint64_t maximum_streams = 0;

  static constexpr MaxStreamsFrame decode(std::uint64_t type, Reader& in) {
    const MaxStreamsFrame frame{
        .bidirectional = type == std::to_underlying(FrameType::max_streams_bidi),
        .maximum_streams = in.varint()};
    // RFC 9000 §19.11 [rfc9000-19.11-1], §4.6 [rfc9000-4.6-1]: the last stream this would permit
    // has an ID that no frame could carry.
    if (frame.maximum_streams > kMaxStreams) in.fail();
    return frame;
  }
  constexpr FrameType type() const {
    return bidirectional ? FrameType::max_streams_bidi : FrameType::max_streams_uni;
  }
  constexpr std::size_t size() const { return 1 + varint_size(maximum_streams); }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(type()));
    out.varint(maximum_streams);
  }
};

/// DATA_BLOCKED, RFC 9000 §19.12.
struct DataBlockedFrame {
  static constexpr FrameType kType = FrameType::data_blocked;
  std::uint64_t maximum_data = 0;

  static constexpr DataBlockedFrame decode(Reader& in) { return {.maximum_data = in.varint()}; }
  constexpr std::size_t size() const { return 1 + varint_size(maximum_data); }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(kType));
    out.varint(maximum_data);
  }
};

/// STREAM_DATA_BLOCKED, RFC 9000 §19.13.
struct StreamDataBlockedFrame {
  static constexpr FrameType kType = FrameType::stream_data_blocked;
  StreamId stream_id{};
  std::uint64_t maximum_stream_data = 0;

  static constexpr StreamDataBlockedFrame decode(Reader& in) {
    return {.stream_id = {in.varint()}, .maximum_stream_data = in.varint()};
  }
  constexpr std::size_t size() const {
    return 1 + varint_size(stream_id.value) + varint_size(maximum_stream_data);
  }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(kType));
    out.varint(stream_id.value);
    out.varint(maximum_stream_data);
  }
};

/// STREAMS_BLOCKED, RFC 9000 §19.14.
struct StreamsBlockedFrame {
  bool bidirectional = false;
  std::uint64_t maximum_streams = 0;

  static constexpr StreamsBlockedFrame decode(std::uint64_t type, Reader& in) {
    const StreamsBlockedFrame frame{
        .bidirectional = type == std::to_underlying(FrameType::streams_blocked_bidi),
        .maximum_streams = in.varint()};
    // RFC 9000 §19.14 [rfc9000-19.14-2]: nobody can have been given such a limit.
    if (frame.maximum_streams > kMaxStreams) in.fail();
    return frame;
  }
  constexpr FrameType type() const {
    return bidirectional ? FrameType::streams_blocked_bidi : FrameType::streams_blocked_uni;
  }
  constexpr std::size_t size() const { return 1 + varint_size(maximum_streams); }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(type()));
    out.varint(maximum_streams);
  }
};

}  // namespace qpeer::wire
