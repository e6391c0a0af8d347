// SPDX-License-Identifier: MIT OR BSD-3-Clause
// From a datagram to authenticated frames. RFC 9000 §12.2, §12.3, §5.2; RFC 9001 §5.3, §5.4, §5.5.
#include "qpeer/transport/connection/connection_machine.hpp"
#include "qpeer/transport/connection/logged_events.hpp"
#include "qpeer/transport/connection/open_packet.hpp"
#include "qpeer/transport/connection/packet_level.hpp"
#include "qpeer/transport/wire/packet_decoder.hpp"
#include "qpeer/transport/wire/packet_number.hpp"

namespace qpeer::transport {
namespace {

using wire::PacketType;

}  // namespace

void ConnectionMachine::drop(DropReason reason, const wire::ProtectedHeader* header,
                             std::size_t size) {
  log::emit(log_.get(), [&] {
    return log::PacketDropped{
        .header = header != nullptr ? logged_header(*header) : log::PacketHeader{},
        .length = size,
        .reason = reason};
  });
  DropCounts* const drops = handshake_.setup().drops;
  if (drops != nullptr) ++(*drops)[static_cast<std::size_t>(reason)];
  ++stats_.packets_dropped;
}

void ConnectionMachine::on_datagram(Instant now, ReceivedDatagram datagram) {
  const InvariantLatch::Scope scope(latch_);
  called_at_ = now;
  if (lifetime_.is_drained()) return;
  auto incoming = paths_.on_datagram(datagram, lifetime_.is_open());
  if (!incoming) return drop(DropReason::wrong_address);
  stats_.bytes_received += datagram.payload.size();
  log::emit(log_.get(), [&] {
    return log::UdpDatagramsReceived{.size = datagram.payload.size(), .ecn = datagram.ecn};
  });
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
  if (!undecryptable_packets_.empty()) receive_undecryptable(now, *incoming);
  paths_.update_amplification(now);
  fail_if_broken(now);
  assert_consistent();
}

/// Whether the packet's keys may still come, and its sender has seen our handshake: no other knows
/// the ID that we drew.
bool ConnectionMachine::awaits_keys(const wire::ProtectedHeader& header) const {
  const EncryptionLevel level = level_of(header.type);
  return lifetime_.is_open() && handshake_.awaits_keys(level) &&
         (level == EncryptionLevel::zero_rtt ||
          header.destination_connection_id == local_cids_.initial());
}

/// What waited for the keys that there are now. Handshake first: it may bring those of 1-RTT.
void ConnectionMachine::receive_undecryptable(Instant now, IncomingDatagram& incoming) {
  for (const EncryptionLevel level :
       {EncryptionLevel::zero_rtt, EncryptionLevel::handshake, EncryptionLevel::one_rtt}) {
    const bool rejected = level == EncryptionLevel::zero_rtt && !handshake_.can_receive(level) &&
                          handshake_.can_receive(EncryptionLevel::handshake);
    if (!handshake_.can_receive(level) && !rejected) continue;
    for (UndecryptablePackets::Packet& kept : undecryptable_packets_.take(level)) {
      if (lifetime_.is_silent()) return;
      wire::PacketSplitter packets(kept.bytes, local_cids_.initial().size(),
                                   accepts_zero_quic_bit());
      const auto header = packets.next();
      if (!header || !*header) continue;  // It was read once already.
      receive_packet(now, kept.received_at, **header, packets.packet(),
                     {.path = path(), .ecn = kept.ecn, .payload = kept.bytes}, incoming);
    }
  }
}

void ConnectionMachine::receive_packet(Instant now, Instant received_at,
                                       const wire::ProtectedHeader& header, MutableBytes packet,
                                       const ReceivedDatagram& datagram,
                                       IncomingDatagram& incoming) {
  switch (header.type) {
    case PacketType::retry:
      return on_acceptance(now, handshake_.on_retry(now, header, packet));
    case PacketType::version_negotiation:
      if (!lifetime_.is_open()) return drop(DropReason::unexpected_packet);
      return on_acceptance(now, handshake_.on_version_negotiation(now, packet));
    default:
      break;
  }
  if (header.type != PacketType::one_rtt) {
    const auto refused = handshake_.refuses(header, datagram.payload.size());
    if (refused) return drop(*refused, &header, packet.size());
  }
  const EncryptionLevel level = level_of(header.type);
  if (!handshake_.can_receive(level)) {
    // RFC 9001 §4.1.4 [rfc9001-4.1.4-1], §5.7 [rfc9001-5.7-3]: some may wait for their keys.
    if (awaits_keys(header) &&
        undecryptable_packets_.keep(received_at, level, datagram.ecn, packet)) {
      log::emit(log_.get(), [&] {
        return log::PacketBuffered{.header = logged_header(header), .length = packet.size()};
      });
      return;
    }
    return drop(DropReason::keys_unavailable, &header, packet.size());
  }
  auto opened = open_packet(now, header, packet);
  if (!opened) return;
  opened->ecn = datagram.ecn;
  NumberSpace& number_space = spaces_[space_of(opened->level)];
  const auto largest = number_space.acks.largest_received();
  const bool newest = !largest || opened->number > *largest;
  if (newest && paths_.is_stale_local_address(datagram.path)) {
    return drop(DropReason::wrong_address, &header, packet.size());
  }
  on_packet_authenticated(now, header);
  log::emit(log_.get(), [&] {
    return log::PacketReceived{.header = logged_header(header, *opened),
                               .frames = opened->payload,
                               .length = packet.size(),
                               .was_buffered = received_at != now};
  });

  DispatchResult frames;
  const Result result = dispatch_frames(now, *opened, incoming, frames);
  if (!result) return fail(now, result.error());
  if (number_space.discarded) return;
  const ConnectionId& destination = opened->destination_connection_id;
  if (level == EncryptionLevel::one_rtt) paths_.on_packet(now, incoming, destination);
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
  OpenPacket out{.type = header.type,
                 .level = level_of(header.type),
                 .destination_connection_id = header.destination_connection_id,
                 .payload = {}};
  const bool one_rtt = out.level == EncryptionLevel::one_rtt;
  NumberSpace& number_space = spaces_[space_of(out.level)];
  crypto::PacketKeys& keys = handshake_.receive_keys(header);
  crypto::HeaderProtection& protection =
      one_rtt ? key_phases_.receive_header_protection() : *keys.header_protection;
  const auto mask = protection.mask(wire::header_sample(packet, header.packet_number_offset));
  const auto plain = wire::unprotect_header(packet, header.packet_number_offset, mask);
  out.number = wire::decode_packet_number(number_space.acks.largest_received(), plain.truncated,
                                          plain.packet_number_length);
  const MutableBytes sealed = packet.subspan(plain.header_size);
  out.key_phase = (plain.first_byte & wire::kKeyPhaseBit) != 0;
  if (!decrypt(now, header, out, keys, packet.first(plain.header_size), sealed)) {
    return std::nullopt;
  }
  // RFC 9000 §12.3 [rfc9000-12.3-4], [rfc9000-12.3-5]: a number is processed once, and nobody learns
  // from a forgery which were.
  if (out.number > kMaxPacketNumber || number_space.acks.is_duplicate(out.number)) {
    drop(DropReason::duplicate, &header, packet.size());
    return std::nullopt;
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
bool ConnectionMachine::decrypt(Instant now, const wire::ProtectedHeader& protected_header,
                                const OpenPacket& packet, crypto::PacketKeys& keys, Bytes header,
                                MutableBytes sealed) {
  NumberSpace& number_space = spaces_[space_of(packet.level)];
  std::uint64_t integrity_limit = 0;
  if (packet.level == EncryptionLevel::one_rtt) {
    using Opened = KeyPhases::Opened;
    const Opened opened =
        key_phases_.open(packet.number, packet.key_phase, header, sealed,
                         number_space.next_packet_number, now + 3 * recovery_.pto());
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
  drop(DropReason::undecryptable, &protected_header, header.size() + sealed.size());
  return false;
}

void ConnectionMachine::on_packet_authenticated(Instant now, const wire::ProtectedHeader& header) {
  const Duration pto = recovery_.pto();
  lifetime_.restart_idle_timer(now, pto);
  recovery_.on_packet_received(now);
  handshake_.on_packet_authenticated(now, header, pto);
  if (side() == Side::server && header.type == PacketType::handshake) {
    // RFC 9000 §8.1: only who read our Initial can send this. RFC 9001 §4.9.1 [rfc9001-4.9.1-1].
    paths_.active().address_validated = true;
    handshake_.discard_keys(now, PacketNumberSpace::initial);
  }
}

}  // namespace qpeer::transport
