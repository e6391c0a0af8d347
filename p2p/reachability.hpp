// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Proof that a peer which says it is a node can be reached: we dial it, from another port than the
// one it came to, at the address it advertises; it must answer with the key that it showed and the
// nonce that we gave it. It does the same to us. All of that is of one process: another one of the same
// key is dialled for itself. Where a NAT may be between us, strangers are asked to knock: see Knocks.
//
//   start --> request_dial_back --> start_dial_back --> on_proof --> knocks --> finish(reachable)
//               |  no address allowed, no room    |                     |
//               '-------------> finish(another verdict) <---------------'  refused, timed out, another,
//                                                                          only where it wrote
//
// Invariant: at most one dial-back a peer; its connection names the peer that it is for, and the
// other way round. A peer has a place in the limiter only while it is being verified.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "qpeer/p2p/dial_back_guard.hpp"
#include "qpeer/p2p/dialler.hpp"
#include "qpeer/p2p/event_queue.hpp"
#include "qpeer/p2p/knocks.hpp"
#include "qpeer/p2p/peer_table.hpp"

namespace qpeer::p2p {

struct ReachabilityStats {
  std::uint64_t dial_backs = 0;  ///< Begun.
  std::uint64_t failed = 0;      ///< Of those: ended without a proof, and not by cancel().
};

class Reachability {
 public:
  Reachability(const NodeConfig& config, EventQueue& queue, ConnectionTable& connections,
               PeerTable& peers, KnownNodes& known, Dialler& dialler, Knocks& knocks)
      : config_(config),
        queue_(queue),
        connections_(connections),
        peers_(peers),
        known_(known),
        dialler_(dialler),
        knocks_(knocks),
        limiter_(config.dial_back_limits) {}

  // --- what happened ---------------------------------------------------------------------------

  void on_inbound_attached(Instant now, Peer& peer);
  /// Checks whether the peer can still be reached; if not, it gets the verdict.
  void on_outbound_lost(Instant now, Peer& peer);
  /// We reached the peer, without its help unless `helped`.
  void on_dialled(const Peer& peer, bool helped);
  /// The peer of this connection reports knocks.
  void on_knock_me(const PeerConnection& connection);
  /// The connection of a dial-back was introduced by its acceptor: the proof is to follow.
  void on_dial_back_introduced(Instant now, PeerConnection& connection);
  void on_proof(Instant now, PeerConnection& connection, const Proof& message);
  /// What the peer of a connection that we dialled as a node found, when it dialled us back.
  void on_verdict(Instant now, PeerConnection& connection, const VerdictMessage& message);
  /// The connection was that of a dial-back, and ended without a proof.
  void on_dial_back_ended(Instant now, const PeerConnection& connection, const ConnectionEnd& end);

  /// The proof came, and what it brought about was worked off.
  void on_dial_back_proved(Instant now, Peer& peer);
  void on_knocks_ended(Instant now, Peer& peer, KnockOutcome outcome);
  /// The other node of its key is gone, because of which the peer had to wait.
  void on_place_free(Instant now, Peer& peer);

  /// Answers, on every connection of a peer that dials us back, with the nonce that it gave us on
  /// the connection that we dialled.
  void prove(const Peer& peer);
  /// Ends the dial-back, without a verdict.
  void cancel(Instant now, const Peer& peer);
  /// The same, and nothing of before holds.
  void forget(Instant now, const Peer& peer);

  // --- time ------------------------------------------------------------------------------------

  [[nodiscard]] Instant next_recheck() const { return rechecks_.earliest(); }
  /// Only when next_recheck() has come.
  void on_recheck(Instant now);
  [[nodiscard]] Instant next_start() const { return limiter_.next_start(); }
  void start_waiting(Instant now);

  [[nodiscard]] const ReachabilityStats& stats() const { return stats_; }
  [[nodiscard]] bool consistent() const;

 private:
  struct Check {
    bool verifying = false;       ///< A dial-back is on its way or waits for its turn.
    bool admitted = false;        ///< It has a place in the limiter, by the peer's slot.
    bool reached = false;         ///< By ourselves, without help.
    bool reports_knocks = false;  ///< It said so: KnockMe.
    bool awaits_knocks = false;   ///< Strangers were asked to knock.
    SocketAddress open_at{};      ///< Where strangers got through, by the newest proof.
    SocketAddress target{};
    ConnectionSlot dial_back = kNoSlot;
    Instant deadline = kNever;  ///< Of the dial-back.
    Instant recheck_at = kNever;
  };

  /// Whether the peer's address is one that any stranger reaches: as far as we know, or because no NAT is
  /// between us.
  [[nodiscard]] static bool is_open_to_strangers(const Check& check);
  [[nodiscard]] static cache::Evidence evidence_of(const Check& check);
  void start(Instant now, Peer& peer, bool again = false);
  void request_dial_back(Instant now, Peer& peer);
  void start_dial_back(Instant now, Peer& peer);
  void finish(Instant now, Peer& peer, Verdict verdict);
  void reject_unreachable(Instant now, Peer& peer, Verdict verdict);
  void set_recheck(const Peer& peer, Instant at);

  const NodeConfig& config_;
  EventQueue& queue_;
  ConnectionTable& connections_;
  PeerTable& peers_;
  KnownNodes& known_;
  Dialler& dialler_;
  Knocks& knocks_;
  DialBackLimiter limiter_;
  std::map<PeerSlot, Check> checks_;
  DeadlineHeap rechecks_;
  ReachabilityStats stats_;
};

}  // namespace qpeer::p2p
