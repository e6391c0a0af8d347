// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Frames about the connection itself: its IDs, its paths, its end; PADDING and PING.
// RFC 9000 §19.1, §19.2, §19.15 to §19.20; draft-ietf-quic-address-discovery §4.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/wire/frame_type.hpp"

namespace qpeer::wire {

namespace detail {

/// How many zeros `bytes` starts with. A padded Initial has a thousand: eight at a time.
constexpr std::size_t leading_zeros(Bytes bytes) {
  std::size_t count = 0;
  if (!std::is_constant_evaluated()) {
    for (std::uint64_t word = 0; bytes.size() - count >= sizeof word; count += sizeof word) {
      std::memcpy(&word, bytes.data() + count, sizeof word);
      if (word != 0) break;
    }
  }
  while (count < bytes.size() && bytes[count] == 0) ++count;
  return count;
}

template <std::size_t N>
constexpr std::array<u8, N> read_array(Reader& in) {
  std::array<u8, N> out{};
  const Bytes bytes = in.bytes(N);
  if (in.ok()) copy(bytes, out);
  return out;
}

}  // namespace detail

/// PADDING, RFC 9000 §19.1: a run of them, decoded as one.
struct PaddingFrame {
  static constexpr FrameType kType = FrameType::padding;
  std::size_t length = 1;  ///< In bytes, the first included.

  static constexpr PaddingFrame decode(Reader& in) {
    Reader ahead = in;
    const std::size_t more = detail::leading_zeros(ahead.rest());
    in.bytes(more);
    return {.length = 1 + more};
  }
  constexpr std::size_t size() const { return length; }
  constexpr void encode(Writer& out) const { out.zeros(length); }
};

/// PING, RFC 9000 §19.2.
struct PingFrame {
  static constexpr FrameType kType = FrameType::ping;

  static constexpr PingFrame decode(Reader&) { return {}; }
  constexpr std::size_t size() const { return 1; }
  constexpr void encode(Writer& out) const { out.varint(std::to_underlying(kType)); }
};

/// NEW_CONNECTION_ID, RFC 9000 §19.15.
struct NewConnectionIdFrame {
  static constexpr FrameType kType = FrameType::new_connection_id;
  std::uint64_t sequence_number = 0;
  std::uint64_t retire_prior_to = 0;
  ConnectionId connection_id{};
  StatelessResetToken stateless_reset_token{};

  static constexpr NewConnectionIdFrame decode(Reader& in) {
    NewConnectionIdFrame frame;
    frame.sequence_number = in.varint();
    frame.retire_prior_to = in.varint();
    const u8 length = in.byte();
    // RFC 9000 §19.15 [rfc9000-19.15-1]: an ID of no bytes could not be told from none, and more
    // than 20 do not fit version 1. [rfc9000-19.15-7]: a frame cannot retire what it brings.
    if (length < 1 || length > ConnectionId::kMaxSize) in.fail();
    if (frame.retire_prior_to > frame.sequence_number) in.fail();
    frame.connection_id = ConnectionId(in.bytes(length));
    frame.stateless_reset_token = detail::read_array<16>(in);
    return frame;
  }
  constexpr std::size_t size() const {
    return 1 + varint_size(sequence_number) + varint_size(retire_prior_to) + 1 +
           connection_id.size() + stateless_reset_token.size();
  }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(kType));
    out.varint(sequence_number);
    out.varint(retire_prior_to);
    out.byte(static_cast<u8>(connection_id.size()));
    out.bytes(connection_id.bytes());
    out.bytes(stateless_reset_token);
  }
};

/// RETIRE_CONNECTION_ID, RFC 9000 §19.16.
struct RetireConnectionIdFrame {
  static constexpr FrameType kType = FrameType::retire_connection_id;
  std::uint64_t sequence_number = 0;

  static constexpr RetireConnectionIdFrame decode(Reader& in) {
    return {.sequence_number = in.varint()};
  }
  constexpr std::size_t size() const { return 1 + varint_size(sequence_number); }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(kType));
    out.varint(sequence_number);
  }
};

/// PATH_CHALLENGE, RFC 9000 §19.17.
struct PathChallengeFrame {
  static constexpr FrameType kType = FrameType::path_challenge;
  std::array<u8, 8> data{};

  static constexpr PathChallengeFrame decode(Reader& in) {
    return {.data = detail::read_array<8>(in)};
  }
  constexpr std::size_t size() const { return 1 + data.size(); }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(kType));
    out.bytes(data);
  }
};

/// PATH_RESPONSE, RFC 9000 §19.18.
struct PathResponseFrame {
  static constexpr FrameType kType = FrameType::path_response;
  std::array<u8, 8> data{};

  static constexpr PathResponseFrame decode(Reader& in) {
    return {.data = detail::read_array<8>(in)};
  }
  constexpr std::size_t size() const { return 1 + data.size(); }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(kType));
    out.bytes(data);
  }
};

