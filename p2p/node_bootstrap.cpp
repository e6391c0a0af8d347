// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How a Node finds others: the first link, and as many as it should have from then on.
#include <algorithm>
#include <utility>

#include "qpeer/p2p/node_state.hpp"
#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {
namespace {

constexpr Duration kMaintainInterval = 500ms;
constexpr Duration kExploreInterval = 10s;
constexpr Duration kAskInterval = 2s;
/// So many entries of the cache are enough to stop looking for more.
constexpr std::size_t kCacheIsFull = 64;
/// A candidate that failed, or that we are with, is not tried again before.
constexpr Duration kTryAgain = 30s;
constexpr std::size_t kMaxTried = 1'024;

}  // namespace

// --- bootstrap -----------------------------------------------------------------------------------

void Node::bootstrap(Instant now, std::vector<Candidate> contacts) {
  Implementation& node = *impl_;
  node.now = now;
  if (node.shutting_down) return node.tell(BootstrapFailed{});
  if (node.plan) node.end_bootstrap(std::nullopt);
  node.contacts = std::move(contacts);
  node.bootstrap_asked = true;
  node.start_bootstrap();
  node.pump(now);
}

void Node::cancel_bootstrap(Instant now) {
  Implementation& node = *impl_;
  node.now = now;
  node.bootstrap_asked = false;
  if (node.plan) node.end_bootstrap(std::nullopt);
}

void Node::Implementation::start_bootstrap() {
  std::vector<Candidate> candidates;
  for (const cache::CacheEntry* entry : cache.candidates()) {
    candidates.push_back(
        {.address = entry->address, .id = entry->id, .server_name = {}, .from_cache = true});
  }
  candidates.insert(candidates.end(), contacts.begin(), contacts.end());
  candidates.insert(candidates.end(), learned.begin(), learned.end());
  BootstrapConfig timing = config.bootstrap;
  // A node is with us when it has dialled us back.
  if (config.role == Role::node) timing.attempt_timeout += config.dial_back_timeout;
  plan.emplace(std::move(candidates), timing);
  plan_links.assign(plan->candidates().size(), kNone);
  plan_began = now;
  plan->start(now);
}

void Node::Implementation::continue_bootstrap() {
  while (const auto index = plan ? plan->give_up(now) : std::nullopt) {
    const Slot slot = std::exchange(plan_links[*index], kNone);
    if (slot == kNone) continue;
    abandon(slot);
  }
  while (const auto index = plan ? plan->next(now) : std::nullopt) {
    const Candidate& candidate = plan->candidates()[*index];
    const Peer* known = candidate.id ? find_peer(*candidate.id) : nullptr;
    if (known != nullptr && known->up && known->role == Role::client) {
      plan->on_failed(now, *index, "it is with us as a client");
      continue;
    }
    if (known != nullptr && known->up) {
      plan->on_won(*index);
      return end_bootstrap(known->slot);
    }
    const auto dialled = dial(candidate, Purpose::link, Port::first);
    if (!dialled) {
      plan->on_failed(now, *index, dialled.error());
      continue;
    }
    links[*dialled].plan_index = index;
    plan_links[*index] = *dialled;
  }
  if (plan && plan->exhausted()) end_bootstrap(std::nullopt);
}

// Ends an attempt, and what the peer dialled because of it.
void Node::Implementation::abandon(Slot slot) {
  links[slot].plan_index.reset();
  const Slot owner = links[slot].owner;
  const Instant began = links[slot].began;
  if (owner != kNone && !peers[owner].up) {
    for (const Slot in : std::vector(peers[owner].ins)) {
      if (links[in].began >= began) end(in, ErrorCode::not_needed, "not needed any more");
    }
  }
  end(slot, ErrorCode::not_needed, "not needed any more");
}

