// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/recovery/sent_packets.hpp"

#include <algorithm>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/recovery/recovery.hpp"
#include "qpeer/transport/recovery/ring_growth.hpp"

namespace qpeer::transport {

void SentPackets::add(Instant now, const SentPacketInfo& info, std::span<const SentFrame> frames) {
  // RFC 9000 §12.3: an ACK of a number that comes twice would settle the wrong packet.
  QPEER_INVARIANT(info.number >= next_, return);
  QPEER_ASSERT(frames.size() <= PacketWriter::kMaxFrames);
  if (next_ != 0 && info.number > next_) {
    skips_[skip_count_++ % kMaxSkips] = {.smallest = next_, .largest = info.number - 1};
  }
  next_ = info.number + 1;
  if (!info.in_flight) {
    while (packets_.size() >= kMaxNotInFlight && !packets_.front().in_flight) pop_front();
    if (packets_.size() >= kMaxBeforeNotInFlight) return;
  }
  SentPacket packet{.number = info.number,
                    .sent_at = now,
                    .first_frame = frames_.end_index(),
                    .size = info.size,
                    .path = info.other_path ? PathState::kNoTag : path_,
                    .frame_count = static_cast<u8>(frames.size()),
                    .ack_eliciting = info.ack_eliciting && !info.other_path,
                    .in_flight = info.in_flight,
                    .mtu_probe = info.mtu_probe,
                    .ecn = info.ecn};
  make_room(frames_, frames.size());
  for (const SentFrame& frame : frames) frames_.push_back(frame);
  make_room(packets_, 1);
  packets_.push_back(packet);
  if (keeps_snapshots_) snapshots_.push_back({});
  if (info.in_flight) bytes_in_flight_ += info.size;
  if (packet.ack_eliciting) ++ack_eliciting_;
}

void SentPackets::keep_snapshots() {
  if (keeps_snapshots_) return;
  keeps_snapshots_ = true;
  first_snapshot_ = packets_.begin_index();
  for (std::size_t i = 0; i < packets_.size(); ++i) snapshots_.push_back({});
}

void SentPackets::set_path(std::uint16_t tag) {
  path_ = tag;
  bytes_in_flight_ = 0;
  for (Index at = begin_index(); at != end_index(); ++at) {
    const SentPacket& packet = packets_[at];
    if (packet.outstanding() && packet.in_flight && packet.path == path_) {
      bytes_in_flight_ += packet.size;
    }
  }
}

bool SentPackets::were_sent(PacketNumber smallest, PacketNumber largest) const {
  if (largest >= next_) return false;
  // RFC 9000 §21.4 [rfc9000-21.4-1]: who acknowledges a skipped number did not wait for it.
  const std::size_t count = std::min(skip_count_, kMaxSkips);
  return std::none_of(skips_.begin(), skips_.begin() + static_cast<std::ptrdiff_t>(count),
                      [&](const wire::PacketNumberRange& skip) {
                        return skip.smallest <= largest && skip.largest >= smallest;
                      });
}

SentPackets::Index SentPackets::lower_bound(PacketNumber number) const {
  Index low = packets_.begin_index();
  Index high = packets_.end_index();
  if (low == high || number <= packets_.front().number) return low;
  if (number > packets_.back().number) return high;
  // Numbers rise by at least one a place, which bounds the place from both ends; where none was
  // skipped the bounds meet at once.
  const std::uint64_t from_front = number - packets_.front().number;
  const std::uint64_t from_back = packets_.back().number - number;
  if (from_back < high - 1 - low) low = high - 1 - from_back;
  if (from_front < high - packets_.begin_index()) high = packets_.begin_index() + from_front;
  while (low < high) {
    const Index middle = low + (high - low) / 2;
    if (packets_[middle].number < number) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void SentPackets::resolve(Index at, SentPacket::State state) {
  SentPacket& packet = packets_[at];
  QPEER_ASSERT(state != SentPacket::State::outstanding);
  QPEER_INVARIANT(packet.outstanding(), return);
  packet.state = state;
  if (packet.in_flight && packet.path == path_) {
    // Less than nothing would be a flight that never lands: nothing more would be sent.
    QPEER_INVARIANT(bytes_in_flight_ >= packet.size, return);
    bytes_in_flight_ -= packet.size;
  }
  if (packet.ack_eliciting) {
    QPEER_INVARIANT(ack_eliciting_ != 0, return);
    --ack_eliciting_;
  }
}

void SentPackets::forget_resolved() {
  while (!packets_.empty() && !packets_.front().outstanding()) pop_front();
}

void SentPackets::clear() {
  packets_.clear();
  frames_.clear();
  snapshots_.clear();
  bytes_in_flight_ = 0;
  ack_eliciting_ = 0;
}

void SentPackets::pop_front() {
  const SentPacket& packet = packets_.front();
  frames_.pop_front_until(packet.first_frame + packet.frame_count);
  packets_.pop_front();
  if (keeps_snapshots_) snapshots_.pop_front();
}

bool SentPackets::consistent() const {
  std::uint64_t bytes = 0;
  std::size_t ack_eliciting = 0;
  PacketNumber least = 0;
  std::uint64_t frame = frames_.begin_index();
  for (Index at = begin_index(); at != end_index(); ++at) {
    const SentPacket& packet = packets_[at];
    if (packet.number < least || packet.number >= next_ || packet.first_frame != frame)
      return false;
    least = packet.number + 1;
    frame += packet.frame_count;
    if (!packet.outstanding()) continue;
    if (packet.in_flight && packet.path == path_) bytes += packet.size;
    if (packet.ack_eliciting) ++ack_eliciting;
  }
  return bytes == bytes_in_flight_ && ack_eliciting == ack_eliciting_ &&
         frame == frames_.end_index() &&
         snapshots_.size() == (keeps_snapshots_ ? packets_.size() : 0);
}

}  // namespace qpeer::transport
