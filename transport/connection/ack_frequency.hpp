// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How often each side acknowledges at the other's wish. We ask for three or four ACKs a round trip.
// draft-ietf-quic-ack-frequency §4, §5, §7, §8.
//
// A request goes out when what is wanted differs much from the last one, and no more than once a
// round trip. Only the newest is repeated when it is lost.
#pragma once

#include <cstdint>
#include <optional>

#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/ack_tracker.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"
#include "qpeer/transport/wire/frame.hpp"

namespace qpeer::transport {

class AckFrequency {
 public:
  /// What the peer is asked for: an ACK after more ack-eliciting packets than `threshold`, after
  /// `max_ack_delay`, or when a packet is missing behind so many others.
  struct Request {
    std::uint64_t threshold = 1;
    Duration max_ack_delay{};
    std::uint64_t reordering_threshold = 1;
  };
  /// What a request depends on.
  struct Situation {
    Instant now;
    std::uint64_t flight = 0;  ///< Bytes that were on their way.
    std::uint16_t packet_size = 1200;
    Duration smoothed_rtt{};
    std::uint64_t packet_threshold = 0;  ///< Of loss detection.
    std::uint64_t packets_lost = 0;      ///< Since the beginning.
  };
  /// The least delay that the peer can ask us for: what our timers can do.
  static constexpr Duration kMinAckDelay = 1ms;
  /// The peer never waits for more packets than these.
  static constexpr std::uint64_t kMaxThreshold = 1024;
  /// With fewer packets on their way the default is good enough, unless the path loses packets.
  static constexpr std::uint64_t kBulk = 64;
  /// Where it does, and no more are on their way, each is acknowledged at once.
  static constexpr std::uint64_t kFewPackets = 8;
  /// So many round trips after a loss the path counts as one that loses no packets.
  static constexpr unsigned kLossMemory = 16;

  /// From the peer's transport parameters; without `min_ack_delay` it takes no such frames.
  void set_peer(std::optional<Duration> min_ack_delay, Duration max_ack_delay);
  [[nodiscard]] bool peer_takes_frames() const { return min_ack_delay_.has_value(); }
  /// The peer asks for ACKs of ours.
  Result on_frame(const wire::AckFrequencyFrame& frame, AckTracker& acks);
  /// Something was acknowledged.
  void update(const Situation& situation);
  /// How long the peer may delay an ACK: the longest of what holds and what is on its way.
  [[nodiscard]] Duration max_ack_delay() const;

  [[nodiscard]] bool has_frames() const { return to_send_; }
  void write_frames(PacketWriter& out);
  /// Asks for an ACK of this packet at once, if the peer takes such frames and there is room.
  void write_immediate(PacketWriter& out) const;
  void on_fate(const SentFrame& frame, Fate fate);

  /// Whether only who may ask has something to send. For assertions.
  [[nodiscard]] bool consistent() const {
    return (!to_send_ || peer_takes_frames()) && next_sequence_number_ >= acknowledged_;
  }

 private:
  /// nullopt: what holds is good enough.
  [[nodiscard]] std::optional<Request> wanted(const Situation& situation,
                                              std::uint64_t packets) const;
  [[nodiscard]] bool differs(const Request& request) const;

  std::optional<Duration> min_ack_delay_;
  Duration offered_max_ack_delay_{};    ///< Of the transport parameters.
  Duration holds_{};                    ///< The delay of the newest request that was acknowledged.
  Duration longest_in_flight_{};        ///< Of those that are not.
  Request request_;                     ///< The newest.
  Instant decide_at_ = Instant::min();  ///< Not before this.
  std::uint64_t flight_ = 0;            ///< The largest since the last decision.
  std::uint64_t packets_lost_ = 0;      ///< Up to the last decision.
  unsigned lossy_ = 0;                  ///< Round trips for which the path counts as lossy.
  std::optional<std::uint64_t> largest_received_;  ///< Sequence number of the peer's requests.
  std::uint64_t next_sequence_number_ = 0;
  std::uint64_t acknowledged_ = 0;  ///< Sequence numbers below this are settled.
  bool to_send_ = false;
};
static_assert(FrameSource<AckFrequency>);

}  // namespace qpeer::transport
