// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The state of a p2p::Node: peers, the connections that make their links, and what travels on them.
//
//   peers_         slot -> Peer          by_id_       PeerId -> slot of the peer
//   connections_   slot -> Connection    by_handle_   port and handle -> slot of the connection
//   operations_    OperationId -> Operation: a message, a request or a raw stream
//
// A connection is forgotten here the moment it is of no use, its transport side drains by itself.
// Events of the transport are worked off at the end of every call, in pump().
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "qpeer/p2p/back_off.hpp"
#include "qpeer/p2p/control_messages.hpp"
#include "qpeer/p2p/control_reader.hpp"
#include "qpeer/p2p/dial_back_guard.hpp"
#include "qpeer/p2p/node.hpp"
#include "qpeer/p2p/own_address.hpp"
#include "qpeer/transport/base/deadline_heap.hpp"
#include "qpeer/transport/base/slab.hpp"
#include "qpeer/transport/connection/connection.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"

namespace qpeer::p2p {

/// The first byte of a stream of the application.
inline constexpr u8 kMessageStream = 0;
inline constexpr u8 kRawStream = 1;

struct Node::Implementation {
  using Slot = std::uint32_t;
  static constexpr Slot kNone = ~Slot{0};
  static constexpr std::size_t kMaxPings = 64;
  static constexpr std::size_t kMaxIns = 4;
  static constexpr std::size_t kMaxLearned = 128;

  /// Which of our ports a connection uses.
  enum class Port : u8 { first, probe };

  /// One QUIC connection.
  struct Link {
    enum class Stage : u8 {
      handshake,         ///< Dialled, not complete.
      introducing,       ///< Ours or theirs is missing.
      judging,           ///< Accepted from a node, which is being dialled back.
      awaiting_verdict,  ///< Dialled as a node, which is being done to us.
      open,              ///< Application data may flow.
      leaving,           ///< The peer is told why; the close follows.
    };
    Slot slot = kNone;
    Port port = Port::first;
    transport::ConnectionHandle handle{};  ///< Two ports may have the same.
    std::uint64_t serial = 0;              ///< Never used twice, as slots and handles are.
    bool dialled = false;
    bool counted = false;   ///< In `unintroduced`.
    bool refused = false;   ///< A handshake that somebody refused, rather than nobody answered.
    bool verdict = false;   ///< The peer reached us.
    bool unwanted = false;  ///< A dial-back to a peer that cannot reach us: no link comes of it.
    Purpose purpose = Purpose::link;
    Stage stage = Stage::handshake;
    Candidate candidate{};  ///< What was dialled.
    SocketAddress remote{};
    Instant began{};
    Instant deadline = kNever;
    PeerId peer{};       ///< Known from the end of the handshake.
    Slot owner = kNone;  ///< Its Peer, once introduced.

    // Of the acceptor, for the cache once it is in there.
    std::vector<u8> ticket{};
    std::vector<u8> spare_ticket{};
    std::vector<u8> address_token{};
    std::optional<StreamId> control{};
    ControlReader reader{};
    std::vector<u8> control_out{};
    bool control_ends = false;  ///< No more is to be said.
    Nonce nonce{};              ///< That we sent in our introduction.
    std::optional<Introduction> theirs{};
    bool proof_sent = false;
    std::uint32_t peers_requests = 0;
    Instant peers_answered_at{};

    std::optional<std::size_t> plan_index{};  ///< Of the bootstrap.
    bool asked = false;                       ///< By connect(): LinkFailed is owed.
    Slot judges = kNone;                      ///< A dial-back: the Peer that it is for.
    std::optional<ErrorCode> ended_by_us{};
    ErrorCode leave_code = ErrorCode::none;
    std::string_view leave_reason{};
    std::deque<Instant> pings{};
    bool doubted = false;                       ///< A PING asks whether the peer still knows it.
    std::map<StreamId, OperationId> streams{};  ///< Of the application.
    std::vector<StreamId> held{};               ///< Opened by the peer before it may.
  };

