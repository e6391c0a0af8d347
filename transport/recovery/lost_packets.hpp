// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The packets of one number space that were declared lost not long ago: a late acknowledgement of
// one shows that it was not. RFC 9002 §6.1, §A.1.
//
//   packets:  | 9 | 12 arrived | 13 | 20 |      by rising number
//
// With no losses it is empty and costs nothing. The oldest go when they are too old or too many.
#pragma once

#include <algorithm>
#include <cstdint>

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/ring.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"
#include "qpeer/transport/recovery/sent_packets.hpp"

namespace qpeer::transport {

class LostPackets {
 public:
  /// What is kept of one.
  struct Record {
    PacketNumber number = 0;
    Instant sent_at;
    std::uint64_t first_frame = 0;
    std::uint32_t event = 0;  ///< LossEvent::id, or 0 where the loss was no sign of congestion.
    std::uint16_t size = 0;
    std::uint16_t path = 0;  ///< PathState::tag.
    u8 frame_count = 0;
    bool arrived = false;
  };

  /// Of a peer that acknowledges nothing in time, no more packets and frames than these are kept.
  static constexpr std::size_t kMaxPackets = 512;
  static constexpr std::size_t kMaxFrames = 1024;

  /// `packet` is one of `sent`, which still has its frames.
  void add(const SentPackets& sent, const SentPacket& packet, std::uint32_t event);

  /// Calls on_packet(packet) and then on_frame(frame) for what is acknowledged now, late.
  template <class OnPacket, class OnFrame>
  void acknowledge(PacketNumber smallest, PacketNumber largest, OnPacket&& on_packet,
                   OnFrame&& on_frame) {
    if (packets_.empty() || smallest > packets_.back().number) return;
    for (auto at = lower_bound(smallest); at != packets_.end_index(); ++at) {
      Record& packet = packets_[at];
      if (packet.number > largest) break;
      if (packet.arrived) continue;
      packet.arrived = true;
      on_packet(static_cast<const Record&>(packet));
      for (u8 i = 0; i < packet.frame_count; ++i) on_frame(frames_[packet.first_frame + i]);
    }
  }

  /// Forgets those that were sent before this time.
  void forget_older(Instant sent_before);
  void clear();

  [[nodiscard]] bool empty() const { return packets_.empty(); }
  [[nodiscard]] std::size_t size() const { return packets_.size(); }
  /// Whether the numbers rise, the frames follow each other, and the bounds hold. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  [[nodiscard]] Ring<Record>::Index lower_bound(PacketNumber number) const;
  void pop_front();

  Ring<Record> packets_;
  Ring<SentFrame> frames_;
};

}  // namespace qpeer::transport
