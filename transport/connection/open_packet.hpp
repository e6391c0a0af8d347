// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One received packet whose protection is gone: what the frames of it need to know of it.
#pragma once

#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/wire/packet_type.hpp"

namespace qpeer::transport {

struct OpenPacket {
  wire::PacketType type = wire::PacketType::one_rtt;
  EncryptionLevel level = EncryptionLevel::one_rtt;
  PacketNumber number = 0;
  Ecn ecn = Ecn::not_ect;
  ConnectionId destination_connection_id;
  bool key_phase = false;  ///< Of a 1-RTT packet.
  Bytes payload;           ///< The frames. A view into the datagram.
};

}  // namespace qpeer::transport
