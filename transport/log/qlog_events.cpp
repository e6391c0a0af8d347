// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/log/qlog_events.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "qpeer/transport/log/qlog_frames.hpp"
#include "qpeer/transport/log/qlog_names.hpp"

namespace qpeer::transport::log {
namespace {

/// The most datagrams of a train whose sizes are listed one by one.
constexpr std::size_t kMaxListed = kMaxTransmitSegments;

void hex_number(JsonWriter& out, Version version) {
  const auto value = static_cast<std::uint32_t>(version);
  const std::array<u8, 4> octets{static_cast<u8>(value >> 24), static_cast<u8>(value >> 16),
                                 static_cast<u8>(value >> 8), static_cast<u8>(value)};
  out.hex(octets);
}

/// The address and port of a TupleEndpointInfo, or of a PreferredAddress.
void write_address(JsonWriter& out, const SocketAddress& address) {
  if (!address.valid()) return;
  std::string text = address.to_string();
  text.resize(text.rfind(':'));
  if (text.starts_with('[')) text = text.substr(1, text.size() - 2);
  out.text(address.is_ipv4() ? "ip_v4" : "ip_v6", text);
  out.number(address.is_ipv4() ? "port_v4" : "port_v6", address.port());
}

void write_endpoint(JsonWriter& out, std::string_view key, const SocketAddress& address) {
  out.key(key).begin_object();
  write_address(out, address);
  out.end_object();
}

void write_endpoint(JsonWriter& out, std::string_view key, const SocketAddress& address,
                    const ConnectionId& id) {
  out.key(key).begin_object();
  write_address(out, address);
  out.key("connection_ids").begin_array();
  out.hex(id.bytes());
  out.end_array();
  out.end_object();
}

void write_header(JsonWriter& out, const PacketHeader& header) {
  out.key("header").begin_object();
  out.text("packet_type", name_of(header.packet_type));
  if (header.packet_number) out.number("packet_number", *header.packet_number);
  if (header.key_phase_bit) out.flag("key_phase_bit", *header.key_phase_bit);
  if (header.token_length) {
    out.key("token").begin_object();
    out.key("raw").begin_object();
    out.number("length", *header.token_length);
    out.end_object();
    out.end_object();
  }
  if (header.version) hex_number(out.key("version"), *header.version);
  if (header.source) {
    out.number("scil", header.source->size());
    out.hex("scid", header.source->bytes());
  }
  if (header.destination) {
    out.number("dcil", header.destination->size());
    out.hex("dcid", header.destination->bytes());
  }
  out.end_object();
}

void write_length(JsonWriter& out, std::size_t length) {
  if (length == 0) return;
  out.key("raw").begin_object();
  out.number("length", length);
  out.end_object();
}

void write_packet(JsonWriter& out, const PacketHeader& header, Bytes frames, std::size_t length,
                  std::uint64_t ack_delay_exponent) {
  write_header(out, header);
  if (!frames.empty() && header.packet_type) {
    write_frames(out.key("frames"), frames, *header.packet_type, ack_delay_exponent);
  }
  out.key("raw").begin_object();
  write_raw(out, length, frames.size());
  out.end_object();
}

void write_versions(JsonWriter& out, std::string_view key, std::span<const Version> versions) {
  if (versions.empty()) return;
  out.key(key).begin_array();
  for (const Version version : versions) hex_number(out, version);
  out.end_array();
}

std::string_view name_of(crypto::CipherSuite suite) {
  switch (suite) {
    case crypto::CipherSuite::aes_128_gcm_sha256:
      return "AES_128_GCM_SHA256";
    case crypto::CipherSuite::aes_256_gcm_sha384:
      return "AES_256_GCM_SHA384";
    case crypto::CipherSuite::chacha20_poly1305_sha256:
      return "CHACHA20_POLY1305_SHA256";
  }
  return "unknown";
}

/// Whether it may be shown as "string_value": printable ASCII.
bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

bool EventWriter::write(JsonWriter& out, const Event& event) {
  if (const auto* metrics = std::get_if<RecoveryMetricsUpdated>(&event)) {
    if (metrics_ == *metrics) return false;
  }
  if (const auto* state = std::get_if<ConnectionStateUpdated>(&event)) {
    if (state_ == state->new_state) return false;
  }
  out.key("data").begin_object();
  std::visit([&](const auto& each) { members(out, each); }, event);
  out.end_object();
  return true;
}

// --- connectivity ----------------------------------------------------------------------------------

void EventWriter::members(JsonWriter& out, const ConnectionStarted& event) {
  write_endpoint(out, "local", event.path.local, event.local_cid);
  write_endpoint(out, "remote", event.path.remote, event.remote_cid);
}

void EventWriter::members(JsonWriter& out, const ConnectionClosed& event) {
  if (event.initiator) out.text("initiator", name_of(*event.initiator));
  if (event.connection_error) {
    const std::string name = name_of_error(*event.connection_error);
    out.text("connection_error", name);
    if (name == "unknown") out.number("error_code", *event.connection_error);
  } else if (event.application_error) {
    out.text("application_error", "unknown");
    out.number("error_code", *event.application_error);
  }
  if (!event.reason.empty()) out.text("reason", event.reason);
  out.text("trigger", name_of(event.trigger));
}

void EventWriter::members(JsonWriter& out, const ConnectionIdUpdated& event) {
  out.text("initiator", name_of(event.initiator));
  if (event.old_id) out.hex("old", event.old_id->bytes());
  if (event.new_id) out.hex("new", event.new_id->bytes());
}

void EventWriter::members(JsonWriter& out, const ConnectionStateUpdated& event) {
  if (state_) out.text("old", name_of(*state_));
  out.text("new", name_of(event.new_state));
  state_ = event.new_state;
}

void EventWriter::members(JsonWriter& out, const TupleAssigned& event) {
  out.text("tuple_id", std::to_string(event.tuple_id));
  write_endpoint(out, "tuple_remote", event.path.remote);
  write_endpoint(out, "tuple_local", event.path.local);
}

void EventWriter::members(JsonWriter& out, const MtuUpdated& event) {
  out.number("old", event.old_mtu);
  out.number("new", event.new_mtu);
}

// --- transport -------------------------------------------------------------------------------------

void EventWriter::members(JsonWriter& out, const VersionInformation& event) {
  write_versions(out, "server_versions", event.server_versions);
  write_versions(out, "client_versions", event.client_versions);
  hex_number(out.key("chosen_version"), event.chosen_version);
}

void EventWriter::members(JsonWriter& out, const AlpnInformation& event) {
  out.key("chosen_alpn").begin_object();
  out.hex("byte_value", as_bytes(event.chosen_alpn));
  if (is_printable(event.chosen_alpn)) out.text("string_value", event.chosen_alpn);
  out.end_object();
}

void EventWriter::members(JsonWriter& out, const ParametersSet& event) {
  const wire::TransportParameters& set = *event.parameters;
  const bool local = event.initiator == Initiator::local;
  (local ? local_ack_delay_exponent_ : remote_ack_delay_exponent_) = set.ack_delay_exponent;
  const auto id = [&out](std::string_view name, const std::optional<ConnectionId>& value) {
    if (value) out.hex(name, value->bytes());
  };
  out.text("initiator", name_of(event.initiator));
  out.flag("resumption_allowed", event.resumed);
  out.flag("early_data_enabled", event.early_data_enabled);
  if (event.tls_cipher) out.text("tls_cipher", name_of(*event.tls_cipher));
  id("original_destination_connection_id", set.original_destination_connection_id);
  id("initial_source_connection_id", set.initial_source_connection_id);
  id("retry_source_connection_id", set.retry_source_connection_id);
  out.flag("disable_active_migration", set.disable_active_migration);
  out.number("max_idle_timeout", set.max_idle_timeout_ms);
  out.number("max_udp_payload_size", set.max_udp_payload_size);
  out.number("ack_delay_exponent", set.ack_delay_exponent);
  out.number("max_ack_delay", set.max_ack_delay_ms);
  out.number("active_connection_id_limit", set.active_connection_id_limit);
  out.number("initial_max_data", set.initial_max_data);
  out.number("initial_max_stream_data_bidi_local", set.initial_max_stream_data_bidi_local);
  out.number("initial_max_stream_data_bidi_remote", set.initial_max_stream_data_bidi_remote);
  out.number("initial_max_stream_data_uni", set.initial_max_stream_data_uni);
  out.number("initial_max_streams_bidi", set.initial_max_streams_bidi);
  out.number("initial_max_streams_uni", set.initial_max_streams_uni);
  out.number("max_datagram_frame_size", set.max_datagram_frame_size);
  out.flag("grease_quic_bit", set.grease_quic_bit);
}

void EventWriter::members(JsonWriter& out, const PacketSent& event) {
  write_packet(out, event.header, event.frames, event.length, local_ack_delay_exponent_);
  if (event.is_mtu_probe_packet) out.flag("is_mtu_probe_packet", true);
  if (event.is_pto_probe) out.text("trigger", "pto_probe");
}

void EventWriter::members(JsonWriter& out, const PacketReceived& event) {
  write_packet(out, event.header, event.frames, event.length, remote_ack_delay_exponent_);
  if (event.was_buffered) out.text("trigger", "keys_available");
}

void EventWriter::members(JsonWriter& out, const PacketDropped& event) {
  write_header(out, event.header);
  write_length(out, event.length);
  out.key("details").begin_object();
  out.text("reason", to_string(event.reason));
  out.end_object();
  out.text("trigger", name_of(event.reason));
}

void EventWriter::members(JsonWriter& out, const PacketBuffered& event) {
  write_header(out, event.header);
  write_length(out, event.length);
  out.text("trigger", "keys_unavailable");
}

void EventWriter::members(JsonWriter& out, const UdpDatagramsSent& event) {
  if (event.segment_size == 0) return;
  const std::size_t count = (event.size + event.segment_size - 1) / event.segment_size;
  out.number("count", count);
  out.key("raw").begin_array();
  for (std::size_t i = 0; i < std::min(count, kMaxListed); ++i) {
    const std::size_t rest = event.size - i * event.segment_size;
    out.begin_object();
    out.number("length", std::min(rest, event.segment_size));
    out.end_object();
  }
  out.end_array();
  out.key("ecn").begin_array();
  out.text(log::name_of(event.ecn));
  out.end_array();
}

void EventWriter::members(JsonWriter& out, const UdpDatagramsReceived& event) {
  out.number("count", 1);
  out.key("raw").begin_array();
  out.begin_object();
  out.number("length", event.size);
  out.end_object();
  out.end_array();
  out.key("ecn").begin_array();
  out.text(log::name_of(event.ecn));
  out.end_array();
}

void EventWriter::members(JsonWriter& out, const StreamStateUpdated& event) {
  out.number("stream_id", event.stream_id.value);
  out.text("stream_type", event.stream_id.is_bidirectional() ? "bidirectional" : "unidirectional");
  out.text("new", name_of(event.new_state));
  out.text("stream_side", event.sending ? "sending" : "receiving");
}

void EventWriter::members(JsonWriter& out, const MigrationStateUpdated& event) {
  out.text("new", name_of(event.new_state));
  write_endpoint(out, "tuple_remote", event.path.remote);
  write_endpoint(out, "tuple_local", event.path.local);
}

// --- security --------------------------------------------------------------------------------------

void EventWriter::members(JsonWriter& out, const KeyUpdated& event) {
  out.text("key_type", name_of(event.key_type));
  if (event.key_phase) out.number("key_phase", *event.key_phase);
  out.text("trigger", name_of(event.trigger));
}

void EventWriter::members(JsonWriter& out, const KeyDiscarded& event) {
  out.text("key_type", name_of(event.key_type));
  if (event.key_phase) out.number("key_phase", *event.key_phase);
  out.text("trigger", name_of(event.trigger));
}

// --- recovery --------------------------------------------------------------------------------------

void EventWriter::members(JsonWriter& out, const RecoveryParametersSet& event) {
  out.number("reordering_threshold", event.reordering_threshold);
  std::array<char, 24> text{};
  const int size = std::snprintf(text.data(), text.size(), "%.4f", double{event.time_threshold});
  out.key("time_threshold").literal(std::string_view(text.data(), static_cast<std::size_t>(size)));
  const auto granularity =
      std::chrono::duration_cast<std::chrono::milliseconds>(event.timer_granularity).count();
  out.number("timer_granularity", static_cast<std::uint64_t>(granularity));
  out.milliseconds("initial_rtt", event.initial_rtt);
  out.number("max_datagram_size", event.max_datagram_size);
  out.number("initial_congestion_window", event.initial_congestion_window);
  out.number("persistent_congestion_threshold", event.persistent_congestion_threshold);
}

/// Only what is another value than in the event before.
void EventWriter::members(JsonWriter& out, const RecoveryMetricsUpdated& event) {
  const auto differs = [&](auto member) {
    return !metrics_ || (*metrics_).*member != event.*member;
  };
  const auto duration = [&](std::string_view name, auto member) {
    if (differs(member)) out.milliseconds(name, event.*member);
  };
  const auto number = [&](std::string_view name, auto member) {
    if (differs(member)) out.number(name, event.*member);
  };
  const auto optional = [&](std::string_view name, auto member) {
    if (differs(member) && event.*member) out.number(name, *(event.*member));
  };
  using Metrics = RecoveryMetricsUpdated;
  duration("min_rtt", &Metrics::min_rtt);
  duration("smoothed_rtt", &Metrics::smoothed_rtt);
  duration("latest_rtt", &Metrics::latest_rtt);
  duration("rtt_variance", &Metrics::rtt_variance);
  number("pto_count", &Metrics::pto_count);
  number("congestion_window", &Metrics::congestion_window);
  number("bytes_in_flight", &Metrics::bytes_in_flight);
  optional("ssthresh", &Metrics::ssthresh);
  optional("pacing_rate", &Metrics::pacing_rate);
  metrics_ = event;
}

void EventWriter::members(JsonWriter& out, const CongestionStateUpdated& event) {
  if (!event.old_state.empty()) out.text("old", event.old_state);
  out.text("new", event.new_state);
}

void EventWriter::members(JsonWriter& out, const PacketLost& event) {
  out.key("header").begin_object();
  const bool application = event.space == PacketNumberSpace::application;
  // 0-RTT packets are numbered among those of 1-RTT.
  out.text("packet_type", application ? "1RTT" : name_of(event.space));
  out.number("packet_number", event.packet_number);
  out.end_object();
  if (event.is_mtu_probe_packet) out.flag("is_mtu_probe_packet", true);
  out.text("trigger", name_of(event.trigger));
}

void EventWriter::members(JsonWriter& out, const MarkedForRetransmit& event) {
  out.key("frames").begin_array();
  out.begin_object();
  out.text("frame_type", event.stream_id ? "stream" : "crypto");
  if (event.stream_id) out.number("stream_id", event.stream_id->value);
  out.number("offset", event.offset);
  if (event.fin) out.flag("fin", true);
  out.key("raw").begin_object();
  out.number("payload_length", event.length);
  out.end_object();
  out.end_object();
  out.end_array();
}

void EventWriter::members(JsonWriter& out, const EcnStateUpdated& event) {
  out.text("old", name_of(event.old_state));
  out.text("new", name_of(event.new_state));
}

void EventWriter::members(JsonWriter& out, const TimerUpdated& event) {
  if (event.timer_type) out.text("timer_type", name_of(*event.timer_type));
  out.text("event_type", name_of(event.event_type));
  if (event.event_type == TimerUpdated::EventType::set) out.milliseconds("delta", event.delta);
}

}  // namespace qpeer::transport::log
