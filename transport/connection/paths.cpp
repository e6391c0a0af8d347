// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/paths.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/transport/connection/setup.hpp"
#include "qpeer/transport/recovery/rtt.hpp"
#include "qpeer/transport/wire/packet_decoder.hpp"

namespace qpeer::transport {
namespace {

using Intent = NetworkPath::Intent;

/// IPv6 headers are so much longer.
constexpr std::uint16_t kIpv6Excess = 20;

/// RFC 9000 §18.2: the peer takes no larger datagrams. The codec has checked the lower bound.
std::uint16_t most_of(const wire::TransportParameters& parameters) {
  return static_cast<std::uint16_t>(
      std::min<std::uint64_t>(parameters.max_udp_payload_size, kMaxTransmitSize));
}

}  // namespace

Paths::Paths(Side side, const ConnectionConfig& config, const Path& first, Recovery& recovery,
             RemoteCids& remote_cids, PathObserver& observer)
    : side_(side),
      config_(config),
      handshake_remote_(first.remote),
      recovery_(recovery),
      remote_cids_(remote_cids),
      observer_(observer),
      table_(side, config.max_paths, {first, 0, make_mtu(first.remote, config.max_datagram_size)}),
      peer_max_datagram_size_(most_of({})),
      peer_max_ack_delay_(std::chrono::milliseconds(wire::TransportParameters{}.max_ack_delay_ms)) {
  active().chosen = first.local.valid();
}

void Paths::set_peer_parameters(const wire::TransportParameters& parameters) {
  peer_max_datagram_size_ = most_of(parameters);
  peer_max_ack_delay_ = std::chrono::milliseconds(parameters.max_ack_delay_ms);
  peer_disables_migration_ = parameters.disable_active_migration;
  preferred_address_ = parameters.preferred_address;
  limit_datagram_size(parameters);
}

void Paths::limit_datagram_size(const wire::TransportParameters& parameters) {
  MtuDiscovery& mtu = active().mtu;
  mtu.set_limit(most_of(parameters));
  recovery_.set_max_datagram_size(mtu.size());
}

void Paths::on_handshake_confirmed(Instant now) {
  confirmed_ = true;
  active().address_validated = true;
  active().validated = true;
  if (side_ == Side::client) probe_preferred_address(now);
}

// --- paths come and go ---------------------------------------------------------------------------

/// Of what we may send ourselves; what the peer takes is not known in the beginning.
MtuDiscovery Paths::make_mtu(const SocketAddress& remote, std::uint16_t start) const {
  const MtuDiscoveryConfig& discovery = config_.mtu_discovery;
  const std::uint16_t most = static_cast<std::uint16_t>(discovery.max_datagram_size -
                                                        (remote.is_ipv6() ? kIpv6Excess : 0));
  return {start, discovery.enabled ? most : start, discovery.raise_interval};
}

std::unique_ptr<PathState> Paths::make_state(const NetworkPath& path) {
  // RFC 9002 §6.2.2 [rfc9002-6.2.2-3]: what a challenge took is a first guess, not a sample.
  const Duration rtt = path.round_trip > Duration{} ? path.round_trip : config_.initial_rtt;
  return recovery_.make_path({.initial_rtt = rtt,
                              .max_datagram_size = path.mtu.size(),
                              .ecn = config_.ecn,
                              .pacing = config_.pacing},
                             make_controller(config_, path.mtu.size()));
}

/// Another path, with an ID of its own. There must be room.
NetworkPath& Paths::add(Instant now, const Path& address, std::uint64_t remote_cid) {
  // RFC 9000 §14.2 [rfc9000-14.2-6]: what is known to fit the first path says nothing of this one.
  const std::uint16_t start =
      config_.mtu_discovery.enabled ? MtuDiscovery::kBase : config_.max_datagram_size;
  NetworkPath& path = table_.add({address, remote_cid, make_mtu(address.remote, start)});
  path.mtu.set_limit(peer_max_datagram_size_);
  path.idle_since = now;
  path.silent = true;
  // RFC 9000 §8.1: the limit is for who answers. A client probes where its application wants, and sends no
  // more than probes before it has an answer.
  path.address_validated = side_ == Side::client || table_.is_validated(address.remote);
  return path;
}

/// The path of the datagram, which a server adds when it is not known yet; nullptr when the limits,
/// or want of connection IDs, do not allow it.
NetworkPath* Paths::find_or_add(Instant now, IncomingDatagram& datagram,
                                const ConnectionId& destination) {
  if (datagram.path) {
    if (NetworkPath* const known = table_.find(*datagram.path)) return known;
  }
  if (side_ == Side::client) return nullptr;
  NetworkPath* const worst = table_.dispensable();
  if (table_.full() && worst == nullptr) return nullptr;
  // RFC 9000 §9.5 [rfc9000-9.5-4]: a peer that did not change its own ID does not know that its
  // address changed. Or an attacker copies its packets: no unused ID is spent on that, because the
  // peer needs one each time it moves on purpose, and can give none while nothing reaches it.
  const auto all = table_.all();
  const auto rebound = std::ranges::find_if(all, [&](const auto& path) {
    return path->local_cid == destination && path->address.local == datagram.address.local;
  });
  const auto cid = rebound != all.end() ? (*rebound)->remote_cid : remote_cids_.take();
  if (!cid) return nullptr;
  NetworkPath& path = add(now, datagram.address, *cid);
  if (worst != nullptr) remove(*worst);  // Only now: the two may share the connection ID.
  path.on_received(datagram.size);
  path.local_cid = destination;
  datagram.path = path.id;
  return &path;
}

/// RFC 9000 §5.1.2 [rfc9000-5.1.2-1]: what was sent to on this path only is retired.
void Paths::remove(NetworkPath& path) {
  if (!table_.shares_cid(path)) remote_cids_.release(path.remote_cid);
  table_.remove(path);
}

/// The same, with an event where the application asked for the path.
void Paths::give_up(NetworkPath& path) {
  if (path.intent == Intent::probe || path.intent == Intent::migrate) {
    observer_.on_path_result(path.address, false);
  }
  remove(path);
}

void Paths::replace_retired_cids() {
  NetworkPath& in_use = active();
  const std::uint64_t before = in_use.remote_cid;
  for (std::size_t i = table_.size(); i-- > 0;) {
    NetworkPath& path = *table_.all()[i];
    if (remote_cids_.find(path.remote_cid) != nullptr) continue;
    if (&path == &in_use || path.remote_cid == before) {
      path.remote_cid = remote_cids_.current_sequence_number();
    } else if (const auto cid = remote_cids_.take()) {
      path.remote_cid = *cid;
    } else if (&path == table_.fallback()) {
      path.remote_cid = remote_cids_.current_sequence_number();
    } else {
      give_up(path);
    }
  }
}

// --- what arrives --------------------------------------------------------------------------------

std::optional<IncomingDatagram> Paths::on_datagram(const ReceivedDatagram& datagram,
                                                   bool connection_is_open) {
  IncomingDatagram incoming{.address = datagram.path, .size = datagram.payload.size()};
  NetworkPath* const path = table_.find(datagram.path);
  if (path == nullptr) {
    // RFC 9000 §9 [rfc9000-9-3]: allowed, whatever we announced, since not all who move know it.
    // [rfc9000-9-7], §9.6 [rfc9000-9.6-1]: but servers do not move.
    const bool accepts_unknown_path = side_ == Side::server && confirmed_ && connection_is_open;
    if (!accepts_unknown_path) return std::nullopt;
    return incoming;
  }
  if (!confirmed_ && !path->address.local.valid()) path->address.local = datagram.path.local;
  path->on_received(incoming.size);
  incoming.path = path->id;
  return incoming;
}

std::uint64_t Paths::least_allowance() const {
  return confirmed_ ? PathTable::kLeastAllowance : wire::kMinInitialDatagramSize;
}

void Paths::update_amplification(Instant now) {
  recovery_.set_amplification_blocked(now, active().allowance() < least_allowance());
}

/// RFC 9000 §9.6.2 [rfc9000-9.6.2-4]: once the client has moved to our preferred address, what it
/// sends to the old one is late, or not its.
bool Paths::is_stale_local_address(const Path& address) const {
  const SocketAddress& local = active().address.local;
  return side_ == Side::server && address.local != local &&
         (local == config_.preferred_ipv4 || local == config_.preferred_ipv6);
}

// RFC 9000 §8.2.2 [rfc9000-8.2.2-3], §19.17 [rfc9000-19.17-1].
void Paths::on_path_challenge(Instant now, IncomingDatagram& datagram,
                              const ConnectionId& destination,
                              const wire::PathChallengeFrame& frame) {
  NetworkPath* const path = find_or_add(now, datagram, destination);
  if (path == nullptr || !came_over(*path, datagram.address)) return;
  path->responder.on_challenge(frame);
  path->idle_since = now;
  // RFC 9000 §9.6.2 [rfc9000-9.6.2-3], §9.6.3 [rfc9000-9.6.3-5]: who looks at a path may want it
  // soon.
  if (side_ == Side::server && !path->validated && !path->validator.is_active()) {
    validate(now, *path);
  }
}

void Paths::on_packet(Instant now, const IncomingDatagram& datagram,
                      const ConnectionId& destination) {
  if (!datagram.path) return;
  NetworkPath* const path = table_.find(*datagram.path);
  if (path == nullptr) return;
  path->local_cid = destination;
  if (path == &active() && (!path->validated || !path->address.local.valid())) {
    on_packet_after_move(now, *path, datagram.address);
  }
}

void Paths::on_peer_migrated(Instant now, IncomingDatagram& datagram,
                             const ConnectionId& destination) {
  if (side_ == Side::client) return;
  NetworkPath* const path = find_or_add(now, datagram, destination);
  if (path == nullptr || path == &active()) return;
  // RFC 9000 §9.6.2 [rfc9000-9.6.2-2], §9.6.3 [rfc9000-9.6.3-4]: from another address of ours we
  // send nothing but probes until the path is proved.
  if (!path->validated && path->address.local != active().address.local) {
    path->intent = Intent::follow;
    if (!path->validator.is_active()) validate(now, *path);
    return;
  }
  change_to(now, *path);
}

// --- validation ----------------------------------------------------------------------------------

void Paths::validate(Instant now, NetworkPath& path) {
  const Duration fresh = RttEstimator(config_.initial_rtt).pto(peer_max_ack_delay_);
  if (!path.validator.is_active() && &path != &active()) {
    log_state(log::MigrationState::probing_started, path);
  }
  path.validator.start(now, std::max(recovery_.pto(), fresh));
}

// RFC 9000 §8.2.3. §8.2.2 [rfc9000-8.2.2-4]: on whatever path it comes. §19.18: one that matches no
// challenge may be late.
void Paths::on_path_response(Instant now, const wire::PathResponseFrame& frame) {
  for (const auto& each : table_.all()) {
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
      return validate(now, path);
    }
    path.validator.stop();
    path.round_trip = proof->round_trip;
    path.validated = true;
    return on_validated(now, path);
  }
}

