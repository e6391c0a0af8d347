// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Delivery rate samples of one path: how fast what was sent arrives. Kept only for a controller that
// wants them. draft-ietf-ccwg-bbr §4.1, draft-cheng-iccrg-delivery-rate-estimation §3.
//
//   sent:   ...| P |.............|      send_elapsed = P.send_time - P.first_send_time
//   acked:  |..............| now |      ack_elapsed  = now - P.delivered_time
//
// A sample is what arrived since the latest ACK before P was sent, over the longer of the two times:
// neither a burst that was sent, nor a burst of ACKs, makes the path look faster than it is.
#pragma once

#include <cstdint>

#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/congestion.hpp"

namespace qpeer::transport {

/// What the path had delivered when a packet was sent: the draft's P. §4.1.2.1.2.
struct DeliverySnapshot {
  std::uint64_t order = 0;  ///< Rises over all number spaces; 0 is a packet that is not sampled.
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;
  std::uint64_t marked = 0;
  std::uint64_t tx_in_flight = 0;  ///< With the packet itself.
  Instant delivered_time;
  Instant first_send_time;
  bool is_app_limited = false;
};
static_assert(sizeof(DeliverySnapshot) == 64);

class DeliveryRate {
 public:
  /// A packet of `size` bytes that counts as in flight leaves; `bytes_in_flight` is with it. §4.1.2.2.
  DeliverySnapshot on_packet_sent(Instant now, std::uint64_t size, std::uint64_t bytes_in_flight);
  /// Called for each packet that an ACK newly acknowledges, before take_sample(). §4.1.2.3.
  void on_packet_acked(Instant now, Instant sent_at, std::uint64_t size,
                       const DeliverySnapshot& packet);
  /// The packet counts as lost from here on. §5.5.10.2.
  LostPacket on_packet_lost(Instant now, std::uint64_t size, const DeliverySnapshot& packet);
  /// A packet that counted as lost was acknowledged after all: it was delivered, too. §2.2.
  void on_spurious_loss(Instant now, std::uint64_t size);
  /// So many bytes arrived marked CE.
  void on_marked(std::uint64_t bytes) { marked_ += bytes; }
  /// What the ACK shows, once all its packets were acknowledged or lost; stays until the next call.
  /// §4.1.2.3.
  const RateSample& take_sample(Instant now, Duration min_rtt, std::uint64_t bytes_in_flight);

  /// What leaves from here on says nothing of the path, until what is in flight now was delivered.
  /// §4.1.2.4.
  void mark_application_limited(std::uint64_t bytes_in_flight);
  [[nodiscard]] bool is_application_limited() const { return application_limited_ != 0; }

  /// Whether no sum lies behind what was taken of it. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  std::uint64_t order_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t marked_ = 0;
  Instant delivered_time_;
  Instant first_send_time_;
  /// When more than this is delivered, the gap that the application left is behind us; 0 is none.
  std::uint64_t application_limited_ = 0;

  RateSample sample_;

  // Of the ACK that is being processed.
  DeliverySnapshot newest_;  ///< Of the newest packet that it acknowledges; its order is 0: none.
  Instant newest_sent_at_;
  std::uint64_t delivered_before_ = 0;
  std::uint64_t lost_before_ = 0;
  std::uint64_t marked_before_ = 0;
};

}  // namespace qpeer::transport
