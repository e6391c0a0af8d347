// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/packet_assembler.hpp"

#include <algorithm>
#include <optional>

#include "qpeer/transport/connection/packet_level.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/wire/header.hpp"
#include "qpeer/transport/wire/packet_decoder.hpp"
#include "qpeer/transport/wire/packet_number.hpp"
#include "qpeer/transport/wire/stateless.hpp"

namespace qpeer::transport {
namespace {

constexpr std::array kSendingOrder{EncryptionLevel::initial, EncryptionLevel::zero_rtt,
                                   EncryptionLevel::handshake, EncryptionLevel::one_rtt};

}  // namespace

/// A packet whose frames are written and whose protection is not there yet.
struct PacketAssembler::PlainPacket {
  EncryptionLevel level = EncryptionLevel::one_rtt;
  std::size_t begin = 0;  ///< In the datagram.
  std::size_t length_position = 0;
  std::size_t packet_number_offset = 0;
  std::size_t packet_number_length = 0;
  std::size_t payload = 0;  ///< Where the frames begin.
  std::size_t payload_size = 0;
  SentPacketInfo info;

  /// Room for frames, when it is the last packet of the datagram.
  [[nodiscard]] MutableBytes room(MutableBytes storage) const {
    return storage.subspan(payload, storage.size() - payload - crypto::kTagSize);
  }
};

PacketAssembler::PacketAssembler(const Parts& parts, std::size_t local_cid_size, Random& random)
    : parts_(parts),
      local_cid_size_(local_cid_size),
      random_(random),
      skipped_packet_number_(random.uniform(256)) {}

std::size_t PacketAssembler::add_datagram(Instant now, const ConnectionId& destination,
                                          MutableBytes storage, Train& train) {
  const bool window_open = parts_.recovery.send_allowance(now) >= storage.size();
  std::array<PlainPacket, 3> packets;  // Never both 0-RTT and 1-RTT.
  std::array<std::optional<PacketWriter>, 3> writers;
  std::size_t count = 0;
  std::size_t size = 0;
  bool pad = false;
  Expansion expansion{.possible = storage.size() >= wire::kMinInitialDatagramSize};
  for (const EncryptionLevel level : kSendingOrder) {
    if (!parts_.sources.can_send(level)) continue;
    const bool may_elicit = window_open || parts_.recovery.probes(space_of(level)) > 0;
    if (!parts_.sources.wants_to_send(now, level, may_elicit)) continue;
    PlainPacket& packet = packets[count];
    if (!begin_packet(level, destination, storage, size, packet)) break;
    PacketWriter& frames = writers[count].emplace(packet.room(storage), type_of(level));
    parts_.sources.write_frames(now, level, frames, may_elicit, expansion);
    if (frames.empty()) continue;
    packet.payload_size = frames.size();
    const std::size_t least = least_payload(packet);
    while (packet.payload_size < least) storage[packet.payload + packet.payload_size++] = 0;
    packet.info.ack_eliciting = frames.ack_eliciting();
    // Without an ACK this padding would stay in the window: it is too little to count there.
    packet.info.in_flight = frames.ack_eliciting();
    // RFC 9000 §14.1 [rfc9000-14.1-1], [rfc9000-14.1-2].
    const bool client = parts_.handshake.side() == Side::client;
    pad = pad || (level == EncryptionLevel::initial && (client || frames.ack_eliciting()));
    size = packet.payload + packet.payload_size + crypto::kTagSize;
    ++count;
  }
  if (count == 0) return 0;
  PlainPacket& last = packets[count - 1];
  // RFC 9000 §8.2.1 [rfc9000-8.2.1-5], §8.2.2 [rfc9000-8.2.2-5]; [rfc9000-8.2.2-6]: no further than the
  // anti-amplification limit allows.
  const std::size_t padded = std::min(wire::kMinInitialDatagramSize, storage.size());
  if ((pad || expansion.wanted) && size < padded) {
    const std::size_t padding = padded - size;
    train.padded_ = true;
    std::ranges::fill(storage.subspan(last.payload + last.payload_size, padding), u8{0});
    last.payload_size += padding;
    last.info.in_flight = true;
    size += padding;
  }
  for (std::size_t i = 0; i < count; ++i) {
    finish_packet(now, packets[i], writers[i]->sent_frames(), storage, train);
  }
  return size;
}

/// RFC 8899 §3 [rfc8899-3-5]; RFC 9000 §14.4.
bool PacketAssembler::add_probe(Instant now, const ConnectionId& destination,
                                const Paths::Probe& probe, MutableBytes storage, Train& train) {
  PlainPacket packet;
  if (!begin_packet(EncryptionLevel::one_rtt, destination, storage, 0, packet)) return false;
  PacketWriter frames(packet.room(storage), wire::PacketType::one_rtt);
  const PacketNumber number = packet.info.number;
  packet.info = parts_.sources.write_probe(now, probe, frames);
  packet.info.number = number;
  if (frames.empty()) return false;
  // RFC 9000 §8.2.1 [rfc9000-8.2.1-5], §8.2.2 [rfc9000-8.2.2-5], [rfc9000-8.2.2-6].
  const MutableBytes payload = packet.room(storage);
  packet.payload_size = payload.size();
  std::ranges::fill(payload.subspan(frames.size()), u8{0});
  finish_packet(now, packet, frames.sent_frames(), storage, train);
  return true;
}

std::size_t PacketAssembler::least_payload(const PlainPacket& packet) const {
  // RFC 9001 §5.4.2: enough for the header protection sample.
  const std::size_t sampled = wire::kSampleOffset - packet.packet_number_length;
  // RFC 9000 §10.3 [rfc9000-10.3-4]: a stateless reset in answer is smaller than this packet, and
  // must still have room for all that a packet to us has.
  const std::size_t size = local_cid_size_ + wire::kMinStatelessResetSize + 1;
  const std::size_t around = packet.payload - packet.begin + crypto::kTagSize;
  return size > around + sampled ? size - around : sampled;
}

/// Writes the header at `at`; false when there is no room for it and any frames.
bool PacketAssembler::begin_packet(EncryptionLevel level, const ConnectionId& destination,
                                   MutableBytes storage, std::size_t at, PlainPacket& packet) {
  const PacketNumberSpace which = space_of(level);
  if (which == PacketNumberSpace::application &&
      parts_.spaces[which].next_packet_number == skipped_packet_number_) {
    skip_packet_number();
  }
  packet.level = level;
  packet.begin = at;
  packet.info.number = parts_.spaces[which].next_packet_number;
  packet.packet_number_length = wire::encode_packet_number_length(
      packet.info.number, parts_.recovery.largest_acknowledged(which));
  const Bytes dcid = destination.bytes();
  Writer out(storage.subspan(at));
  if (level == EncryptionLevel::one_rtt) {
    if (out.remaining() < wire::short_header_size(dcid) + kLeastPayload + crypto::kTagSize) {
      return false;
    }
    wire::encode_short_header(out, dcid, false, parts_.key_phases.phase(),
                              packet.packet_number_length, parts_.handshake.next_quic_bit());
  } else {
    const wire::LongHeader header = parts_.handshake.long_header(level, destination);
    const std::size_t least = wire::long_header_size(header) + kLeastPayload + crypto::kTagSize;
    if (out.remaining() < least) return false;
    packet.length_position = wire::encode_long_header(out, header, packet.packet_number_length,
                                                      parts_.handshake.next_quic_bit());
  }
  packet.packet_number_offset = out.size();
  wire::write_packet_number(out, packet.info.number, packet.packet_number_length);
  packet.payload = at + out.size();
  return out.ok();
}

/// A number never sent: who acknowledges it acknowledges what it did not receive. RFC 9000 §21.4.
void PacketAssembler::skip_packet_number() {
  PacketNumber& next = parts_.spaces.application().next_packet_number;
  ++next;
  skipped_packet_number_ = next + 1 + random_.uniform(4096);
}

void PacketAssembler::finish_packet(Instant now, PlainPacket& packet,
                                    std::span<const SentFrame> frames, MutableBytes storage,
                                    Train& train) {
  const std::size_t end = packet.payload + packet.payload_size + crypto::kTagSize;
  const MutableBytes bytes = storage.subspan(packet.begin, end - packet.begin);
  const Bytes header = bytes.first(packet.payload - packet.begin);
  const MutableBytes payload_and_tag = bytes.subspan(header.size());
  if (parts_.log != nullptr) [[unlikely]]
    log_packet(packet, storage);
  if (packet.level == EncryptionLevel::one_rtt) {
    parts_.key_phases.seal(packet.info.number, header, payload_and_tag);
    train.unmasked_[train.count_++] = {
        .packet = bytes.data(),
        .size = bytes.size(),
        .packet_number_offset = static_cast<std::uint32_t>(packet.packet_number_offset),
        .packet_number_length = static_cast<std::uint32_t>(packet.packet_number_length)};
  } else {
    wire::patch_length(bytes, packet.length_position, bytes.size() - packet.packet_number_offset);
    if (packet.level == EncryptionLevel::zero_rtt) {
      for (const SentFrame& frame : frames) parts_.handshake.count_early_bytes(frame.length);
    }
    const crypto::PacketKeys& keys = parts_.handshake.send_keys(packet.level);
    keys.aead->seal(packet.info.number, header, payload_and_tag);
    const auto mask =
        keys.header_protection->mask(wire::header_sample(bytes, packet.packet_number_offset));
    wire::protect_header(bytes, packet.packet_number_offset, packet.packet_number_length, mask);
  }
  packet.info.size = static_cast<std::uint16_t>(bytes.size());
  packet.info.ecn = train.ecn_;
  const PacketNumberSpace which = space_of(packet.level);
  parts_.recovery.on_packet_sent(now, which, packet.info, frames);
  parts_.spaces[which].next_packet_number = packet.info.number + 1;
  ++packets_sent_;
  if (packet.info.ack_eliciting) {
    parts_.lifetime.on_ack_eliciting_sent(now, parts_.recovery.pto());
  }
  // RFC 9001 §4.9.1 [rfc9001-4.9.1-1]: the client's first Handshake packet ends its Initial keys.
  if (packet.level == EncryptionLevel::handshake && parts_.handshake.side() == Side::client) {
    parts_.handshake.discard_keys(now, PacketNumberSpace::initial);
  }
}

/// Tells the observer of a packet that is not sealed yet.
void PacketAssembler::log_packet(const PlainPacket& packet, Bytes storage) const {
  const std::size_t end = packet.payload + packet.payload_size + crypto::kTagSize;
  const Bytes bytes = storage.subspan(packet.begin, end - packet.begin);
  log::PacketHeader header{.packet_type = type_of(packet.level),
                           .packet_number = packet.info.number};
  if (packet.level == EncryptionLevel::one_rtt) {
    header.key_phase_bit = parts_.key_phases.phase();
  } else if (const auto invariant = wire::InvariantHeader::decode(bytes, 0)) {
    header.version = Version{invariant->version};
    header.source = ConnectionId(invariant->source_connection_id);
    header.destination = ConnectionId(invariant->destination_connection_id);
    const std::size_t token = parts_.handshake.setup().token.size();
    if (packet.level == EncryptionLevel::initial && token != 0) header.token_length = token;
  }
  const unsigned probes = parts_.recovery.probes(space_of(packet.level));
  parts_.log->emit(log::PacketSent{
      .header = header,
      .frames = storage.subspan(packet.payload, packet.payload_size),
      .length = bytes.size(),
      .is_mtu_probe_packet = packet.info.mtu_probe,
      .is_pto_probe = probes != 0 && packet.info.ack_eliciting && !packet.info.mtu_probe});
}

void PacketAssembler::protect_headers(const Train& train) {
  const auto packets = std::span(train.unmasked_).first(train.count_);
  if (packets.empty()) return;
  std::array<crypto::HeaderProtection::Sample, kMaxTransmitSegments> samples;
  std::array<crypto::HeaderProtection::Mask, kMaxTransmitSegments> masks;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const MutableBytes packet(packets[i].packet, packets[i].size);
    copy(wire::header_sample(packet, packets[i].packet_number_offset), samples[i]);
  }
  parts_.key_phases.send_header_protection().masks(std::span(samples).first(packets.size()),
                                                   std::span(masks).first(packets.size()));
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const MutableBytes packet(packets[i].packet, packets[i].size);
    wire::protect_header(packet, packets[i].packet_number_offset, packets[i].packet_number_length,
                         masks[i]);
  }
}

bool PacketAssembler::consistent() const {
  return skipped_packet_number_ >= parts_.spaces.application().next_packet_number;
}

}  // namespace qpeer::transport
