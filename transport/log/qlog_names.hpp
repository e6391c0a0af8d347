// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The words of draft-ietf-quic-qlog-quic-events for our enumerations.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/log/observer.hpp"

namespace qpeer::transport::log {

std::string_view name_of(Initiator initiator);
std::string_view name_of(Side side);
std::string_view name_of(ConnectionClosed::Trigger trigger);
std::string_view name_of(ConnectionState state);
std::string_view name_of(std::optional<PacketType> type);
std::string_view name_of(PacketNumberSpace space);
std::string_view name_of(Ecn ecn);
std::string_view name_of(StreamState state);
std::string_view name_of(MigrationState state);
std::string_view name_of(KeyTrigger trigger);
std::string_view name_of(PacketLost::Trigger trigger);
std::string_view name_of(EcnState state);
std::string_view name_of(TimerUpdated::Type type);
std::string_view name_of(TimerUpdated::EventType type);
/// Such as "client_1rtt_secret".
std::string name_of(const KeyType& type);
/// Why a packet was dropped; several of our reasons share a word.
std::string_view name_of(DropReason reason);
/// Of a transport error, that of a TLS alert included; "unknown" where the draft has no word.
std::string name_of_error(std::uint64_t code);

/// The name of the event on the wire of qlog, such as "quic:packet_sent".
std::string_view name_of(const Event& event);

}  // namespace qpeer::transport::log
