// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/known_nodes.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {
namespace {

Candidate candidate_of(const cache::CacheEntry& entry) {
  return {.address = entry.address, .id = entry.id, .server_name = {}, .from_cache = true};
}

/// 2024. A clock that shows an earlier time has not been set yet.
constexpr std::int64_t kEarliestTime = 1'704'067'200;

// A peer of the internet must not make us dial into a private network.
bool may_learn(const SocketAddress& address, const SocketAddress& by) {
  return is_dialable(address) && scope_of(address) >= scope_of(by);
}

}  // namespace

KnownNodes::KnownNodes(NodeConfig& config, const PeerId& own_id)
    : own_id_(own_id), unix_time_at_zero_(config.unix_time_at_zero), cache_(config.cache) {
  cache_.merge(config.remembered);
  config.remembered = {};
  cache_.forget(own_id_);
  seen_revision_ = cache_.revision();
}

bool KnownNodes::take_change() {
  return std::exchange(seen_revision_, cache_.revision()) != cache_.revision();
}

// --- nodes that we reached -----------------------------------------------------------------------

void KnownNodes::on_reached(Instant now, const PeerConnection& connection,
                            transport::Connection* transport, cache::Evidence evidence) {
  tried_sites_.erase(site_of(connection.remote));
  if (transport == nullptr) return;
  const auto elapsed = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch());
  std::int64_t unix_now = (unix_time_at_zero_ + elapsed).time_since_epoch().count();
  if (unix_now < kEarliestTime) unix_now = 0;  // The cache keeps the time that it has.
  cache_.on_reached({.id = connection.peer,
                     .address = connection.remote,
                     .certificate = transport->peer_certificate().der,
                     .first_reached = unix_now,
                     .last_reached = unix_now,
                     .evidence = evidence,
                     .ticket = connection.resumption.ticket,
                     .spare_ticket = connection.resumption.spare_ticket,
                     .address_token = connection.resumption.address_token});
}

void KnownNodes::on_session_ticket(PeerConnection& connection, std::vector<u8> ticket) {
  if (!connection.dialled) return;
  if (cache_.find(connection.peer) != nullptr) {
    return cache_.add_ticket(connection.peer, std::move(ticket));
  }
  ResumptionSecrets& kept = connection.resumption;
  if (!kept.ticket.empty()) kept.spare_ticket = std::move(kept.ticket);
  kept.ticket = std::move(ticket);
}

void KnownNodes::on_new_token(PeerConnection& connection, std::vector<u8> address_token) {
  if (cache_.find(connection.peer) != nullptr) {
    return cache_.set_address_token(connection.peer, std::move(address_token));
  }
  connection.resumption.address_token = std::move(address_token);
}

Peers KnownNodes::answer(const PeerId& asker, std::uint64_t max, Random& random) const {
  // Begins at a random place, so that not all peers are sent to the same few nodes.
  std::vector<const cache::CacheEntry*> known = cache_.candidates();
  std::erase_if(known, [&](const cache::CacheEntry* entry) {
    return entry->failures > 0 || entry->evidence == cache::Evidence::unproved ||
           entry->id == asker;
  });
  Peers out;
  const std::size_t count = std::min({known.size(), static_cast<std::size_t>(max), kMaxPeers});
  const std::size_t start = known.empty() ? 0 : random.uniform(known.size());
  for (std::size_t i = 0; i < count; ++i) {
    const cache::CacheEntry& entry = *known[(start + i) % known.size()];
    out.peers.push_back({.id = entry.id, .address = entry.address});
  }
  return out;
}

// --- candidates ----------------------------------------------------------------------------------

void KnownNodes::learn(Instant now, const KnownPeer& peer, const SocketAddress& by) {
  if (peer.id == own_id_ || !may_learn(peer.address, by)) return;
  if (cache_.find(peer.id) != nullptr) return;
  const SocketAddress site = site_of(peer.address);
  if (learned_of_site(site) + dials_at(now, site) >= kMaxOfSite) return;
  const auto same = [&](const Learned& other) { return other.candidate.address == peer.address; };
  if (std::ranges::any_of(learned_, same)) return;
  const SocketAddress teller = site_of(by);
  if (learned_of_teller(teller) >= kMaxOfTeller) {
    learned_.erase(std::ranges::find(learned_, teller, &Learned::teller));
  } else if (learned_.size() >= kMaxLearned) {
    learned_.pop_front();
  }
  learned_.push_back({.candidate = {.address = peer.address,
                                    .id = peer.id,
                                    .server_name = {},
                                    .from_cache = false,
                                    .hearsay = true},
                      .teller = teller});
}

