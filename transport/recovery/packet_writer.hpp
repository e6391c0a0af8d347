// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Fills the payload of one packet with frames and notes what each owner wants to hear about later.
//
//   |<------------- storage ------------->|
//   [ frames written so far ][ remaining ]
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <span>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"
#include "qpeer/transport/wire/packet_type.hpp"

namespace qpeer::transport {

class PacketWriter {
 public:
  /// More frames than this do not go into one packet: a bound on what one packet costs to track.
  static constexpr std::size_t kMaxFrames = 32;

  PacketWriter(MutableBytes storage, wire::PacketType type) : out_(storage), type_(type) {}

  [[nodiscard]] wire::PacketType type() const { return type_; }
  /// How many bytes a frame may still take; 0 when no further frame can be noted.
  [[nodiscard]] std::size_t remaining() const {
    return count_ == kMaxFrames ? 0 : out_.remaining();
  }
  [[nodiscard]] std::size_t size() const { return out_.size(); }
  [[nodiscard]] bool empty() const { return out_.size() == 0; }
  /// Whether a frame of it asks for an acknowledgement. RFC 9002 §2.
  [[nodiscard]] bool ack_eliciting() const { return ack_eliciting_; }
  [[nodiscard]] std::span<const SentFrame> sent_frames() const { return {frames(), count_}; }

  /// Writes a whole frame and notes `sent` for its fate. False, and nothing written, when it does
  /// not fit.
  template <class F>
  bool write(const F& frame, const SentFrame& sent) {
    if (frame.size() > remaining()) return false;
    frame.encode(out_);
    note(sent);
    return true;
  }

  /// For frames with a payload: the owner writes header and payload through tail(), then tells how
  /// many bytes it used. remaining() must have been checked.
  [[nodiscard]] MutableBytes tail() { return out_.tail().first(remaining()); }
  void commit(std::size_t size, const SentFrame& sent) {
    QPEER_ASSERT(count_ < kMaxFrames && size <= out_.remaining());
    out_.skip(size);
    note(sent);
  }

  /// For frames whose fate nobody needs and that elicit no ACK (ACK, PADDING, CONNECTION_CLOSE).
  [[nodiscard]] Writer& raw() { return out_; }

 private:
  void note(const SentFrame& sent) {
    std::construct_at(frames() + count_++, sent);
    // RFC 9000 §13.2: of the frames that are noted, ACKs alone ask for no acknowledgement.
    ack_eliciting_ = ack_eliciting_ || sent.owner != FrameOwner::ack_tracker;
  }
  [[nodiscard]] SentFrame* frames() {
    return std::launder(reinterpret_cast<SentFrame*>(sent_.data()));
  }
  [[nodiscard]] const SentFrame* frames() const {
    return std::launder(reinterpret_cast<const SentFrame*>(sent_.data()));
  }

  Writer out_;
  wire::PacketType type_;
  bool ack_eliciting_ = false;
  std::size_t count_ = 0;
  /// Room for SentFrames: bytes, so that a packet of one frame does not pay for clearing all.
  alignas(SentFrame) std::array<std::byte, kMaxFrames * sizeof(SentFrame)> sent_;
};

/// An owner of frames: writes what it has to send, hears what became of it.
template <class S>
concept FrameSource = requires(S source, PacketWriter& out, const SentFrame& frame) {
  { source.write_frames(out) } -> std::same_as<void>;
  { source.on_fate(frame, Fate::acked) } -> std::same_as<void>;
};

}  // namespace qpeer::transport
