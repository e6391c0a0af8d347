// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The nodes that we know of: those that we reached, in the cache, and those that peers named.
//
// An address that a peer named ("hearsay") may be that of a victim whom we are to flood. So of the site (a
// /24 or /48) of the peer that named it at most kMaxOfTeller candidates are kept, and of each site that is
// named kMaxOfSite; each candidate is dialled once and then forgotten, and all of them slowly. A site where
// no node was reached is not dialled for kSiteRest.
//
// Invariant: our own id is in neither. What peers named is at most kMaxLearned candidates with different
// addresses, within the bounds for sites.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "qpeer/cache/bootstrap_cache.hpp"
#include "qpeer/p2p/bootstrap_plan.hpp"
#include "qpeer/p2p/candidate_pauses.hpp"
#include "qpeer/p2p/control_messages.hpp"
#include "qpeer/p2p/node_config.hpp"
#include "qpeer/p2p/peer_connection.hpp"
#include "qpeer/transport/base/random.hpp"

namespace qpeer::p2p {

class KnownNodes {
 public:
  static constexpr std::size_t kMaxLearned = 128;
  static constexpr std::size_t kMaxOfSite = 2;
  static constexpr std::size_t kMaxOfTeller = 32;
  /// One candidate of hearsay is dialled in each interval; after a quiet time kHearsayBurst at once.
  static constexpr Duration kHearsayInterval = 2s;
  static constexpr int kHearsayBurst = 8;
  static constexpr Duration kSiteRest = 10min;
  /// A candidate that was picked is not picked again before.
  static constexpr Duration kTryAgain = 30s;
  static constexpr std::size_t kMaxTried = 1'024;
  using Condition = std::function<bool(const Candidate&)>;

  /// Takes `remembered` out of `config`.
  KnownNodes(NodeConfig& config, const PeerId& own_id);

  [[nodiscard]] const cache::BootstrapCache& cache() const { return cache_; }
  /// Whether the cache is not what it was at the last call.
  [[nodiscard]] bool take_change();

  // --- nodes that we reached -------------------------------------------------------------------

  /// We reached, without help, the peer of this connection.
  void on_reached(Instant now, const PeerConnection& connection, transport::Connection* transport,
                  cache::Evidence evidence);
  void on_failed(const PeerId& id) { cache_.on_failed(id); }
  /// Strangers get through to the node.
  void on_proved(const PeerId& id) { cache_.on_proved(id); }
  /// Only those reach the node to whom it wrote.
  void forget(const PeerId& id) { cache_.forget(id); }
  void on_session_ticket(PeerConnection& connection, std::vector<u8> ticket);
  void on_new_token(PeerConnection& connection, std::vector<u8> address_token);
  /// Ticket and token for one connection: they are not used again.
  [[nodiscard]] cache::Resumption take_resumption(const PeerId& id) {
    return cache_.take_resumption(id);
  }
  /// The answer to a PeersRequest of `asker`: at most `max` nodes.
  [[nodiscard]] Peers answer(const PeerId& asker, std::uint64_t max, Random& random) const;

  // --- candidates ------------------------------------------------------------------------------

  /// A peer at the address `by` named `peer`. Ignored when it is in the cache.
  void learn(Instant now, const KnownPeer& peer, const SocketAddress& by);
  /// Whether this address, which a peer named, may be dialled now. It is forgotten, and counts.
  [[nodiscard]] bool admit_hearsay(Instant now, const SocketAddress& address);
  [[nodiscard]] std::size_t learned() const { return learned_.size(); }
  /// The cache, best first, then the contacts, then what was learned.
  [[nodiscard]] std::vector<Candidate> candidates(const std::vector<Candidate>& contacts) const;
  /// One of the cache or learned, else of the contacts, at random.
  [[nodiscard]] std::optional<Candidate> pick(Instant now, const std::vector<Candidate>& contacts,
                                              const Condition& is_wanted, Random& random);
  /// A dial to `address` led to no link, or to one that ended soon: the pause is longer each time.
  void pause(Instant now, const SocketAddress& address, Random& random) {
    pauses_.on_failed(now, address, random);
  }
  /// A link to `address` lasted.
  void resume(const SocketAddress& address) { pauses_.on_success(address); }
  /// The network is another: what failed before may succeed now.
  void resume_all() { pauses_.clear(); }
  [[nodiscard]] bool is_paused(Instant now, const Candidate& candidate) const {
    return pauses_.holds(now, candidate.address);
  }
  /// Takes out the candidate that was learned first.
  [[nodiscard]] std::optional<Candidate> take_learned(Instant now, const Condition& is_wanted);

  [[nodiscard]] bool consistent() const;

 private:
  struct Learned {
    Candidate candidate;
    SocketAddress teller;  ///< The site of the peer that named it.
  };
  /// A site where hearsay was dialled, and no node reached.
  struct TriedSite {
    std::size_t dials = 0;
    Instant forget_at{};
  };

  [[nodiscard]] bool was_tried(Instant now, const Candidate& candidate) const;
  [[nodiscard]] std::size_t learned_of_site(const SocketAddress& site) const;
  [[nodiscard]] std::size_t learned_of_teller(const SocketAddress& site) const;
  [[nodiscard]] std::size_t dials_at(Instant now, const SocketAddress& site) const;
  [[nodiscard]] bool may_dial_hearsay(Instant now) const {
    return now >= next_hearsay_ - (kHearsayBurst - 1) * kHearsayInterval;
  }

  PeerId own_id_;
  UnixSeconds unix_time_at_zero_;
  cache::BootstrapCache cache_;
  std::uint64_t seen_revision_ = 0;
  std::deque<Learned> learned_;
  std::map<SocketAddress, TriedSite> tried_sites_;
  Instant next_hearsay_{};                  ///< When all of the burst is there again.
  std::map<SocketAddress, Instant> tried_;  ///< Not again before.
  CandidatePauses pauses_;
};

}  // namespace qpeer::p2p
