// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The client's own moves: what the application asks for, what a local address that is gone demands,
// and the address that the server prefers. RFC 9000 §9.1, §9.2, §9.6.
#include "qpeer/transport/base/address_kind.hpp"
#include "qpeer/transport/connection/paths.hpp"

namespace qpeer::transport {
namespace {

using Intent = NetworkPath::Intent;

}  // namespace

std::expected<void, PathError> Paths::may_migrate() const {
  // RFC 9000 §9: servers stay where they are.
  if (side_ == Side::server) return std::unexpected(PathError::not_client);
  // RFC 9000 §9 [rfc9000-9-1].
  if (!confirmed_) return std::unexpected(PathError::not_confirmed);
  // RFC 9000 §9 [rfc9000-9-2], §18.2 [rfc9000-18.2-3]: it says so of the address that it had.
  const bool moved = active().address.remote != handshake_remote_;
  if (peer_disables_migration_ && !moved) return std::unexpected(PathError::disabled);
  // RFC 9000 §9.5 [rfc9000-9.5-5]: nor where an observer on the way could see that it is the same client.
  if (remote_cids_.current().empty() || config_.zero_length_connection_id) {
    return std::unexpected(PathError::no_connection_id);
  }
  return {};
}

std::expected<void, PathError> Paths::begin(Instant now, const SocketAddress& local,
                                            NetworkPath::Intent intent) {
  if (const auto allowed = may_migrate(); !allowed) return allowed;
  const SocketAddress remote = active().address.remote;
  if (!local.valid() || local.is_ipv4() != remote.is_ipv4()) {
    return std::unexpected(PathError::bad_address);
  }
  const Path address{.local = local, .remote = remote};
  NetworkPath* path = table_.find_exactly(address);
  if (path == &active()) return std::unexpected(PathError::bad_address);
  if (path == nullptr) {
    if (NetworkPath* const worst = table_.dispensable()) remove(*worst);
    if (table_.full()) return std::unexpected(PathError::too_many_paths);
    // RFC 9000 §9.5 [rfc9000-9.5-2].
    const auto cid = remote_cids_.take();
    if (!cid) return std::unexpected(PathError::no_connection_id);
    path = &add(now, address, *cid);
  }
  path->chosen = true;
  if (intent == Intent::migrate) supersede_migrations(now, *path);
  if (path->validated && intent == Intent::migrate) {
    path->intent = Intent::none;
    change_to(now, *path);
    return {};
  }
  // A question does not take a wish back.
  if (path->intent != Intent::migrate) path->intent = intent;
  if (!path->validator.is_active()) validate(now, *path);
  return {};
}

bool Paths::on_local_address_gone(Instant now, const Path& address) {
  NetworkPath* const gone = table_.find_exactly(address);
  if (side_ == Side::server || gone == nullptr) return false;
  if (gone != &active()) {
    if (gone != table_.fallback()) give_up(*gone);
    return false;
  }
  // RFC 9000 §9 [rfc9000-9-1], [rfc9000-9-2]: the same rules as for a move on purpose.
  if (!may_migrate()) return false;
  NetworkPath* const next = make_path_from_elsewhere(now, address);
  if (next == nullptr) return false;
  gone_local_ = address.local;
  change_to(now, *next);
  // There is no way back to where nothing can be sent from.
  table_.forget_fallback();
  remove(*gone);
  return true;
}

// A path that the application chose stays: the system would have sent elsewhere before.
bool Paths::on_source_changed(Instant now, const SocketAddress& source) {
  const NetworkPath& path = active();
  if (side_ == Side::server || path.chosen || !path.address.local.valid()) return false;
  if (!source.valid() || path.address.local.same_host(source)) return false;
  const Path address = path.address;
  return on_local_address_gone(now, address);
}

/// Another path to the same address of the server: one that is known to work, or a new one whose local
/// address the system chooses. nullptr when there can be none.
NetworkPath* Paths::make_path_from_elsewhere(Instant now, const Path& gone) {
  for (const auto& path : table_.all()) {
    const bool leads_there = path->validated && path->address.remote == gone.remote;
    if (leads_there && !path->address.local.same_host(gone.local)) return path.get();
  }
  if (NetworkPath* const worst = table_.dispensable()) remove(*worst);
  if (table_.full()) return nullptr;
  // RFC 9000 §9.5 [rfc9000-9.5-2]: an observer on the path shall not see that it is the same client.
  const auto cid = remote_cids_.take();
  return cid ? &add(now, {.local = {}, .remote = gone.remote}, *cid) : nullptr;
}

/// Whether a datagram with these addresses belongs to the path exactly. Where the system chooses the local
/// address it does, unless it was on its way to the address that is gone.
bool Paths::came_over(const NetworkPath& path, const Path& address) const {
  if (path.address == address) return true;
  return !path.address.local.valid() && path.address.remote == address.remote &&
         (path.validated || address.local != gone_local_);
}

/// Client, of the path in use. Only what is authentic shows the address that the system chose.
void Paths::on_packet_after_move(Instant now, NetworkPath& path, const Path& address) {
  if (side_ == Side::server || !confirmed_) return;
  if (!path.address.local.valid() && came_over(path, address)) {
    path.address = address;
    observer_.on_local_address_learned(path.address);
  }
  // RFC 9000 §8.2.4 [rfc9000-8.2.4-1]: there was no answer in time, and no other path to go back to.
  if (!path.validated && !path.validator.is_active()) validate(now, path);
}

/// RFC 9000 §9.6.3 [rfc9000-9.6.3-2]: what goes to the preferred address goes nowhere else.
void Paths::abandon_migrations() {
  for (std::size_t i = table_.size(); i-- > 0;) {
    NetworkPath& path = *table_.all()[i];
    if (path.intent == Intent::migrate) give_up(path);
  }
}

/// The newest wish counts: of the move before it no more is left than the question whether it works.
/// RFC 9000 §9.6.3 [rfc9000-9.6.3-1]: and a move to the server's preferred address that is under way
/// goes on from the new address, at the same time.
void Paths::supersede_migrations(Instant now, const NetworkPath& wanted) {
  SocketAddress preferred;
  for (std::size_t i = table_.size(); i-- > 0;) {
    NetworkPath& path = *table_.all()[i];
    if (&path == &wanted || path.intent != Intent::migrate) continue;
    if (path.address.remote == wanted.address.remote) {
      path.intent = Intent::probe;
    } else {
      preferred = path.address.remote;
      remove(path);
    }
  }
  if (preferred.valid()) {
    migrate_to_preferred(now, {.local = wanted.address.local, .remote = preferred});
  }
}

/// Client, as the handshake is confirmed. RFC 9000 §9.6.1 [rfc9000-9.6.1-2], [rfc9000-9.6.1-3],
/// §9.6.2 [rfc9000-9.6.2-1].
void Paths::probe_preferred_address(Instant now) {
  if (!config_.use_preferred_address || !preferred_address_) return;
  const Path& current = active().address;
  // RFC 9000 §9.6.3 [rfc9000-9.6.3-6]: the family that is known to work.
  const SocketAddress& remote =
      current.remote.is_ipv4() ? preferred_address_->ipv4 : preferred_address_->ipv6;
  if (!remote.valid() || remote.port() == 0 || remote == current.remote) return;
  // RFC 9000 §21.5.6 [rfc9000-21.5.6-2]: a server elsewhere must not send us to our own machine.
  if (remote.is_wildcard() || is_multicast(remote) ||
      (is_loopback(remote) && !is_loopback(current.remote))) {
    return;
  }
  migrate_to_preferred(now, {.local = current.local, .remote = remote});
}

void Paths::migrate_to_preferred(Instant now, const Path& address) {
  if (table_.full()) return;
  const auto cid = remote_cids_.take();
  if (!cid) return;
  NetworkPath& path = add(now, address, *cid);
  path.intent = Intent::migrate;
  validate(now, path);
}

}  // namespace qpeer::transport
