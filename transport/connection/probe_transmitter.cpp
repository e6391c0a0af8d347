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
  if (!lifetime_.is_open() || !is_confirmed() || key_phases_.nearly_exhausted()) {
    return std::nullopt;
  }
  const auto probe = paths_.next_probe(now, out.storage.size());
  return probe ? transmit_probe(now, *probe, out.storage.first(probe->size)) : std::nullopt;
}

/// One 1-RTT packet that fills `storage`. RFC 8899 §3 [rfc8899-3-5]; RFC 9000 §14.4.
std::optional<Transmit> ConnectionMachine::transmit_probe(Instant now, const Paths::Probe& probe,
                                                          MutableBytes storage) {
  NetworkPath& path = *probe.path;
  const ConnectionId* const id = remote_cids_.find(path.remote_cid);
  PlainPacket packet;
  if (id == nullptr || !begin_packet(EncryptionLevel::one_rtt, *id, storage, 0, packet)) {
    return std::nullopt;
  }
  PacketWriter frames(
      storage.subspan(packet.payload, storage.size() - packet.payload - crypto::kTagSize),
      wire::PacketType::one_rtt);
  const PacketNumber number = packet.info.number;
  packet.info = paths_.write_probe(now, probe, random_, frames);
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
