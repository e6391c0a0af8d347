// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/frame_sources.hpp"

#include <chrono>

#include "qpeer/transport/wire/ack_frame.hpp"
#include "qpeer/transport/wire/header.hpp"

namespace qpeer::transport {

static_assert(FrameSource<CryptoStream> && FrameSource<AckFrequency> && FrameSource<LocalCids> &&
              FrameSource<RemoteCids> && FrameSource<NewTokens> && FrameSource<ObservedAddresses> &&
              FrameSource<StreamSet>);

bool FrameSources::has_early_frames() const {
  return owners_.streams.has_frames() || owners_.datagrams.has_frames() ||
         owners_.pings.has_frames() || owners_.recovery.probes(PacketNumberSpace::application) > 0;
}

bool FrameSources::has_application_frames(Instant now) const {
  return owners_.pings.has_frames() || owners_.paths.has_frames(now) ||
         std::apply([](const auto&... each) { return (each.has_frames() || ...); },
                    housekeeping()) ||
         owners_.streams.has_frames() || owners_.datagrams.has_frames();
}

bool FrameSources::has_frames(Instant now) const {
  if (!owners_.handshake.is_confirmed()) {
    for (const EncryptionLevel level : {EncryptionLevel::initial, EncryptionLevel::handshake}) {
      if (can_send(level) && owners_.spaces[space_of(level)].crypto.has_frames()) return true;
    }
    if (can_send(EncryptionLevel::zero_rtt)) return has_early_frames();
  }
  return can_send(EncryptionLevel::one_rtt) &&
         (owners_.spaces.application().crypto.has_frames() || has_application_frames(now));
}

bool FrameSources::wants_to_send(Instant now, EncryptionLevel level, bool may_elicit) const {
  if (owners_.lifetime.is_closing()) return true;
  const NumberSpace& space = owners_.spaces[space_of(level)];
  if (level == EncryptionLevel::zero_rtt) return may_elicit && has_early_frames();
  if (space.acks.ack_due(now)) return true;
  if (!may_elicit) return false;
  return space.crypto.has_frames() || owners_.recovery.probes(space_of(level)) > 0 ||
         (level == EncryptionLevel::one_rtt && has_application_frames(now));
}

std::size_t FrameSources::packet_room() const {
  constexpr std::size_t kLargestNumber = 4;
  return owners_.paths.active().mtu.size() -
         wire::short_header_size(owners_.remote_cids.current().bytes()) - kLargestNumber -
         crypto::kTagSize;
}

void FrameSources::write_frames(Instant now, EncryptionLevel level, PacketWriter& out,
                                bool may_elicit, Expansion& expansion) {
  if (owners_.lifetime.is_closing()) return owners_.lifetime.write_close(level, out);
  NumberSpace& space = owners_.spaces[space_of(level)];
  // Before an ACK, which waits for the next packet: one as large as packets are has no other place.
  if (may_elicit && level == EncryptionLevel::one_rtt && owners_.datagrams.crowded_out()) {
    owners_.datagrams.write_frames(out, packet_room());
  }
  if (level == EncryptionLevel::one_rtt) watch_for_losses(space.acks);
  if (level != EncryptionLevel::zero_rtt && space.acks.ack_pending()) write_ack(now, space, out);
  const bool acknowledges = !out.empty();
  if (may_elicit) {
    // RFC 9000 §12.5 [rfc9000-12.5-3]: 0-RTT carries no CRYPTO, and here none of our housekeeping.
    if (level != EncryptionLevel::zero_rtt) space.crypto.write_frames(out);
    if (level == EncryptionLevel::one_rtt) {
      if (owners_.paths.write_frames(now, random_, out, expansion.possible)) {
        expansion.wanted = true;
      }
      std::apply([&](auto&... each) { (each.write_frames(out), ...); }, housekeeping());
      // draft-ietf-quic-ack-frequency §7.
      if (owners_.recovery.probes(PacketNumberSpace::application) > 0) {
        owners_.ack_frequency.write_immediate(out);
      }
    }
    if (space_of(level) == PacketNumberSpace::application) write_data(out);
    write_ping(level, out, acknowledges);
  }
  if (out.ack_eliciting()) {
    unanswered_acks_ = 0;
  } else if (acknowledges && unanswered_acks_ < kAcksBeforePing) {
    ++unanswered_acks_;
  }
}

void FrameSources::write_ack(Instant now, NumberSpace& space, PacketWriter& out) {
  const auto ranges = space.acks.ranges();
  const auto ack_delay =
      std::chrono::duration_cast<std::chrono::microseconds>(space.acks.ack_delay(now));
  const std::uint64_t encoded_delay = static_cast<std::uint64_t>(ack_delay.count()) >>
                                      wire::TransportParameters{}.ack_delay_exponent;
  const bool ecn = space.acks.has_ecn_counts();
  Writer frame(out.tail());
  if (!wire::encode_ack(frame, encoded_delay, ranges, ecn ? &space.acks.ecn_counts() : nullptr)) {
    return;
  }
  out.commit(frame.size(),
             {.owner = FrameOwner::ack_tracker, .stream = {}, .offset = ranges.front().largest});
  space.acks.on_ack_sent(now);
}

/// Where both wait, streams and datagrams begin a packet in turns: neither starves the other.
void FrameSources::write_data(PacketWriter& out) {
  StreamSet& streams = owners_.streams;
  DatagramQueue& datagrams = owners_.datagrams;
  const bool both = datagrams.has_frames() && streams.has_frames();
  if (!both || datagrams_first_) datagrams.write_frames(out, packet_room());
  streams.write_frames(out);
  if (both && !datagrams_first_) datagrams.write_frames(out, packet_room());
  if (both) datagrams_first_ = !datagrams_first_;
}

/// Of an ACK that is about to be written.
void FrameSources::watch_for_losses(const AckTracker& acks) {
  const bool begins = !data_flowed_ && data_arrived_ && acks.unacknowledged() > 1;
  if (!begins && !acks.has_new_gap()) return;
  data_flowed_ = true;
  pings_left_ = kPings;
}

bool FrameSources::take_watch() {
  if (pings_left_ == 0 || !data_arrived_ || owners_.recovery.ack_eliciting_in_flight())
    return false;
  --pings_left_;
  data_arrived_ = false;
  return true;
}

void FrameSources::on_acknowledged() {
  // What came since the PING left was acknowledged, but nothing says that the peer knows.
  if (take_watch()) owners_.pings.send();
}

void FrameSources::write_ping(EncryptionLevel level, PacketWriter& out, bool acknowledges) {
  if (space_of(level) == PacketNumberSpace::application && owners_.pings.has_frames()) {
    return owners_.pings.write_frames(out);
  }
  if (out.ack_eliciting()) return;
  const bool probe = owners_.recovery.probes(space_of(level)) > 0;
  const bool prune = acknowledges && unanswered_acks_ >= kAcksBeforePing;
  const bool watch = acknowledges && level == EncryptionLevel::one_rtt && take_watch();
  if (probe || prune || watch) Pings::write_probe(out);
}

}  // namespace qpeer::transport
