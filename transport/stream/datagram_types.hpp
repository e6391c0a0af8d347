// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Configuration, figures and errors of unreliable datagrams. RFC 9221.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::transport {

/// Returned at once; changes nothing.
enum class DatagramError : u8 {
  disabled,    ///< The peer takes none; receiving: we announced none.
  too_large,   ///< For the peer or for a packet: see max_datagram_payload().
  queue_full,  ///< Those that wait must leave first.
  closed,      ///< The connection is closed or not yet open.
};
/// The error in words; a literal.
std::string_view to_string(DatagramError error);

/// Bytes that may wait, each datagram counting 16 more than it has.
struct DatagramLimits {
  std::size_t send_queue = 256 << 10;     ///< Beyond, DatagramError::queue_full.
  std::size_t receive_queue = 256 << 10;  ///< Beyond, the oldest are dropped.
};

/// How many datagrams.
struct DatagramStats {
  std::uint64_t sent = 0;  ///< Left in a packet.
  std::uint64_t acknowledged =
      0;                       ///< Of those sent: they reached the peer, if not its application.
  std::uint64_t unsent = 0;    ///< Dropped because packets became smaller while they waited.
  std::uint64_t received = 0;  ///< Taken from packets.
  std::uint64_t unread = 0;    ///< Of those received: dropped because they were not read in time.
};

}  // namespace qpeer::transport
