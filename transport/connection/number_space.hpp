// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What each packet number space keeps. RFC 9000 §12.3.
#pragma once

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

}  // namespace qpeer::transport
