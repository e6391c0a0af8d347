// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/log/qlog_names.hpp"

#include <array>
#include <cstddef>
#include <utility>

namespace qpeer::transport::log {
namespace {

/// The word at the place of an enumerator in its enumeration.
template <class E, std::size_t N>
constexpr std::string_view word(const std::array<std::string_view, N>& words, E value) {
  const auto index = static_cast<std::size_t>(std::to_underlying(value));
  return index < N ? words[index] : "unknown";
}

constexpr auto kEventNames = std::to_array<std::string_view>({
    "quic:connection_started",
    "quic:connection_closed",
    "quic:connection_id_updated",
    "quic:connection_state_updated",
    "quic:tuple_assigned",
    "quic:mtu_updated",
    "quic:version_information",
    "quic:alpn_information",
    "quic:parameters_set",
    "quic:packet_sent",
    "quic:packet_received",
    "quic:packet_dropped",
    "quic:packet_buffered",
    "quic:udp_datagrams_sent",
    "quic:udp_datagrams_received",
    "quic:stream_state_updated",
    "quic:migration_state_updated",
    "quic:key_updated",
    "quic:key_discarded",
    "quic:recovery_parameters_set",
    "quic:recovery_metrics_updated",
    "quic:congestion_state_updated",
    "quic:packet_lost",
    "quic:marked_for_retransmit",
    "quic:ecn_state_updated",
    "quic:timer_updated",
});
static_assert(kEventNames.size() == std::variant_size_v<Event>);

}  // namespace

std::string_view name_of(const Event& event) { return kEventNames[event.index()]; }

std::string_view name_of(Initiator initiator) {
  return word(std::to_array<std::string_view>({"local", "remote"}), initiator);
}

std::string_view name_of(Side side) {
  return word(std::to_array<std::string_view>({"client", "server"}), side);
}

std::string_view name_of(ConnectionClosed::Trigger trigger) {
  constexpr auto kWords =
      std::to_array<std::string_view>({"idle_timeout", "application", "error", "version_mismatch",
                                       "stateless_reset", "aborted", "unspecified"});
  return word(kWords, trigger);
}

std::string_view name_of(ConnectionState state) {
  constexpr auto kWords =
      std::to_array<std::string_view>({"attempted", "handshake_started", "handshake_complete",
                                       "handshake_confirmed", "closing", "draining", "closed"});
  return word(kWords, state);
}

std::string_view name_of(std::optional<PacketType> type) {
  constexpr auto kWords = std::to_array<std::string_view>(
      {"initial", "0RTT", "handshake", "retry", "version_negotiation", "1RTT"});
  return type ? word(kWords, *type) : "unknown";
}

std::string_view name_of(PacketNumberSpace space) {
  constexpr auto kWords =
      std::to_array<std::string_view>({"initial", "handshake", "application_data"});
  return word(kWords, space);
}

std::string_view name_of(Ecn ecn) {
  return word(std::to_array<std::string_view>({"Not-ECT", "ECT(1)", "ECT(0)", "CE"}), ecn);
}

std::string_view name_of(StreamState state) {
  constexpr auto kWords = std::to_array<std::string_view>(
      {"ready", "send", "data_sent", "reset_sent", "reset_received", "receive", "size_known",
       "data_read", "reset_read", "data_received"});
  return word(kWords, state);
}

std::string_view name_of(MigrationState state) {
  constexpr auto kWords = std::to_array<std::string_view>(
      {"probing_started", "probing_abandoned", "probing_successful", "migration_started",
       "migration_abandoned", "migration_complete"});
  return word(kWords, state);
}

std::string_view name_of(KeyTrigger trigger) {
  constexpr auto kWords = std::to_array<std::string_view>({"tls", "remote_update", "local_update"});
  return word(kWords, trigger);
}

std::string_view name_of(PacketLost::Trigger trigger) {
  constexpr auto kWords =
      std::to_array<std::string_view>({"reordering_threshold", "time_threshold", "pto_expired"});
  return word(kWords, trigger);
}

std::string_view name_of(EcnState state) {
  constexpr auto kWords =
      std::to_array<std::string_view>({"testing", "unknown", "failed", "capable"});
  return word(kWords, state);
}

std::string_view name_of(TimerUpdated::Type type) {
  return word(std::to_array<std::string_view>({"loss_timeout", "pto"}), type);
}

std::string_view name_of(TimerUpdated::EventType type) {
  return word(std::to_array<std::string_view>({"set", "expired", "cancelled"}), type);
}

std::string name_of(const KeyType& type) {
  constexpr auto kLevels = std::to_array<std::string_view>(
      {"_initial_secret", "_0rtt_secret", "_handshake_secret", "_1rtt_secret"});
  std::string out(name_of(type.sender));
  out += word(kLevels, type.level);
  return out;
}

std::string_view name_of(DropReason reason) {
  switch (reason) {
    case DropReason::malformed_header:
    case DropReason::too_small:
    case DropReason::too_large:
    case DropReason::unexpected_packet:
      return "invalid";
    case DropReason::unsupported_version:
      return "unsupported";
    case DropReason::unknown_connection:
      return "connection_unknown";
    case DropReason::keys_unavailable:
      return "key_unavailable";
    case DropReason::undecryptable:
      return "decryption_failure";
    case DropReason::duplicate:
      return "duplicate";
    case DropReason::wrong_address:
    case DropReason::invalid_token:
    case DropReason::connection_limit:
    case DropReason::rate_limited:
      return "rejected";
    case DropReason::handover_full:
    case DropReason::count_:
      break;
  }
  return "general";
}

std::string name_of_error(std::uint64_t code) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  constexpr auto kCryptoError = static_cast<std::uint64_t>(TransportErrorCode::crypto_error);
  if (code >= kCryptoError && code < kCryptoError + 0x100) {
    return std::string("crypto_error_0x1") + kHexDigits[code >> 4 & 0xf] + kHexDigits[code & 0xf];
  }
  if (code > static_cast<std::uint64_t>(TransportErrorCode::no_viable_path)) return "unknown";
  std::string out;
  for (const char letter : to_string(TransportErrorCode{code})) {
    out += letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  return out;
}

}  // namespace qpeer::transport::log
