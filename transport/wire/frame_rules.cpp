// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/wire/frame_rules.hpp"

namespace qpeer::wire {

namespace {

using Decoded = std::expected<Frame, TransportError>;

/// A frame built where it is returned: moving a variant costs more than decoding most frames.
template <class F>
Decoded result(std::uint64_t type, const Reader& in, const F& frame) {
  if (!in.ok()) return fail(TransportErrorCode::frame_encoding_error, "malformed frame", type);
  return Decoded{std::in_place, std::in_place_type<F>, frame};
}

/// The fields of a frame of known type, which has been read.
Decoded decode_fields(std::uint64_t type, Reader& in) {
  const auto done = [&](const auto& frame) { return result(type, in, frame); };
  switch (type) {
    case 0x00:
      return done(PaddingFrame::decode(in));
    case 0x01:
      return done(PingFrame::decode(in));
    case 0x02:
    case 0x03:
      return done(AckFrame::decode(type, in));
    case 0x04:
      return done(ResetStreamFrame::decode(in));
    case 0x05:
      return done(StopSendingFrame::decode(in));
    case 0x06:
      return done(CryptoFrame::decode(in));
    case 0x07:
      return done(NewTokenFrame::decode(in));
    case 0x10:
      return done(MaxDataFrame::decode(in));
    case 0x11:
      return done(MaxStreamDataFrame::decode(in));
    case 0x12:
    case 0x13:
      return done(MaxStreamsFrame::decode(type, in));
    case 0x14:
      return done(DataBlockedFrame::decode(in));
    case 0x15:
      return done(StreamDataBlockedFrame::decode(in));
    case 0x16:
    case 0x17:
      return done(StreamsBlockedFrame::decode(type, in));
    case 0x18:
      return done(NewConnectionIdFrame::decode(in));
    case 0x19:
      return done(RetireConnectionIdFrame::decode(in));
    case 0x1a:
      return done(PathChallengeFrame::decode(in));
    case 0x1b:
      return done(PathResponseFrame::decode(in));
    case 0x1c:
    case 0x1d:
      return done(ConnectionCloseFrame::decode(type, in));
    case 0x1e:
      return done(HandshakeDoneFrame::decode(in));
    case 0x1f:
      return done(ImmediateAckFrame::decode(in));
    case 0xaf:
      return done(AckFrequencyFrame::decode(in));
    case 0x30:
    case 0x31:
      return done(DatagramFrame::decode(type, in));
    case 0x9f81a6:
    case 0x9f81a7:
      return done(ObservedAddressFrame::decode(type, in));
    default:  // 0x08 to 0x0f.
      return done(StreamFrame::decode(type, in));
  }
}

/// Why no frame of `type` can be decoded here; called only when there is a reason.
TransportError refusal(std::uint64_t type, std::size_t type_size) {
  using enum TransportErrorCode;
  // RFC 9000 §12.4 [rfc9000-12.4-6]: taken as the option allows, so that no frame has two
  // spellings.
  if (type_size != varint_size(type)) {
    return {protocol_violation, "frame type not in its shortest form", type};
  }
  // RFC 9000 §12.4 [rfc9000-12.4-4]: without its type a frame has no known end.
  if (!is_known(type)) return {frame_encoding_error, "unknown frame type", type};
  // RFC 9000 §12.4 [rfc9000-12.4-3], §17.2.4 [rfc9000-17.2.4-2].
  return {protocol_violation, "frame not permitted in this packet type", type};
}

}  // namespace

Decoded decode_frame(Reader& in, PacketType packet) {
  const std::size_t start = in.position();
  const std::uint64_t type = in.varint();
  if (!in.ok()) {
    return fail(TransportErrorCode::frame_encoding_error, "truncated frame type");
  }
  // Most types are of one byte, so that one comparison finds every odd case.
  const std::size_t type_size = in.position() - start;
  if (type_size != 1 || !may_appear(type, packet)) {
    if (type_size != varint_size(type) || !may_appear(type, packet)) {
      return std::unexpected(refusal(type, type_size));
    }
  }
  return is_stream(type) ? result(type, in, StreamFrame::decode(type, in))
                         : decode_fields(type, in);
}

}  // namespace qpeer::wire
