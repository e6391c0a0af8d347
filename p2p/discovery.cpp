// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/discovery.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "qpeer/p2p/knocks.hpp"

namespace qpeer::p2p {
namespace {

constexpr Duration kMaintainInterval = 500ms;
constexpr Duration kExploreInterval = 10s;
constexpr Duration kAskInterval = 2s;
/// So many entries of the cache are enough to stop looking for more.
constexpr std::size_t kCacheIsFull = 64;

}  // namespace

// --- bootstrap -----------------------------------------------------------------------------------

void Discovery::bootstrap(Instant now, std::vector<Candidate> contacts) {
  if (plan_) end_bootstrap(now, nullptr);
  contacts_ = std::move(contacts);
  bootstrap_requested_ = true;
  start_bootstrap(now);
}

void Discovery::cancel_bootstrap(Instant now) {
  bootstrap_requested_ = false;
  if (plan_) end_bootstrap(now, nullptr);
}

// When a contact has a new address, we try at once instead of waiting for attempts at the old ones.
void Discovery::update_contacts(Instant now, std::vector<Candidate> contacts) {
  const auto address = &Candidate::address;
  const bool is_news = !std::ranges::equal(contacts, contacts_, {}, address, address);
  contacts_ = std::move(contacts);
  if (!is_news || !keeps_links_) return;
  if (plan_ && !bootstrap_requested_) end_bootstrap(now, nullptr);
  maintain_at_ = std::min(maintain_at_, now);
}

bool Discovery::lacks_links() const {
  return keeps_links_ && linked_nodes() < config_.target_links;
}

std::size_t Discovery::linked_nodes() const {
  std::size_t nodes = 0;
  for (const Peer* peer : peers_.all()) nodes += peer->up && peer->role == Role::node ? 1 : 0;
  return nodes;
}

void Discovery::start_bootstrap(Instant now) {
  BootstrapConfig timing = config_.bootstrap;
  // A node is with us when it has dialled us back.
  if (config_.role == Role::node) {
    timing.attempt_timeout += config_.dial_back_timeout + Knocks::kRoundTime;
  }
  plan_.emplace(candidates(now), timing);
  attempts_.assign(plan_->candidates().size(), Attempt{});
  plan_began_ = now;
  plan_->start(now);
}

// Candidates that are paused come last when the application called bootstrap(), and not at all when we
// bootstrap by ourselves.
std::vector<Candidate> Discovery::candidates(Instant now) const {
  std::vector<Candidate> out;
  std::vector<Candidate> paused;
  for (Candidate& candidate : known_.candidates(contacts_)) {
    (known_.is_paused(now, candidate) ? paused : out).push_back(std::move(candidate));
  }
  if (bootstrap_requested_) std::ranges::move(paused, std::back_inserter(out));
  return out;
}

void Discovery::continue_bootstrap(Instant now) {
  while (const auto index = plan_ ? plan_->give_up(now) : std::nullopt) {
    abandon(now, std::exchange(attempts_[*index], {}));
  }
  while (const auto index = plan_ ? plan_->next(now) : std::nullopt) {
    const Candidate& candidate = plan_->candidates()[*index];
    const Peer* known = candidate.id ? peers_.find(*candidate.id) : nullptr;
    if (known != nullptr && known->up && known->role == Role::client && known->instance == 0) {
      plan_->on_failed(now, *index, "it is with us as a client");
      continue;
    }
    if (known != nullptr && known->up && known->role == Role::node) {
      plan_->on_won(*index);
      return end_bootstrap(now, known);
    }
    const auto dialled = dialler_.dial(now, candidate, Purpose::link, Port::first);
    if (!dialled) {
      plan_->on_failed(now, *index, dialled.error());
      continue;
    }
    attempts_[*index] = {.slot = *dialled};
  }
  if (plan_ && plan_->exhausted()) end_bootstrap(now, nullptr);
}

// Ends an attempt, and what the peer dialled because of it.
void Discovery::abandon(Instant now, const Attempt& given_up) {
  if (given_up.slot == kNoSlot || !given_up.is_ours) return;
  PeerConnection& attempt = connections_[given_up.slot];
  constexpr std::string_view kReason = "not needed any more";
  if (attempt.owner != kNoSlot && !peers_[attempt.owner].up) {
    for (const ConnectionSlot inbound : std::vector(peers_[attempt.owner].inbound)) {
      PeerConnection& answer = connections_[inbound];
      if (answer.began >= attempt.began) peers_.close(now, answer, ErrorCode::not_needed, kReason);
    }
  }
  peers_.close(now, attempt, ErrorCode::not_needed, kReason);
}

// Ends the bootstrap with the link of `winner`; without one when all candidates failed, or it was cancelled.
void Discovery::end_bootstrap(Instant now, const Peer* winner) {
  const BootstrapPlan over = *std::exchange(plan_, std::nullopt);
  for (const Attempt& attempt : std::exchange(attempts_, {})) {
    if (attempt.slot == kNoSlot) continue;
    if (winner == nullptr || connections_[attempt.slot].owner != winner->slot) {
      abandon(now, attempt);
    }
  }
  const bool requested = std::exchange(bootstrap_requested_, false);
  if (winner == nullptr) {
    if (requested) queue_.emit(BootstrapFailed{.failures = over.failures()});
    if (keeps_links_) maintain_at_ = now + back_off_.on_failure(random_);
    return;
  }
  back_off_.on_success();
  if (requested) emit_bootstrapped(now, *winner, over);
  keeps_links_ = true;
  maintain_at_ = now + kMaintainInterval;
  if (explore_at_ == kNever) explore_at_ = now + kMaintainInterval;
}

void Discovery::emit_bootstrapped(Instant now, const Peer& winner, const BootstrapPlan& plan) {
  transport::Connection* connection =
      winner.has_outbound() ? connections_.transport(winner.outbound) : nullptr;
  const bool early =
      connection != nullptr && connection->early_data() == crypto::EarlyData::accepted;
  queue_.emit(Bootstrapped{.peer = winner.id,
                           .address = winner.address,
                           .took = now - plan_began_,
                           .tried = plan.failures().size() + plan.in_flight() + 1,
                           .early_bytes = early ? connection->stats().early_bytes : 0});
}

// --- what happened -------------------------------------------------------------------------------

std::optional<std::size_t> Discovery::index_of(ConnectionSlot slot) const {
  const auto at = std::ranges::find(attempts_, slot, &Attempt::slot);
  if (at == attempts_.end()) return std::nullopt;
  return static_cast<std::size_t>(at - attempts_.begin());
}

// By the connection that made the link, or by one that was on its way to the same peer.
std::optional<std::size_t> Discovery::attempt_for(const Peer& peer) const {
  if (const auto index = index_of(peer.outbound)) return index;
  for (std::size_t i = 0; i < attempts_.size(); ++i) {
    const ConnectionSlot slot = attempts_[i].slot;
    if (slot != kNoSlot && connections_[slot].candidate.id == peer.id) return i;
  }
  return std::nullopt;
}

void Discovery::on_answer(const PeerConnection& connection) {
  if (const auto index = index_of(connection.slot)) plan_->on_answer(*index);
}

void Discovery::on_connection_ended(Instant now, const PeerConnection& connection,
                                    const std::string& why) {
  const auto index = index_of(connection.slot);
  if (!index) return;
  attempts_[*index] = {};
  plan_->on_failed(now, *index, why);
}

void Discovery::on_link_ready(Instant now, Peer& peer) {
  if (!peer.has_outbound()) return;
  const auto index = attempt_for(peer);
  if (index && plan_->on_won(*index)) end_bootstrap(now, &peer);
}

void Discovery::on_superseded(Instant now, const PeerConnection& connection, Peer& peer) {
  const auto index = index_of(connection.slot);
  if (!index) return;
  if (peer.up) {
    if (plan_->on_won(*index)) end_bootstrap(now, &peer);
  } else if (!index_of(peer.outbound)) {
    attempts_[*index] = {.slot = peer.outbound, .is_ours = false};
  }
}

void Discovery::on_link_down(Instant now, const LinkWentDown& event) {
  if (event.we_dialled && !event.we_ended) {
    const bool lasted = now - event.up_since >= PeerTable::kSettledTime;
    lasted ? known_.resume(event.address) : known_.pause(now, event.address, random_);
  }
  if (keeps_links_) maintain_at_ = std::min(maintain_at_, now);
}

void Discovery::on_outbound_opened(PeerConnection& connection) {
  if (!config_.exchange_peers) return;
  connection.control.send(connections_.transport(connection), PeersRequest{.max = kMaxPeers});
}

void Discovery::on_peers_request(Instant now, PeerConnection& connection,
                                 const PeersRequest& message) {
  if (!config_.exchange_peers || config_.role != Role::node) return;
  if (!connection.control.admit_peers_request(now)) return;
  connection.control.send(connections_.transport(connection),
                          known_.answer(connection.peer, message.max, random_));
}

void Discovery::on_peers(Instant now, PeerConnection& connection, const Peers& message) {
  if (!connection.dialled || !config_.exchange_peers) return;
  if (!connection.control.take_peers_answer()) return;
  for (const KnownPeer& known : message.peers) {
    if (dialler_.is_ourselves(known.address) || peers_.find(known.id) != nullptr) continue;
    known_.learn(now, known, connection.remote);
  }
}

// --- keeping links up ----------------------------------------------------------------------------

Instant Discovery::next_deadline() const {
  const Instant out = std::min(maintain_at_, explore_at_);
  return plan_ ? std::min(out, plan_->next_deadline()) : out;
}

void Discovery::on_deadline(Instant now) {
  if (maintain_at_ <= now) maintain(now);
  if (explore_at_ <= now) explore(now);
}

void Discovery::shut_down(Instant now) {
  keeps_links_ = false;
  maintain_at_ = kNever;
  explore_at_ = kNever;
  if (plan_) end_bootstrap(now, nullptr);
}

// Connections of which a link may come.
std::size_t Discovery::dialling() {
  std::size_t out = 0;
  connections_.for_each([&](const PeerConnection& connection) {
    if (connection.dialled && connection.purpose == Purpose::link &&
        connection.dial_back_for == kNoSlot && connection.stage != PeerConnection::Stage::open) {
      ++out;
    }
  });
  return out;
}

void Discovery::maintain(Instant now) {
  maintain_at_ = keeps_links_ ? now + kMaintainInterval : kNever;
  if (!keeps_links_ || plan_) return;
  const std::size_t nodes = linked_nodes();
  // Without any link not one candidate at a time: most of the nodes that we know may be gone.
  if (nodes == 0) return start_bootstrap(now);
  if (nodes + dialling() >= config_.target_links) return;
  const auto is_wanted = [&](const Candidate& candidate) { return is_unlinked(candidate); };
  if (const auto candidate = known_.pick(now, contacts_, is_wanted, random_)) {
    (void)dialler_.dial(now, *candidate, Purpose::link, Port::first);
  } else {
    ask_for_peers(now);
  }
}

// Dials a node that a peer named, and closes the connection once the node has introduced itself: then it
// is in the cache.
void Discovery::explore(Instant now) {
  explore_at_ = keeps_links_ ? now + kExploreInterval : kNever;
  if (!keeps_links_ || known_.cache().size() >= kCacheIsFull) return;
  const auto is_wanted = [&](const Candidate& candidate) { return is_unlinked(candidate); };
  if (const auto candidate = known_.take_learned(now, is_wanted)) {
    (void)dialler_.dial(now, *candidate, Purpose::probe, Port::probe);
  } else {
    ask_for_peers(now);
  }
}

void Discovery::ask_for_peers(Instant now) {
  if (!config_.exchange_peers || now < ask_again_at_) return;
  ask_again_at_ = now + kAskInterval;
  peers_.for_each([&](const Peer& peer) {
    if (connections_.is_open(peer.outbound)) on_outbound_opened(connections_[peer.outbound]);
  });
}

bool Discovery::is_unlinked(const Candidate& candidate) const {
  if (!candidate.id) return true;
  const Peer* peer = peers_.find(*candidate.id);
  // A client may have the key of a node.
  const bool unlinked = peer == nullptr || (peer->role == Role::client && peer->instance != 0);
  return unlinked && !dialler_.is_us(*candidate.id);
}

bool Discovery::consistent() const {
  if (!plan_) return attempts_.empty();
  if (attempts_.size() != plan_->candidates().size()) return false;
  std::size_t in_flight = 0;
  for (const Attempt& attempt : attempts_) {
    if (attempt.slot == kNoSlot) continue;
    ++in_flight;
    if (connections_[attempt.slot].has_ended()) return false;
    if (std::ranges::count(attempts_, attempt.slot, &Attempt::slot) != 1) return false;
  }
  return in_flight == plan_->in_flight();
}

}  // namespace qpeer::p2p
