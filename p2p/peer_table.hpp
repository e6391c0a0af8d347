// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The peers of a Node, the connections that are the directions of their links, and when a link is
// up.
//
//   peers_   slot -> Peer     by_key_   PeerKey -> slot     named_   PeerId -> slot
//
//   link between two nodes   up when `outbound` is open and one of `inbound` is
//   any other link           up when either is
//
// Several processes may show one key: each that sends an instance of its own is a Peer (at most
// kMaxInstances of an id). The id names one of them: the node that is linked, else the one that came
// first; LinkUp and LinkDown are of that one. Clients are linked side by side. Of nodes one is linked: a
// second one waits until the first is found to be gone, or is refused (peer_instances.cpp).
//
// Invariant: by_key_ names each peer once, named_ one of each id. No id has two nodes that are up. A
// direction of a peer is a connection that has not ended and whose owner is that peer; `outbound` we
// dialled, `inbound` (at most kMaxInbound, newest last) the peer did. links_up() is the number of
// peers that are up.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/p2p/back_off.hpp"
#include "qpeer/p2p/connection_table.hpp"
#include "qpeer/p2p/event_queue.hpp"
#include "qpeer/p2p/node_config.hpp"
#include "qpeer/transport/base/counts.hpp"
#include "qpeer/transport/base/deadline_heap.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/slab.hpp"

namespace qpeer::p2p {

struct Peer {
  PeerSlot slot = kNoSlot;
  PeerId id{};
  std::uint64_t instance = 0;  ///< Of its key: see PeerKey.
  Role role = Role::node;
  SocketAddress address{};                ///< Where we dial it, or see it from.
  ConnectionSlot outbound = kNoSlot;      ///< The connection that we dialled.
  std::vector<ConnectionSlot> inbound{};  ///< Those that the peer dialled, and closes itself.
  std::optional<SocketAddress>
      visitor_from{};  ///< Its network, when it is here because it dialled us.
  bool up = false;
  bool we_dialled = false;
  bool awaits_place = false;  ///< Its link waits because another node of its key is linked.
  Instant up_since{};
  std::optional<Instant> key_in_use_emitted{};  ///< The newest KeyInUse of its key.
  // Dialling again.
  std::optional<BackOff> back_off{};
  std::size_t attempts = 0;
  Instant retry_at = kNever;
  Instant drop_at = kNever;  ///< When a link with one direction only is given up.

  [[nodiscard]] bool has_outbound() const { return outbound != kNoSlot; }
  [[nodiscard]] PeerKey key() const { return {id, instance}; }
};

class PeerTable {
 public:
  static constexpr std::size_t kMaxInbound = 4;
  /// One place in so many is kept for peers that we dial.
  static constexpr std::size_t kShareOfDialled = 8;
  /// How many processes of one key are kept.
  static constexpr std::size_t kMaxInstances = 8;
  /// A link that was up for less counts as a failure: the wait before the next dial goes on growing.
  static constexpr Duration kSettledTime = 10s;

  PeerTable(const NodeConfig& config, Random& random, ConnectionTable& connections,
            EventQueue& queue)
      : config_(config), random_(random), connections_(connections), queue_(queue) {}

  // --- peers -----------------------------------------------------------------------------------

  /// The peer that the id names: of several processes of one key, see above.
  [[nodiscard]] Peer* find(const PeerId& id);
  [[nodiscard]] const Peer* find(const PeerId& id) const;
  [[nodiscard]] Peer* find(const PeerKey& key);
  [[nodiscard]] bool is_named(const Peer& peer) const { return named_.at(peer.id) == peer.slot; }
  /// All of one id.
  [[nodiscard]] std::vector<PeerSlot> instances(const PeerId& id) const;
  [[nodiscard]] Peer& operator[](PeerSlot slot) { return peers_[slot]; }
  [[nodiscard]] bool has(PeerSlot slot) const { return peers_.contains(slot); }
  /// The peer, in this role from now on; null when there is no room for another.
  [[nodiscard]] Peer* admit(Instant now, const PeerKey& key, Role role);
  /// The same for a peer that dialled us from `address`. Such peers leave room for other networks, and for
  /// peers that we dial.
  [[nodiscard]] Peer* admit_visitor(Instant now, const PeerKey& key, Role role,
                                    const SocketAddress& address);
  /// Whether its network has all the places that it may.
  [[nodiscard]] bool is_network_full(const SocketAddress& address) const;
  /// Whether nothing keeps the peer any more.
  [[nodiscard]] bool is_unused(const Peer& peer) const;
  /// Erases the peer. If its id named it, the id names another process of that key from then on.
  void erase(const Peer& peer);
  /// In the order of their ids, of each id the one that it names first.
  [[nodiscard]] std::vector<const Peer*> all() const;
  template <class F>
  void for_each(F&& visit) {
    peers_.for_each(visit);
  }

