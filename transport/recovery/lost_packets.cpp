// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/recovery/lost_packets.hpp"

#include "qpeer/transport/recovery/ring_growth.hpp"

namespace qpeer::transport {

void LostPackets::add(const SentPackets& sent, const SentPacket& packet, std::uint32_t event) {
  // Losses come by rising number: who is older than a lost packet was lost before it, or with it.
  QPEER_INVARIANT(packets_.empty() || packet.number > packets_.back().number, return);
  while (!packets_.empty() &&
         (packets_.size() >= kMaxPackets || frames_.size() + packet.frame_count > kMaxFrames)) {
    pop_front();
  }
  make_room(packets_, 1);
  packets_.push_back({.number = packet.number,
                      .sent_at = packet.sent_at,
                      .first_frame = frames_.end_index(),
                      .event = event,
                      .size = packet.size,
                      .path = packet.path,
                      .frame_count = packet.frame_count});
  make_room(frames_, packet.frame_count);
  sent.for_each_frame(packet, [this](const SentFrame& frame) { frames_.push_back(frame); });
}

void LostPackets::forget_older(Instant sent_before) {
  while (!packets_.empty() && packets_.front().sent_at < sent_before) pop_front();
}

void LostPackets::clear() {
  packets_.clear();
  frames_.clear();
}

Ring<LostPackets::Record>::Index LostPackets::lower_bound(PacketNumber number) const {
  auto low = packets_.begin_index();
  auto high = packets_.end_index();
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    if (packets_[middle].number < number) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void LostPackets::pop_front() {
  const Record& packet = packets_.front();
  frames_.pop_front_until(packet.first_frame + packet.frame_count);
  packets_.pop_front();
}

bool LostPackets::consistent() const {
  if (packets_.size() > kMaxPackets || frames_.size() > kMaxFrames) return false;
  PacketNumber least = 0;
  auto frame = frames_.begin_index();
  for (auto at = packets_.begin_index(); at != packets_.end_index(); ++at) {
    const Record& packet = packets_[at];
    if (packet.number < least || packet.first_frame != frame) return false;
    least = packet.number + 1;
    frame += packet.frame_count;
  }
  return frame == frames_.end_index();
}

}  // namespace qpeer::transport
