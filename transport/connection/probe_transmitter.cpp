// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Datagrams apart from the flow of data: probing packets for other paths, and PMTU probes.
// RFC 9000 §8.2, §9.1, §14.4.
#include <algorithm>

#include "qpeer/transport/connection/connection_machine.hpp"
#include "qpeer/transport/connection/plain_packet.hpp"
#include "qpeer/transport/wire/packet_decoder.hpp"

namespace qpeer::transport {

/// A datagram of its own kind, should one be due.
std::optional<Transmit> ConnectionMachine::transmit_probe(Instant now, TransmitBuffer& out) {
  if (!lifetime_.is_open() || !handshake_confirmed_ || key_phases_.nearly_exhausted()) {
    return std::nullopt;
  }
  if (NetworkPath* path = paths_.next_to_probe(now)) return transmit_path_probe(now, *path, out);
  NetworkPath& active = paths_.active();
  // RFC 9000 §9.4: what a path is probed with need not wait for a window that may be full of what was
  // lost when it changed. The peer sets no more of it off than one answer a PTO.
  if (active.allowance() >= PathManager::kLeastAllowance &&
      recovery_.send_allowance(now) < datagram_size()) {
    const bool answers = active.responder.has_frames() && now >= active.answers_at;
    if (answers) active.answers_at = now + recovery_.pto();
    if (answers || active.validator.is_due(now)) return transmit_path_probe(now, active, out);
  }
  const auto size = active.mtu.due(now);
  // While nothing comes back, what is known to arrive goes first.
  if (!size || !active.validated || recovery_.pto_count() != 0 || out.storage.size() < *size ||
      recovery_.send_allowance(now) < *size) {
    return std::nullopt;
  }
  return transmit_mtu_probe(now, *size, out);
}

/// Challenge and responses, and nothing else: probing frames only. RFC 9000 §9.1.
std::optional<Transmit> ConnectionMachine::transmit_path_probe(Instant now, NetworkPath& path,
                                                               TransmitBuffer& out) {
  const auto limit = static_cast<std::size_t>(std::min<std::uint64_t>(
      {wire::kMinInitialDatagramSize, path.allowance(), out.storage.size()}));
  return transmit_single(now, path, out.storage.first(limit), [&](PacketWriter& frames) {
    path.responder.write_frames(frames);
    path.validator.write_frames(now, random_, frames, limit >= wire::kMinInitialDatagramSize);
    path.idle_since = now;
    return SentPacketInfo{.ack_eliciting = true, .other_path = true};
  });
}

/// PING and PADDING. RFC 8899 §3 [rfc8899-3-5]; RFC 9000 §14.4.
std::optional<Transmit> ConnectionMachine::transmit_mtu_probe(Instant now, std::uint16_t size,
                                                              TransmitBuffer& out) {
  NetworkPath& path = paths_.active();
  return transmit_single(now, path, out.storage.first(size), [&](PacketWriter& frames) {
    // RFC 8899 §4.1 [rfc8899-4.1-3]: its packet number, and this, tell it from all others.
    frames.write(wire::PingFrame{}, {.owner = FrameOwner::mtu_discovery,
                                     .length = size,
                                     .stream = {path.id},
                                     .offset = path.mtu.on_probe_sent(now)});
    return SentPacketInfo{.ack_eliciting = true, .in_flight = true, .mtu_probe = true};
  });
}

/// One 1-RTT packet that fills `storage`, whose frames `write` writes.
template <class F>
std::optional<Transmit> ConnectionMachine::transmit_single(Instant now, NetworkPath& path,
                                                           MutableBytes storage, F&& write) {
  const ConnectionId* const id = remote_cids_.find(path.remote_cid);
  PlainPacket packet;
  if (id == nullptr || !begin_packet(EncryptionLevel::one_rtt, *id, storage, 0, packet)) {
    return std::nullopt;
  }
  PacketWriter frames(
      storage.subspan(packet.payload, storage.size() - packet.payload - crypto::kTagSize),
      wire::PacketType::one_rtt);
  const PacketNumber number = packet.info.number;
  packet.info = write(frames);
  packet.info.number = number;
  if (frames.empty()) return std::nullopt;
  // RFC 9000 §8.2.1 [rfc9000-8.2.1-5], §8.2.2 [rfc9000-8.2.2-5], [rfc9000-8.2.2-6].
  packet.payload_size = storage.size() - packet.payload - crypto::kTagSize;
  std::ranges::fill(
      storage.subspan(packet.payload + frames.size(), packet.payload_size - frames.size()), u8{0});
  Train train;
  if (!packet.info.other_path) train.ecn = recovery_.ecn_mark();
  finish_packet(now, packet, frames.sent_frames(), storage, train);
  flush_header_protection(train);
  path.on_sent(storage.size());
  stats_.bytes_sent += storage.size();
  return Transmit{.path = path.address,
                  .ecn = train.ecn,
                  .size = storage.size(),
                  .segment_size = storage.size()};
}

}  // namespace qpeer::transport
