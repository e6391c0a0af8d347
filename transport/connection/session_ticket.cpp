// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/session_ticket.hpp"

#include <array>

#include "qpeer/crypto/identity.hpp"

namespace qpeer::transport {
namespace {

constexpr u8 kFormat = 1;
constexpr std::size_t kChecksumSize = 8;

Bytes encode_parameters(const wire::TransportParameters& parameters, MutableBytes storage) {
  Writer out(storage);
  parameters.encode(out);
  return out.written();
}

std::optional<wire::TransportParameters> decode_parameters(Bytes bytes) {
  const auto decoded = wire::TransportParameters::decode(bytes, Side::server);
  if (!decoded) return std::nullopt;
  return remembered(*decoded);
}

}  // namespace

// RFC 9000 §7.4.1 [rfc9000-7.4.1-2]: these are of one connection. Versions and what was agreed on
// beyond limits are negotiated anew each time.
wire::TransportParameters remembered(const wire::TransportParameters& parameters) {
  const wire::TransportParameters defaults;
  wire::TransportParameters out = parameters;
  out.original_destination_connection_id.reset();
  out.initial_source_connection_id.reset();
  out.retry_source_connection_id.reset();
  out.stateless_reset_token.reset();
  out.preferred_address.reset();
  out.ack_delay_exponent = defaults.ack_delay_exponent;
  out.max_ack_delay_ms = defaults.max_ack_delay_ms;
  out.min_ack_delay_us.reset();  // [draft-ietf-quic-ack-frequency-3-3].
  out.version_information.reset();
  out.address_discovery = {};
  out.grease_quic_bit = false;  // RFC 9287 §3.1.
  out.grease.reset();
  return out;
}

// RFC 9000 §7.4.1 [rfc9000-7.4.1-6]; RFC 9221 §3 [rfc9221-3-8].
bool keeps_limits(const wire::TransportParameters& present,
                  const wire::TransportParameters& before) {
  return present.active_connection_id_limit >= before.active_connection_id_limit &&
         present.initial_max_data >= before.initial_max_data &&
         present.initial_max_stream_data_bidi_local >= before.initial_max_stream_data_bidi_local &&
         present.initial_max_stream_data_bidi_remote >=
             before.initial_max_stream_data_bidi_remote &&
         present.initial_max_stream_data_uni >= before.initial_max_stream_data_uni &&
         present.initial_max_streams_bidi >= before.initial_max_streams_bidi &&
         present.initial_max_streams_uni >= before.initial_max_streams_uni &&
         present.max_datagram_frame_size >= before.max_datagram_frame_size;
}

std::vector<u8> SessionTicket::encode() const {
  std::array<u8, wire::TransportParameters::kMaxEncodedSize> storage{};
  const Bytes encoded = encode_parameters(parameters, storage);
  std::vector<u8> bytes(1 + kChecksumSize + 4 + 8 + encoded.size() + 8 + session.size());
  Writer out(bytes);
  out.byte(kFormat);
  out.zeros(kChecksumSize);
  out.u32(static_cast<std::uint32_t>(version));
  out.varint(encoded.size());
  out.bytes(encoded);
  out.varint(session.size());
  out.bytes(session);
  bytes.resize(out.size());
  const auto digest = crypto::sha256(Bytes(bytes).subspan(1 + kChecksumSize));
  copy(Bytes(digest).first(kChecksumSize), MutableBytes(bytes).subspan(1));
  return bytes;
}

std::optional<SessionTicket> SessionTicket::decode(Bytes bytes) {
  if (bytes.size() > kMaxSize) return std::nullopt;
  Reader in(bytes);
  if (in.byte() != kFormat) return std::nullopt;
  const Bytes checksum = in.bytes(kChecksumSize);
  if (!in.ok() ||
      !equal(checksum,
             Bytes(crypto::sha256(bytes.subspan(1 + kChecksumSize))).first(kChecksumSize))) {
    return std::nullopt;
  }
  SessionTicket out;
  out.version = Version{in.u32()};
  const auto parameters = decode_parameters(in.bytes(in.varint()));
  const Bytes session = in.bytes(in.varint());
  if (!in.ok() || !in.empty() || !parameters) return std::nullopt;
  out.parameters = *parameters;
  out.session.assign(session.begin(), session.end());
  return out;
}

std::vector<u8> TicketData::encode() const {
  std::array<u8, wire::TransportParameters::kMaxEncodedSize> storage{};
  const Bytes encoded = encode_parameters(parameters, storage);
  std::vector<u8> bytes(4 + encoded.size());
  Writer out(bytes);
  out.u32(static_cast<std::uint32_t>(version));
  out.bytes(encoded);
  return bytes;
}

std::optional<TicketData> TicketData::decode(Bytes bytes) {
  Reader in(bytes);
  const Version version{in.u32()};
  const auto parameters = decode_parameters(in.bytes(in.remaining()));
  if (!in.ok() || !parameters) return std::nullopt;
  return TicketData{.version = version, .parameters = *parameters};
}

}  // namespace qpeer::transport
