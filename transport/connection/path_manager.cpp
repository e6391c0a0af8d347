// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/path_manager.hpp"

#include <algorithm>
#include <cassert>

namespace qpeer::transport {

PathManager::PathManager(Side side, std::size_t limit, NetworkPath first)
    : side_(side), limit_(limit) {
  active_ = &add(std::move(first));
}

NetworkPath* PathManager::find(const Path& address) const {
  if (active_->address == address) return active_;
  if (NetworkPath* exact = find_exactly(address)) return exact;
  if (side_ == Side::server) return nullptr;
  if (active_->address.remote == address.remote) return active_;
  for (const auto& path : paths_) {
    if (path->address.remote == address.remote) return path.get();
  }
  return nullptr;
}

NetworkPath* PathManager::find_exactly(const Path& address) const {
  for (const auto& path : paths_) {
    if (path->address == address) return path.get();
  }
  return nullptr;
}

bool PathManager::knows_remote(const SocketAddress& remote) const {
  return std::ranges::any_of(paths_,
                             [&](const auto& path) { return path->address.remote == remote; });
}

bool PathManager::is_validated(const SocketAddress& remote) const {
  return std::ranges::any_of(paths_, [&](const auto& path) {
    return path->address.remote == remote && path->address_validated;
  });
}

bool PathManager::shares_cid(const NetworkPath& path) const {
  return std::ranges::any_of(paths_, [&](const auto& each) {
    return each.get() != &path && each->remote_cid == path.remote_cid;
  });
}

NetworkPath* PathManager::dispensable() const {
  if (!full()) return nullptr;
  NetworkPath* worst = nullptr;
  for (const auto& path : paths_) {
    if (is_kept(*path) || path->intent == NetworkPath::Intent::migrate) continue;
    if (path->intent == NetworkPath::Intent::probe && path->validator.is_active()) continue;
    // One that is proved is worth more than one that is not.
    if (worst == nullptr || (worst->validated && !path->validated)) worst = path.get();
  }
  return worst;
}

NetworkPath& PathManager::add(NetworkPath path) {
  path.id = next_id_++;
  paths_.push_back(std::make_unique<NetworkPath>(std::move(path)));
  return *paths_.back();
}

void PathManager::remove(const NetworkPath& path) {
  assert(!is_kept(path));
  std::erase_if(paths_, [&](const auto& each) { return each.get() == &path; });
}

void PathManager::activate(Instant now, NetworkPath& path) {
  active_->idle_since = now;
  if (active_->validated) fallback_ = active_;
  active_ = &path;
  if (path.validated) fallback_ = nullptr;
}

Instant PathManager::deadline(Instant now) const {
  if (paths_.size() == 1 && !active_->validator.is_active()) return kNever;
  Instant next = kNever;
  for (const auto& path : paths_) {
    if (path->validator.is_active()) {
      next = std::min(next, path->validator.deadline(now));
    } else if (!is_kept(*path)) {
      next = std::min(next, path->idle_since + kIdleTime);
    }
  }
  return next;
}

NetworkPath* PathManager::next_to_probe(Instant now) const {
  if (paths_.size() == 1) return nullptr;
  for (const auto& path : paths_) {
    if (path.get() == active_ || path->allowance() < kLeastAllowance) continue;
    if (path->responder.has_frames() || path->validator.is_due(now)) return path.get();
  }
  return nullptr;
}

}  // namespace qpeer::transport
