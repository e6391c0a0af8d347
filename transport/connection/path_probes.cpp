// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What paths have to send, and how large their datagrams are. RFC 9000 §8.2, §9.1, §14; RFC 8899.
#include <algorithm>
#include <tuple>

#include "qpeer/transport/connection/paths.hpp"
#include "qpeer/transport/wire/packet_decoder.hpp"

namespace qpeer::transport {
// --- sending -------------------------------------------------------------------------------------

std::size_t Paths::datagram_size() const {
  // Where nothing comes back any more, the size may be why. RFC 8899 §4.3.
  constexpr unsigned kPtosBeforeBase = 2;
  const std::uint16_t size = active().mtu.size();
  return recovery_.pto_count() < kPtosBeforeBase ? size : std::min(size, MtuDiscovery::kBase);
}

std::size_t Paths::second_probe_size() const {
  return std::min<std::size_t>(datagram_size(), MtuDiscovery::kBase);
}

bool Paths::write_frames(Instant now, Random& random, PacketWriter& out, bool expandable) {
  NetworkPath& path = active();
  const bool answers = path.responder.has_frames();
  // RFC 9000 §9.3.3 [rfc9000-9.3.3-2]: with the ACK that went before, it is no mere probe.
  if (answers) path.responder.write_frames(out);
  return path.validator.write_frames(now, random, out, expandable) || answers;
}

std::optional<Paths::Probe> Paths::next_probe(Instant now, std::size_t room) {
  const auto path_probe = [room](NetworkPath& path) {
    const std::uint64_t size =
        std::min<std::uint64_t>({wire::kMinInitialDatagramSize, path.allowance(), room});
    return Probe{.path = &path, .size = static_cast<std::size_t>(size)};
  };
  if (NetworkPath* const path = table_.next_to_probe(now)) return path_probe(*path);
  NetworkPath& path = active();
  // RFC 9000 §9.4: what a path is probed with need not wait for a window that may be full of what was
  // lost when it changed. The peer sets no more of it off than one answer a PTO.
  if (path.allowance() >= PathTable::kLeastAllowance &&
      recovery_.send_allowance(now) < datagram_size()) {
    const bool answers = path.responder.has_frames() && now >= path.answers_at;
    if (answers) path.answers_at = now + recovery_.pto();
    if (answers || path.validator.is_due(now)) return path_probe(path);
  }
  const auto size = path.mtu.due(now);
  // While nothing comes back, what is known to arrive goes first.
  if (!size || !path.validated || recovery_.pto_count() != 0 || room < *size) return std::nullopt;
  // Pacing never lets so much go at once as the largest probes have: they are paid back later.
  if (recovery_.send_allowance(now) == 0 ||
      recovery_.bytes_in_flight() + *size > recovery_.congestion_window()) {
    return std::nullopt;
  }
  return Probe{.path = &path, .size = *size, .is_mtu_probe = true};
}

SentPacketInfo Paths::write_probe(Instant now, const Probe& probe, Random& random,
                                  PacketWriter& out) {
  NetworkPath& path = *probe.path;
  if (probe.is_mtu_probe) {
    // RFC 8899 §4.1 [rfc8899-4.1-3]: its packet number, and this, set it apart from all others.
    out.write(wire::PingFrame{}, {.owner = FrameOwner::mtu_discovery,
                                  .length = static_cast<std::uint32_t>(probe.size),
                                  .stream = {path.id},
                                  .offset = path.mtu.on_probe_sent(now)});
    return {.ack_eliciting = true, .in_flight = true, .mtu_probe = true};
  }
  // Challenge and responses, and nothing else: probing frames only. RFC 9000 §9.1.
  path.responder.write_frames(out);
  path.validator.write_frames(now, random, out, probe.size >= wire::kMinInitialDatagramSize);
  path.idle_since = now;
  return {.ack_eliciting = true, .other_path = true};
}

// --- sizes ---------------------------------------------------------------------------------------

void Paths::on_mtu_probe_fate(Instant now, const SentFrame& frame, Fate fate) {
  NetworkPath* const path = table_.find(frame.stream.value);
  if (path == nullptr) return;
  const auto size = static_cast<std::uint16_t>(frame.length);
  if (fate != Fate::acked) {
    path->mtu.on_probe_lost(now, frame.offset);
  } else if (path->mtu.on_probe_acknowledged(now, frame.offset, size) && path == &active()) {
    recovery_.set_max_datagram_size(size);
  }
}

/// The interface of the active path is known to be smaller: no loss has to show it.
bool Paths::on_datagram_too_large(Instant now, const Path& address, std::size_t size) {
  NetworkPath& path = active();
  if (path.address != address || size <= MtuDiscovery::kBase) return false;
  if (size > path.mtu.size()) {
    path.mtu.on_probe_refused(now);
    return false;
  }
  if (!path.mtu.on_black_hole(now)) return false;
  recovery_.set_max_datagram_size(path.mtu.size());
  return true;
}

/// RFC 8899 §4.3 [rfc8899-4.3-1]; RFC 9000 §14.2 [rfc9000-14.2-3].
void Paths::detect_black_hole(Instant now) {
  if (!recovery_.black_hole_found()) return;
  MtuDiscovery& mtu = active().mtu;
  std::ignore = mtu.on_black_hole(now);
  recovery_.set_max_datagram_size(mtu.size());
}

}  // namespace qpeer::transport
