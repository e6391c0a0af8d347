// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/path_table.hpp"

#include <algorithm>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer::transport {

PathTable::PathTable(Side side, std::size_t limit, NetworkPath first) : side_(side), limit_(limit) {
  active_ = &add(std::move(first));
}

NetworkPath* PathTable::find(const Path& address) const {
  if (active_->address == address) return active_;
  if (NetworkPath* exact = find_exactly(address)) return exact;
  if (side_ == Side::server) return nullptr;
  if (active_->address.remote == address.remote) return active_;
  for (const auto& path : paths_) {
    if (path->address.remote == address.remote) return path.get();
  }
  return nullptr;
}

NetworkPath* PathTable::find(std::uint64_t id) const {
  if (active_->id == id) return active_;
  for (const auto& path : paths_) {
    if (path->id == id) return path.get();
  }
  return nullptr;
}

NetworkPath* PathTable::find_exactly(const Path& address) const {
  for (const auto& path : paths_) {
    if (path->address == address) return path.get();
  }
  return nullptr;
}

bool PathTable::knows_remote(const SocketAddress& remote) const {
  return std::ranges::any_of(paths_,
                             [&](const auto& path) { return path->address.remote == remote; });
}

bool PathTable::is_validated(const SocketAddress& remote) const {
  return std::ranges::any_of(paths_, [&](const auto& path) {
    return path->address.remote == remote && path->address_validated;
  });
}

bool PathTable::shares_cid(const NetworkPath& path) const {
  return std::ranges::any_of(paths_, [&](const auto& each) {
    return each.get() != &path && each->remote_cid == path.remote_cid;
  });
}

NetworkPath* PathTable::dispensable() const {
  if (!full()) return nullptr;
  // What is proved is worth most. A path that shares its connection ID costs none when it comes back,
  // and forged addresses make paths of no other kind: they leave alone what the peer asked for.
  const auto worth = [this](const NetworkPath& path) {
    if (path.validated) return 2;
    return shares_cid(path) ? 0 : 1;
  };
  NetworkPath* worst = nullptr;
  for (const auto& path : paths_) {
    if (is_kept(*path) || path->intent == NetworkPath::Intent::migrate) continue;
    if (path->intent == NetworkPath::Intent::probe && path->validator.is_active()) continue;
    if (worst == nullptr || worth(*path) < worth(*worst)) worst = path.get();
  }
  return worst;
}

NetworkPath& PathTable::add(NetworkPath path) {
  path.id = next_id_++;
  paths_.push_back(std::make_unique<NetworkPath>(std::move(path)));
  return *paths_.back();
}

void PathTable::remove(const NetworkPath& path) {
  QPEER_ASSERT(!is_kept(path));
  std::erase_if(paths_, [&](const auto& each) { return each.get() == &path; });
}

void PathTable::activate(Instant now, NetworkPath& path) {
  active_->idle_since = now;
  if (active_->validated) fallback_ = active_;
  active_ = &path;
  if (path.validated) fallback_ = nullptr;
}

Instant PathTable::deadline(Instant now) const {
  if (paths_.size() == 1 && !active_->validator.is_active()) return kNever;
  Instant next = kNever;
  for (const auto& path : paths_) {
    if (path->validator.is_active()) {
      next = std::min(next, path->validator.deadline(now));
    } else if (!is_kept(*path)) {
      next = std::min(next, idle_end(*path));
    }
  }
  return next;
}

bool PathTable::consistent() const {
  const auto has = [this](const NetworkPath* path) {
    return std::ranges::any_of(paths_, [&](const auto& each) { return each.get() == path; });
  };
  const auto is_named = [this](const auto& path) {
    const auto same = [&](const auto& each) { return each->id == path->id; };
    // RFC 9000 §8.1 [rfc9000-8.1-2].
    const bool within_credit = path->address_validated || path->sent <= 3 * path->received;
    return path->id < next_id_ && std::ranges::count_if(paths_, same) == 1 && within_credit &&
           path->mtu.consistent();
  };
  return paths_.size() <= limit_ && std::ranges::all_of(paths_, is_named) && has(active_) &&
         (fallback_ == nullptr ||
          (has(fallback_) && fallback_ != active_ && fallback_->validated && !active_->validated));
}

NetworkPath* PathTable::next_to_probe(Instant now) const {
  if (paths_.size() == 1) return nullptr;
  for (const auto& path : paths_) {
    if (path.get() == active_ || path->allowance() < kLeastAllowance) continue;
    if (path->responder.has_frames() || path->validator.is_due(now)) return path.get();
  }
  return nullptr;
}

}  // namespace qpeer::transport
