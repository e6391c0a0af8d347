// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/wire/transport_parameters.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "qpeer/transport/wire/flow_frames.hpp"

namespace qpeer::wire {

namespace {

enum class Id : std::uint64_t {
  original_destination_connection_id = 0x00,
  max_idle_timeout = 0x01,
  stateless_reset_token = 0x02,
  max_udp_payload_size = 0x03,
  initial_max_data = 0x04,
  initial_max_stream_data_bidi_local = 0x05,
  initial_max_stream_data_bidi_remote = 0x06,
  initial_max_stream_data_uni = 0x07,
  initial_max_streams_bidi = 0x08,
  initial_max_streams_uni = 0x09,
  ack_delay_exponent = 0x0a,
  max_ack_delay = 0x0b,
  disable_active_migration = 0x0c,
  preferred_address = 0x0d,
  active_connection_id_limit = 0x0e,
  initial_source_connection_id = 0x0f,
  retry_source_connection_id = 0x10,
  version_information = 0x11,
  max_datagram_frame_size = 0x20,
  grease_quic_bit = 0x2ab2,
  address_discovery = 0x9f81a176,
  min_ack_delay = 0xff04de1b,
};

constexpr std::size_t kPreferredAddressFixedSize = 4 + 2 + 16 + 2 + 1 + 16;

// ---- Writing

void write(Writer& out, Id id, Bytes value) {
  out.varint(std::to_underlying(id));
  out.varint(value.size());
  out.bytes(value);
}

void write_integer(Writer& out, Id id, std::uint64_t value, std::uint64_t unless) {
  if (value == unless) return;
  out.varint(std::to_underlying(id));
  out.varint(varint_size(value));
  out.varint(value);
}

void write_flag(Writer& out, Id id, bool value) {
  if (value) write(out, id, {});
}

void write_connection_id(Writer& out, Id id, const std::optional<ConnectionId>& value) {
  if (value) write(out, id, value->bytes());
}

void write_preferred_address(Writer& out, const PreferredAddress& value) {
  out.varint(std::to_underlying(Id::preferred_address));
  out.varint(kPreferredAddressFixedSize + value.connection_id.size());
  // RFC 9000 §18.2 [rfc9000-18.2-4]: zeros where there is no address.
  if (value.ipv4.is_ipv4()) {
    out.bytes(value.ipv4.octets());
    out.u16(value.ipv4.port());
  } else {
    out.zeros(6);
  }
  if (value.ipv6.is_ipv6()) {
    out.bytes(value.ipv6.octets());
    out.u16(value.ipv6.port());
  } else {
    out.zeros(18);
  }
  out.byte(static_cast<u8>(value.connection_id.size()));
  out.bytes(value.connection_id.bytes());
  out.bytes(value.stateless_reset_token);
}

void write_version_information(Writer& out, const VersionInformation& value) {
  out.varint(std::to_underlying(Id::version_information));
  out.varint(4 + 4 * value.available_versions().size());
  out.u32(std::to_underlying(value.chosen_version));
  for (const Version version : value.available_versions()) out.u32(std::to_underlying(version));
}

void write_address_discovery(Writer& out, const AddressDiscovery& value) {
  if (!value.any()) return;
  const std::uint64_t encoded = !value.request ? 0 : value.provide ? 2 : 1;
  write_integer(out, Id::address_discovery, encoded, kMaxVarint);
}

// ---- Reading

constexpr auto kError = TransportErrorCode::transport_parameter_error;

/// Reads one value each; a value that is malformed or out of its range fails the reader.
std::uint64_t read_integer(Reader& in, std::uint64_t minimum = 0,
                           std::uint64_t maximum = kMaxVarint) {
  const std::uint64_t value = in.varint();
  if (value < minimum || value > maximum) in.fail();
  return value;
}

ConnectionId read_connection_id(Reader& in) {
  if (in.remaining() > ConnectionId::kMaxSize) in.fail();
  return ConnectionId(in.rest());
}

StatelessResetToken read_token(Reader& in) {
  StatelessResetToken token{};
  const Bytes bytes = in.bytes(token.size());
  if (in.ok()) copy(bytes, token);
  return token;
}

/// An address of N octets and a port. All zero means none; nor can one be reached without either.
template <std::size_t N>
SocketAddress read_address(Reader& in) {
  std::array<u8, N> octets{};
  const Bytes bytes = in.bytes(N);
  if (in.ok()) copy(bytes, octets);
  const std::uint16_t port = in.u16();
  if (port == 0 || octets == std::array<u8, N>{}) return {};
  if constexpr (N == 4) {
    return SocketAddress::ipv4(octets, port);
  } else {
    const SocketAddress address = SocketAddress::ipv6(octets, port);
    return address.is_ipv6() ? address : SocketAddress{};  // IPv4-mapped: not for the wire.
  }
}

PreferredAddress read_preferred_address(Reader& in) {
  PreferredAddress out;
  out.ipv4 = read_address<4>(in);
  out.ipv6 = read_address<16>(in);
  const u8 length = in.byte();
  // RFC 9000 §18.2 [rfc9000-18.2-6], [rfc9000-18.2-7]: the new path needs an ID of its own.
  if (length < 1 || length > ConnectionId::kMaxSize) in.fail();
  out.connection_id = ConnectionId(in.bytes(length));
  out.stateless_reset_token = read_token(in);
  return out;
}

VersionInformation read_version_information(Reader& in, Side sender) {
  VersionInformation out;
  // RFC 9368 §4 [rfc9368-4-4]: u32() and the caller's check for a rest find any odd length.
  out.chosen_version = Version{in.u32()};
  bool chosen_is_available = false;
  // [rfc9368-4-5]: zero is the version of Version Negotiation packets, never one to speak.
  if (out.chosen_version == Version::negotiation) in.fail();
  while (!in.empty()) {
    const Version version{in.u32()};
    if (version == Version::negotiation) in.fail();
    if (!in.ok()) break;
    chosen_is_available = chosen_is_available || version == out.chosen_version;
    out.add_available(version);
  }
  // [rfc9368-4-6]: a client's first choice is one of those it offers.
  if (sender == Side::client && !chosen_is_available) in.fail();
  return out;
}

AddressDiscovery read_address_discovery(Reader& in) {
  // [draft-ietf-quic-address-discovery-3-1]: there are three values.
  const std::uint64_t value = read_integer(in, 0, 2);
  return {.provide = value != 1, .request = value != 0};
}

/// Stores the value of parameter `id`; returns false when this library does not know it.
bool read_parameter(TransportParameters& p, Id id, Reader& in, Side sender) {
  switch (id) {
    case Id::original_destination_connection_id:
      p.original_destination_connection_id = read_connection_id(in);
      break;
    case Id::max_idle_timeout:
      p.max_idle_timeout_ms = read_integer(in);
      break;
    case Id::stateless_reset_token:
      p.stateless_reset_token = read_token(in);
      break;
    case Id::max_udp_payload_size:
      p.max_udp_payload_size = read_integer(in, 1200);
      break;
    case Id::initial_max_data:
      p.initial_max_data = read_integer(in);
      break;
    case Id::initial_max_stream_data_bidi_local:
      p.initial_max_stream_data_bidi_local = read_integer(in);
      break;
    case Id::initial_max_stream_data_bidi_remote:
      p.initial_max_stream_data_bidi_remote = read_integer(in);
      break;
    case Id::initial_max_stream_data_uni:
      p.initial_max_stream_data_uni = read_integer(in);
      break;
    // RFC 9000 §4.6 [rfc9000-4.6-1]: the last stream's ID must fit a varint.
    case Id::initial_max_streams_bidi:
      p.initial_max_streams_bidi = read_integer(in, 0, kMaxStreams);
      break;
    case Id::initial_max_streams_uni:
      p.initial_max_streams_uni = read_integer(in, 0, kMaxStreams);
      break;
    case Id::ack_delay_exponent:
      p.ack_delay_exponent = read_integer(in, 0, 20);
      break;
    case Id::max_ack_delay:
      p.max_ack_delay_ms = read_integer(in, 0, (1U << 14) - 1);
      break;
    case Id::disable_active_migration:
      p.disable_active_migration = true;
      break;
    case Id::preferred_address:
      p.preferred_address = read_preferred_address(in);
      break;
    case Id::active_connection_id_limit:
      // RFC 9000 §18.2 [rfc9000-18.2-9]: with less, no path could change its ID.
      p.active_connection_id_limit = read_integer(in, 2);
      break;
    case Id::initial_source_connection_id:
      p.initial_source_connection_id = read_connection_id(in);
      break;
    case Id::retry_source_connection_id:
      p.retry_source_connection_id = read_connection_id(in);
      break;
    case Id::version_information:
      p.version_information = read_version_information(in, sender);
      break;
    case Id::max_datagram_frame_size:
      p.max_datagram_frame_size = read_integer(in);
      break;
    case Id::grease_quic_bit:
      // RFC 9287 §3 [rfc9287-3-1]: the caller finds any value, which must be empty.
      p.grease_quic_bit = true;
      break;
    case Id::address_discovery:
      p.address_discovery = read_address_discovery(in);
      break;
    case Id::min_ack_delay:
      p.min_ack_delay_us = read_integer(in);
      break;
    default:
      return false;
  }
  return true;
}

constexpr bool is_server_only(Id id) {
  return id == Id::original_destination_connection_id || id == Id::preferred_address ||
         id == Id::retry_source_connection_id || id == Id::stateless_reset_token;
}

/// Finds ids that come twice: any that is known, and the first few that are not. Remembering
/// all of the latter would let a peer make us search long lists.
class SeenIds {
 public:
  bool insert(std::uint64_t id) {
    if (id < 64) {
      const std::uint64_t bit = std::uint64_t{1} << id;
      return (std::exchange(low_, low_ | bit) & bit) == 0;
    }
    for (std::size_t i = 0; i < count_; ++i) {
      if (high_[i] == id) return false;
    }
    // The last places are kept for the known ids that are not low.
    const bool known = std::ranges::find(kKnown, Id{id}) != kKnown.end();
    if (known || unknown_ < high_.size() - kKnown.size()) {
      high_[count_++] = id;
      if (!known) ++unknown_;
    }
    return true;
  }

