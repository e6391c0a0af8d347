// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The packets of a handshake: which are taken, in which version and to which connection ID; Retry and
// Version Negotiation. RFC 9000 §6.2, §7.2, §17.2; RFC 9368; RFC 9369 §4.1.
#include <array>
#include <utility>

#include "qpeer/transport/connection/handshake.hpp"
#include "qpeer/transport/connection/packet_level.hpp"
#include "qpeer/transport/wire/retry_packet.hpp"
#include "qpeer/transport/wire/version_negotiation.hpp"

namespace qpeer::transport {
namespace {

using wire::PacketType;

/// RFC 9000 §7.2 [rfc9000-7.2-1]: the least that a client may draw for its server.
constexpr std::size_t kFirstDcidSize = 8;

std::unexpected<Handshake::Refusal> refused(Handshake::Refusal why) {
  return std::unexpected(std::move(why));
}

}  // namespace

std::optional<DropReason> Handshake::refuses(const wire::ProtectedHeader& header,
                                             std::size_t datagram_size) const {
  if (!is_spoken(header)) return DropReason::unsupported_version;
  // RFC 9000 §7.2 [rfc9000-7.2-3], [rfc9000-7.2-6]: the peer's Source Connection ID stays what it first was.
  const bool settled = setup_.side == Side::server || peer_packet_processed_;
  if (settled && header.source_connection_id != setup_.remote_connection_id) {
    return DropReason::unexpected_packet;
  }
  // RFC 9000 §17.2.2 [rfc9000-17.2.2-1]: only clients send tokens.
  if (setup_.side == Side::client && !header.token.empty()) return DropReason::unexpected_packet;
  // RFC 9000 §14.1 [rfc9000-14.1-4]: a client pads every datagram that has an Initial in it.
  if (setup_.side == Side::server && header.type == PacketType::initial &&
      datagram_size < wire::kMinInitialDatagramSize) {
    return DropReason::too_small;
  }
  return std::nullopt;
}

/// RFC 9369 §4.1 [rfc9369-4.1-9]: but for Initials, no version except that in use.
bool Handshake::is_spoken(const wire::ProtectedHeader& header) const {
  // [rfc9369-4.1-10]: early data stays where it began.
  if (header.type == PacketType::zero_rtt) return header.version == setup_.version;
  if (header.version == version()) return true;
  const bool initial = header.type == PacketType::initial;
  if (setup_.side == Side::server) return initial && header.version == setup_.version;
  // Handshake packets may overtake the Initial that shows their version: they wait for it.
  return versions_.may_switch_to(header.version);
}

void Handshake::on_packet_authenticated(Instant now, const wire::ProtectedHeader& header,
                                        Duration pto) {
  if (header.type == PacketType::one_rtt) {
    // RFC 9001 §4.9.3 [rfc9001-4.9.3-4]: 0-RTT packets that were overtaken have this long to come.
    if (early_.keys && early_.keys_end == kNever) early_.keys_end = now + 3 * pto;
    return;
  }
  if (header.type == PacketType::initial && versions_.may_switch_to(header.version)) {
    // RFC 9369 §4.1 [rfc9369-4.1-6]: the server's answer shows the version that it chose.
    versions_.switch_to(header.version);
    spaces_[PacketNumberSpace::initial].send = initial_keys(version(), Side::client);
  }
  if (setup_.side == Side::client && !peer_packet_processed_) {
    // RFC 9000 §7.2 [rfc9000-7.2-4]: the server's choice replaces the ID that we drew for it.
    setup_.remote_connection_id = header.source_connection_id;
    observer_.on_remote_cid(header.source_connection_id);
  }
  peer_packet_processed_ = true;
}

wire::LongHeader Handshake::long_header(EncryptionLevel level,
                                        const ConnectionId& destination) const {
  // RFC 9369 §4.1 [rfc9369-4.1-8], [rfc9369-4.1-10].
  const bool early = level == EncryptionLevel::zero_rtt;
  return {.type = type_of(level),
          .version = early ? setup_.version : version(),
          .dcid = destination.bytes(),
          .scid = local_cid_.bytes(),
          .token = setup_.token};
}

/// Client: what the server took last time it may not take any more. RFC 9287 §3.1: until its transport
/// parameters say so again, the QUIC Bit is set.
void Handshake::on_pto() {
  if (!peer_parameters_.initial_source_connection_id) quic_bit_.set_random(false);
}

/// Whether an Initial of the size that every path carries has room for more than its token.
bool Handshake::fits_initials() const {
  const wire::LongHeader header =
      long_header(EncryptionLevel::initial, *retry_source_connection_id_);
  return wire::long_header_size(header) + kLeastPayload + crypto::kTagSize <=
         wire::kMinInitialDatagramSize;
}

// RFC 9000 §17.2.5.2, §17.2.5.3; RFC 9001 §5.8.
Handshake::Acceptance Handshake::on_retry(Instant now, const wire::ProtectedHeader& header,
                                          Bytes packet) {
  const auto retry = wire::decode_retry(packet);
  if (setup_.side == Side::server || !retry || header.version != setup_.version) {
    return refused(DropReason::unexpected_packet);
  }
  // [rfc9000-17.2.5.2-1], [rfc9000-17.2.5.2-2]: one Retry at most, and none after another packet of the server's.
  if (retry_source_connection_id_ || peer_packet_processed_) {
    return refused(DropReason::unexpected_packet);
  }
  const auto tag = keys_.retry_integrity_tag(
      setup_.version, setup_.original_destination_connection_id.bytes(), retry->without_tag);
  if (!equal(tag, retry->integrity_tag) ||
      retry->source_connection_id == setup_.original_destination_connection_id) {
    return refused(DropReason::undecryptable);
  }
  retry_source_connection_id_ = retry->source_connection_id;
  // RFC 9000 §8.1.3 [rfc9000-8.1.3-2], [rfc9000-8.1.3-3]: it replaces any other, and is used here only.
  setup_.token.assign(retry->token.begin(), retry->token.end());
  observer_.on_remote_cid(retry->source_connection_id);
  if (!fits_initials()) {
    return refused(
        CloseReason{.kind = CloseReason::Kind::local_transport,
                    .code = static_cast<std::uint64_t>(TransportErrorCode::invalid_token),
                    .reason = "the token of the Retry leaves no room in an Initial"});
  }
  install_initial_keys();
  quic_bit_.set_random(false);  // RFC 9287 §3.1 [rfc9287-3.1-3]: the token that allowed it is gone.
  // [rfc9000-17.2.5.3-4]: packet numbers go on where they were.
  observer_.on_space_reset(now, PacketNumberSpace::initial);
  // RFC 9000 §17.2.3 [rfc9000-17.2.3-1], [rfc9000-17.2.3-2]: early data goes again, in new packets.
  if (early_.keys) observer_.on_space_reset(now, PacketNumberSpace::application);
  early_.bytes = 0;
  return {};
}

// RFC 9000 §6.2.
Handshake::Acceptance Handshake::on_version_negotiation(Instant now, Bytes packet) {
  const auto offer = wire::decode_version_negotiation(packet);
  if (setup_.side == Side::server || !offer || peer_packet_processed_ ||
      retry_source_connection_id_ || versions_.reacted()) {
    return refused(DropReason::unexpected_packet);
  }
  const bool answers_us =
      equal(offer->destination_connection_id, local_cid_.bytes()) &&
      equal(offer->source_connection_id, setup_.original_destination_connection_id.bytes());
  // [rfc9000-6.2-3]: a server that offers what we chose did not write this.
  if (!answers_us || offer->supported_versions.contains(setup_.version)) {
    return refused(DropReason::unexpected_packet);
  }
  if (!versions_.on_version_negotiation(offer->supported_versions)) {
    return refused(CloseReason{.kind = CloseReason::Kind::version_negotiation,
                               .reason = "the server speaks none of our versions"});
  }
  const Result restarted = restart_with_version(now);
  if (!restarted) return refused(restarted.error());
  return {};
}

/// In the version that Version Negotiation led to. RFC 9368 §2.1 [rfc9368-2.1-5], §6 [rfc9368-6-2]:
/// a new first flight, with nothing left of the one before. Another ID for the server keeps apart
/// what answers this attempt and what answers the first, should that not have been refused at all.
Result Handshake::restart_with_version(Instant now) {
  setup_.version = versions_.original();
  // RFC 9369 §5 [rfc9369-5-1]: the token and the ticket were of the other version.
  setup_.token.clear();
  setup_.session_ticket.reset();
  quic_bit_.set_random(false);
  std::array<u8, kFirstDcidSize> id{};
  random_.fill_public(id);
  setup_.original_destination_connection_id = ConnectionId(id);
  setup_.initial_destination_connection_id = ConnectionId(id);
  observer_.on_remote_cid(ConnectionId(id));
  if (early_.state == crypto::EarlyData::offered) reject_early_data(now);
  observer_.on_space_reset(now, PacketNumberSpace::initial);
  spaces_[PacketNumberSpace::initial].crypto.clear();
  return start();
}

}  // namespace qpeer::transport
