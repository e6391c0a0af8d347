// SPDX-License-Identifier: MIT OR BSD-3-Clause
// All frames. RFC 9000 §19; RFC 9221 §4; draft-ietf-quic-address-discovery §4.
//
// A frame is a struct that reads and writes itself:
//   decode(Reader&)        what follows the type; decode(type, Reader&) where the type has flags.
//                          A malformed frame fails the reader, whose ok() tells; there is no
//                          other error. The result is then meaningless.
//   size()                 bytes that encode() writes, the type included
//   encode(Writer&) const  writes type and fields
// Payloads are views into what was decoded: they live as long as the packet's bytes.
#pragma once

#include <variant>

#include "qpeer/transport/wire/ack_frame.hpp"
#include "qpeer/transport/wire/connection_frames.hpp"
#include "qpeer/transport/wire/flow_frames.hpp"
#include "qpeer/transport/wire/frame_type.hpp"
#include "qpeer/transport/wire/stream_frames.hpp"

namespace qpeer::wire {

/// Any frame. The two of almost every packet come first.
using Frame =
    std::variant<StreamFrame, AckFrame, PaddingFrame, PingFrame, ResetStreamFrame, StopSendingFrame,
                 CryptoFrame, NewTokenFrame, MaxDataFrame, MaxStreamDataFrame, MaxStreamsFrame,
                 DataBlockedFrame, StreamDataBlockedFrame, StreamsBlockedFrame,
                 NewConnectionIdFrame, RetireConnectionIdFrame, PathChallengeFrame,
                 PathResponseFrame, ConnectionCloseFrame, HandshakeDoneFrame, DatagramFrame,
                 ObservedAddressFrame, AckFrequencyFrame, ImmediateAckFrame>;

}  // namespace qpeer::wire
