// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The receipts of one connection: those that we owe the peer, and those that may still come for messages
// that we gave up.
//
// Invariant: at most kMaxGivenUp streams are remembered as given up, and each of them is newer than the
// newest one that was forgotten.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <vector>

#include "qpeer/p2p/control_messages.hpp"
#include "qpeer/transport/base/ids.hpp"

namespace qpeer::p2p {

class ReceiptBook {
 public:
  /// A peer that reads no receipts has no further messages read. Those that had begun may be finished.
  static constexpr std::size_t kMaxOwed = 1'024;
  /// Messages of one connection that were given up after their end was written. Of older ones receipts
  /// are not checked.
  static constexpr std::size_t kMaxGivenUp = 1'024;

  // --- for the peer ----------------------------------------------------------------------------

  void owe(StreamId stream) { owed_.push_back(stream); }
  [[nodiscard]] bool is_owing() const { return !owed_.empty(); }
  /// Whether take() gives as many as one message holds.
  [[nodiscard]] bool has_full_message() const { return owed_.size() >= kMaxReceipts; }
  [[nodiscard]] bool is_full() const { return owed_.size() >= kMaxOwed; }
  /// The oldest of those that are owed, which are owed no more.
  [[nodiscard]] Receipts take() {
    Receipts out;
    const std::size_t count = std::min(owed_.size(), kMaxReceipts);
    for (std::size_t i = 0; i < count; ++i) out.streams.push_back(owed_[i]);
    owed_.erase(owed_.begin(), owed_.begin() + static_cast<std::ptrdiff_t>(count));
    return out;
  }

  // --- from the peer ---------------------------------------------------------------------------

  /// The peer may have the message on this stream, and may not: its receipt is not waited for.
  void give_up(StreamId stream) {
    if (newest_forgotten_ && stream <= *newest_forgotten_) return;
    given_up_.insert(stream);
    if (given_up_.size() <= kMaxGivenUp) return;
    newest_forgotten_ = *given_up_.begin();
    given_up_.erase(given_up_.begin());
  }
  /// Whether the receipt is for a message that was given up. Once for each.
  [[nodiscard]] bool take_late(StreamId stream) {
    if (given_up_.erase(stream) > 0) return true;
    return newest_forgotten_ && stream <= *newest_forgotten_ &&
           stream.is_bidirectional() == newest_forgotten_->is_bidirectional() &&
           stream.initiator() == newest_forgotten_->initiator();
  }

  [[nodiscard]] bool consistent() const {
    return given_up_.size() <= kMaxGivenUp &&
           (!newest_forgotten_ || given_up_.empty() || *given_up_.begin() > *newest_forgotten_);
  }

 private:
  std::vector<StreamId> owed_{};
  std::set<StreamId> given_up_{};
  std::optional<StreamId> newest_forgotten_{};
};

}  // namespace qpeer::p2p
