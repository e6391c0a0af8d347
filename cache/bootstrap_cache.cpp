// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/cache/bootstrap_cache.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <ranges>
#include <utility>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer::cache {
namespace {

/// The prefix of an address, to which CacheConfig::prefix_share applies.
struct Prefix {
  bool ipv4 = false;
  std::array<u8, 4> octets{};

  explicit Prefix(const SocketAddress& address) : ipv4(address.is_ipv4()) {
    copy(address.octets().first(ipv4 ? 2 : 4), octets);
  }
  friend auto operator<=>(const Prefix&, const Prefix&) = default;
};

/// Far from where a number would not fit its field any more.
constexpr std::uint64_t kMaxOrder = std::uint64_t{1} << 60;

std::pair<std::uint64_t, std::int64_t> freshness(const CacheEntry& entry) {
  return {entry.order, entry.order == 0 ? entry.last_reached : 0};
}

bool newer(const CacheEntry& a, const CacheEntry& b) {
  const auto of_a = freshness(a);
  const auto of_b = freshness(b);
  return of_a != of_b ? of_a > of_b : a.id < b.id;
}

bool is_proved(const CacheEntry& entry) { return entry.evidence != Evidence::unproved; }

bool better(const CacheEntry& a, const CacheEntry& b) {
  if (a.failures != b.failures) return a.failures < b.failures;
  if (is_proved(a) != is_proved(b)) return is_proved(a);
  return newer(a, b);
}

bool is_candidate(const CacheEntry& entry) {
  const SocketAddress& address = entry.address;
  return !entry.id.is_zero() && address.valid() && !address.is_wildcard() && address.port() != 0;
}

/// Moves into an entry what stays of the older entry that it replaces.
void inherit(CacheEntry& entry, CacheEntry& older) {
  if (entry.last_reached == 0) {
    entry.last_reached = older.last_reached;
    entry.first_reached = older.first_reached;
  } else if (older.first_reached != 0) {
    entry.first_reached = std::min(entry.first_reached, older.first_reached);
  }
  for (auto* ticket : {&older.ticket, &older.spare_ticket}) {
    if (ticket->empty() || *ticket == entry.ticket) continue;
    auto& place = entry.ticket.empty() ? entry.ticket : entry.spare_ticket;
    if (place.empty()) place = std::move(*ticket);
  }
  if (entry.address_token.empty()) entry.address_token = std::move(older.address_token);
}

void keep_at_most(std::vector<u8>& blob, std::size_t limit) {
  if (blob.size() > limit) blob = {};
}

}  // namespace

bool BootstrapCache::on_reached(CacheEntry entry) {
  if (!is_candidate(entry) || config_.capacity == 0) return false;
  if (entry.first_reached == 0) entry.first_reached = entry.last_reached;
  limit(entry);
  if (entry.order == 0) entry.order = std::min(latest_ + 1, kMaxOrder);
  latest_ = std::max(latest_, entry.order);
  entry.failures = 0;
  std::erase(forgotten_, entry.id);
  bool stays = false;  // In its network: it needs no other's place.
  if (const auto known = at(entry.id); known != entries_.end()) {
    stays = Prefix(known->address) == Prefix(entry.address);
    // What was proved of this address is not forgotten because it was not proved again.
    if (!is_proved(entry) && known->address == entry.address) {
      entry.evidence = known->evidence;
    }
    if (entry.certificate.empty()) entry.certificate = std::move(known->certificate);
    inherit(entry, *known);
    entries_.erase(known);
  }
  if (const auto other = at(entry.address); other != entries_.end()) entries_.erase(other);
  if (!stays) {
    const auto victim = victim_for(entry.address);
    if (victim != entries_.end()) entries_.erase(victim);
  }
  place(std::move(entry));
  QPEER_ASSERT(consistent());
  return true;
}

void BootstrapCache::on_failed(const PeerId& id) {
  const auto known = at(id);
  if (known == entries_.end()) return;
  if (known->failures == std::numeric_limits<std::uint32_t>::max()) return;
  ++known->failures;
  ++revision_;
}

