// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the connection's transmitting parts hand to each other: packets that are written but not
// protected yet, and the train of datagrams that they go into. Internal to connection.
#pragma once

#include <array>
#include <cstddef>

#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/recovery/recovery.hpp"

namespace qpeer::transport {

/// Less room than this for frames is not worth a packet.
inline constexpr std::size_t kLeastPayload = 32;

/// A packet whose frames are written and whose protection is not there yet.
struct PlainPacket {
  EncryptionLevel level = EncryptionLevel::one_rtt;
  std::size_t begin = 0;  ///< In the datagram.
  std::size_t length_position = 0;
  std::size_t packet_number_offset = 0;
  std::size_t packet_number_length = 0;
  std::size_t payload = 0;  ///< Where the frames begin.
  std::size_t payload_size = 0;
  SentPacketInfo info;
};

struct Train {
  struct Unmasked {
    MutableBytes packet;
    std::size_t packet_number_offset;
    std::size_t packet_number_length;
  };
  Ecn ecn = Ecn::not_ect;
  bool padded = false;  ///< A datagram of it is larger than what it has to say.
  std::array<Unmasked, kMaxTransmitSegments> unmasked;
  std::size_t count = 0;
};

}  // namespace qpeer::transport
