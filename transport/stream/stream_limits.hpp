// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How many streams may be opened: ours within the peer's limit, the peer's within ours. A connection
// has one object of each class for bidirectional streams, and one for unidirectional ones.
// RFC 9000 §4.6.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/stream/flow_control.hpp"
#include "qpeer/transport/wire/flow_frames.hpp"

namespace qpeer::transport {

/// Streams that we open.
class LocalStreams {
 public:
  [[nodiscard]] std::uint64_t opened() const { return opened_; }
  [[nodiscard]] std::uint64_t limit() const { return limit_; }
  // RFC 9000 §4.6 [rfc9000-4.6-2]: no stream beyond the peer's limit.
  [[nodiscard]] bool can_open() const { return opened_ < limit_; }
  /// The index of the new stream. RFC 9000 §2.1 [rfc9000-2.1-1]: each is used once.
  std::uint64_t open() {
    QPEER_ASSERT(can_open());
    return opened_++;
  }

  /// A stream could not be opened within the limit: STREAMS_BLOCKED is to be sent, and the application
  /// waits for the event can_open.
  void on_refused() {
    waiting_ = true;
    // RFC 9000 §4.6 [rfc9000-4.6-5]; before the peer's parameters are known there is no limit to
    // complain about.
    if (known_) blocked_.on_blocked(limit_);
  }
  /// MAX_STREAMS arrived. True when the application waits for can_open. RFC 9000 §4.6 [rfc9000-4.6-4]: a
  /// limit that is no higher is ignored.
  bool raise(std::uint64_t limit) {
    raised_ = true;
    return apply(limit);
  }
  /// From transport parameters: may replace a remembered limit by a lower one, until MAX_STREAMS.
  bool set_initial_limit(std::uint64_t limit) {
    if (!raised_ && limit < limit_) limit_ = limit;
    return apply(limit);
  }
  /// As if none had been opened.
  void restart() {
    opened_ = 0;
    waiting_ = false;
    blocked_ = {};
  }
  void on_blocked_lost(std::uint64_t limit) { blocked_.on_lost(limit, limit_, waiting_); }
  [[nodiscard]] BlockedSignal& blocked() { return blocked_; }
  [[nodiscard]] const BlockedSignal& blocked() const { return blocked_; }
  /// Whether the application waits only while the limit is reached. For assertions.
  [[nodiscard]] bool consistent() const { return !waiting_ || !can_open(); }

 private:
  bool apply(std::uint64_t limit) {
    known_ = true;
    if (limit <= limit_) return false;
    limit_ = limit;
    if (!can_open()) return false;
    blocked_.on_unblocked();
    return std::exchange(waiting_, false);
  }

  std::uint64_t opened_ = 0;
  std::uint64_t limit_ = 0;
  BlockedSignal blocked_;
  bool waiting_ = false;
  bool known_ = false;
  bool raised_ = false;
};

/// Streams that the peer opens. Those it closed give it credit for as many new ones.
class RemoteStreams {
 public:
  explicit RemoteStreams(std::uint64_t window)
      : window_(std::min(window, wire::kMaxStreams)), limit_(window_) {}

  [[nodiscard]] std::uint64_t window() const { return window_; }
  [[nodiscard]] std::uint64_t limit() const { return limit_; }
  /// All streams with a lower index are, or were, open.
  [[nodiscard]] std::uint64_t opened() const { return opened_; }
  [[nodiscard]] bool allows(std::uint64_t index) const { return index < limit_; }
  std::uint64_t open() {
    QPEER_ASSERT(allows(opened_));
    return opened_++;
  }

  /// Whether there are streams that accept() has not given yet.
  [[nodiscard]] bool has_unaccepted() const { return accepted_ < opened_; }
  /// The index of the next such stream.
  std::uint64_t accept() {
    QPEER_ASSERT(has_unaccepted());
    return accepted_++;
  }
  /// How many are open now.
  [[nodiscard]] std::uint64_t open_now() const { return opened_ - closed_; }

  void on_closed() {
    QPEER_INVARIANT(closed_ < opened_, return);
    ++closed_;
    // RFC 9000 §4.6 [rfc9000-4.6-6]: an eighth early, without being asked.
    if (next_limit() - limit_ >= window_ / 8 + 1) pending_ = true;
  }
  void on_blocked(std::uint64_t limit) {
    if (limit >= limit_ && has_credit()) pending_ = true;
  }
  /// Whether MAX_STREAMS should be sent; has_credit(): whether it would say anything new.
  [[nodiscard]] bool pending() const { return pending_; }
  [[nodiscard]] bool has_credit() const { return next_limit() > limit_; }
  [[nodiscard]] std::uint64_t next_limit() const {
    return std::min(closed_ + window_, wire::kMaxStreams);
  }
  std::uint64_t raise() {
    pending_ = false;
    limit_ = next_limit();
    return limit_;
  }
  void on_lost(std::uint64_t limit) { pending_ = pending_ || limit == limit_; }
  /// Whether no more are open at once than the window, and none beyond the limit. For assertions.
  [[nodiscard]] bool consistent() const {
    return accepted_ <= opened_ && closed_ <= opened_ && opened_ <= limit_ &&
           limit_ <= closed_ + window_ && limit_ <= wire::kMaxStreams;
  }

 private:
  std::uint64_t window_;
  std::uint64_t limit_;
  std::uint64_t opened_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t closed_ = 0;
  bool pending_ = false;
};

}  // namespace qpeer::transport