  struct Peer {
    Slot slot = kNone;
    PeerId id{};
    Role role = Role::node;
    SocketAddress address{};  ///< Where we dial it, or see it from.
    Slot out = kNone;         ///< The connection that we dialled.
    std::vector<Slot> ins{};  ///< Those that it dialled, newest last. It closes what it needs not.
    bool up = false;
    bool we_dialled = false;
    Instant up_since{};
    bool reached = false;  ///< By ourselves, without help.
    // Dialling back.
    bool judging = false;   ///< One is on its way or waits for its turn.
    bool admitted = false;  ///< It has a place in the limiter, by its slot.
    SocketAddress target{};
    Slot dial_back = kNone;  ///< Its connection.
    Instant dial_back_deadline = kNever;
    Instant recheck_at = kNever;
    // Dialling again.
    std::optional<BackOff> back_off{};
    std::size_t attempts = 0;
    Instant retry_at = kNever;
    Instant drop_at = kNever;  ///< With one direction only, and no help in sight.
    // Messages.
    std::deque<OperationId> waiting{};  ///< Without a stream yet.
    std::set<OperationId> sending{};    ///< All unfinished ones of ours.
    std::set<OperationId> receiving{};  ///< Unfinished ones of the peer.
    std::size_t queued_bytes = 0;
    bool was_full = false;  ///< Writable is owed.
  };

  struct Operation {
    enum class Kind : u8 { message_out, request_out, incoming, message_in, request_in, raw };
    OperationId id{};
    Kind kind = Kind::incoming;
    PeerId peer{};
    Slot link = kNone;
    std::optional<StreamId> stream{};
    std::vector<u8> out{};
    std::size_t written = 0;
    bool prefix_written = false;
    bool sending = false;   ///< `out` is to be written.
    bool finished = false;  ///< All of it was written, and the end.
    std::vector<u8> in{};
    std::size_t charged = 0;  ///< To the inbox of its peer.
    bool whole = false;       ///< All of it was read; of a raw one: there is nothing to read.
    bool blocked = false;     ///< There is more, and no room for it.
    Instant progress_at{};
    bool sends = false;     ///< Raw: our side of the stream is not over.
    bool receives = false;  ///< Raw: the peer's is not.
  };

  Implementation(Instant now, NodeConfig configuration, PeerTls peer_tls, crypto::KeyFactory& keys,
                 Random& source);

  // node.cpp
  void pump(Instant now);
  void on_endpoint_event(Port port, const transport::EndpointEvent& event);
  void on_timers(Instant now);
  void rearm(Peer& peer);
  void on_peer_deadline(Slot slot);
  bool ping(const PeerId& peer);
  void on_pong(Slot slot);
  void on_observed_address(Slot slot, const SocketAddress& observed);
  void tell(NodeEvent event) { events.push_back(std::move(event)); }
  void begin_shut_down(Duration drain);
  void continue_shut_down();

  // node_connections.cpp
  transport::Endpoint& endpoint(Port port) { return port == Port::probe ? *probe : first; }
  transport::Connection* transport_of(const Link& link) {
    return endpoint(link.port).edit(link.handle);
  }
  [[nodiscard]] const transport::Connection* transport_of(const Link& link) const {
    return (link.port == Port::probe ? *probe : first).find(link.handle);
  }
  std::expected<Slot, std::string> dial(const Candidate& candidate, Purpose purpose, Port port);
  [[nodiscard]] bool is_ourselves(const SocketAddress& address) const;
  Slot add_link(Port port, transport::ConnectionHandle handle);
  Slot find_link(Port port, transport::ConnectionHandle handle) const;
  /// Whether the slot has the same connection as before.
  [[nodiscard]] bool is_still(Slot slot, std::uint64_t serial) const {
    return links.contains(slot) && links[slot].serial == serial;
  }
  void on_connected(Port port, transport::ConnectionHandle handle, bool incoming);
  void on_closed(Slot slot, const transport::CloseReason& reason);
  void end_others(Slot slot);
  void introduce_early(Link& link);
  void on_dialled(Link& link);
  void on_accepted(Link& link);
  void read_early(Slot slot);
  void on_session_ticket(Link& link, std::vector<u8> ticket);
  void on_new_token(Link& link, std::vector<u8> address_token);
  /// Closes, and forgets: `why` goes to whoever waits for this connection.
  void end(Slot slot, ErrorCode code, std::string_view reason, const std::string& why);
  void end(Slot slot, ErrorCode code, std::string_view reason) {
    end(slot, code, reason, std::string(reason));
  }
  void violate(Slot slot, ErrorCode code, std::string_view reason);
  void on_gone(Slot slot, const std::string& why, bool retry);
  void on_dial_failed(const Link& gone, const std::string& why);
  void on_link_deadline(Slot slot);
  void set_deadline(Link& link, Instant deadline);

