// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How much credit a connection grants its peer for all streams together. RFC 9000 §4.1, §4.2.
//
// The window begins small and is kGrowth times what was read, up to a maximum: it does not block a
// sender that doubles its rate each round trip, and a peer whose data is not read is granted little.
// Above kFreeOfPath it is no more than kRounds times what is read in a round trip, so that it follows the
// path: a slow path gets a small window, however much it carried. Below that it does not shrink with the
// path, for an application may leave streams unread while it waits for another one. What is granted and not read is taken from the account,
// so the pool may allow less. Granted credit stays granted (RFC 9000 §4.1): when the window shrinks,
// nothing is granted until enough was read.
//
// Invariant: the account holds what is granted and not read; after stop(), what arrived and is not read.
#pragma once

#include <algorithm>
#include <cstdint>

#include "qpeer/transport/stream/byte_pool.hpp"
#include "qpeer/transport/stream/flow_control.hpp"
#include "qpeer/transport/stream/read_per_round.hpp"
#include "qpeer/transport/stream/stream_types.hpp"

namespace qpeer::transport {

class ReceiveWindow {
 public:
  ReceiveWindow(const StreamConfig& config, const PoolMember& pool)
      : account_(pool), most_(config.receive_window), least_(least_of(config)), credit_(initial()) {
    account_.take(credit_.limit());
  }

  /// For the streams, which count in it what arrives and what is read; settle() must follow.
  [[nodiscard]] RecvCredit& credit() { return credit_; }
  [[nodiscard]] const RecvCredit& credit() const { return credit_; }
  /// Gives back what was read.
  void settle() {
    const std::uint64_t granted = owed();
    if (account_.held() > granted) account_.give_back(account_.held() - granted);
  }
  /// The time is now `now`, on a path with this round trip.
  void on_time(Instant now, Duration round_trip) {
    per_round_.on_time(now, round_trip, consumed());
  }
  /// The limit to send now; on_limit_sent() follows if it was sent.
  [[nodiscard]] std::uint64_t next_limit() {
    const std::uint64_t allowed = account_.is_bounded() ? account_.held() + account_.room() : most_;
    credit_.set_window(std::min(wanted(), allowed));
    return credit_.next_limit();
  }
  void on_limit_sent() {
    const std::uint64_t before = credit_.limit();
    account_.take(credit_.raise() - before);
  }
  /// Nothing more arrives.
  void stop() {
    stopped_ = true;
    settle();
  }

  [[nodiscard]] std::uint64_t held() const { return account_.held(); }
  /// For assertions.
  [[nodiscard]] bool consistent() const {
    return credit_.consistent() && account_.held() == owed() && least_ <= most_ &&
           per_round_.consistent(consumed());
  }

 private:
  static constexpr std::uint64_t kGrowth = 4;
  static constexpr std::uint64_t kRounds = 8;
  static constexpr std::uint64_t kFreeOfPath = 768 << 10;

  static std::uint64_t least_of(const StreamConfig& config) {
    return std::min(config.initial_receive_window, config.receive_window);
  }
  [[nodiscard]] std::uint64_t initial() const {
    return account_.is_bounded() ? std::min(least_, account_.room()) : most_;
  }
  [[nodiscard]] std::uint64_t consumed() const { return credit_.consumed(); }
  [[nodiscard]] std::uint64_t wanted() const {
    if (!account_.is_bounded()) return most_;
    const std::uint64_t read = kGrowth * std::min(consumed(), kMaxVarint / kGrowth);
    const std::uint64_t of_path = std::max(kFreeOfPath, per_round_.times(kRounds, consumed()));
    return std::min(most_, std::max(least_, std::min(read, of_path)));
  }
  [[nodiscard]] std::uint64_t owed() const {
    return (stopped_ ? credit_.received() : credit_.limit()) - credit_.consumed();
  }

  PoolAccount account_;
  std::uint64_t most_;
  std::uint64_t least_;
  RecvCredit credit_;
  ReadPerRound per_round_;
  bool stopped_ = false;
};

}  // namespace qpeer::transport
