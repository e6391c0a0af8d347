// SPDX-License-Identifier: MIT OR BSD-3-Clause
// From a datagram to authenticated frames. RFC 9000 §12.2, §12.3, §5.2; RFC 9001 §5.3, §5.4, §5.5.
#include <algorithm>

#include "qpeer/transport/connection/connection_machine.hpp"
#include "qpeer/transport/connection/open_packet.hpp"
#include "qpeer/transport/connection/plain_packet.hpp"
#include "qpeer/transport/wire/packet_decoder.hpp"
#include "qpeer/transport/wire/packet_number.hpp"
#include "qpeer/transport/wire/retry_packet.hpp"
#include "qpeer/transport/wire/version_negotiation.hpp"

namespace qpeer::transport {
namespace {

using wire::PacketType;

EncryptionLevel level_of(PacketType type) {
  switch (type) {
    case PacketType::initial:
      return EncryptionLevel::initial;
    case PacketType::zero_rtt:
      return EncryptionLevel::zero_rtt;
    case PacketType::handshake:
      return EncryptionLevel::handshake;
    default:
      return EncryptionLevel::one_rtt;
  }
}

}  // namespace

void ConnectionMachine::drop(DropReason reason) {
  if (setup_.drops != nullptr) ++(*setup_.drops)[static_cast<std::size_t>(reason)];
  ++stats_.packets_dropped;
}

void ConnectionMachine::on_datagram(Instant now, ReceivedDatagram datagram) {
  now_ = now;
  if (lifetime_.is_drained()) return;
  auto incoming = paths_.on_datagram(datagram, lifetime_.is_open());
  if (!incoming) return drop(DropReason::wrong_address);
  stats_.bytes_received += datagram.payload.size();
  lifetime_.on_datagram();

  wire::PacketSplitter packets(datagram.payload, local_cids_.initial().size(),
                               accepts_zero_quic_bit());
  while (auto header = packets.next()) {
    if (lifetime_.is_silent()) break;
    if (*header) {
      receive_packet(now, now, **header, packets.packet(), datagram, *incoming);
    } else {
      drop(header->error());
    }
  }
  if (!early_.empty()) receive_early(now, *incoming);
  paths_.update_amplification(now);
}

bool ConnectionMachine::can_receive_at(EncryptionLevel level) const {
  // RFC 9001 §5.7 [rfc9001-5.7-1], [rfc9001-5.7-2], [rfc9001-5.7-5]: no 1-RTT packet is read before
  // the handshake is complete.
  if (level == EncryptionLevel::one_rtt) return key_phases_.can_receive() && handshake_complete_;
  if (level == EncryptionLevel::zero_rtt) {
    return setup_.side == Side::server && static_cast<bool>(early_data_.keys);
  }
  return static_cast<bool>(space(space_of(level)).receive);
}

/// Whether its keys may still come, and its sender has seen our handshake: nobody else knows the ID
/// that we drew.
bool ConnectionMachine::is_early(const wire::ProtectedHeader& header) const {
  const EncryptionLevel level = level_of(header.type);
  if (level == EncryptionLevel::zero_rtt) {
    // Their keys come with the ClientHello, if at all. RFC 9001 §4.6.2 [rfc9001-4.6.2-1].
    return setup_.side == Side::server && lifetime_.is_open() && !handshake_complete_ &&
           !can_receive_at(EncryptionLevel::handshake);
  }
  const bool too_late =
      level == EncryptionLevel::one_rtt ? handshake_complete_ : space(space_of(level)).discarded;
  // RFC 9000 §5.2.2 [rfc9000-5.2.2-7]: before the server's answer a client has no keys for these.
  const bool possible = setup_.side == Side::client || can_receive_at(EncryptionLevel::handshake);
  return lifetime_.is_open() && !too_late && possible &&
         header.destination_connection_id == local_cids_.initial();
}

/// What waited for the keys that there are now. Handshake first: it may bring those of 1-RTT.
void ConnectionMachine::receive_early(Instant now, IncomingDatagram& incoming) {
  for (const EncryptionLevel level :
       {EncryptionLevel::zero_rtt, EncryptionLevel::handshake, EncryptionLevel::one_rtt}) {
    const bool rejected = level == EncryptionLevel::zero_rtt && !can_receive_at(level) &&
                          can_receive_at(EncryptionLevel::handshake);
    if (!can_receive_at(level) && !rejected) continue;
    for (EarlyPackets::Packet& early : early_.take(level)) {
      if (lifetime_.is_silent()) return;
      wire::PacketSplitter packets(early.bytes, local_cids_.initial().size(),
                                   accepts_zero_quic_bit());
      const auto header = packets.next();
      if (!header || !*header) continue;  // It was read once already.
      receive_packet(now, early.received_at, **header, packets.packet(),
                     {.path = path(), .ecn = early.ecn, .payload = early.bytes}, incoming);
    }
  }
}

void ConnectionMachine::receive_packet(Instant now, Instant received_at,
                                       const wire::ProtectedHeader& header, MutableBytes packet,
                                       const ReceivedDatagram& datagram,
                                       IncomingDatagram& incoming) {
  switch (header.type) {
    case PacketType::retry:
      return receive_retry(now, header, packet);
    case PacketType::version_negotiation:
      return receive_version_negotiation(now, packet);
    default:
      break;
  }
  if (header.type != PacketType::one_rtt) {
    if (!is_spoken(header)) return drop(DropReason::unsupported_version);
    // RFC 9000 §7.2 [rfc9000-7.2-3], [rfc9000-7.2-6]: the peer's Source Connection ID stays what it first was.
    const bool settled = setup_.side == Side::server || peer_packet_processed_;
    if (settled && header.source_connection_id != setup_.remote_connection_id) {
      return drop(DropReason::unexpected_packet);
    }
    // RFC 9000 §17.2.2 [rfc9000-17.2.2-1]: only clients send tokens.
    if (setup_.side == Side::client && !header.token.empty()) {
      return drop(DropReason::unexpected_packet);
    }
    // RFC 9000 §14.1 [rfc9000-14.1-4]: a client pads every datagram that has an Initial in it.
    if (setup_.side == Side::server && header.type == PacketType::initial &&
        datagram.payload.size() < wire::kMinInitialDatagramSize) {
      return drop(DropReason::too_small);
    }
  }
  const EncryptionLevel level = level_of(header.type);
  if (!can_receive_at(level)) {
    // RFC 9001 §4.1.4 [rfc9001-4.1.4-1], §5.7 [rfc9001-5.7-3]: some may wait for their keys.
    if (is_early(header) && early_.keep(received_at, level, datagram.ecn, packet)) return;
    return drop(DropReason::keys_unavailable);
  }
  auto opened = open_packet(now, header, packet);
  if (!opened) return;
  opened->ecn = datagram.ecn;
  Space& number_space = space(space_of(opened->level));
  const auto largest = number_space.acks.largest_received();
  const bool newest = !largest || opened->number > *largest;
  if (newest && paths_.is_stale_local_address(datagram.path))
    return drop(DropReason::wrong_address);
  on_packet_authenticated(now, header);

  DispatchResult frames;
  const Result result = dispatch_frames(now, *opened, incoming, frames);
  if (!result) return fail(now, result.error());
  if (number_space.discarded) return;
  const ConnectionId& destination = opened->destination_connection_id;
  if (level == EncryptionLevel::one_rtt) paths_.on_packet(incoming, destination);
  if (newest && !frames.probing && !paths_.is_active(incoming) && lifetime_.is_open()) {
    paths_.on_peer_migrated(now, incoming, destination);  // RFC 9000 §9.3.
  }
  // RFC 9000 §13.1 [rfc9000-13.1-1]: acknowledged only once its frames are processed.
  // RFC 9000 §13.2.5 [rfc9000-13.2.5-2]: the time it waited for keys is a delay of ours.
  number_space.acks.on_packet_received(received_at, opened->number, frames.ack_eliciting,
                                       datagram.ecn);
}

std::optional<OpenPacket> ConnectionMachine::open_packet(Instant now,
                                                         const wire::ProtectedHeader& header,
                                                         MutableBytes packet) {
  const auto dropped = [this](DropReason reason) {
    drop(reason);
    return std::nullopt;
  };
  OpenPacket out{.type = header.type,
                 .level = level_of(header.type),
                 .destination_connection_id = header.destination_connection_id,
                 .payload = {}};
  const bool one_rtt = out.level == EncryptionLevel::one_rtt;
  Space& number_space = space(space_of(out.level));
  crypto::PacketKeys& keys = receive_keys(header);
  crypto::HeaderProtection& protection =
      one_rtt ? key_phases_.receive_header_protection() : *keys.header_protection;
  const auto mask = protection.mask(wire::header_sample(packet, header.packet_number_offset));
  const auto plain = wire::unprotect_header(packet, header.packet_number_offset, mask);
  out.number = wire::decode_packet_number(number_space.acks.largest_received(), plain.truncated,
                                          plain.packet_number_length);
  const MutableBytes sealed = packet.subspan(plain.header_size);
  const bool key_phase = (plain.first_byte & wire::kKeyPhaseBit) != 0;
  if (!decrypt(now, out, keys, key_phase, packet.first(plain.header_size), sealed)) {
    return std::nullopt;
  }
  // RFC 9000 §12.3 [rfc9000-12.3-4], [rfc9000-12.3-5]: a number is processed once, and nobody learns
  // from a forgery which were.
  if (out.number > kMaxPacketNumber || number_space.acks.is_duplicate(out.number)) {
    return dropped(DropReason::duplicate);
  }
  // RFC 9000 §17.2 [rfc9000-17.2-9], §17.3.1 [rfc9000-17.3.1-3]: judged only now that the header is
  // authentic.
  if ((plain.first_byte & wire::reserved_bits_mask(header.type)) != 0) {
    fail(now, {TransportErrorCode::protocol_violation, "reserved bits are set"});
    return std::nullopt;
  }
  out.payload = sealed.first(sealed.size() - crypto::kTagSize);
  ++stats_.packets_received;
  return out;
}

/// Opens the payload in place, with the key that the level, and in 1-RTT the phase, calls for.
bool ConnectionMachine::decrypt(Instant now, const OpenPacket& packet, crypto::PacketKeys& keys,
                                bool key_phase, Bytes header, MutableBytes sealed) {
  Space& number_space = space(space_of(packet.level));
  std::uint64_t integrity_limit = 0;
  if (packet.level == EncryptionLevel::one_rtt) {
    using Opened = KeyPhases::Opened;
    const Opened opened =
        key_phases_.open(packet.number, key_phase, header, sealed, number_space.next_packet_number,
                         now + 3 * recovery_.pto());
    if (opened == Opened::yes) return true;
    if (opened == Opened::key_update_error) {
      fail(now, {TransportErrorCode::key_update_error, "key update out of order"});
      return false;
    }
    integrity_limit = key_phases_.integrity_limit();
  } else {
    if (keys.aead->open(packet.number, header, sealed)) return true;
    integrity_limit = keys.aead->integrity_limit();
  }
  // RFC 9001 §6.6 [rfc9001-6.6-7]: too many forgeries tried, over all our keys.
  if (++failed_opens_ >= integrity_limit) {
    fail(now, {TransportErrorCode::aead_limit_reached, "too many forged packets"});
  }
  drop(DropReason::undecryptable);
  return false;
}

/// RFC 9369 §4.1 [rfc9369-4.1-9]: but for Initials, no version except that in use.
bool ConnectionMachine::is_spoken(const wire::ProtectedHeader& header) const {
  // [rfc9369-4.1-10]: early data stays where it began.
  if (header.type == PacketType::zero_rtt) return header.version == setup_.version;
  if (header.version == version()) return true;
  const bool initial = header.type == PacketType::initial;
  if (setup_.side == Side::server) return initial && header.version == setup_.version;
  // Handshake packets may overtake the Initial that tells their version: they wait for it.
  return versions_.may_switch_to(header.version);
}

/// The keys of a long header packet's level and version.
crypto::PacketKeys& ConnectionMachine::receive_keys(const wire::ProtectedHeader& header) {
  if (header.type == PacketType::zero_rtt) return early_data_.keys;
  const bool other_version = header.type == PacketType::initial && header.version != setup_.version;
  if (!other_version) return space(space_of(level_of(header.type))).receive;
  if (!switched_initial_receive_) {
    switched_initial_receive_ = initial_keys(header.version, other(setup_.side));
  }
  return switched_initial_receive_;
}

void ConnectionMachine::on_packet_authenticated(Instant now, const wire::ProtectedHeader& header) {
  lifetime_.restart_idle_timer(now, recovery_.pto());
  if (header.type == PacketType::one_rtt) {
    // RFC 9001 §4.9.3 [rfc9001-4.9.3-4]: 0-RTT packets that were overtaken have this long to come.
    if (early_data_.keys && early_data_.keys_end == kNever) {
      early_data_.keys_end = now + 3 * recovery_.pto();
    }
    return;
  }
  if (header.type == PacketType::initial && versions_.may_switch_to(header.version)) {
    // RFC 9369 §4.1 [rfc9369-4.1-6]: the server's answer tells the version that it chose.
    versions_.switch_to(header.version);
    space(PacketNumberSpace::initial).send = initial_keys(version(), Side::client);
  }
  if (setup_.side == Side::client && !peer_packet_processed_) {
    // RFC 9000 §7.2 [rfc9000-7.2-4]: the server's choice replaces the ID that we drew for it.
    setup_.remote_connection_id = header.source_connection_id;
    remote_cids_.replace_initial(header.source_connection_id);
  }
  peer_packet_processed_ = true;
  if (setup_.side == Side::server && header.type == PacketType::handshake) {
    // RFC 9000 §8.1: only who read our Initial can send this. RFC 9001 §4.9.1 [rfc9001-4.9.1-1].
    paths_.active().address_validated = true;
    discard_keys(now, PacketNumberSpace::initial);
  }
}

/// Whether an Initial of the size that every path carries has room for more than this token.
bool ConnectionMachine::fits_initials(Bytes token) const {
  const wire::LongHeader header{.type = PacketType::initial,
                                .version = setup_.version,
                                .dcid = remote_cids_.current().bytes(),
                                .scid = local_cids_.initial().bytes(),
                                .token = token};
  return wire::long_header_size(header) + kLeastPayload + crypto::kTagSize <=
         wire::kMinInitialDatagramSize;
}

// RFC 9000 §17.2.5.2, §17.2.5.3; RFC 9001 §5.8.
void ConnectionMachine::receive_retry(Instant now, const wire::ProtectedHeader& header,
                                      Bytes packet) {
  const auto retry = wire::decode_retry(packet);
  if (setup_.side == Side::server || !retry || header.version != setup_.version) {
    return drop(DropReason::unexpected_packet);
  }
  // [rfc9000-17.2.5.2-1], [rfc9000-17.2.5.2-2]: one Retry at most, and none after another packet of the server's.
  if (retry_source_connection_id_ || peer_packet_processed_) {
    return drop(DropReason::unexpected_packet);
  }
  const auto tag = keys_.retry_integrity_tag(
      setup_.version, setup_.original_destination_connection_id.bytes(), retry->without_tag);
  if (!equal(tag, retry->integrity_tag) ||
      retry->source_connection_id == setup_.original_destination_connection_id) {
    return drop(DropReason::undecryptable);
  }
  retry_source_connection_id_ = retry->source_connection_id;
  // RFC 9000 §8.1.3 [rfc9000-8.1.3-2], [rfc9000-8.1.3-3]: it replaces any other, and is used here only.
  token_.assign(retry->token.begin(), retry->token.end());
  remote_cids_.replace_initial(retry->source_connection_id);
  if (!fits_initials(token_)) {
    const bool was_open = lifetime_.end_silently(
        {.kind = CloseReason::Kind::local_transport,
         .code = static_cast<std::uint64_t>(TransportErrorCode::invalid_token),
         .reason = "the token of the Retry leaves no room in an Initial"});
    if (was_open) emit_closed();
    return;
  }
  install_initial_keys();
  quic_bit_.set_random(false);  // RFC 9287 §3.1 [rfc9287-3.1-3]: the token that told so is gone.
  // [rfc9000-17.2.5.3-4]: packet numbers go on where they were.
  recovery_.reset_space(now, PacketNumberSpace::initial, *this);
  // RFC 9000 §17.2.3 [rfc9000-17.2.3-1], [rfc9000-17.2.3-2]: early data goes again, in new packets.
  if (early_data_.keys) recovery_.reset_space(now, PacketNumberSpace::application, *this);
  early_data_.bytes = 0;
}

// RFC 9000 §6.2.
void ConnectionMachine::receive_version_negotiation(Instant now, Bytes packet) {
  const auto offer = wire::decode_version_negotiation(packet);
  if (setup_.side == Side::server || !offer || peer_packet_processed_ ||
      retry_source_connection_id_ || !lifetime_.is_open() || versions_.reacted()) {
    return drop(DropReason::unexpected_packet);
  }
  const bool answers_us =
      equal(offer->destination_connection_id, local_cids_.initial().bytes()) &&
      equal(offer->source_connection_id, setup_.original_destination_connection_id.bytes());
  // [rfc9000-6.2-3]: a server that offers what we chose did not write this.
  if (!answers_us || offer->supported_versions.contains(setup_.version)) {
    return drop(DropReason::unexpected_packet);
  }
  if (versions_.on_version_negotiation(offer->supported_versions)) return start_anew(now);
  const bool was_open =
      lifetime_.end_silently({.kind = CloseReason::Kind::version_negotiation,
                              .reason = "the server speaks none of our versions"});
  if (was_open) emit_closed();
}

}  // namespace qpeer::transport