// With a link, or without: then everybody failed, or nobody wants it any more.
void Node::Implementation::end_bootstrap(std::optional<Slot> winner) {
  const BootstrapPlan over = *std::exchange(plan, std::nullopt);
  for (const Slot slot : std::exchange(plan_links, {})) {
    if (slot == kNone) continue;
    if (winner && links[slot].owner == *winner) {
      links[slot].plan_index.reset();
    } else {
      abandon(slot);
    }
  }
  const bool asked = std::exchange(bootstrap_asked, false);
  if (!winner) {
    if (asked) tell(BootstrapFailed{.failures = over.failures()});
    if (keeps_links) maintain_at = now + bootstrap_back_off.on_failure(random);
    return;
  }
  bootstrap_back_off.on_success();
  if (asked) {
    const Peer& peer = peers[*winner];
    transport::Connection* connection = peer.out == kNone ? nullptr : transport_of(links[peer.out]);
    const bool early =
        connection != nullptr && connection->early_data() == crypto::EarlyData::accepted;
    tell(Bootstrapped{.peer = peer.id,
                      .address = peer.address,
                      .took = now - plan_began,
                      .tried = over.failures().size() + over.in_flight(),
                      .early_bytes = early ? connection->stats().early_bytes : 0});
  }
  keeps_links = true;
  maintain_at = now + kMaintainInterval;
  if (explore_at == kNever) explore_at = now + kMaintainInterval;
}

// --- keeping links up ----------------------------------------------------------------------------

std::size_t Node::Implementation::dialling() const {
  std::size_t out = 0;
  for (Slot slot = 0; slot < links.capacity(); ++slot) {
    if (!links.contains(slot)) continue;
    const Link& link = links[slot];
    if (link.dialled && link.purpose == Purpose::link && link.judges == kNone &&
        link.stage != Link::Stage::open) {
      ++out;
    }
  }
  return out;
}

void Node::Implementation::maintain() {
  maintain_at = keeps_links ? now + kMaintainInterval : kNever;
  if (!keeps_links || plan) return;
  std::size_t nodes = 0;
  peers.for_each([&](const Peer& peer) { nodes += peer.up && peer.role == Role::node ? 1 : 0; });
  // Not one at a time when none is left: most of what we know may be gone.
  if (nodes == 0) return start_bootstrap();
  if (nodes + dialling() >= config.target_links) return;
  if (const auto candidate = next_candidate()) {
    (void)dial(*candidate, Purpose::link, Port::first);
  } else {
    ask_for_peers();
  }
}

// Somebody that we heard of and have not met: to meet is enough, a cache of many is worth it.
void Node::Implementation::explore() {
  explore_at = keeps_links ? now + kExploreInterval : kNever;
  if (!keeps_links || cache.size() >= kCacheIsFull) return;
  while (!learned.empty()) {
    const Candidate candidate = learned.front();
    learned.pop_front();
    if (!is_wanted(candidate)) continue;
    (void)dial(candidate, Purpose::probe, Port::probe);
    return;
  }
  ask_for_peers();  // Nobody left to meet.
}

void Node::Implementation::ask_for_peers() {
  if (!config.exchange_peers || now < ask_again_at) return;
  ask_again_at = now + kAskInterval;
  peers.for_each([&](const Peer& peer) {
    if (is_open(peer.out)) send_control(links[peer.out], PeersRequest{.max = kMaxPeers});
  });
}

bool Node::Implementation::is_wanted(const Candidate& candidate) const {
  if (candidate.id && (by_id.contains(*candidate.id) || *candidate.id == tls.id)) return false;
  const auto at = tried.find(candidate.address);
  return at == tried.end() || at->second <= now;
}

std::optional<Candidate> Node::Implementation::next_candidate() {
  std::vector<Candidate> wanted;
  const auto consider = [&](Candidate candidate) {
    if (is_wanted(candidate)) wanted.push_back(std::move(candidate));
  };
  for (const cache::CacheEntry* entry : cache.candidates()) {
    consider({.address = entry->address, .id = entry->id, .server_name = {}, .from_cache = true});
  }
  for (const Candidate& candidate : learned) consider(candidate);
  if (wanted.empty()) {
    for (const Candidate& candidate : contacts) consider(candidate);
  }
  if (wanted.empty()) return std::nullopt;
  Candidate out = wanted[random.uniform(wanted.size())];
  if (tried.size() >= kMaxTried) tried.clear();
  tried[out.address] = now + kTryAgain;
  return out;
}

// Hearsay must not send us where whoever tells it could not go.
bool Node::Implementation::may_be_told_of(const SocketAddress& address,
                                          const SocketAddress& by) const {
  return is_dialable(address) && scope_of(address) >= scope_of(by);
}

}  // namespace qpeer::p2p
