// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which packets of one number space arrived, and when to say so. RFC 9000 §13.2;
// draft-ietf-quic-ack-frequency §6.
//
//   ranges, largest first:  [ reported in ACKs ... | kept only to know duplicates ... ]  floor
//
// Below the floor nothing is known, so everything there counts as a duplicate.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/wire/ack_frame.hpp"

namespace qpeer::transport {

class AckTracker {
 public:
  /// Ranges beyond these are forgotten, the oldest first; packets below the oldest kept range
  /// then count as duplicates. RFC 9000 §13.2.3.
  static constexpr std::size_t kMaxRanges = 32;

  /// Initial and Handshake ACKs are never delayed, so `max_ack_delay` is 0 there.
  explicit AckTracker(Duration max_ack_delay = {});

  /// What the peer asks for: an ACK after more ack-eliciting packets than `threshold`, or after
  /// `max_ack_delay`, or when one is missing behind so many others; 0 of these: whatever the order.
  void set_frequency(std::uint64_t threshold, Duration max_ack_delay,
                     std::uint64_t reordering_threshold);
  /// The packet that is told next is to be acknowledged at once: it has an IMMEDIATE_ACK frame.
  void acknowledge_next_at_once() { next_at_once_ = true; }

  /// Whether a packet was received before, or is too old to tell. RFC 9000 §12.3.
  [[nodiscard]] bool is_duplicate(PacketNumber number) const;
  [[nodiscard]] std::optional<PacketNumber> largest_received() const;

  /// Call once per processed packet that is not a duplicate.
  void on_packet_received(Instant now, PacketNumber number, bool ack_eliciting, Ecn ecn);

  /// An ACK must go out now, even alone: two ack-eliciting packets, reordering, CE, or the delay
  /// is over. RFC 9000 §13.2.1, §13.2.2.
  [[nodiscard]] bool ack_due(Instant now) const;
  /// There is something new to acknowledge, worth adding to a packet that leaves anyway.
  [[nodiscard]] bool ack_pending() const;
  /// Since the last ACK a packet came that is not the next one: others were lost, or come late.
  [[nodiscard]] bool has_new_gap() const { return new_ranges_ != 0 && count_ > 1; }
  /// How many packets asked for an ACK since the last one.
  [[nodiscard]] std::uint64_t unacknowledged() const { return ack_eliciting_; }
  /// When a delayed ACK is due; kNever when none is, or when one is due whatever the time.
  [[nodiscard]] Instant deadline() const;

  /// What to acknowledge, largest first.
  [[nodiscard]] std::span<const wire::PacketNumberRange> ranges() const;
  [[nodiscard]] const wire::EcnCounts& ecn_counts() const;
  /// Whether any ECN mark was seen, so that ACKs carry counts. RFC 9000 §13.4.1.
  [[nodiscard]] bool has_ecn_counts() const;
  /// How long ago the largest arrived: the ACK Delay field before scaling.
  [[nodiscard]] Duration ack_delay(Instant now) const;

  void on_ack_sent(Instant now);
  /// The peer acknowledged a packet of ours whose ACK frame's largest was this: ranges up to it
  /// need no repeating. RFC 9000 §13.2.4.
  void on_ack_acknowledged(PacketNumber largest_in_that_ack);

  /// Whether the ranges are as the map above draws them, and the delayed ACK has a time exactly while
  /// something asks for one. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  /// RFC 9000 §13.2.2: an ACK after more ack-eliciting packets than this.
  static constexpr std::uint64_t kAckElicitingThreshold = 1;
  /// RFC 9000 §13.2.1.
  static constexpr std::uint64_t kReorderingThreshold = 1;
  /// So many ranges are new since the last ACK that they are reported, whatever the peer asked for:
  /// none may be forgotten before it was. draft-ietf-quic-ack-frequency §6.
  static constexpr unsigned kMaxUnreportedRanges = kMaxRanges / 4;
  /// So many packets that ask for no ACK are worth one in a packet that leaves anyway: it lets the
  /// peer forget them.
  static constexpr unsigned kNotElicitingThreshold = 8;

  /// Adds the number and returns the place of its range; kMaxRanges when it was not kept.
  std::size_t insert(PacketNumber number);
  std::size_t insert_between(std::size_t at, PacketNumber number);
  void count_mark(Ecn ecn);
  /// Whether the order in which an ack-eliciting packet came asks for an ACK at once; `at` is its range.
  [[nodiscard]] bool is_out_of_order(PacketNumber number, std::size_t at) const;
  [[nodiscard]] bool is_marked_anew(Ecn ecn) const;

  Duration max_ack_delay_;
  std::uint64_t ack_eliciting_threshold_ = kAckElicitingThreshold;
  std::uint64_t reordering_threshold_ = kReorderingThreshold;
  std::array<wire::PacketNumberRange, kMaxRanges> ranges_{};
  std::size_t count_ = 0;
  std::size_t reported_ = 0;  ///< How many of them, from the largest on, ACKs still repeat.
  PacketNumber floor_ = 0;
  Instant largest_received_at_;
  std::optional<PacketNumber> largest_ack_eliciting_;
  Instant deadline_ = kNever;                     ///< Of the delayed ACK.
  std::optional<PacketNumber> largest_reported_;  ///< The largest in an ACK that was sent.
  std::uint64_t ack_eliciting_ = 0;               ///< Since the last ACK.
  unsigned new_ranges_ = 0;                       ///< Likewise.
  unsigned not_eliciting_ = 0;                    ///< Likewise, those that ask for no ACK.
  bool immediate_ = false;
  bool next_at_once_ = false;
  bool marked_ = false;  ///< The latest ack-eliciting packet was marked CE.
  wire::EcnCounts ecn_counts_;
};

}  // namespace qpeer::transport
