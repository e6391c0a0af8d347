// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How a Node finds others: the first link, and as many as it should have from then on.
//
// Invariant: while a bootstrap is under way each candidate that is in flight has a connection, which
// has not ended, and no connection has two. Without one there is neither.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "qpeer/p2p/back_off.hpp"
#include "qpeer/p2p/dialler.hpp"
#include "qpeer/p2p/event_queue.hpp"
#include "qpeer/p2p/peer_table.hpp"

namespace qpeer::p2p {

class Discovery {
 public:
  Discovery(const NodeConfig& config, Random& random, EventQueue& queue,
            ConnectionTable& connections, PeerTable& peers, KnownNodes& known, Dialler& dialler)
      : config_(config),
        random_(random),
        queue_(queue),
        connections_(connections),
        peers_(peers),
        known_(known),
        dialler_(dialler) {}

  // --- bootstrap -------------------------------------------------------------------------------

  /// For the application: Bootstrapped or BootstrapFailed follows.
  void bootstrap(Instant now, std::vector<Candidate> contacts);
  void cancel_bootstrap(Instant now);
  /// The contacts have other addresses than before.
  void update_contacts(Instant now, std::vector<Candidate> contacts);
  /// Whether more links are wanted than there are.
  [[nodiscard]] bool lacks_links() const;
  [[nodiscard]] bool is_bootstrapping() const { return plan_.has_value(); }
  /// Gives up what takes too long and dials what is next; after everything that happened.
  void continue_bootstrap(Instant now);

  // --- what happened ---------------------------------------------------------------------------

  /// The handshake of a connection that we dialled is complete.
  void on_answer(const PeerConnection& connection);
  void on_connection_ended(Instant now, const PeerConnection& connection, const std::string& why);
  void on_link_ready(Instant now, Peer& peer);
  /// The connection of a dial is not needed: the peer has an outbound one, whose link is awaited now.
  void on_superseded(Instant now, const PeerConnection& connection, Peer& peer);
  void on_link_down(Instant now, const LinkWentDown& event);
  void on_outbound_opened(PeerConnection& connection);
  void on_peers_request(Instant now, PeerConnection& connection, const PeersRequest& message);
  void on_peers(Instant now, PeerConnection& connection, const Peers& message);

  // --- time ------------------------------------------------------------------------------------

  [[nodiscard]] Instant next_deadline() const;
  void on_deadline(Instant now);
  /// Neither dials nor keeps links from now on.
  void shut_down(Instant now);

  [[nodiscard]] bool consistent() const;

 private:
  struct Attempt {
    ConnectionSlot slot = kNoSlot;  ///< kNoSlot when it is not in flight.
    bool is_ours = true;            ///< Else it was dialled for another purpose, and is not closed.
  };

  void start_bootstrap(Instant now);
  void end_bootstrap(Instant now, const Peer* winner);
  void emit_bootstrapped(Instant now, const Peer& winner, const BootstrapPlan& plan);
  void abandon(Instant now, const Attempt& attempt);
  [[nodiscard]] std::vector<Candidate> candidates(Instant now) const;
  [[nodiscard]] std::optional<std::size_t> index_of(ConnectionSlot slot) const;
  [[nodiscard]] std::optional<std::size_t> attempt_for(const Peer& peer) const;
  void maintain(Instant now);
  void explore(Instant now);
  void ask_for_peers(Instant now);
  [[nodiscard]] bool is_unlinked(const Candidate& candidate) const;
  [[nodiscard]] std::size_t linked_nodes() const;
  [[nodiscard]] std::size_t dialling();

  const NodeConfig& config_;
  Random& random_;
  EventQueue& queue_;
  ConnectionTable& connections_;
  PeerTable& peers_;
  KnownNodes& known_;
  Dialler& dialler_;

  std::vector<Candidate> contacts_;
  std::optional<BootstrapPlan> plan_;
  std::vector<Attempt> attempts_;  ///< By index of the plan.
  Instant plan_began_{};
  bool bootstrap_requested_ = false;  ///< The application called bootstrap(): an event must follow.
  bool keeps_links_ = false;
  Instant maintain_at_ = kNever;
  Instant explore_at_ = kNever;
  Instant ask_again_at_{};
  BackOff back_off_;
};

}  // namespace qpeer::p2p
