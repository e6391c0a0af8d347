// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Where 0-RTT stands, on either side. RFC 9001 §4.6.
#pragma once

#include <cstdint>

#include "qpeer/crypto/keys.hpp"
#include "qpeer/crypto/resumption.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/wire/transport_parameters.hpp"

namespace qpeer::transport {

struct EarlyDataState {
  crypto::EarlyData state = crypto::EarlyData::none;
  crypto::PacketKeys keys;  ///< Client: to send, while it may. Server: to receive.
  Instant keys_end = kNever;
  wire::TransportParameters remembered;  ///< Client.
  PacketNumber end = 0;                  ///< Client: rejected packets have lower numbers.
  std::uint64_t bytes = 0;               ///< Of streams and datagrams sent, of streams received.
  bool usable = false;                   ///< Streams can be used before the end of the handshake.
};

}  // namespace qpeer::transport