std::size_t KnownNodes::learned_of_site(const SocketAddress& site) const {
  return static_cast<std::size_t>(std::ranges::count_if(learned_, [&](const Learned& learned) {
    return site_of(learned.candidate.address) == site;
  }));
}

std::size_t KnownNodes::learned_of_teller(const SocketAddress& site) const {
  return static_cast<std::size_t>(std::ranges::count(learned_, site, &Learned::teller));
}

std::size_t KnownNodes::dials_at(Instant now, const SocketAddress& site) const {
  const auto at = tried_sites_.find(site);
  return at == tried_sites_.end() || at->second.forget_at <= now ? 0 : at->second.dials;
}

bool KnownNodes::admit_hearsay(Instant now, const SocketAddress& address) {
  const SocketAddress site = site_of(address);
  if (!may_dial_hearsay(now) || dials_at(now, site) >= kMaxOfSite) return false;
  std::erase_if(learned_, [&](const Learned& one) { return one.candidate.address == address; });
  std::erase_if(tried_sites_, [&](const auto& one) { return one.second.forget_at <= now; });
  TriedSite& tried = tried_sites_[site];
  ++tried.dials;
  tried.forget_at = now + kSiteRest;
  next_hearsay_ = std::max(next_hearsay_, now) + kHearsayInterval;
  return true;
}

std::vector<Candidate> KnownNodes::candidates(const std::vector<Candidate>& contacts) const {
  std::vector<Candidate> out;
  for (const cache::CacheEntry* entry : cache_.candidates()) out.push_back(candidate_of(*entry));
  out.insert(out.end(), contacts.begin(), contacts.end());
  for (const Learned& learned : learned_) out.push_back(learned.candidate);
  return out;
}

bool KnownNodes::was_tried(Instant now, const Candidate& candidate) const {
  const auto at = tried_.find(candidate.address);
  return at != tried_.end() && at->second > now;
}

std::optional<Candidate> KnownNodes::pick(Instant now, const std::vector<Candidate>& contacts,
                                          const Condition& is_wanted, Random& random) {
  std::vector<Candidate> wanted;
  const auto consider = [&](const Candidate& candidate) {
    if (was_tried(now, candidate) || is_paused(now, candidate)) return;
    if (is_wanted(candidate)) wanted.push_back(candidate);
  };
  for (const cache::CacheEntry* entry : cache_.candidates()) consider(candidate_of(*entry));
  if (may_dial_hearsay(now)) {
    for (const Learned& learned : learned_) consider(learned.candidate);
  }
  if (wanted.empty()) std::ranges::for_each(contacts, consider);
  if (wanted.empty()) return std::nullopt;
  Candidate out = wanted[random.uniform(wanted.size())];
  if (tried_.size() >= kMaxTried) tried_.clear();
  tried_[out.address] = now + kTryAgain;
  return out;
}

std::optional<Candidate> KnownNodes::take_learned(Instant now, const Condition& is_wanted) {
  while (!learned_.empty() && may_dial_hearsay(now)) {
    Candidate out = std::move(learned_.front().candidate);
    learned_.pop_front();
    if (!was_tried(now, out) && is_wanted(out)) return out;
  }
  return std::nullopt;
}

bool KnownNodes::consistent() const {
  if (learned_.size() > kMaxLearned || tried_.size() > kMaxTried) return false;
  if (!pauses_.consistent()) return false;
  if (cache_.find(own_id_) != nullptr) return false;
  for (std::size_t i = 0; i < learned_.size(); ++i) {
    const Candidate& candidate = learned_[i].candidate;
    if (candidate.id == own_id_ || learned_of_teller(learned_[i].teller) > kMaxOfTeller ||
        learned_of_site(site_of(candidate.address)) > kMaxOfSite) {
      return false;
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (candidate.address == learned_[j].candidate.address) return false;
    }
  }
  return true;
}

}  // namespace qpeer::p2p
