// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The client's own moves: what the application asks for, and the address that the server prefers.
// RFC 9000 §9.1, §9.2, §9.6.
#include <algorithm>

#include "qpeer/transport/base/address_kind.hpp"
#include "qpeer/transport/connection/connection_machine.hpp"

namespace qpeer::transport {
namespace {

using Intent = NetworkPath::Intent;

}  // namespace

std::expected<void, PathError> ConnectionMachine::probe_path(Instant now,
                                                             const SocketAddress& local) {
  return begin_path(now, local, Intent::probe);
}

std::expected<void, PathError> ConnectionMachine::migrate(Instant now, const SocketAddress& local) {
  return begin_path(now, local, Intent::migrate);
}

std::expected<void, PathError> ConnectionMachine::may_migrate() const {
  if (!lifetime_.is_open()) return std::unexpected(PathError::closed);
  // RFC 9000 §9: servers stay where they are.
  if (setup_.side == Side::server) return std::unexpected(PathError::not_client);
  // RFC 9000 §9 [rfc9000-9-1].
  if (!handshake_confirmed_) return std::unexpected(PathError::not_confirmed);
  // RFC 9000 §9 [rfc9000-9-2], §18.2 [rfc9000-18.2-3]: it says so of the address that it had.
  const bool moved = paths_.active().address.remote != setup_.path.remote;
  if (peer_parameters_.disable_active_migration && !moved) {
    return std::unexpected(PathError::disabled);
  }
  // RFC 9000 §9.5 [rfc9000-9.5-5]: nor where everybody on the way could tell who moved.
  if (remote_cids_.current().empty() || local_cids_.initial().empty()) {
    return std::unexpected(PathError::no_connection_id);
  }
  return {};
}

std::expected<void, PathError> ConnectionMachine::begin_path(Instant now,
                                                             const SocketAddress& local,
                                                             NetworkPath::Intent intent) {
  now_ = now;
  if (const auto allowed = may_migrate(); !allowed) return allowed;
  const SocketAddress remote = paths_.active().address.remote;
  if (!local.valid() || local.is_ipv4() != remote.is_ipv4()) {
    return std::unexpected(PathError::bad_address);
  }
  const Path address{.local = local, .remote = remote};
  NetworkPath* path = paths_.find_exactly(address);
  if (path == &paths_.active()) return std::unexpected(PathError::bad_address);
  if (path == nullptr) {
    if (NetworkPath* const worst = paths_.dispensable()) drop_path(*worst);
    if (paths_.full()) return std::unexpected(PathError::too_many_paths);
    // RFC 9000 §9.5 [rfc9000-9.5-2].
    const auto cid = remote_cids_.take();
    if (!cid) return std::unexpected(PathError::no_connection_id);
    path = &add_path(now, address, *cid);
  }
  if (intent == Intent::migrate) supersede_moves(now, *path);
  if (path->validated && intent == Intent::migrate) {
    path->intent = Intent::none;
    switch_path(now, *path);
    return {};
  }
  // A question does not take a wish back.
  if (path->intent != Intent::migrate) path->intent = intent;
  if (!path->validator.is_active()) validate_path(now, *path);
  return {};
}

/// The newest wish counts: of the move before it no more is left than the question whether it works.
/// RFC 9000 §9.6.3 [rfc9000-9.6.3-1]: and a move to the server's preferred address that is under way
/// goes on from the new address, at the same time.
void ConnectionMachine::supersede_moves(Instant now, const NetworkPath& wanted) {
  SocketAddress preferred;
  for (std::size_t i = paths_.size(); i-- > 0;) {
    NetworkPath& path = *paths_.all()[i];
    if (&path == &wanted || path.intent != Intent::migrate) continue;
    if (path.address.remote == wanted.address.remote) {
      path.intent = Intent::probe;
    } else {
      preferred = path.address.remote;
      drop_path(path);
    }
  }
  if (preferred.valid()) {
    move_to_preferred(now, {.local = wanted.address.local, .remote = preferred});
  }
}

/// Client, as the handshake is confirmed. RFC 9000 §9.6.1 [rfc9000-9.6.1-2], [rfc9000-9.6.1-3],
/// §9.6.2 [rfc9000-9.6.2-1].
void ConnectionMachine::probe_preferred_address(Instant now) {
  if (!config_.use_preferred_address || !peer_parameters_.preferred_address) return;
  const Path& current = paths_.active().address;
  // RFC 9000 §9.6.3 [rfc9000-9.6.3-6]: the family that is known to work.
  const SocketAddress& remote = current.remote.is_ipv4() ? peer_parameters_.preferred_address->ipv4
                                                         : peer_parameters_.preferred_address->ipv6;
  if (!remote.valid() || remote.port() == 0 || remote == current.remote) return;
  // RFC 9000 §21.5.6 [rfc9000-21.5.6-2]: a server elsewhere must not send us to our own machine.
  if (remote.is_wildcard() || is_multicast(remote) ||
      (is_loopback(remote) && !is_loopback(current.remote))) {
    return;
  }
  move_to_preferred(now, {.local = current.local, .remote = remote});
}

void ConnectionMachine::move_to_preferred(Instant now, const Path& address) {
  if (paths_.full()) return;
  const auto cid = remote_cids_.take();
  if (!cid) return;
  NetworkPath& path = add_path(now, address, *cid);
  path.intent = Intent::migrate;
  validate_path(now, path);
}

bool ConnectionMachine::rotate_connection_ids() { return usable() && local_cids_.rotate(); }

}  // namespace qpeer::transport
