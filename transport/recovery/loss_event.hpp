// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The latest congestion event of a path that losses brought about, and whether each of these losses
// has proved spurious. RFC 9002 §7.3.2; RFC 9438 §4.9.
#pragma once

#include <cstdint>

#include "qpeer/transport/base/time.hpp"

namespace qpeer::transport {

class LossEvent {
 public:
  /// A packet is lost. The event that it belongs to: a new one if it was sent since the latest
  /// began. Packets are named in the order in which they were sent.
  std::uint32_t on_lost(Instant now, Instant sent_at, std::uint64_t bytes) {
    if (sent_at > started_at_) {
      if (++id_ == 0) ++id_;
      previous_started_at_ = started_at_;
      started_at_ = now;
      unproven_ = 0;
      bytes_ = 0;
      undoable_ = true;
    }
    ++unproven_;
    bytes_ += bytes;
    largest_sent_at_ = sent_at;
    return id_;
  }

  /// A packet of this event arrived after all. True for the last of them, if nothing but these
  /// losses spoke of congestion: then the event was none.
  bool on_spurious(std::uint32_t id) {
    if (id == 0 || id != id_ || unproven_ == 0) return false;
    if (--unproven_ != 0 || !undoable_) return false;
    started_at_ = previous_started_at_;
    id_ = id_ + 1 == 0 ? 1 : id_ + 1;  // What is lost next belongs to another event.
    undoable_ = false;
    return true;
  }

  /// Of the latest event: 0 before the first.
  [[nodiscard]] std::uint32_t id() const { return id_; }

  /// Marks speak of congestion, too. RFC 9002 §7.1.
  void on_ecn_ce() { undoable_ = false; }

  /// Of all losses of the event: their bytes, and when the newest was sent.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] Instant largest_sent_at() const { return largest_sent_at_; }

 private:
  Instant started_at_ = Instant::min();
  Instant previous_started_at_ = Instant::min();
  Instant largest_sent_at_ = Instant::min();
  std::uint64_t bytes_ = 0;
  std::uint32_t id_ = 0;
  std::uint32_t unproven_ = 0;  ///< Losses of the event that are not known to be spurious.
  bool undoable_ = false;
};

}  // namespace qpeer::transport
