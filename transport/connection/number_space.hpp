// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What each packet number space keeps. RFC 9000 §12.3.
//
// Invariant: a space whose keys are discarded has none, and none come back.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "qpeer/crypto/keys.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/connection/crypto_stream.hpp"
#include "qpeer/transport/recovery/ack_tracker.hpp"

namespace qpeer::transport {

struct NumberSpace {
  NumberSpace(Duration max_ack_delay, std::size_t crypto_buffer)
      : acks(max_ack_delay), crypto(crypto_buffer) {}

  AckTracker acks;
  CryptoStream crypto;
  crypto::PacketKeys send;  ///< Initial and Handshake only: 1-RTT keys live in KeyPhases.
  crypto::PacketKeys receive;
  PacketNumber next_packet_number = 0;
  bool discarded = false;
};

class NumberSpaces {
 public:
  NumberSpaces(Duration max_ack_delay, std::size_t crypto_buffer)
      : spaces_{NumberSpace(Duration{}, std::min(crypto_buffer, CryptoStream::kMaxInitial)),
                NumberSpace(Duration{}, crypto_buffer), NumberSpace(max_ack_delay, crypto_buffer)} {
  }

  NumberSpace& operator[](PacketNumberSpace which) {
    return spaces_[static_cast<std::size_t>(which)];
  }
  const NumberSpace& operator[](PacketNumberSpace which) const {
    return spaces_[static_cast<std::size_t>(which)];
  }
  NumberSpace& application() { return (*this)[PacketNumberSpace::application]; }
  [[nodiscard]] const NumberSpace& application() const {
    return (*this)[PacketNumberSpace::application];
  }
  [[nodiscard]] auto begin() const { return spaces_.begin(); }
  [[nodiscard]] auto end() const { return spaces_.end(); }

  /// Whether the invariant holds. For assertions.
  [[nodiscard]] bool consistent() const {
    return std::ranges::all_of(spaces_, [](const NumberSpace& space) {
      const bool has_keys = space.send || space.receive;
      return !(space.discarded && has_keys) && space.acks.consistent() && space.crypto.consistent();
    });
  }

 private:
  std::array<NumberSpace, kPacketNumberSpaces> spaces_;
};

}  // namespace qpeer::transport