/// CONNECTION_CLOSE, RFC 9000 §19.19. `application` is type 0x1d, which names no frame.
struct ConnectionCloseFrame {
  bool application = false;
  std::uint64_t error_code = 0;
  std::uint64_t frame_type = 0;  ///< The frame that caused it; 0 when unknown or `application`.
  Bytes reason_phrase{};         ///< UTF-8 by convention, anything in fact.

  static constexpr ConnectionCloseFrame decode(std::uint64_t type, Reader& in) {
    ConnectionCloseFrame frame;
    frame.application = type == std::to_underlying(FrameType::connection_close_application);
    frame.error_code = in.varint();
    if (!frame.application) frame.frame_type = in.varint();
    frame.reason_phrase = in.bytes(in.varint());
    return frame;
  }
  constexpr FrameType type() const {
    return application ? FrameType::connection_close_application : FrameType::connection_close;
  }
  constexpr std::size_t size() const {
    return 1 + varint_size(error_code) + (application ? 0 : varint_size(frame_type)) +
           varint_size(reason_phrase.size()) + reason_phrase.size();
  }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(type()));
    out.varint(error_code);
    if (!application) out.varint(frame_type);
    out.varint(reason_phrase.size());
    out.bytes(reason_phrase);
  }
};

/// HANDSHAKE_DONE, RFC 9000 §19.20.
struct HandshakeDoneFrame {
  static constexpr FrameType kType = FrameType::handshake_done;

  static constexpr HandshakeDoneFrame decode(Reader&) { return {}; }
  constexpr std::size_t size() const { return 1; }
  constexpr void encode(Writer& out) const { out.varint(std::to_underlying(kType)); }
};

/// ACK_FREQUENCY, draft-ietf-quic-ack-frequency §4.
struct AckFrequencyFrame {
  static constexpr FrameType kType = FrameType::ack_frequency;
  std::uint64_t sequence_number = 0;
  std::uint64_t ack_eliciting_threshold = 1;  ///< An ACK after more packets than these.
  std::uint64_t requested_max_ack_delay = 0;  ///< Microseconds.
  std::uint64_t reordering_threshold = 1;     ///< 0: the order of packets does not matter.

  static constexpr AckFrequencyFrame decode(Reader& in) {
    return {.sequence_number = in.varint(),
            .ack_eliciting_threshold = in.varint(),
            .requested_max_ack_delay = in.varint(),
            .reordering_threshold = in.varint()};
  }
  constexpr std::size_t size() const {
    return varint_size(std::to_underlying(kType)) + varint_size(sequence_number) +
           varint_size(ack_eliciting_threshold) + varint_size(requested_max_ack_delay) +
           varint_size(reordering_threshold);
  }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(kType));
    out.varint(sequence_number);
    out.varint(ack_eliciting_threshold);
    out.varint(requested_max_ack_delay);
    out.varint(reordering_threshold);
  }
};

/// IMMEDIATE_ACK, draft-ietf-quic-ack-frequency §5.
struct ImmediateAckFrame {
  static constexpr FrameType kType = FrameType::immediate_ack;
  static constexpr ImmediateAckFrame decode(Reader& /*in*/) { return {}; }
  static constexpr std::size_t size() { return 1; }
  static constexpr void encode(Writer& out) { out.varint(std::to_underlying(kType)); }
};

/// OBSERVED_ADDRESS, draft-ietf-quic-address-discovery §4.1. The type's low bit is the family.
struct ObservedAddressFrame {
  std::uint64_t sequence_number = 0;
  SocketAddress address = SocketAddress::ipv4({}, 0);  ///< Must be valid(); anything from a peer.

  static constexpr ObservedAddressFrame decode(std::uint64_t type, Reader& in) {
    const std::uint64_t sequence_number = in.varint();
    if (type == std::to_underlying(FrameType::observed_address_ipv6)) {
      const auto octets = detail::read_array<16>(in);
      return {.sequence_number = sequence_number, .address = SocketAddress::ipv6(octets, in.u16())};
    }
    const auto octets = detail::read_array<4>(in);
    return {.sequence_number = sequence_number, .address = SocketAddress::ipv4(octets, in.u16())};
  }
  constexpr FrameType type() const {
    return address.is_ipv6() ? FrameType::observed_address_ipv6 : FrameType::observed_address_ipv4;
  }
  constexpr std::size_t size() const {
    return varint_size(std::to_underlying(type())) + varint_size(sequence_number) +
           address.octets().size() + sizeof address.port();
  }
  constexpr void encode(Writer& out) const {
    out.varint(std::to_underlying(type()));
    out.varint(sequence_number);
    out.bytes(address.octets());
    out.u16(address.port());
  }
};

}  // namespace qpeer::wire