void Paths::on_validated(Instant now, NetworkPath& path) {
  log_state(&path == &active() ? log::MigrationState::migration_complete
                               : log::MigrationState::probing_successful,
            path);
  if (&path == &active()) {
    table_.forget_fallback();
    return on_active_validated(now);
  }
  switch (std::exchange(path.intent, Intent::none)) {
    case Intent::none:
      break;
    case Intent::probe:
      observer_.on_path_result(path.address, true);
      break;
    case Intent::migrate:
      if (path.address.remote != handshake_remote_) abandon_migrations();
      change_to(now, path);
      break;
    case Intent::follow:
      change_to(now, path);
      break;
  }
}

/// RFC 9000 §9.3 [rfc9000-9.3-4]: once for each address that is proved and in use. That of the
/// handshake had its own.
void Paths::on_active_validated(Instant now) {
  NetworkPath& path = active();
  if (path.address.remote.same_host(handshake_remote_)) return;
  if (!std::exchange(path.has_tokens, true)) observer_.on_new_address_validated(now);
}

// --- the change ----------------------------------------------------------------------------------

/// RFC 9000 §9.3 [rfc9000-9.3-1], [rfc9000-9.3-2], §9.4, §9.5.
void Paths::change_to(Instant now, NetworkPath& path) {
  NetworkPath& old = active();
  log_state(log::MigrationState::migration_started, path);
  const bool same_hosts =
      old.address.local == path.address.local && old.address.remote.same_host(path.address.remote);
  if (path.state != nullptr || !same_hosts) {
    // RFC 9000 §9.4 [rfc9000-9.4-2].
    if (path.state == nullptr) path.state = make_state(path);
    old.state = recovery_.change_path(now, std::move(path.state));
  } else {
    path.mtu = old.mtu;  // [rfc9000-9.4-3]: another port, the same way.
    path.mtu.forget_probe();
  }
  recovery_.set_max_datagram_size(path.mtu.size());
  table_.activate(now, path);
  remote_cids_.use(path.remote_cid);
  if (path.validated) {
    path.validator.stop();
    log_state(log::MigrationState::migration_complete, path);
    on_active_validated(now);
  } else if (!path.validator.is_active()) {
    validate(now, path);  // RFC 9000 §9 [rfc9000-9-4].
  }
  // RFC 9000 §9.3.3 [rfc9000-9.3.3-1]: is the peer still there? Then it says so with a packet that
  // brings us back. Where that is being asked already, it is not asked anew: answers to what was
  // asked count, and §8.2.1 [rfc9000-8.2.1-3] challenges stay rare however often the peer changes.
  if (side_ == Side::server) {
    if (!old.validator.is_active()) validate(now, old);
  }
  release_cid_for_next_migration(old);
  update_amplification(now);
  observer_.on_path_changed(now, path.address);
}

