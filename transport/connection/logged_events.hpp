// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Events for the observer of a connection, made of what the connection knows.
#pragma once

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/connection/config.hpp"
#include "qpeer/transport/connection/open_packet.hpp"
#include "qpeer/transport/connection/setup.hpp"
#include "qpeer/transport/log/observer.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"
#include "qpeer/transport/wire/header.hpp"

namespace qpeer::transport {

/// Which connection its events are of.
[[nodiscard]] log::Source source_of(const ConnectionSetup& setup, Instant now);
/// How it ended.
[[nodiscard]] log::ConnectionClosed closed_event(const CloseReason& reason);
/// What a header tells while it is protected.
[[nodiscard]] log::PacketHeader logged_header(const wire::ProtectedHeader& header);
/// The same of an authenticated packet.
[[nodiscard]] log::PacketHeader logged_header(const wire::ProtectedHeader& header,
                                              const OpenPacket& packet);
/// Whether the loss of such a frame has its data sent again.
[[nodiscard]] bool carries_data(const SentFrame& frame);
/// What is sent again of it.
[[nodiscard]] log::MarkedForRetransmit retransmission(const SentFrame& frame);

}  // namespace qpeer::transport