void BootstrapCache::on_proved(const PeerId& id) {
  const auto known = at(id);
  if (known == entries_.end() || is_proved(*known)) return;
  known->evidence = Evidence::dialled_back;
  ++revision_;
}

void BootstrapCache::forget(const PeerId& id) {
  std::erase(forgotten_, id);
  forgotten_.push_back(id);
  if (forgotten_.size() > config_.capacity) forgotten_.erase(forgotten_.begin());
  if (const auto known = at(id); known != entries_.end()) entries_.erase(known);
  ++revision_;
  QPEER_ASSERT(consistent());
}

void BootstrapCache::add_ticket(const PeerId& id, std::vector<u8> ticket) {
  const auto known = at(id);
  if (known == entries_.end() || ticket.empty() || ticket.size() > config_.max_ticket) return;
  if (!known->ticket.empty()) known->spare_ticket = std::move(known->ticket);
  known->ticket = std::move(ticket);
  ++revision_;
}

void BootstrapCache::set_address_token(const PeerId& id, std::vector<u8> address_token) {
  const auto known = at(id);
  if (known == entries_.end() || address_token.size() > config_.max_address_token) return;
  known->address_token = std::move(address_token);
  ++revision_;
}

Resumption BootstrapCache::take_resumption(const PeerId& id) {
  const auto known = at(id);
  if (known == entries_.end()) return {};
  if (known->ticket.empty() && known->address_token.empty()) return {};
  ++revision_;
  return {.ticket = std::exchange(known->ticket, std::exchange(known->spare_ticket, {})),
          .address_token = std::exchange(known->address_token, {})};
}

void BootstrapCache::merge(std::span<const CacheEntry> entries) {
  std::vector<const CacheEntry*> order;
  order.reserve(entries.size());
  for (const CacheEntry& entry : entries) order.push_back(&entry);
  // The result must not depend on the order of the source, and the best entries should find room.
  std::ranges::sort(order, [](const auto* a, const auto* b) { return newer(*a, *b); });
  for (const CacheEntry* entry : order) merge_one(*entry);
  QPEER_ASSERT(consistent());
}

void BootstrapCache::merge_one(const CacheEntry& theirs) {
  if (!is_candidate(theirs) || config_.capacity == 0) return;
  if (std::ranges::find(forgotten_, theirs.id) != forgotten_.end()) return;
  CacheEntry entry = theirs;
  limit(entry);
  latest_ = std::max(latest_, entry.order);
  const auto known = at(entry.id);
  if (known != entries_.end() && freshness(*known) >= freshness(entry)) {
    if (freshness(*known) == freshness(entry) && known->failures < entry.failures) {
      known->failures = entry.failures;
      ++revision_;
    }
    return;
  }
  const auto other = at(entry.address);
  if (other != entries_.end() && other != known && freshness(*other) >= freshness(entry)) return;
  bool stays = false;
  if (known != entries_.end()) {
    stays = Prefix(known->address) == Prefix(entry.address);
    inherit(entry, *known);
    entries_.erase(known);
    ++revision_;
  }
  if (const auto same = at(entry.address); same != entries_.end()) {
    entries_.erase(same);
    ++revision_;
  }
  if (!stays) {
    const auto victim = victim_for(entry.address);
    if (victim != entries_.end() && !better(entry, *victim)) return;
    if (victim != entries_.end()) entries_.erase(victim);
  }
  place(std::move(entry));
}

void BootstrapCache::renumber(const std::function<std::uint64_t(const CacheEntry&)>& order_of) {
  bool changed = false;
  for (CacheEntry& entry : entries_ | std::views::reverse) {
    if (entry.order == 0) continue;
    const std::uint64_t before = std::exchange(entry.order, std::min(order_of(entry), kMaxOrder));
    changed = changed || entry.order != before;
    latest_ = std::max(latest_, entry.order);
  }
  if (!changed) return;
  std::ranges::sort(entries_, newer);
  ++revision_;
  QPEER_ASSERT(consistent());
}

