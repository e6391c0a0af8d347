// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/dial_back_guard.hpp"

#include <algorithm>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {
namespace {

bool may_be_dialled(const SocketAddress& target, const SocketAddress& observed,
                    bool we_are_public) {
  if (!is_dialable(target)) return false;
  const AddressScope theirs = scope_of(observed);
  const AddressScope scope = scope_of(target);
  if (theirs == AddressScope::none) return false;
  if (theirs == AddressScope::global || scope == AddressScope::global) return scope == theirs;
  // Not narrower: a peer in the local network must not make us dial our own loopback.
  return !we_are_public && scope >= theirs;
}

bool is_own(const SocketAddress& target, std::span<const SocketAddress> own) {
  return std::ranges::any_of(own, [&target](const SocketAddress& mine) {
    if (mine.port() != target.port()) return false;
    return mine.same_host(target) || (mine.is_wildcard() && is_loopback(target));
  });
}

bool same_family(const SocketAddress& a, const SocketAddress& b) {
  return a.is_ipv4() == b.is_ipv4();
}

}  // namespace

std::optional<SocketAddress> choose_target(const SocketAddress& observed,
                                           std::span<const SocketAddress> advertised,
                                           DialBackTarget policy, bool we_are_public,
                                           std::span<const SocketAddress> own) {
  const auto allowed = [&](const SocketAddress& target) {
    return (policy == DialBackTarget::any || target.same_host(observed)) &&
           may_be_dialled(target, observed, we_are_public) && !is_own(target, own);
  };
  // A wildcard of the other family is the second choice: whoever listens on :: may take IPv4 too.
  std::optional<SocketAddress> second;
  for (const SocketAddress& address : advertised) {
    const bool wildcard = address.is_wildcard();
    const SocketAddress target = wildcard ? observed.with_port(address.port()) : address;
    if (!allowed(target)) continue;
    if (!wildcard || same_family(address, observed)) return target;
    if (!second) second = target;
  }
  return second;
}

// --- the limiter ---------------------------------------------------------------------------------

// The bucket is full at full_at and gains a token each interval: one is there as soon as no more
// than burst - 1 are missing.
Instant DialBackLimiter::may_start_at(const Prefix& prefix) const {
  if (prefix.in_flight >= config_.max_in_flight_of_prefix) return kNever;
  if (prefix.full_at == Instant::min()) return Instant::min();
  return prefix.full_at - (std::max(config_.burst, 1U) - 1) * config_.interval;
}

Admission DialBackLimiter::admit(Instant now, const SocketAddress& target, Key key) {
  if (in_flight_.contains(key) || std::ranges::find(queue_, key, &Entry::key) != queue_.end()) {
    return Admission::full;
  }
  const SocketAddress site = site_of(target);
  auto at = prefixes_.find(site);
  if (at == prefixes_.end()) {
    if (!make_room(now)) return Admission::full;
    at = prefixes_.try_emplace(site).first;
  }
  Prefix& prefix = at->second;
  // Those that wait and could start, but have not been polled yet, go first.
  const bool others_first = prefix.queued > 0 || next_start_ <= now;
  Admission answer = Admission::full;
  if (!others_first && in_flight_.size() < config_.max_in_flight && may_start_at(prefix) <= now) {
    begin(now, {.key = key, .prefix = at});
    answer = Admission::admitted;
  } else if (queue_.size() < config_.max_queued && prefix.queued < config_.max_queued_of_prefix) {
    ++prefix.queued;
    queue_.push_back({.key = key, .prefix = at});
    answer = Admission::wait;
  } else {
    on_less(at);
  }
  update_next_start();
  return answer;
}

std::optional<DialBackLimiter::Key> DialBackLimiter::poll_start(Instant now) {
  if (next_start_ > now) return std::nullopt;
  const auto first = std::ranges::find_if(
      queue_, [&](const Entry& entry) { return may_start_at(entry.prefix->second) <= now; });
  if (first == queue_.end()) return std::nullopt;
  const Entry entry = *first;
  queue_.erase(first);
  --entry.prefix->second.queued;
  begin(now, entry);
  update_next_start();
  return entry.key;
}

void DialBackLimiter::begin(Instant now, const Entry& entry) {
  Prefix& prefix = entry.prefix->second;
  ++prefix.in_flight;
  prefix.full_at = std::max(prefix.full_at, now) + config_.interval;
  in_flight_.emplace(entry.key, entry.prefix);
}

void DialBackLimiter::release(Key key) {
  if (const auto flying = in_flight_.find(key); flying != in_flight_.end()) {
    const auto at = flying->second;
    in_flight_.erase(flying);
    --at->second.in_flight;
    on_less(at);
  } else if (const auto waiting = std::ranges::find(queue_, key, &Entry::key);
             waiting != queue_.end()) {
    const auto at = waiting->prefix;
    queue_.erase(waiting);
    --at->second.queued;
    on_less(at);
  }
  update_next_start();
}

// A prefix that has nothing to do is kept for its bucket's sake only.
void DialBackLimiter::on_less(Prefixes::iterator at) {
  const Prefix& prefix = at->second;
  if (prefix.in_flight + prefix.queued > 0) return;
  if (prefix.full_at == Instant::min()) {
    prefixes_.erase(at);
  } else {
    next_sweep_ = std::min(next_sweep_, prefix.full_at);
  }
}

// Forgets the prefixes that are idle and whose bucket is full: they are like new ones. Searches
// again only when another prefix may have become like that.
bool DialBackLimiter::make_room(Instant now) {
  if (prefixes_.size() < config_.max_prefixes) return true;
  if (now < next_sweep_) return false;
  next_sweep_ = kNever;
  std::erase_if(prefixes_, [&](const auto& each) {
    const Prefix& prefix = each.second;
    if (prefix.in_flight + prefix.queued > 0) return false;
    if (prefix.full_at <= now) return true;
    next_sweep_ = std::min(next_sweep_, prefix.full_at);
    return false;
  });
  return prefixes_.size() < config_.max_prefixes;
}

void DialBackLimiter::update_next_start() {
  next_start_ = kNever;
  if (in_flight_.size() >= config_.max_in_flight) return;
  for (const Entry& entry : queue_) {
    next_start_ = std::min(next_start_, may_start_at(entry.prefix->second));
  }
}

}  // namespace qpeer::p2p
