// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Credit in bytes, given and taken: the same arithmetic for a stream and for the connection.
// RFC 9000 §4.1, §4.2.
//
//   RecvCredit   0     consumed       received     limit          limit = consumed + window, sent
//                |-------|---------------|-----------|            again after half a window, or 4 MiB
//   SendCredit   0                     used        limit
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::transport {

/// What the peer may send us.
class RecvCredit {
 public:
  /// No more is held back than this: of a large window nearly all is there for the peer.
  static constexpr std::uint64_t kLargestStep = 4 << 20;

  explicit RecvCredit(std::uint64_t window)
      : window_(std::min(window, kMaxVarint)), limit_(window_) {}

  [[nodiscard]] std::uint64_t limit() const { return limit_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t consumed() const { return consumed_; }
  /// Granted and not consumed.
  [[nodiscard]] std::uint64_t outstanding() const { return limit_ - consumed_; }
  /// Whether a frame with a new limit should be sent.
  [[nodiscard]] bool pending() const { return pending_; }

  [[nodiscard]] bool allows(std::uint64_t size) const { return size <= limit_ - received_; }
  /// Counts bytes that arrived for the first time and that allows() allowed.
  void receive(std::uint64_t size) {
    QPEER_ASSERT(allows(size));
    received_ += size;
  }
  /// Counts bytes that need no more room.
  void consume(std::uint64_t size) {
    // More than came would be credit for bytes that were never charged.
    QPEER_INVARIANT(size <= received_ - consumed_, return);
    consumed_ += size;
    // RFC 9000 §4.2 [rfc9000-4.2-2]: half a window early, or more, whether or not the peer says it is
    // blocked.
    if (next_limit() - limit_ >= std::min((window_ + 1) / 2, kLargestStep)) {
      pending_ = next_limit() > limit_;
    }
  }
  /// The peer says that it is blocked at `limit`: do not wait for half a window.
  void on_blocked(std::uint64_t limit) {
    if (limit >= limit_ && next_limit() > limit_) pending_ = true;
  }
  /// A frame with next_limit() was sent. Returns that limit.
  std::uint64_t raise() {
    pending_ = false;
    limit_ = next_limit();
    return limit_;
  }
  /// A frame with this limit was lost. Frames with older limits do not matter any more. RFC 9000 §13.3.
  void on_lost(std::uint64_t limit) { pending_ = pending_ || limit == limit_; }
  /// How far later limits are ahead of what is consumed. A limit that was sent is not taken back.
  void set_window(std::uint64_t window) {
    window_ = std::max(std::min(window, kMaxVarint), limit_ - consumed_);
  }
  /// No more credit is needed.
  void stop() { pending_ = false; }
  [[nodiscard]] std::uint64_t next_limit() const {
    return std::max(limit_, std::min(consumed_ + window_, kMaxVarint));
  }
  /// Whether the map above holds. For assertions.
  [[nodiscard]] bool consistent() const {
    return consumed_ <= received_ && received_ <= limit_ && limit_ <= kMaxVarint &&
           limit_ <= consumed_ + window_;
  }

 private:
  std::uint64_t window_;
  std::uint64_t limit_;
  std::uint64_t received_ = 0;
  std::uint64_t consumed_ = 0;
  bool pending_ = false;
};

/// Whether the peer is to be told, by a BLOCKED frame, that its limit blocks us: once for each value
/// of the limit.
/// RFC 9000 §4.1 [rfc9000-4.1-4].
class BlockedSignal {
 public:
  [[nodiscard]] bool pending() const { return pending_; }
  /// `limit` blocks us now.
  void on_blocked(std::uint64_t limit) {
    if (signalled_ == limit) return;
    signalled_ = limit;
    pending_ = true;
  }
  /// Tells it once more.
  void repeat() { pending_ = signalled_.has_value(); }
  /// Nothing blocks us any more.
  void on_unblocked() { pending_ = false; }
  void on_sent() { pending_ = false; }
  /// A frame with this limit was lost; `current` is the limit now. RFC 9000 §13.3: it is sent again
  /// only while that limit still blocks.
  void on_lost(std::uint64_t limit, std::uint64_t current, bool blocked) {
    if (blocked && limit == current && signalled_ == limit) pending_ = true;
  }

 private:
  std::optional<std::uint64_t> signalled_;
  bool pending_ = false;
};

/// What we may send the peer.
class SendCredit {
 public:
  [[nodiscard]] std::uint64_t limit() const { return limit_; }
  [[nodiscard]] std::uint64_t used() const { return used_; }
  [[nodiscard]] std::uint64_t available() const { return limit_ > used_ ? limit_ - used_ : 0; }

  void use(std::uint64_t size) { used_ += size; }
  /// RFC 9000 §4.1 [rfc9000-4.1-3]: a limit that is no higher is ignored. Returns whether it was higher.
  bool raise(std::uint64_t limit) {
    if (limit <= limit_) return false;
    limit_ = limit;
    return true;
  }
  /// The limit of new transport parameters, and nothing sent yet.
  void restart(std::uint64_t limit) {
    limit_ = limit;
    used_ = 0;
  }

 private:
  std::uint64_t limit_ = 0;
  std::uint64_t used_ = 0;
};

}  // namespace qpeer::transport