bool BootstrapCache::consistent() const {
  if (entries_.size() > config_.capacity || forgotten_.size() > config_.capacity) return false;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const CacheEntry& entry = entries_[i];
    CacheEntry limited = entry;
    limit(limited);
    if (!is_candidate(entry) || limited != entry) return false;
    if (i != 0 && !newer(entries_[i - 1], entry)) return false;
    if (std::ranges::find(forgotten_, entry.id) != forgotten_.end()) return false;
    for (std::size_t j = 0; j < i; ++j) {
      if (entries_[j].id == entry.id || entries_[j].address == entry.address) return false;
    }
  }
  return true;
}

const CacheEntry* BootstrapCache::find(const PeerId& id) const {
  const auto found = std::ranges::find(entries_, id, &CacheEntry::id);
  return found == entries_.end() ? nullptr : &*found;
}

std::vector<const CacheEntry*> BootstrapCache::candidates() const {
  std::vector<const CacheEntry*> out;
  out.reserve(entries_.size());
  for (const CacheEntry& entry : entries_) out.push_back(&entry);
  std::ranges::sort(out, [](const auto* a, const auto* b) { return better(*a, *b); });
  return out;
}

BootstrapCache::Iterator BootstrapCache::at(const PeerId& id) {
  return std::ranges::find(entries_, id, &CacheEntry::id);
}

BootstrapCache::Iterator BootstrapCache::at(const SocketAddress& address) {
  return std::ranges::find(entries_, address, &CacheEntry::address);
}

BootstrapCache::Iterator BootstrapCache::victim_for(const SocketAddress& address) {
  const std::size_t divisor = std::max<std::size_t>(config_.prefix_share, 1);
  const std::size_t share = std::max<std::size_t>(config_.capacity / divisor, 1);
  const Prefix newcomer(address);
  if (entries_.size() <= config_.capacity / 2) return entries_.end();

  const auto worst_of = [this](auto&& belongs) {
    auto worst = entries_.end();
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (!belongs(Prefix(entry->address))) continue;
      if (worst == entries_.end() || better(*worst, *entry)) worst = entry;
    }
    return worst;
  };
  const auto neighbours = std::ranges::count_if(
      entries_, [&](const CacheEntry& entry) { return Prefix(entry.address) == newcomer; });
  if (static_cast<std::size_t>(neighbours) >= share) {
    return worst_of([&](const Prefix& prefix) { return prefix == newcomer; });
  }
  if (entries_.size() < config_.capacity) return entries_.end();
  std::map<Prefix, std::size_t> counts;
  for (const CacheEntry& entry : entries_) ++counts[Prefix(entry.address)];
  const auto largest = std::ranges::max_element(
      counts, {}, [](const auto& prefix_and_count) { return prefix_and_count.second; });
  if (largest->second > share) {
    return worst_of([&](const Prefix& prefix) { return prefix == largest->first; });
  }
  return worst_of([](const Prefix&) { return true; });
}

void BootstrapCache::limit(CacheEntry& entry) const {
  keep_at_most(entry.certificate, config_.max_certificate);
  keep_at_most(entry.ticket, config_.max_ticket);
  keep_at_most(entry.spare_ticket, config_.max_ticket);
  if (entry.ticket.empty()) entry.ticket = std::exchange(entry.spare_ticket, {});
  keep_at_most(entry.address_token, config_.max_address_token);
  if (entry.order > kMaxOrder) entry.order = 0;
  entry.last_reached = std::max<std::int64_t>(entry.last_reached, 0);
  entry.first_reached = std::clamp<std::int64_t>(entry.first_reached, 0, entry.last_reached);
}

void BootstrapCache::place(CacheEntry entry) {
  const auto where = std::ranges::lower_bound(entries_, entry, newer);
  entries_.insert(where, std::move(entry));
  ++revision_;
}

}  // namespace qpeer::cache
