// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Frames that carry or end streams of bytes, and DATAGRAM. RFC 9000 §19.4 to §19.8; RFC 9221 §4.
//
// A payload is a view: of the packet when decoded, of the sender's buffer when encoded. Senders
// that put the payload in place themselves use header_size() and encode_header().
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/wire/frame_type.hpp"

namespace qpeer::wire {

/// RESET_STREAM, RFC 9000 §19.4.
struct ResetStreamFrame {
  static constexpr FrameType kType = FrameType::reset_stream;
  StreamId stream_id{};
  std::uint64_t application_error_code = 0;
  std::uint64_t final_size = 0;

  static constexpr ResetStreamFrame decode(Reader& in) {
    return {.stream_id = {in.varint()},
            .application_error_code = in.varint(),
            .final_size = in.varint()};
  }
  constexpr std::size_t size() const {
    return 1 + varint_size(stream_id.value) + varint_size(application_error_code) +
           varint_size(final_size);
  }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(kType));
    out.varint(stream_id.value);
    out.varint(application_error_code);
    out.varint(final_size);
  }
};

/// STOP_SENDING, RFC 9000 §19.5.
struct StopSendingFrame {
  static constexpr FrameType kType = FrameType::stop_sending;
  StreamId stream_id{};
  std::uint64_t application_error_code = 0;

  static constexpr StopSendingFrame decode(Reader& in) {
    return {.stream_id = {in.varint()}, .application_error_code = in.varint()};
  }
  constexpr std::size_t size() const {
    return 1 + varint_size(stream_id.value) + varint_size(application_error_code);
  }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(kType));
    out.varint(stream_id.value);
    out.varint(application_error_code);
  }
};

/// CRYPTO, RFC 9000 §19.6.
struct CryptoFrame {
  static constexpr FrameType kType = FrameType::crypto;
  std::uint64_t offset = 0;
  Bytes data{};

  static constexpr CryptoFrame decode(Reader& in) {
    CryptoFrame frame{.offset = in.varint(), .data = in.bytes(in.varint())};
    // RFC 9000 §19.6 [rfc9000-19.6-1]: an end past 2^62-1 is no place in a stream. Here it is an
    // encoding error; how much may be buffered is the handshake's to say.
    if (frame.data.size() > kMaxVarint - frame.offset) in.fail();
    return frame;
  }
  static constexpr std::size_t header_size(std::uint64_t offset, std::size_t length) {
    return 1 + varint_size(offset) + varint_size(length);
  }
  static constexpr void encode_header(Writer& out, std::uint64_t offset, std::size_t length) {
    out.varint(std::to_underlying(kType));
    out.varint(offset);
    out.varint(length);
  }
  constexpr std::size_t size() const { return header_size(offset, data.size()) + data.size(); }
  constexpr void encode(Writer& out) const {
    encode_header(out, offset, data.size());
    out.bytes(data);
  }
};

/// NEW_TOKEN, RFC 9000 §19.7.
struct NewTokenFrame {
  static constexpr FrameType kType = FrameType::new_token;
  Bytes token{};

  static constexpr NewTokenFrame decode(Reader& in) {
    const NewTokenFrame frame{.token = in.bytes(in.varint())};
    // RFC 9000 §19.7 [rfc9000-19.7-2]: a token of no bytes would be no token at all.
    if (frame.token.empty()) in.fail();
    return frame;
  }
  constexpr std::size_t size() const { return 1 + varint_size(token.size()) + token.size(); }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(kType));
    out.varint(token.size());
    out.bytes(token);
  }
};

/// STREAM, RFC 9000 §19.8. The type's low bits say which fields follow: OFF, LEN, and FIN.
struct StreamFrame {
  StreamId stream_id{};
  std::uint64_t offset = 0;
  Bytes data{};
  bool fin = false;

  static constexpr StreamFrame decode(std::uint64_t type, Reader& in) {
    StreamFrame frame;
    frame.stream_id = {in.varint()};
    if ((type & kStreamOffsetBit) != 0) frame.offset = in.varint();
    frame.data = (type & kStreamLengthBit) != 0 ? in.bytes(in.varint()) : in.rest();
    frame.fin = (type & kStreamFinBit) != 0;
    // RFC 9000 §19.8 [rfc9000-19.8-2]: no credit reaches past 2^62-1, so this is told at once.
    if (frame.data.size() > kMaxVarint - frame.offset) in.fail();
    return frame;
  }
  /// Without `length` the data runs to the end of the packet, and no Length field is written.
  static constexpr std::size_t header_size(StreamId stream_id, std::uint64_t offset,
                                           std::optional<std::size_t> length) {
    return 1 + varint_size(stream_id.value) + (offset != 0 ? varint_size(offset) : 0) +
           (length ? varint_size(*length) : 0);
  }
  static constexpr void encode_header(Writer& out, StreamId stream_id, std::uint64_t offset,
                                      std::optional<std::size_t> length, bool fin) {
    out.varint(std::to_underlying(FrameType::stream) | (offset != 0 ? kStreamOffsetBit : 0) |
               (length ? kStreamLengthBit : 0) | (fin ? kStreamFinBit : 0));
    out.varint(stream_id.value);
    if (offset != 0) out.varint(offset);
    if (length) out.varint(*length);
  }
  constexpr std::size_t size() const {
    return header_size(stream_id, offset, data.size()) + data.size();
  }
  /// With the Length field, so that other frames may follow.
  constexpr void encode(Writer& out) const {
    encode_header(out, stream_id, offset, data.size(), fin);
    out.bytes(data);
  }
};

/// DATAGRAM, RFC 9221 §4. Whether the peer may send it is the connection's to check.
struct DatagramFrame {
  Bytes data{};
  std::size_t received_size = 0;  ///< When decoded: of the frame as it came, type included.

  static constexpr DatagramFrame decode(std::uint64_t type, Reader& in) {
    const std::size_t begin = in.position();
    const Bytes data = (type & kDatagramLengthBit) != 0 ? in.bytes(in.varint()) : in.rest();
    return {.data = data, .received_size = 1 + in.position() - begin};
  }
  /// Without `length` the data runs to the end of the packet, and no Length field is written.
  static constexpr std::size_t header_size(std::optional<std::size_t> length) {
    return 1 + (length ? varint_size(*length) : 0);
  }
  static constexpr void encode_header(Writer& out, std::optional<std::size_t> length) {
    out.varint(std::to_underlying(FrameType::datagram) | (length ? kDatagramLengthBit : 0));
    if (length) out.varint(*length);
  }
  constexpr std::size_t size() const { return header_size(data.size()) + data.size(); }
  /// With the Length field, so that other frames may follow.
  constexpr void encode(Writer& out) const {
    encode_header(out, data.size());
    out.bytes(data);
  }
};

}  // namespace qpeer::wire