  // node_control.cpp
  void say_introduction(Link& link);
  void say(Link& link, const ControlMessage& message);
  void write_control(Link& link);
  void read_control(Slot slot);
  void on_control(Slot slot, const ControlMessage& message);
  void on_introduction(Slot slot, const Introduction& message);
  void on_introduced_by_dialler(Slot slot);
  void on_introduced_by_acceptor(Slot slot);
  void on_proof(Slot slot, const Proof& message);
  void on_verdict(Slot slot, const VerdictMessage& message);
  void on_peers_request(Slot slot, const PeersRequest& message);
  void on_peers(Slot slot, const Peers& message);
  void leave(Slot slot, ErrorCode code, std::string_view reason);

  // node_reachability.cpp
  void judge(Slot peer, bool again = false);
  void ask_for_dial_back(Slot peer);
  void start_dial_back(Slot peer);
  void start_waiting_dial_backs();
  void on_dial_back_gone(const Link& gone);
  void conclude(Slot peer, Verdict verdict);
  void turn_away(Slot peer, Verdict verdict);
  void end_dial_back(Peer& peer);
  void prove(const Peer& peer);
  void on_reached(const Link& link, cache::Evidence evidence);

  // node_links.cpp, node_bootstrap.cpp
  Slot peer_for(const PeerId& id, Role role);
  void take_over(Peer& peer, Role role);
  void adopt_in(Slot peer, Slot link);
  void adopt_out(Slot peer, Slot link);
  [[nodiscard]] bool is_open(Slot link) const;
  [[nodiscard]] bool hears(const Peer& peer) const;
  void on_direction_lost(Slot peer, const std::string& why, bool retry);
  void check_up(Slot peer);
  void take_down(Slot peer, const std::string& why, bool retry);
  void forget(Slot peer);
  void schedule_retry(Slot peer);
  void retry(Slot peer);
  void on_retry_failed(Slot peer, const std::string& why);
  void fail_waiting(Peer& peer, PeerError error);
  void start_bootstrap();
  void continue_bootstrap();
  void end_bootstrap(std::optional<Slot> winner);
  void abandon(Slot slot);
  void maintain();
  [[nodiscard]] std::optional<Candidate> next_candidate();
  [[nodiscard]] bool is_wanted(const Candidate& candidate) const;
  [[nodiscard]] std::size_t dialling() const;
  void explore();
  void ask_for_peers();
  [[nodiscard]] bool came_before(const SocketAddress& address, Instant when) const;
  [[nodiscard]] bool may_be_told_of(const SocketAddress& address, const SocketAddress& by) const;
  [[nodiscard]] LinkInfo info_of(const Peer& peer) const;

