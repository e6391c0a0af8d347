// SPDX-License-Identifier: MIT OR BSD-3-Clause
// From one network path to another: the peer's address changes, or ours, or the server prefers
// another one. RFC 9000 §8.2, §9.
//
//   server   non-probing packet, the newest, from elsewhere --> follow at once, challenge both paths
//                                                           \__ ours is another too: challenge first
//            challenge not answered in time                 --> back to the last validated path
//   client   probe_path, migrate, preferred_address         --> challenge --> event, or migration
#include <algorithm>

#include "qpeer/transport/connection/connection_machine.hpp"
#include "qpeer/transport/recovery/rtt.hpp"

namespace qpeer::transport {
namespace {

using Intent = NetworkPath::Intent;

/// IPv6 headers are so much longer.
constexpr std::uint16_t kIpv6Excess = 20;
/// So many losses of large datagrams in a row, of which none arrived, are a black hole.
constexpr std::uint64_t kBlackHoleLosses = 3;

/// RFC 9000 §18.2: the peer takes no larger datagrams. The codec has checked the lower bound.
std::uint16_t most_of(const wire::TransportParameters& parameters) {
  return static_cast<std::uint16_t>(
      std::min<std::uint64_t>(parameters.max_udp_payload_size, kMaxTransmitSize));
}

}  // namespace

// --- paths ---------------------------------------------------------------------------------------

/// Of what we may send ourselves; what the peer takes is not known in the beginning.
MtuDiscovery ConnectionMachine::make_mtu(const SocketAddress& remote, std::uint16_t start) const {
  const MtuDiscoveryConfig& discovery = config_.mtu_discovery;
  const std::uint16_t most = static_cast<std::uint16_t>(discovery.max_datagram_size -
                                                        (remote.is_ipv6() ? kIpv6Excess : 0));
  return {start, discovery.enabled ? most : start, discovery.raise_interval};
}

void ConnectionMachine::limit_datagram_size(const wire::TransportParameters& parameters) {
  MtuDiscovery& mtu = paths_.active().mtu;
  mtu.set_limit(most_of(parameters));
  recovery_.set_max_datagram_size(mtu.size());
}

/// Another path, with an ID of its own. There must be room.
NetworkPath& ConnectionMachine::add_path(Instant now, const Path& address,
                                         std::uint64_t remote_cid) {
  // RFC 9000 §14.2 [rfc9000-14.2-6]: what is known to fit the first path says nothing of this one.
  const std::uint16_t start =
      config_.mtu_discovery.enabled ? MtuDiscovery::kBase : config_.max_datagram_size;
  NetworkPath& path = paths_.add({address, remote_cid, make_mtu(address.remote, start)});
  path.mtu.set_limit(most_of(peer_parameters_));
  path.idle_since = now;
  // RFC 9000 §8.1: the limit is for who answers. A client probes where it was told to, and sends no
  // more than probes before it has an answer.
  path.address_validated = setup_.side == Side::client || paths_.is_validated(address.remote);
  return path;
}

/// The path that the present packet came over, which is not known yet; nullptr when the limits, or
/// want of connection IDs, do not allow it.
NetworkPath* ConnectionMachine::add_peer_path(Instant now, const OpenPacket& packet) {
  if (setup_.side == Side::client) return nullptr;
  NetworkPath* const worst = paths_.dispensable();
  if (paths_.full() && worst == nullptr) return nullptr;
  // RFC 9000 §9.5 [rfc9000-9.5-4]: a peer that did not change its own ID does not know that its
  // address changed. Or somebody copies its packets: the last unused ID is not for that, lest the
  // peer cannot move when it must.
  const auto all = paths_.all();
  const auto rebound = std::ranges::find_if(all, [&](const auto& path) {
    return path->local_cid == packet.destination_connection_id &&
           path->address.local == arrival_.address.local;
  });
  const bool shares = rebound != all.end() && remote_cids_.unused() < 2;
  const auto cid = shares ? (*rebound)->remote_cid : remote_cids_.take();
  if (!cid) return nullptr;
  if (worst != nullptr) drop_path(*worst);
  arrival_.path = &add_path(now, arrival_.address, *cid);
  arrival_.path->on_received(arrival_.size);
  arrival_.path->local_cid = packet.destination_connection_id;
  return arrival_.path;
}

/// RFC 9000 §5.1.2 [rfc9000-5.1.2-1]: what was sent to on this path only is retired.
void ConnectionMachine::drop_path(NetworkPath& path) {
  if (!paths_.shares_cid(path)) remote_cids_.release(path.remote_cid);
  if (arrival_.path == &path) arrival_.path = nullptr;
  paths_.remove(path);
}

/// The same, and tells who asked for it.
void ConnectionMachine::give_up_path(NetworkPath& path) {
  if (path.intent == Intent::probe || path.intent == Intent::migrate) {
    tell_path(ConnectionEvent::Kind::path_failed, path);
  }
  drop_path(path);
}

/// The peer has retired IDs that we use: each path gets another one.
void ConnectionMachine::renew_path_cids() {
  NetworkPath& active = paths_.active();
  const std::uint64_t before = active.remote_cid;
  for (std::size_t i = paths_.size(); i-- > 0;) {
    NetworkPath& path = *paths_.all()[i];
    if (remote_cids_.find(path.remote_cid) != nullptr) continue;
    if (&path == &active || path.remote_cid == before) {
      path.remote_cid = remote_cids_.current_sequence_number();
    } else if (const auto cid = remote_cids_.take()) {
      path.remote_cid = *cid;
    } else if (&path == paths_.fallback()) {
      path.remote_cid = remote_cids_.current_sequence_number();
    } else {
      give_up_path(path);
    }
  }
}

void ConnectionMachine::validate_path(Instant now, NetworkPath& path) {
  const Duration fresh = RttEstimator(config_.initial_rtt)
                             .pto(std::chrono::milliseconds(peer_parameters_.max_ack_delay_ms));
  path.validator.start(now, std::max(recovery_.pto(), fresh));
}

void ConnectionMachine::tell_path(ConnectionEvent::Kind kind, const NetworkPath& path) {
  events_.push_back({.kind = kind, .path = path.address});
}

// --- what arrives --------------------------------------------------------------------------------

/// Whether a datagram may come over a path that we do not know.
bool ConnectionMachine::may_come_from_elsewhere() const {
  // RFC 9000 §9 [rfc9000-9-3]: allowed, whatever we announced, since not all who move know it.
  // [rfc9000-9-7], §9.6 [rfc9000-9.6-1]: but servers do not move.
  return setup_.side == Side::server && handshake_confirmed_ && lifetime_.is_open();
}

/// RFC 9000 §9.6.2 [rfc9000-9.6.2-4]: once the client has moved to our preferred address, what it
/// sends to the old one is late, or not its.
bool ConnectionMachine::is_left_behind(const Path& address) const {
  const SocketAddress& local = paths_.active().address.local;
  return (local == config_.preferred_ipv4 || local == config_.preferred_ipv6) &&
         setup_.side == Side::server && address.local != local;
}

// RFC 9000 §8.2.2 [rfc9000-8.2.2-3], §19.17 [rfc9000-19.17-1].
void ConnectionMachine::on_path_challenge(Instant now, const OpenPacket& packet,
                                          const wire::PathChallengeFrame& frame) {
  NetworkPath* path = arrival_.path != nullptr ? arrival_.path : add_peer_path(now, packet);
  if (path == nullptr || path->address != arrival_.address) return;
  path->responder.on_challenge(frame);
  path->idle_since = now;
  // RFC 9000 §9.6.2 [rfc9000-9.6.2-3], §9.6.3 [rfc9000-9.6.3-5]: who looks at a path may want it
  // soon.
  if (setup_.side == Side::server && !path->validated && !path->validator.is_active()) {
    validate_path(now, *path);
  }
}

// RFC 9000 §8.2.3. §8.2.2 [rfc9000-8.2.2-4]: on whatever path it comes. §19.18: one that matches no
// challenge may be late.
void ConnectionMachine::on_path_response(Instant now, const wire::PathResponseFrame& frame) {
  for (const auto& each : paths_.all()) {
    NetworkPath& path = *each;
    if (!path.validator.is_active()) continue;
    const auto proof = path.validator.on_response(now, frame.data);
    if (!proof) continue;
    path.address_validated = true;
    path.idle_since = now;
    update_amplification(now);
    if (!proof->expanded) {
      // RFC 9000 §8.2.1 [rfc9000-8.2.1-6], §8.2.3 [rfc9000-8.2.3-1]: the peer is there, but will it
      // get what we send?
      return validate_path(now, path);
    }
    path.validator.stop();
    path.round_trip = proof->round_trip;
    path.validated = true;
    return on_path_validated(now, path);
  }
}

void ConnectionMachine::on_path_validated(Instant now, NetworkPath& path) {
  if (&path == &paths_.active()) {
    paths_.forget_fallback();
    return give_path_tokens(now);
  }
  switch (std::exchange(path.intent, Intent::none)) {
    case Intent::none:
      break;
    case Intent::probe:
      tell_path(ConnectionEvent::Kind::path_validated, path);
      break;
    case Intent::migrate:
      if (path.address.remote != setup_.path.remote) abandon_moves();
      switch_path(now, path);
      break;
    case Intent::follow:
      switch_path(now, path);
      break;
  }
}

/// RFC 9000 §9.6.3 [rfc9000-9.6.3-2]: what goes to the preferred address goes nowhere else.
void ConnectionMachine::abandon_moves() {
  for (std::size_t i = paths_.size(); i-- > 0;) {
    NetworkPath& path = *paths_.all()[i];
    if (path.intent == Intent::migrate) give_up_path(path);
  }
}

/// RFC 9000 §9.3 [rfc9000-9.3-4]: once for each address that is proved and in use. That of the
/// handshake had its own.
void ConnectionMachine::give_path_tokens(Instant now) {
  NetworkPath& path = paths_.active();
  if (path.address.remote.same_host(setup_.path.remote)) return;
  if (!std::exchange(path.has_tokens, true)) give_new_tokens(now);
}

/// The newest packet of the peer, and more than a probe, came over another path than the one in use.
void ConnectionMachine::follow_peer(Instant now, const OpenPacket& packet) {
  if (setup_.side == Side::client) return;
  NetworkPath* path = arrival_.path != nullptr ? arrival_.path : add_peer_path(now, packet);
  if (path == nullptr || path == &paths_.active()) return;
  // RFC 9000 §9.6.2 [rfc9000-9.6.2-2], §9.6.3 [rfc9000-9.6.3-4]: from another address of ours we
  // send nothing but probes until the path is proved.
  if (!path->validated && path->address.local != paths_.active().address.local) {
    path->intent = Intent::follow;
    if (!path->validator.is_active()) validate_path(now, *path);
    return;
  }
  switch_path(now, *path);
}

// --- the change ----------------------------------------------------------------------------------

/// RFC 9000 §9.3 [rfc9000-9.3-1], [rfc9000-9.3-2], §9.4, §9.5.
void ConnectionMachine::switch_path(Instant now, NetworkPath& path) {
  NetworkPath& old = paths_.active();
  const bool same_hosts =
      old.address.local == path.address.local && old.address.remote.same_host(path.address.remote);
  if (path.state != nullptr || !same_hosts) {
    // RFC 9000 §9.4 [rfc9000-9.4-2].
    if (path.state == nullptr) path.state = make_path_state(path);
    old.state = recovery_.change_path(now, std::move(path.state));
  } else {
    path.mtu = old.mtu;  // [rfc9000-9.4-3]: another port, the same way.
    path.mtu.forget_probe();
  }
  recovery_.set_max_datagram_size(path.mtu.size());
  paths_.activate(now, path);
  remote_cids_.use(path.remote_cid);
  ++stats_.path_changes;
  if (path.validated) {
    path.validator.stop();
    give_path_tokens(now);
  } else if (!path.validator.is_active()) {
    validate_path(now, path);  // RFC 9000 §9 [rfc9000-9-4].
  }
  // RFC 9000 §9.3.3 [rfc9000-9.3.3-1]: is the peer still there? Then it says so with a packet that
  // brings us back. Where that is being asked already, it is not asked anew: answers to what was
  // asked count, and §8.2.1 [rfc9000-8.2.1-3] challenges stay rare however often the peer changes.
  if (setup_.side == Side::server) {
    if (!old.validator.is_active()) validate_path(now, old);
    spare_cid(old);
  }
  // The peer follows a packet that is more than a probe.
  if (setup_.side == Side::client) ping_requested_ = true;
  update_amplification(now);
  observed_addresses_.on_remote_address(now, path.address.remote);
  tell_path(ConnectionEvent::Kind::path_changed, path);
}

/// The next move of the peer needs a connection ID, and it gives one only for one that is retired,
/// which can be told only while the path in use works: so that is done before the need. RFC 9000 §9.3:
/// who changes paths may forget all others.
void ConnectionMachine::spare_cid(const NetworkPath& previous) {
  if (remote_cids_.unused() != 0 || remote_cids_.owes_retirements()) return;
  for (const auto& path : paths_.all()) {
    if (paths_.is_kept(*path) || path.get() == &previous || paths_.shares_cid(*path)) continue;
    return drop_path(*path);
  }
}

std::unique_ptr<PathState> ConnectionMachine::make_path_state(const NetworkPath& path) {
  // RFC 9002 §6.2.2: what a challenge took is a first guess, not a sample.
  const Duration rtt = path.round_trip > Duration{} ? path.round_trip : config_.initial_rtt;
  return recovery_.make_path({.initial_rtt = rtt,
                              .max_datagram_size = path.mtu.size(),
                              .ecn = config_.ecn,
                              .pacing = config_.pacing},
                             make_controller(config_, path.mtu.size()));
}

// --- time ----------------------------------------------------------------------------------------

void ConnectionMachine::on_path_deadline(Instant now) {
  for (std::size_t i = paths_.size(); i-- > 0;) {
    NetworkPath& path = *paths_.all()[i];
    const bool failed = path.validator.is_active() && path.validator.has_failed(now);
    if (failed) path.validator.stop();
    if (&path == &paths_.active()) {
      if (failed) return_from(now, path);
    } else if (&path == paths_.fallback()) {
      continue;  // Nothing better is known.
    } else if (failed ||
               (!path.validator.is_active() && now >= path.idle_since + PathManager::kIdleTime)) {
      give_up_path(path);
    }
    i = std::min(i, paths_.size());
  }
}

/// RFC 9000 §9.3.2 [rfc9000-9.3.2-1], [rfc9000-9.3.2-2]: the last validated path is never forgotten
/// before its successor is validated.
void ConnectionMachine::return_from(Instant now, NetworkPath& path) {
  NetworkPath* const back = paths_.fallback();
  if (back == nullptr) return;
  switch_path(now, *back);
  drop_path(path);
}

// --- sizes ---------------------------------------------------------------------------------------

void ConnectionMachine::on_mtu_probe_fate(Instant now, const SentFrame& frame, Fate fate) {
  for (const auto& path : paths_.all()) {
    if (path->id != frame.stream.value) continue;
    const auto size = static_cast<std::uint16_t>(frame.length);
    if (fate != Fate::acked) {
      path->mtu.on_probe_lost(now, frame.offset);
    } else if (path->mtu.on_probe_acknowledged(now, frame.offset, size) &&
               path.get() == &paths_.active()) {
      recovery_.set_max_datagram_size(size);
    }
  }
}

/// RFC 8899 §4.3 [rfc8899-4.3-1]; RFC 9000 §14.2 [rfc9000-14.2-3].
void ConnectionMachine::look_for_black_hole(Instant now) {
  if (recovery_.large_lost() < kBlackHoleLosses) return;
  recovery_.forget_large_lost();
  MtuDiscovery& mtu = paths_.active().mtu;
  if (mtu.on_black_hole(now)) recovery_.set_max_datagram_size(mtu.size());
}

}  // namespace qpeer::transport
