// SPDX-License-Identifier: MIT OR BSD-3-Clause
// HANDSHAKE_DONE: a server sends it until the client has it. RFC 9000 §13.3, §19.20.
//
// Invariant: what was acknowledged is never sent again.
#pragma once

#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"
#include "qpeer/transport/wire/frame.hpp"

namespace qpeer::transport {

class HandshakeDone {
 public:
  /// The handshake of a server is confirmed.
  void send() { to_send_ = true; }

  [[nodiscard]] bool has_frames() const { return to_send_; }
  void write_frames(PacketWriter& out) {
    const SentFrame sent{.owner = FrameOwner::handshake, .stream = {}};
    if (to_send_ && out.write(wire::HandshakeDoneFrame{}, sent)) to_send_ = false;
  }
  void on_fate(const SentFrame& /*frame*/, Fate fate) {
    if (fate == Fate::acked) acknowledged_ = true;
    to_send_ = to_send_ || (fate == Fate::lost && !acknowledged_);
  }

 private:
  bool to_send_ = false;
  bool acknowledged_ = false;
};
static_assert(FrameSource<HandshakeDone>);

}  // namespace qpeer::transport