  // node_messages.cpp, node_inbox.cpp, node_streams.cpp
  Operation& add_operation(Operation::Kind kind, const PeerId& peer);
  std::expected<OperationId, PeerError> queue(Operation::Kind kind, const PeerId& peer,
                                              std::vector<u8> data);
  void on_stream_event(Slot slot, const transport::StreamEvent& event);
  void on_stream_opened(Slot slot, StreamId stream);
  void take_stream(Slot slot, StreamId stream);
  void release_held(Slot slot);
  [[nodiscard]] static bool takes(const Link& link, std::size_t size);
  void write_waiting(Peer& peer);
  void tell_writable(Peer& peer);
  void write_operation(OperationId id);
  void read_operation(OperationId id);
  void complete(Operation& operation);
  bool take_prefix(Operation& operation, const transport::ReadView& view);
  void refuse_incoming(Operation& operation, ErrorCode code, std::string_view why);
  void on_unreadable(const Operation& operation, transport::StreamError error);
  void on_stopped(OperationId id, std::uint64_t code);
  std::vector<u8> take_in(Operation& operation);
  void charge(Operation& operation, std::size_t size);
  void discharge(Operation& operation);
  void interrupt(OperationId id, std::string_view why);
  void fail_operation(OperationId id, PeerError error);
  void finish_operation(OperationId id);
  void erase_operation(OperationId id);
  void on_datagram_event(Slot slot);
  void lose_streams(Link& link);
  void pause(Operation& operation);
  void resume_paused();
  void sweep_operations();
  [[nodiscard]] std::size_t inbox_room(const Operation& operation) const;
  [[nodiscard]] bool may_overfill(const Operation& operation) const;
  [[nodiscard]] OperationId oldest_receiving() const;
  Operation* find_operation(OperationId id);
  struct RawStream {
    Operation* operation = nullptr;
    transport::Connection* connection = nullptr;
  };
  RawStream find_raw(OperationId id);
  void on_raw_over(Operation& operation, bool sending);
  [[nodiscard]] Slot find_link_to(const PeerId& peer) const;
  void tell_incoming(Incoming::Kind kind, const PeerId& from);

  Peer* find_peer(const PeerId& id) {
    const auto at = by_id.find(id);
    return at == by_id.end() ? nullptr : &peers[at->second];
  }
  const Peer* find_peer(const PeerId& id) const {
    const auto at = by_id.find(id);
    return at == by_id.end() ? nullptr : &peers[at->second];
  }

  NodeConfig config;
  PeerTls tls;
  Random& random;
  transport::Endpoint first;
  std::optional<transport::Endpoint> probe;
  Instant now;

  Slab<Link> links;
  std::uint64_t last_serial = 0;
  Slab<Peer> peers;
  std::map<PeerId, Slot> by_id;
  std::unordered_map<std::uint64_t, Slot> by_handle;
  DeadlineHeap deadlines;        ///< Two a slot: of links, and of peers.
  std::size_t unintroduced = 0;  ///< Accepted connections that are no links, or not yet.
  struct Visit {
    Instant first{};
    Instant last = Instant::min();
  };
  std::map<SocketAddress, Visit> visitors;  ///< Where accepted connections came from.
  std::size_t links_up_count = 0;

  cache::BootstrapCache cache;
  std::uint64_t cache_told = 0;
  OwnAddress own_address;
  DialBackLimiter limiter;
  std::deque<std::pair<Slot, std::uint64_t>> unread;  ///< Control streams.

  std::vector<Candidate> contacts;
  std::deque<Candidate> learned;
  std::optional<BootstrapPlan> plan;
  std::vector<Slot> plan_links;  ///< By index of the plan; kNone when not in flight.
  Instant plan_began{};
  bool bootstrap_asked = false;  ///< By the application: it is owed an answer.
  bool keeps_links = false;
  Instant maintain_at = kNever;
  Instant explore_at = kNever;
  Instant ask_again_at{};
  BackOff bootstrap_back_off;
  std::map<SocketAddress, Instant> tried;  ///< Not again before.

  std::map<OperationId, Operation> operations;
  std::uint64_t last_operation = 0;
  std::deque<OperationId> messages;
  std::deque<OperationId> requests;
  std::deque<OperationId> streams;
  std::deque<Datagram> datagrams;
  std::set<PeerId> paused;
  std::map<PeerId, std::size_t> inbox_bytes;  ///< Outlasts links: what waits is still there.
  std::size_t inbox_total = 0;
  Instant sweep_at = kNever;

  std::deque<NodeEvent> events;
  bool shutting_down = false;
  bool closed = false;
  bool drained_emitted = false;
  Instant shut_down_at = kNever;
  NodeStats stats;
};

}  // namespace qpeer::p2p
