// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The packets of one number space that left and have no fate yet, and the frames in them.
// RFC 9002 §A.1.
//
//   packets:  | 7 acked | 8 | 9 lost | 11 | 12 |      by rising number; 10 was skipped
//               \  \______\____________________
//   frames:   | a b | c d | e | f | ...               each packet's lie together
//
// The front is always a packet without fate: resolved ones go as soon as nothing older is left.
// Both rings grow to the size of the flight and stay there. A third one lies beside them where rates
// of delivery are sampled.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/ring.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/delivery_rate.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"
#include "qpeer/transport/wire/ack_frame.hpp"

namespace qpeer::transport {

struct SentPacketInfo;

struct SentPacket {
  enum class State : u8 { outstanding, acked, lost };

  PacketNumber number = 0;
  Instant sent_at;
  std::uint64_t first_frame = 0;
  std::uint16_t size = 0;
  std::uint16_t path = 0;  ///< PathState::tag.
  u8 frame_count = 0;
  State state = State::outstanding;
  bool ack_eliciting : 1 = false;
  bool in_flight : 1 = false;
  bool mtu_probe : 1 = false;
  bool replaced : 1 = false;  ///< A probe carries its frames again; they were reported lost.
  Ecn ecn = Ecn::not_ect;

  [[nodiscard]] bool outstanding() const { return state == State::outstanding; }
};
static_assert(sizeof(SentPacket) == 32);

class SentPackets {
 public:
  using Index = Ring<SentPacket>::Index;

  /// With so many packets tracked nothing that waits for the window may be sent.
  static constexpr std::size_t kMaxPackets = std::size_t{1} << 17;
  /// Packets that are not in flight are no longer tracked behind so many others. Nobody waits for
  /// their frames.
  static constexpr std::size_t kMaxBeforeNotInFlight = 4096;
  /// And when nothing but such packets is tracked, only so many.
  static constexpr std::size_t kMaxNotInFlight = 512;
  /// How many gaps in the numbers are remembered.
  static constexpr std::size_t kMaxSkips = 8;

  void add(Instant now, const SentPacketInfo& info, std::span<const SentFrame> frames);

  /// From now on a DeliverySnapshot is kept of each packet.
  void keep_snapshots();
  [[nodiscard]] bool keeps_snapshots() const { return keeps_snapshots_; }
  /// Of the packet added last.
  void set_snapshot(const DeliverySnapshot& snapshot) { snapshots_.back() = snapshot; }
  [[nodiscard]] const DeliverySnapshot& snapshot(Index at) const {
    return snapshots_[at - first_snapshot_];
  }

  /// The path that packets leave over from now on; the sums below are of its packets alone.
  void set_path(std::uint16_t tag);
  [[nodiscard]] std::uint16_t path() const { return path_; }

  /// Whether all these numbers were sent, as far as we remember: numbers below the first we leave
  /// unjudged, since another path may have used them. RFC 9000 §13.1.
  [[nodiscard]] bool were_sent(PacketNumber smallest, PacketNumber largest) const;

  [[nodiscard]] bool empty() const { return packets_.empty(); }
  [[nodiscard]] std::size_t size() const { return packets_.size(); }
  [[nodiscard]] bool full() const { return packets_.size() >= kMaxPackets; }
  [[nodiscard]] Index begin_index() const { return packets_.begin_index(); }
  [[nodiscard]] Index end_index() const { return packets_.end_index(); }
  [[nodiscard]] const SentPacket& operator[](Index at) const { return packets_[at]; }
  /// The first packet whose number is at least this.
  [[nodiscard]] Index lower_bound(PacketNumber number) const;

  /// Calls f(frame) for each frame of a tracked packet.
  template <class F>
  void for_each_frame(const SentPacket& packet, F&& f) const {
    for (u8 i = 0; i < packet.frame_count; ++i) f(frames_[packet.first_frame + i]);
  }

  /// Settles an outstanding packet: it leaves the flight.
  void resolve(Index at, SentPacket::State state);
  /// The frames of an outstanding packet are reported lost for a probe, and not again.
  void replace(Index at) { packets_[at].replaced = true; }
  /// Drops what is resolved from the front.
  void forget_resolved();
  void clear();

  /// The sizes of all outstanding packets in flight over the path in use.
  [[nodiscard]] std::uint64_t bytes_in_flight() const { return bytes_in_flight_; }
  [[nodiscard]] std::size_t ack_eliciting_outstanding() const { return ack_eliciting_; }

  /// Counts everything again: whether the sums above are right, the numbers rise, and each packet's
  /// frames follow those of the one before. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  void pop_front();

  Ring<SentPacket> packets_;
  Ring<SentFrame> frames_;
  Ring<DeliverySnapshot> snapshots_;  ///< Empty unless they are kept; else one a packet.
  Index first_snapshot_ = 0;          ///< The index of the packet that has the first snapshot.
  bool keeps_snapshots_ = false;
  PacketNumber next_ = 0;                                   ///< One past the last sent.
  std::array<wire::PacketNumberRange, kMaxSkips> skips_{};  ///< The newest overwrite the oldest.
  std::size_t skip_count_ = 0;
  std::uint64_t bytes_in_flight_ = 0;
  std::size_t ack_eliciting_ = 0;  ///< Over any path.
  std::uint16_t path_ = 0;
};

}  // namespace qpeer::transport
