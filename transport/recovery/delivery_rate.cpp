// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/recovery/delivery_rate.hpp"

#include <algorithm>

namespace qpeer::transport {

DeliverySnapshot DeliveryRate::on_packet_sent(Instant now, std::uint64_t size,
                                              std::uint64_t bytes_in_flight) {
  // With nothing in flight, time until now was not the network's.
  if (bytes_in_flight <= size) first_send_time_ = delivered_time_ = now;
  return {.order = ++order_,
          .delivered = delivered_,
          .lost = lost_,
          .marked = marked_,
          .tx_in_flight = bytes_in_flight,
          .delivered_time = delivered_time_,
          .first_send_time = first_send_time_,
          .is_app_limited = is_application_limited()};
}

void DeliveryRate::on_packet_acked(Instant now, Instant sent_at, std::uint64_t size,
                                   const DeliverySnapshot& packet) {
  if (packet.order == 0) return;
  delivered_ += size;
  delivered_time_ = now;
  if (packet.order < newest_.order) return;
  newest_ = packet;
  newest_sent_at_ = sent_at;
}

LostPacket DeliveryRate::on_packet_lost(Instant now, std::uint64_t size,
                                        const DeliverySnapshot& packet) {
  lost_ += size;
  return {.now = now,
          .order = packet.order,
          .size = size,
          .tx_in_flight = packet.tx_in_flight,
          .lost = lost_ - packet.lost,
          .marked = marked_ - packet.marked,
          .prior_delivered = packet.delivered,
          .delivered = delivered_,
          .is_app_limited = packet.is_app_limited};
}

void DeliveryRate::on_spurious_loss(Instant now, std::uint64_t size) {
  delivered_ += size;
  delivered_time_ = now;
}

const RateSample& DeliveryRate::take_sample(Instant now, Duration min_rtt,
                                            std::uint64_t bytes_in_flight) {
  if (is_application_limited() && delivered_ > application_limited_) application_limited_ = 0;
  RateSample& sample = sample_;
  sample = {.newly_acked = delivered_ - delivered_before_,
            .newly_lost = lost_ - lost_before_,
            .newly_marked = marked_ - marked_before_,
            .total_delivered = delivered_,
            .bytes_in_flight = bytes_in_flight};
  delivered_before_ = delivered_;
  lost_before_ = lost_;
  marked_before_ = marked_;
  if (newest_.order == 0) return sample;  // Nothing of this path arrived.
  const DeliverySnapshot packet = newest_;
  newest_ = {};
  first_send_time_ = newest_sent_at_;
  sample.rtt = now - newest_sent_at_;
  sample.prior_delivered = packet.delivered;
  sample.tx_in_flight = packet.tx_in_flight;
  sample.lost = lost_ - packet.lost;
  sample.marked = marked_ - packet.marked;
  sample.delivered = delivered_ - packet.delivered;
  sample.is_app_limited = packet.is_app_limited;
  sample.interval =
      std::max(newest_sent_at_ - packet.first_send_time, delivered_time_ - packet.delivered_time);
  // Less than the path takes at best is no time in which all of that can have been delivered.
  if (sample.interval >= min_rtt && sample.interval > Duration::zero()) {
    sample.delivery_rate = static_cast<std::uint64_t>(static_cast<double>(sample.delivered) * 1e9 /
                                                      static_cast<double>(sample.interval.count()));
  }
  return sample;
}

void DeliveryRate::mark_application_limited(std::uint64_t bytes_in_flight) {
  application_limited_ = std::max<std::uint64_t>(delivered_ + bytes_in_flight, 1);
}

bool DeliveryRate::consistent() const {
  return delivered_before_ <= delivered_ && lost_before_ <= lost_ && marked_before_ <= marked_ &&
         newest_.order <= order_ && newest_.delivered <= delivered_ && newest_.lost <= lost_;
}

}  // namespace qpeer::transport
