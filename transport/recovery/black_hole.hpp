// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whether full-size packets of a path fail while smaller ones that are sent among them arrive.
// RFC 8899 §4.3.
//
//   small acked | large lost ... | small acked | large lost ... | small acked     by rising number
//     opening   |<--- counted, as long as no packet of full size arrives --->|
//
// Losses before the opening packet may come of an outage of all sizes, and say nothing.
#pragma once

#include <algorithm>
#include <cstdint>

#include "qpeer/transport/base/ids.hpp"

namespace qpeer::transport {

class BlackHoleDetector {
 public:
  /// So many full-size packets in a row must be lost: of 30 % random loss once in 20 million times.
  static constexpr std::uint64_t kLosses = 14;
  /// And smaller ones must arrive so many times behind such losses.
  static constexpr unsigned kRounds = 2;
  /// Every path carries what is not larger. RFC 9000 §14 [rfc9000-14-1].
  static constexpr std::uint16_t kBase = 1200;
  /// A packet that lacks fewer bytes than these is of full size.
  static constexpr std::uint16_t kNearlyFull = 20;

  /// The size of full packets from now on.
  void set_full_size(std::uint16_t size) {
    full_size_ = size;
    restart();
  }

  void on_acknowledged(PacketNumber number, std::uint16_t size) {
    if (full_size_ <= kBase) return;
    if (is_large(size)) {
      newest_large_ = std::max(newest_large_, number);
      // A larger one than the opening packet arrived: what was counted is chance.
      if (number > opening_) restart();
    } else if (number > newest_large_) {
      opening_ = std::min(opening_, number);
    }
  }
  /// The losses of one pass end with end_pass().
  void on_lost(PacketNumber number, std::uint16_t size) {
    if (number > opening_ && number > newest_large_ && is_large(size)) ++lost_now_;
  }
  void end_pass() {
    if (lost_now_ == 0) return;
    lost_ += lost_now_;
    lost_now_ = 0;
    ++rounds_;
  }

  /// Whether there is a black hole. RFC 8899 §4.3 [rfc8899-4.3-1].
  [[nodiscard]] bool found() const { return lost_ >= kLosses && rounds_ >= kRounds; }
  void restart() {
    opening_ = kNoNumber;
    lost_ = lost_now_ = 0;
    rounds_ = 0;
  }

 private:
  static constexpr PacketNumber kNoNumber = ~PacketNumber{0};
  [[nodiscard]] bool is_large(std::uint16_t size) const {
    return size > kBase && size + kNearlyFull > full_size_;
  }

  std::uint16_t full_size_ = kBase;
  PacketNumber newest_large_ = 0;  ///< That arrived.
  PacketNumber opening_ = kNoNumber;
  std::uint64_t lost_ = 0;
  std::uint64_t lost_now_ = 0;
  unsigned rounds_ = 0;
};

}  // namespace qpeer::transport
