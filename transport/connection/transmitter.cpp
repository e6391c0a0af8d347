// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What goes into the next datagrams, and their protection. RFC 9000 §12.2, §13, §14.1, §8.1;
// RFC 9001 §5.
//
//   train      [ datagram ][ datagram ][ ... ]         equal sizes, one path, one ECN mark
//   datagram   [ Initial ][ 0-RTT ][ Handshake ][ 1-RTT ]   what has something to say, in this order
//   packet     [ header | number | frames | tag ]
//
// 1-RTT header protection waits until the train is complete: its masks are cheap only in bulk.
#include <algorithm>
#include <array>

#include "qpeer/transport/connection/connection_machine.hpp"
#include "qpeer/transport/connection/packet_level.hpp"
#include "qpeer/transport/connection/plain_packet.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/wire/header.hpp"
#include "qpeer/transport/wire/packet_decoder.hpp"
#include "qpeer/transport/wire/packet_number.hpp"
#include "qpeer/transport/wire/stateless.hpp"

namespace qpeer::transport {
namespace {

using wire::PacketType;

/// After this many packets that only acknowledge, one asks to be acknowledged itself, so that the
/// ranges it repeats can be forgotten. RFC 9000 §13.2.4.
constexpr std::uint64_t kAcksBeforePing = 64;

constexpr std::array kSendingOrder{EncryptionLevel::initial, EncryptionLevel::zero_rtt,
                                   EncryptionLevel::handshake, EncryptionLevel::one_rtt};

}  // namespace

std::optional<Transmit> ConnectionMachine::poll_transmit(Instant now, TransmitBuffer& out) {
  now_ = now;
  if (lifetime_.is_silent()) return std::nullopt;
  if (lifetime_.is_closing() && !lifetime_.has_close_to_send()) return std::nullopt;
  if (key_phases_.wants_update()) key_phases_.initiate(spaces_.application().next_packet_number);
  if (auto probe = transmit_probe(now, out)) return probe;
  NetworkPath& path = paths_.active();
  const std::size_t full_size = paths_.datagram_size();
  Train train;
  train.ecn = recovery_.ecn_mark();
  std::size_t total = 0;
  std::size_t segment_size = 0;
  const std::size_t max_segments = std::min(out.max_segments, kMaxTransmitSegments);
  for (std::size_t segments = 0; segments < max_segments; ++segments) {
    // RFC 9001 §6.6 [rfc9001-6.6-4], [rfc9001-6.6-5]: no update came in time, so the connection ends
    // while that can be said; [rfc9001-6.6-2]: and no packet more under a worn-out key.
    if (key_phases_.nearly_exhausted()) {
      fail(now, {TransportErrorCode::aead_limit_reached, "the keys are worn out"});
    }
    if (key_phases_.exhausted()) break;
    std::size_t limit = segment_size == 0 ? full_size : segment_size;
    limit = static_cast<std::size_t>(std::min<std::uint64_t>(limit, path.allowance()));
    // RFC 9000 §8.1 [rfc9000-8.1-2]: what cannot carry a padded Initial waits for more credit.
    if (limit < paths_.least_allowance() && segment_size == 0) break;
    if (limit < segment_size || out.storage.size() - total < limit) break;
    const std::size_t size = build_datagram(now, out.storage.subspan(total, limit), train);
    if (size == 0) break;
    total += size;
    stats_.bytes_sent += size;
    path.on_sent(size);
    if (segment_size == 0) segment_size = size;
    if (size < segment_size || size < full_size || !lifetime_.is_open()) break;
    if (is_confirmed() && !train.padded) path.mtu.on_full_datagram();
  }
  flush_header_protection(train);
  lifetime_.on_close_sent();
  paths_.update_amplification(now);
  if (total == 0) return std::nullopt;
  recovery_.set_application_limited(is_connected() && !has_application_frames(now));
  return Transmit{
      .path = path.address, .ecn = train.ecn, .size = total, .segment_size = segment_size};
}

/// The size of the datagram; 0 when there is nothing to send now.
std::size_t ConnectionMachine::build_datagram(Instant now, MutableBytes storage, Train& train) {
  const bool window_open = recovery_.send_allowance(now) >= storage.size();
  std::array<PlainPacket, 3> packets;  // Never both 0-RTT and 1-RTT.
  std::array<std::optional<PacketWriter>, 3> writers;
  std::size_t count = 0;
  std::size_t size = 0;
  bool pad = false;
  Expansion expansion{.possible = storage.size() >= wire::kMinInitialDatagramSize};
  for (const EncryptionLevel level : kSendingOrder) {
    if (!can_send_at(level)) continue;
    const bool may_elicit = window_open || recovery_.probes(space_of(level)) > 0;
    if (!wants_to_send(now, level, may_elicit)) continue;
    PlainPacket& packet = packets[count];
    if (!begin_packet(level, remote_cids_.current(), storage, size, packet)) break;
    PacketWriter& frames = writers[count].emplace(
        storage.subspan(packet.payload, storage.size() - packet.payload - crypto::kTagSize),
        type_of(level));
    write_frames(now, level, frames, may_elicit, expansion);
    if (frames.empty()) continue;
    packet.payload_size = frames.size();
    const std::size_t least = least_payload(packet);
    while (packet.payload_size < least) storage[packet.payload + packet.payload_size++] = 0;
    packet.info.ack_eliciting = frames.ack_eliciting();
    // Without an ACK this padding would stay in the window: it is too little to count there.
    packet.info.in_flight = frames.ack_eliciting();
    // RFC 9000 §14.1 [rfc9000-14.1-1], [rfc9000-14.1-2]; §8.2.1 [rfc9000-8.2.1-5], §8.2.2
    // [rfc9000-8.2.2-5].
    pad = pad ||
          (level == EncryptionLevel::initial && (side() == Side::client || frames.ack_eliciting()));
    size = packet.payload + packet.payload_size + crypto::kTagSize;
    ++count;
  }
  if (count == 0) return 0;
  PlainPacket& last = packets[count - 1];
  // RFC 9000 §8.2.2 [rfc9000-8.2.2-6]: no further than the anti-amplification limit allows.
  const std::size_t padded = std::min(wire::kMinInitialDatagramSize, storage.size());
  if ((pad || expansion.wanted) && size < padded) {
    const std::size_t padding = padded - size;
    train.padded = true;
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

std::size_t ConnectionMachine::least_payload(const PlainPacket& packet) const {
  // RFC 9001 §5.4.2: enough for the header protection sample.
  const std::size_t sampled = wire::kSampleOffset - packet.packet_number_length;
  // RFC 9000 §10.3 [rfc9000-10.3-4]: a stateless reset in answer is smaller than this packet, and
  // must still have room for all that a packet to us has.
  const std::size_t size = local_cids_.initial().size() + wire::kMinStatelessResetSize + 1;
  const std::size_t around = packet.payload - packet.begin + crypto::kTagSize;
  return size > around + sampled ? size - around : sampled;
}

bool ConnectionMachine::can_send_at(EncryptionLevel level) const {
  // RFC 9000 §10.2.3: the server may have no keys for a close that comes in 0-RTT.
  if (level == EncryptionLevel::zero_rtt && !lifetime_.is_open()) return false;
  return handshake_.can_send(level);
}

/// Whether anything waits that 0-RTT packets carry.
bool ConnectionMachine::has_early_frames() const {
  return streams_.has_frames() || datagrams_.has_frames() || ping_requested_ ||
         recovery_.probes(PacketNumberSpace::application) > 0;
}

bool ConnectionMachine::wants_to_send(Instant now, EncryptionLevel level, bool may_elicit) const {
  if (lifetime_.is_closing()) return true;
  const NumberSpace& number_space = spaces_[space_of(level)];
  if (level == EncryptionLevel::zero_rtt) return may_elicit && has_early_frames();
  if (number_space.acks.ack_due(now)) return true;
  if (!may_elicit) return false;
  return number_space.crypto.has_frames() || recovery_.probes(space_of(level)) > 0 ||
         (level == EncryptionLevel::one_rtt && has_application_frames(now));
}

bool ConnectionMachine::has_application_frames(Instant now) const {
  return ping_requested_ || handshake_.done().has_frames() || paths_.has_frames(now) ||
         new_tokens_.has_frames() || local_cids_.has_frames() || remote_cids_.has_frames() ||
         observed_addresses_.has_frames() || streams_.has_frames() || datagrams_.has_frames();
}

/// Whether anything waits that only the window or the pacer can hold back.
bool ConnectionMachine::has_frames(Instant now) const {
  for (const EncryptionLevel level :
       {EncryptionLevel::initial, EncryptionLevel::handshake, EncryptionLevel::one_rtt}) {
    if (can_send_at(level) && spaces_[space_of(level)].crypto.has_frames()) return true;
  }
  if (can_send_at(EncryptionLevel::zero_rtt)) return has_early_frames();
  return can_send_at(EncryptionLevel::one_rtt) && has_application_frames(now);
}

/// Writes the header at `at`; false when there is no room for it and any frames.
bool ConnectionMachine::begin_packet(EncryptionLevel level, const ConnectionId& destination,
                                     MutableBytes storage, std::size_t at, PlainPacket& packet) {
  NumberSpace& number_space = spaces_[space_of(level)];
  if (space_of(level) == PacketNumberSpace::application &&
      number_space.next_packet_number == skipped_packet_number_) {
    skip_packet_number();
  }
  packet.level = level;
  packet.begin = at;
  packet.info.number = number_space.next_packet_number;
  packet.packet_number_length = wire::encode_packet_number_length(
      packet.info.number, recovery_.largest_acknowledged(space_of(level)));
  const Bytes dcid = destination.bytes();
  Writer out(storage.subspan(at));
  if (level == EncryptionLevel::one_rtt) {
    if (out.remaining() < wire::short_header_size(dcid) + kLeastPayload + crypto::kTagSize)
      return false;
    wire::encode_short_header(out, dcid, false, key_phases_.phase(), packet.packet_number_length,
                              handshake_.next_quic_bit());
  } else {
    const wire::LongHeader header = handshake_.long_header(level, destination);
    const std::size_t least = wire::long_header_size(header) + kLeastPayload + crypto::kTagSize;
    if (out.remaining() < least) return false;
    packet.length_position = wire::encode_long_header(out, header, packet.packet_number_length,
                                                      handshake_.next_quic_bit());
  }
  packet.packet_number_offset = out.size();
  wire::write_packet_number(out, packet.info.number, packet.packet_number_length);
  packet.payload = at + out.size();
  return out.ok();
}

/// A number never sent: who acknowledges it acknowledges what it did not receive. RFC 9000 §21.4.
void ConnectionMachine::skip_packet_number() {
  PacketNumber& next = spaces_.application().next_packet_number;
  ++next;
  skipped_packet_number_ = next + 1 + random_.uniform(4096);
}

void ConnectionMachine::write_frames(Instant now, EncryptionLevel level, PacketWriter& out,
                                     bool may_elicit, Expansion& expansion) {
  if (lifetime_.is_closing()) return lifetime_.write_close(level, out);
  NumberSpace& number_space = spaces_[space_of(level)];
  // Before an ACK, which waits for the next packet: one as large as packets are has no other place.
  if (may_elicit && level == EncryptionLevel::one_rtt && datagrams_.crowded_out()) {
    datagrams_.write_frames(out, packet_room());
  }
  if (level != EncryptionLevel::zero_rtt && number_space.acks.ack_pending()) {
    write_ack(now, number_space, out);
  }
  const bool acknowledges = !out.empty();
  if (may_elicit) {
    const bool early = level == EncryptionLevel::zero_rtt;
    // RFC 9000 §12.5 [rfc9000-12.5-3]: 0-RTT carries no CRYPTO, and here none of our housekeeping.
    if (!early) number_space.crypto.write_frames(out);
    if (level == EncryptionLevel::one_rtt) write_application_frames(now, out, expansion);
    if (early) write_data(out);
    const bool asked = ping_requested_ && space_of(level) == PacketNumberSpace::application;
    const bool probe = recovery_.probes(space_of(level)) > 0;
    const bool prune = acknowledges && unanswered_acks_ >= kAcksBeforePing;
    if (asked || ((probe || prune) && !out.ack_eliciting())) {
      const SentFrame sent{.owner = FrameOwner::ping, .stream = {}, .offset = asked ? pings_ : 0};
      if (out.write(wire::PingFrame{}, sent) && asked) ping_requested_ = false;
    }
  }
  if (out.ack_eliciting()) {
    unanswered_acks_ = 0;
  } else if (acknowledges) {
    ++unanswered_acks_;
  }
}

void ConnectionMachine::write_ack(Instant now, NumberSpace& number_space, PacketWriter& out) {
  const auto ranges = number_space.acks.ranges();
  const auto ack_delay =
      std::chrono::duration_cast<std::chrono::microseconds>(number_space.acks.ack_delay(now));
  const std::uint64_t encoded_delay = static_cast<std::uint64_t>(ack_delay.count()) >>
                                      wire::TransportParameters{}.ack_delay_exponent;
  const bool ecn = number_space.acks.has_ecn_counts();
  Writer frame(out.tail());
  if (!wire::encode_ack(frame, encoded_delay, ranges,
                        ecn ? &number_space.acks.ecn_counts() : nullptr)) {
    return;
  }
  out.commit(frame.size(),
             {.owner = FrameOwner::ack_tracker, .stream = {}, .offset = ranges.front().largest});
  number_space.acks.on_ack_sent(now);
}

/// In the order of their worth: what lets the peer go on comes before data.
void ConnectionMachine::write_application_frames(Instant now, PacketWriter& out,
                                                 Expansion& expansion) {
  if (paths_.write_frames(now, random_, out, expansion.possible)) expansion.wanted = true;
  handshake_.done().write_frames(out);
  observed_addresses_.write_frames(out);
  new_tokens_.write_frames(out);
  local_cids_.write_frames(out);
  remote_cids_.write_frames(out);
  write_data(out);
}

/// Where both wait, streams and datagrams begin a packet in turns: neither starves the other.
void ConnectionMachine::write_data(PacketWriter& out) {
  const bool both = datagrams_.has_frames() && streams_.has_frames();
  if (!both || datagrams_first_) datagrams_.write_frames(out, packet_room());
  streams_.write_frames(out);
  if (both && !datagrams_first_) datagrams_.write_frames(out, packet_room());
  if (both) datagrams_first_ = !datagrams_first_;
}

/// How many bytes of frames the largest 1-RTT packet takes, whatever its number.
std::size_t ConnectionMachine::packet_room() const {
  constexpr std::size_t kLargestNumber = 4;
  return paths_.active().mtu.size() - wire::short_header_size(remote_cids_.current().bytes()) -
         kLargestNumber - crypto::kTagSize;
}

void ConnectionMachine::finish_packet(Instant now, PlainPacket& packet,
                                      std::span<const SentFrame> frames, MutableBytes storage,
                                      Train& train) {
  const PacketNumberSpace which = space_of(packet.level);
  NumberSpace& number_space = spaces_[which];
  const std::size_t end = packet.payload + packet.payload_size + crypto::kTagSize;
  const MutableBytes bytes = storage.subspan(packet.begin, end - packet.begin);
  const Bytes header = bytes.first(packet.payload - packet.begin);
  const MutableBytes payload_and_tag = bytes.subspan(header.size());
  if (packet.level == EncryptionLevel::one_rtt) {
    key_phases_.seal(packet.info.number, header, payload_and_tag);
    train.unmasked[train.count++] = {bytes, packet.packet_number_offset,
                                     packet.packet_number_length};
  } else {
    wire::patch_length(bytes, packet.length_position, bytes.size() - packet.packet_number_offset);
    const crypto::PacketKeys& keys = handshake_.send_keys(packet.level);
    if (packet.level == EncryptionLevel::zero_rtt) {
      for (const SentFrame& frame : frames) handshake_.count_early_bytes(frame.length);
    }
    keys.aead->seal(packet.info.number, header, payload_and_tag);
    const auto mask =
        keys.header_protection->mask(wire::header_sample(bytes, packet.packet_number_offset));
    wire::protect_header(bytes, packet.packet_number_offset, packet.packet_number_length, mask);
  }
  packet.info.size = static_cast<std::uint16_t>(bytes.size());
  packet.info.ecn = train.ecn;
  recovery_.on_packet_sent(now, which, packet.info, frames);
  number_space.next_packet_number = packet.info.number + 1;
  ++stats_.packets_sent;
  if (packet.info.ack_eliciting) lifetime_.on_ack_eliciting_sent(now, recovery_.pto());
  // RFC 9001 §4.9.1 [rfc9001-4.9.1-1]: the client's first Handshake packet ends its Initial keys.
  if (packet.level == EncryptionLevel::handshake && side() == Side::client) {
    handshake_.discard_keys(now, PacketNumberSpace::initial);
  }
}

void ConnectionMachine::flush_header_protection(Train& train) {
  if (train.count == 0) return;
  std::array<crypto::HeaderProtection::Sample, kMaxTransmitSegments> samples;
  std::array<crypto::HeaderProtection::Mask, kMaxTransmitSegments> masks;
  for (std::size_t i = 0; i < train.count; ++i) {
    const auto& entry = train.unmasked[i];
    copy(wire::header_sample(entry.packet, entry.packet_number_offset), samples[i]);
  }
  key_phases_.send_header_protection().masks(std::span(samples).first(train.count),
                                             std::span(masks).first(train.count));
  for (std::size_t i = 0; i < train.count; ++i) {
    const auto& entry = train.unmasked[i];
    wire::protect_header(entry.packet, entry.packet_number_offset, entry.packet_number_length,
                         masks[i]);
  }
}

}  // namespace qpeer::transport
