// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What we remember of each frame we sent, and the three things that can become of it. RFC 9002 §2,
// RFC 9000 §13.3.
//
// Whoever writes a frame owns its fate: the owner records a SentFrame when it writes, and gets it
// back when the packet is acknowledged, deemed lost, or its keys are discarded. No packet is kept,
// nothing is parsed twice.
#pragma once

#include <cstdint>

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::transport {

/// Who wrote a frame and learns its fate: the parts of a connection that send frames.
enum class FrameOwner : u8 {
  ack_tracker,         ///< Of the packet's number space. Its frames alone elicit no ACK.
  crypto_stream,       ///< Of the packet's number space.
  ping,                ///< A PING that the application or a probe asked for.
  handshake,           ///< HANDSHAKE_DONE.
  path_validator,      ///< PATH_CHALLENGE and PATH_RESPONSE: their fate is not needed.
  mtu_discovery,       ///< The PING of a PMTU probe.
  local_cids,          ///< NEW_CONNECTION_ID.
  remote_cids,         ///< RETIRE_CONNECTION_ID.
  new_tokens,          ///< NEW_TOKEN.
  observed_addresses,  ///< OBSERVED_ADDRESS.
  ack_frequency,       ///< ACK_FREQUENCY and IMMEDIATE_ACK.
  datagram_queue,      ///< DATAGRAM.
  stream_set,          ///< STREAM, and all that controls streams and their flow.
};

struct SentFrame {
  FrameOwner owner;  ///< No default: a forgotten one is a warning of the compiler.
  u8 type = 0;  ///< The low byte of the wire::FrameType, for an owner that writes several types.
  bool fin = false;
  std::uint32_t length = 0;
  StreamId stream;           ///< Or, for frames without a stream, whatever the owner needs.
  std::uint64_t offset = 0;  ///< Likewise.
};
static_assert(sizeof(SentFrame) == 24);

/// `lost` may come more than once for one frame (a probe resends early), and `acked` may follow
/// `lost` (the loss was spurious): owners treat both as idempotent.
enum class Fate : u8 { acked, lost, discarded };

/// Gets the fates; the connection, which routes each to its owner.
class FateHandler {
 public:
  virtual ~FateHandler() = default;
  virtual void on_frame_fate(Instant now, PacketNumberSpace space, const SentFrame& frame,
                             Fate fate) = 0;
};

}  // namespace qpeer::transport
