// SPDX-License-Identifier: MIT OR BSD-3-Clause
// PING: one that was asked for, and which calls of ping() its acknowledgement answers. RFC 9000 §19.2.
//
// Invariant: no more pings are answered than were asked for, and what is not answered is either to be
// sent or on its way.
#pragma once

#include <cstdint>

#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"
#include "qpeer/transport/wire/frame.hpp"

namespace qpeer::transport {

class Pings {
 public:
  /// The application waits for the answer.
  void ask() {
    ++asked_;
    to_send_ = true;
  }
  /// Sends one whose answer gives no event.
  void send() { to_send_ = true; }

  [[nodiscard]] bool has_frames() const { return to_send_; }
  void write_frames(PacketWriter& out) {
    if (!to_send_) return;
    const SentFrame sent{.owner = FrameOwner::ping, .stream = {}, .offset = asked_};
    if (out.write(wire::PingFrame{}, sent)) to_send_ = false;
  }
  /// Makes the packet ask for an acknowledgement, and answers nothing.
  static void write_probe(PacketWriter& out) {
    out.write(wire::PingFrame{}, {.owner = FrameOwner::ping, .stream = {}});
  }
  /// Returns how many calls of ask() are answered thereby.
  std::uint64_t on_fate(const SentFrame& frame, Fate fate) {
    if (frame.offset <= answered_) return 0;  // None was asked for, or a copy was acknowledged.
    if (fate != Fate::acked) {
      to_send_ = true;
      return 0;
    }
    const std::uint64_t newly = frame.offset - answered_;
    answered_ = frame.offset;
    return newly;
  }

  /// Whether the invariant holds. For assertions.
  [[nodiscard]] bool consistent() const { return answered_ <= asked_; }

 private:
  bool to_send_ = false;
  std::uint64_t asked_ = 0;  ///< A PING's SentFrame::offset is the last that it serves.
  std::uint64_t answered_ = 0;
};

}  // namespace qpeer::transport
