// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The members of each event's "data" as draft-ietf-quic-qlog-quic-events has them.
#pragma once

#include <cstdint>
#include <optional>

#include "qpeer/transport/log/json_writer.hpp"
#include "qpeer/transport/log/observer.hpp"

namespace qpeer::transport::log {

/// Writes events of one connection, and remembers what later ones need.
class EventWriter {
 public:
  /// Writes the "data" object of the event. False, and nothing written, when it says nothing new.
  bool write(JsonWriter& out, const Event& event);

 private:
  void members(JsonWriter& out, const ConnectionStarted& event);
  void members(JsonWriter& out, const ConnectionClosed& event);
  void members(JsonWriter& out, const ConnectionIdUpdated& event);
  void members(JsonWriter& out, const ConnectionStateUpdated& event);
  void members(JsonWriter& out, const TupleAssigned& event);
  void members(JsonWriter& out, const MtuUpdated& event);
  void members(JsonWriter& out, const VersionInformation& event);
  void members(JsonWriter& out, const AlpnInformation& event);
  void members(JsonWriter& out, const ParametersSet& event);
  void members(JsonWriter& out, const PacketSent& event);
  void members(JsonWriter& out, const PacketReceived& event);
  void members(JsonWriter& out, const PacketDropped& event);
  void members(JsonWriter& out, const PacketBuffered& event);
  void members(JsonWriter& out, const UdpDatagramsSent& event);
  void members(JsonWriter& out, const UdpDatagramsReceived& event);
  void members(JsonWriter& out, const StreamStateUpdated& event);
  void members(JsonWriter& out, const MigrationStateUpdated& event);
  void members(JsonWriter& out, const KeyUpdated& event);
  void members(JsonWriter& out, const KeyDiscarded& event);
  void members(JsonWriter& out, const RecoveryParametersSet& event);
  void members(JsonWriter& out, const RecoveryMetricsUpdated& event);
  void members(JsonWriter& out, const CongestionStateUpdated& event);
  void members(JsonWriter& out, const PacketLost& event);
  void members(JsonWriter& out, const MarkedForRetransmit& event);
  void members(JsonWriter& out, const EcnStateUpdated& event);
  void members(JsonWriter& out, const TimerUpdated& event);

  std::optional<ConnectionState> state_{};
  std::optional<RecoveryMetricsUpdated> metrics_{};
  std::uint64_t local_ack_delay_exponent_ = 3;  ///< RFC 9000 §18.2: unless they say otherwise.
  std::uint64_t remote_ack_delay_exponent_ = 3;
};

}  // namespace qpeer::transport::log