 private:
  static constexpr std::array kKnown{Id::grease_quic_bit, Id::address_discovery, Id::min_ack_delay};
  std::uint64_t low_ = 0;
  std::array<std::uint64_t, 32> high_{};
  std::size_t count_ = 0;
  std::size_t unknown_ = 0;
};

}  // namespace

void TransportParameters::encode(Writer& out) const {
  const TransportParameters defaults;
  write_connection_id(out, Id::original_destination_connection_id,
                      original_destination_connection_id);
  write_integer(out, Id::max_idle_timeout, max_idle_timeout_ms, defaults.max_idle_timeout_ms);
  if (stateless_reset_token) write(out, Id::stateless_reset_token, *stateless_reset_token);
  write_integer(out, Id::max_udp_payload_size, max_udp_payload_size, defaults.max_udp_payload_size);
  write_integer(out, Id::initial_max_data, initial_max_data, 0);
  write_integer(out, Id::initial_max_stream_data_bidi_local, initial_max_stream_data_bidi_local, 0);
  write_integer(out, Id::initial_max_stream_data_bidi_remote, initial_max_stream_data_bidi_remote,
                0);
  write_integer(out, Id::initial_max_stream_data_uni, initial_max_stream_data_uni, 0);
  write_integer(out, Id::initial_max_streams_bidi, initial_max_streams_bidi, 0);
  write_integer(out, Id::initial_max_streams_uni, initial_max_streams_uni, 0);
  write_integer(out, Id::ack_delay_exponent, ack_delay_exponent, defaults.ack_delay_exponent);
  write_integer(out, Id::max_ack_delay, max_ack_delay_ms, defaults.max_ack_delay_ms);
  write_flag(out, Id::disable_active_migration, disable_active_migration);
  if (preferred_address) write_preferred_address(out, *preferred_address);
  write_integer(out, Id::active_connection_id_limit, active_connection_id_limit,
                defaults.active_connection_id_limit);
  write_connection_id(out, Id::initial_source_connection_id, initial_source_connection_id);
  write_connection_id(out, Id::retry_source_connection_id, retry_source_connection_id);
  if (version_information) write_version_information(out, *version_information);
  write_integer(out, Id::max_datagram_frame_size, max_datagram_frame_size, 0);
  write_flag(out, Id::grease_quic_bit, grease_quic_bit);
  write_address_discovery(out, address_discovery);
  if (min_ack_delay_us) write_integer(out, Id::min_ack_delay, *min_ack_delay_us, kMaxVarint);
  if (grease) write(out, Id{*grease}, {});
}

std::expected<TransportParameters, TransportError> TransportParameters::decode(Bytes bytes,
                                                                               Side sender) {
  TransportParameters out;
  SeenIds seen;
  Reader in{bytes};
  while (!in.empty()) {
    const std::uint64_t id = in.varint();
    Reader value{in.bytes(in.varint())};
    if (!in.ok()) break;
    // RFC 9000 §7.4 [rfc9000-7.4-3]: which of two would count?
    if (!seen.insert(id)) return fail(kError, "transport parameter sent twice");
    // RFC 9000 §18.2 [rfc9000-18.2-11].
    if (sender == Side::client && is_server_only(Id{id})) {
      return fail(kError, "transport parameter of servers sent by a client");
    }
    if (!read_parameter(out, Id{id}, value, sender)) continue;
    // RFC 9000 §7.4 [rfc9000-7.4-1]: too short, too long and out of range alike.
    if (!value.ok() || !value.empty()) return fail(kError, "invalid transport parameter");
  }
  if (!in.ok()) return fail(kError, "truncated transport parameters");
  // RFC 9000 §18.2 [rfc9000-18.2-5], [rfc9000-18.2-7]: a server without IDs cannot be followed.
  if (out.preferred_address && out.initial_source_connection_id &&
      out.initial_source_connection_id->empty()) {
    return fail(kError, "preferred address from a server without connection IDs");
  }
  // [draft-ietf-quic-ack-frequency-3-2]: no delay would be right.
  if (out.min_ack_delay_us && *out.min_ack_delay_us > out.max_ack_delay_ms * 1000) {
    return fail(kError, "min_ack_delay above max_ack_delay");
  }
  return out;
}

}  // namespace qpeer::wire
