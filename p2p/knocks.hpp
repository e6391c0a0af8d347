// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Proof that strangers get through to a peer. Our own dial-back does not show that, for the peer has written
// to our host, and a NAT or firewall may let in whom it wrote to. So we ask other nodes to knock: each sends
// the peer one datagram with a token, and the peer reports the tokens that arrive.
//
//   begin --> asked --KnockSent: sent--> awaited --Knocked--> KnocksEnded(heard)
//               |  busy, knows the host,   |  nothing for kAnswerTime
//               |  no answer: the next     |  the second time --> KnocksEnded(silent)
//               '--no node is left --> KnocksEnded(no_helper)
//
// A client may ask for knocks as well, to learn what its NAT or firewall does. It gets each KnockSent, and
// draws its own conclusions: nothing is posted.
//
// Invariant: at most one round a peer, with at most kMaxAsked tokens, at most kMaxSent of them sent; each
// token is of one peer and one node, and counts once, for kTokenLife. In kClientInterval at most
// kMaxClientRounds begin for clients, and one for each of their sites.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "qpeer/p2p/event_queue.hpp"
#include "qpeer/p2p/own_address.hpp"
#include "qpeer/p2p/peer_table.hpp"
#include "qpeer/transport/base/deadline_heap.hpp"
#include "qpeer/transport/base/random.hpp"

namespace qpeer::p2p {

class Knocks {
 public:
  /// From KnockSent to Knocked, where the knock arrived.
  static constexpr Duration kAnswerTime = 1s;
  /// From Knock to KnockSent.
  static constexpr Duration kAskTime = 1s;
  static constexpr Duration kTokenLife = 5s;
  /// A round ends at most so much later.
  static constexpr Duration kRoundTime = 4s;
  static constexpr std::size_t kMaxSent = 2;
  static constexpr std::size_t kMaxAsked = 6;
  static constexpr Duration kClientInterval = 2s;
  static constexpr std::size_t kMaxClientRounds = 2;

  Knocks(Random& random, EventQueue& queue, ConnectionTable& connections, PeerTable& peers,
         const OwnAddress& own_address)
      : random_(random),
        queue_(queue),
        connections_(connections),
        peers_(peers),
        own_address_(own_address) {}

  /// Asks for knocks at `target`, the peer's address. KnocksEnded follows.
  void begin(Instant now, const Peer& peer, const SocketAddress& target);
  /// Whether a round for this client, which comes from `target`, may begin. Counts it.
  [[nodiscard]] bool admit_client(Instant now, const Peer& client, const SocketAddress& target);
  /// The same as begin() for a client that was admitted.
  void begin_for_client(Instant now, const Peer& client, const SocketAddress& target);
  void cancel(const Peer& peer);
  void on_knock_sent(Instant now, const PeerConnection& connection, const KnockSent& message);
  void on_knocked(Instant now, const PeerConnection& connection, const Knocked& message);

  [[nodiscard]] Instant next_deadline() const { return deadlines_.earliest(); }
  /// Only when next_deadline() has come.
  void on_deadline(Instant now);

  /// Whether a check of the peer waits for its end.
  [[nodiscard]] bool is_under_way(const Peer& peer) const {
    const auto at = rounds_.find(peer.slot);
    return at != rounds_.end() && !at->second.for_client;
  }
  [[nodiscard]] bool consistent() const;

 private:
  struct Asked {
    PeerKey helper{};
    KnockToken token{};
    Instant at{};
    bool sent = false;
  };
  struct Round {
    SocketAddress target{};
    Instant end{};
    std::vector<Asked> asked{};  ///< The newest is waited for.
    std::size_t sent = 0;
    bool for_client = false;
  };
  struct ClientRound {
    SocketAddress site{};
    Instant at{};
  };

  void ask_next(Instant now, PeerSlot slot);
  void ask(Instant now, PeerSlot slot, const Peer& helper);
  void end(PeerSlot slot, KnockOutcome outcome);
  void tell_client(PeerSlot slot, const KnockSent& message);
  [[nodiscard]] const Peer* choose_helper(const Peer& peer, const Round& round) const;
  [[nodiscard]] bool is_stranger(const Peer& helper, const Peer& peer, const Round& round) const;
  [[nodiscard]] ConnectionSlot control_of(const Peer& helper) const;

  Random& random_;
  EventQueue& queue_;
  ConnectionTable& connections_;
  PeerTable& peers_;
  const OwnAddress& own_address_;
  std::map<PeerSlot, Round> rounds_;
  std::deque<ClientRound> client_rounds_;  ///< Of the last kClientInterval, oldest first.
  DeadlineHeap deadlines_;
};

}  // namespace qpeer::p2p