/// The next move, of either side, needs a connection ID of the peer's. The peer gives one only for one
/// that is retired, and the frame that retires it arrives only while the path in use works: so that is
/// done before the need. RFC 9000 §9.3: an endpoint that changes paths may forget all others. A client,
/// which moves on purpose, gives back early the IDs of paths that it has left.
void Paths::release_cid_for_next_migration(const NetworkPath& previous) {
  const bool client = side_ == Side::client;
  if (remote_cids_.unused() >= (client ? 2U : 1U)) return;
  if (!client && remote_cids_.owes_retirements()) return;
  for (const auto& path : table_.all()) {
    if (table_.is_kept(*path) || path.get() == &previous || table_.shares_cid(*path)) continue;
    // What the application asked for is not given back before it is used.
    if (client && path->state == nullptr) continue;
    return remove(*path);
  }
}

// --- time ----------------------------------------------------------------------------------------

void Paths::on_deadline(Instant now) {
  for (std::size_t i = table_.size(); i-- > 0;) {
    NetworkPath& path = *table_.all()[i];
    const bool failed = path.validator.is_active() && path.validator.has_failed(now);
    if (failed) {
      path.validator.stop();
      log_state(&path == &active() ? log::MigrationState::migration_abandoned
                                   : log::MigrationState::probing_abandoned,
                path);
    }
    if (&path == &active()) {
      if (failed) revert_to_validated_path(now, path);
    } else if (&path == table_.fallback()) {
      continue;  // Nothing better is known.
    } else if (failed || now >= table_.idle_end(path)) {
      give_up(path);
    }
    i = std::min(i, table_.size());
  }
}

/// RFC 9000 §9.3.2 [rfc9000-9.3.2-1], [rfc9000-9.3.2-2]: the last validated path is never forgotten
/// before its successor is validated.
void Paths::revert_to_validated_path(Instant now, NetworkPath& failed) {
  NetworkPath* const back = table_.fallback();
  if (back == nullptr) return;
  change_to(now, *back);
  remove(failed);
}

bool Paths::consistent() const {
  const auto all = table_.all();
  const bool have_cids = std::ranges::all_of(
      all, [this](const auto& path) { return remote_cids_.find(path->remote_cid) != nullptr; });
  return table_.consistent() && have_cids && active().state == nullptr &&
         active().remote_cid == remote_cids_.current_sequence_number();
}

}  // namespace qpeer::transport
