// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The frames of a packet as qlog has them: $QuicFrame of draft-ietf-quic-qlog-quic-events.
#pragma once

#include <cstdint>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/log/json_writer.hpp"

namespace qpeer::transport::log {

/// Writes the array of frames. `payload` may be anything: what follows a frame that cannot be read is
/// left out. `ack_delay_exponent` is that of the packet's sender.
void write_frames(JsonWriter& out, Bytes payload, PacketType packet,
                  std::uint64_t ack_delay_exponent);

/// The members "length" and "payload_length" of "raw".
void write_raw(JsonWriter& out, std::size_t length, std::size_t payload_length);

}  // namespace qpeer::transport::log