  // --- directions of links ---------------------------------------------------------------------

  void attach_inbound(Instant now, Peer& peer, PeerConnection& connection);
  /// Also for a connection that is attached already, when a verdict has come on it.
  void attach_outbound(Instant now, Peer& peer, PeerConnection& connection);
  /// Whether one that the peer dialled is open.
  [[nodiscard]] bool has_inbound(const Peer& peer) const;
  /// The connection to send on, ours before the peer's; kNoSlot when none is open.
  [[nodiscard]] ConnectionSlot best_connection(const Peer& peer) const;
  /// The same of the one that the id names.
  [[nodiscard]] ConnectionSlot best_connection(const PeerId& id) const;
  /// The peer accepted us, or proved that it can be reached: the link is up if nothing else is missing.
  void update_link(Instant now, Peer& peer);
  void take_down(Peer& peer, const std::string& why, bool retry, bool we_ended = false);
  /// `connection` is not needed, for the peer has an outbound one: the calls of connect() that wait for it
  /// are answered when the link is up, or when the outbound connection ends.
  void hand_over_requests(Peer& peer, PeerConnection& connection);
  /// One of the directions is gone.
  void on_direction_lost(Instant now, Peer& peer, const ConnectionEnd& end);
  /// We want no link to the peer any more. Its directions were closed.
  void give_up(Peer& peer);
  [[nodiscard]] std::size_t links_up() const { return links_up_; }

  // --- two nodes of one key --------------------------------------------------------------------

  /// Another node of the key whose link is up.
  [[nodiscard]] Peer* linked_rival(const Peer& peer);
  /// Whether there is such a node, so that the peer has to wait for PlaceFree or InstanceRefused.
  [[nodiscard]] bool must_wait(Instant now, Peer& peer);
  /// The peer answered a liveness check: other nodes of its key that wait are refused.
  void on_alive(const Peer& peer) {
    if (peer.up) refuse_rivals(peer);
  }
  /// The peer was reached there, so that no other process of its key is there any more.
  void on_reached_at(Instant now, const Peer& peer, const SocketAddress& address);

  // --- ends of connections ---------------------------------------------------------------------

  /// Closes the connection. `reason` is sent to the peer; `why` is for calls of ours that wait for it.
  void close(Instant now, PeerConnection& connection, ErrorCode code, std::string_view reason,
             std::string why);
  void close(Instant now, PeerConnection& connection, ErrorCode code, std::string_view reason) {
    close(now, connection, code, reason, std::string(reason));
  }
  /// The same for all directions but `kept`, which the link does not miss.
  void close_directions(Instant now, Peer& peer, ErrorCode code, std::string_view reason,
                        ConnectionSlot kept = kNoSlot, std::string_view why = {});
  /// The connection ended, by us or by the peer.
  void retire(PeerConnection& connection, ConnectionEnd end);
  /// From now on the connection is no direction of its owner's link, which does not miss it.
  bool detach(const PeerConnection& connection);

  // --- dialling again --------------------------------------------------------------------------

  [[nodiscard]] Instant next_deadline() const { return deadlines_.earliest(); }
  /// Only when next_deadline() has come.
  void on_deadline(Instant now);
  void on_retry_failed(Instant now, Peer& peer, const std::string& why);
  /// No link is made any more.
  void shut_down();

  [[nodiscard]] bool consistent() const;

 private:
  void change_role(Instant now, Peer& peer, Role role);
  [[nodiscard]] bool is_consistent(PeerSlot slot) const;

  // peer_instances.cpp
  void take_name(const Peer& peer);
  void pass_name_on(const PeerId& id);
  [[nodiscard]] Peer* replace_vacant(const PeerKey& key, Role role);
  [[nodiscard]] bool has_room_for_instance(Instant now, const PeerId& id);
  void check_liveness(Instant now, Peer& peer);
  void refuse_rivals(const Peer& peer);
  [[nodiscard]] bool has_waiting_rival(const Peer& peer) const;
  void yield_place(Instant now, Peer& peer, const std::string& why);
  void post_place_free(const Peer& peer);
  [[nodiscard]] bool names_are_consistent() const;

  void answer_requests(const Peer& peer, const std::vector<Candidate>& requested, bool was_up);
  void schedule_retry(Instant now, Peer& peer);
  void rearm(const Peer& peer);

  const NodeConfig& config_;
  Random& random_;
  ConnectionTable& connections_;
  EventQueue& queue_;
  Slab<Peer> peers_;
  std::map<PeerKey, PeerSlot> by_key_;
  std::map<PeerId, PeerSlot> named_;
  Counts<SocketAddress> visitors_;  ///< By their networks: see site_of().
  DeadlineHeap deadlines_;
  std::size_t links_up_ = 0;
  bool shutting_down_ = false;
};

}  // namespace qpeer::p2p
