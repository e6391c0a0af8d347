// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a p2p::Node is made of: the owners of its state, and the glue between them and the ports.
//
//                        Node: verbs, glue
//     Reachability   Discovery   Mailbox, RawStreams      what peers are for
//                Dialler, KnownNodes                      how they are reached
//                     PeerTable                           who they are, and whether a link is up
//                  ConnectionTable                        the QUIC connections, each with its
//                       Ports                             ControlChannel
//
// An owner is made with owners below it, and calls only those. For the others it posts events to the
// EventQueue. At the end of every call of Node, work_off() takes these events, one after the other, and
// calls the owners concerned: then no call of any owner is under way. Between two calls of Node the
// queue is empty.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "qpeer/p2p/connection_table.hpp"
#include "qpeer/p2p/dialler.hpp"
#include "qpeer/p2p/discovery.hpp"
#include "qpeer/p2p/event_queue.hpp"
#include "qpeer/p2p/filtering_probe.hpp"
#include "qpeer/p2p/inbox_budget.hpp"
#include "qpeer/p2p/known_nodes.hpp"
#include "qpeer/p2p/mailbox.hpp"
#include "qpeer/p2p/nat/knock_sender.hpp"
#include "qpeer/p2p/nat/stun_server.hpp"
#include "qpeer/p2p/node.hpp"
#include "qpeer/p2p/own_address.hpp"
#include "qpeer/p2p/peer_table.hpp"
#include "qpeer/p2p/ports.hpp"
#include "qpeer/p2p/raw_streams.hpp"
#include "qpeer/p2p/reachability.hpp"
#include "qpeer/p2p/refusal_log.hpp"
#include "qpeer/p2p/router_ports.hpp"
#include "qpeer/p2p/stream_index.hpp"
#include "qpeer/p2p/visitor_log.hpp"

namespace qpeer::p2p {

struct Node::Implementation {
  static constexpr std::size_t kMaxPings = 64;

  Implementation(Instant begin, NodeConfig configuration, PeerTls peer_tls,
                 crypto::KeyFactory& keys, Random& source);

  // --- node.cpp --------------------------------------------------------------------------------

  /// Handles the events of the transport, and what the owners post because of them.
  void pump(Instant time);
  /// Handles what the owners have posted, until nothing is left.
  void work_off() {
    if (has_work()) work_off_events();
  }
  [[nodiscard]] bool has_work() const { return queue.has_posted() || mailbox.room_was_made(); }
  void work_off_events();
  void on_timers(Instant time);
  void begin_shut_down(Duration drain);
  [[nodiscard]] bool must_drain() const {
    return mailbox.is_sending() || mailbox.is_owing_receipts();
  }
  void continue_shut_down();
  [[nodiscard]] LinkInfo info_of(const Peer& peer);
  [[nodiscard]] bool consistent() const;

  // --- node_messages.cpp -----------------------------------------------------------------------

  std::expected<void, PeerError> ping(const PeerId& peer);
  void move_pings(const PeerConnection& from);

  // --- node_stun.cpp: datagrams that are not QUIC ----------------------------------------------

  bool on_stun(Instant time, const ReceivedDatagram& datagram);
  std::optional<Transmit> poll_transmit(Instant time, TransmitBuffer& out);

  // --- node_knocks.cpp: knocks of ours and to us -----------------------------------------------

  void on_knock(PeerConnection& connection, const Knock& message);
  [[nodiscard]] KnockStatus knock(const PeerConnection& by, const Knock& message);
  [[nodiscard]] bool wrote_to_us(const SocketAddress& host);
  void on_knock_me(PeerConnection& connection);
  void knock_for_client(PeerConnection& connection, const Peer& client);
  void on_knock_sent(const PeerConnection& connection, const KnockSent& message);
  void on_knock_arrived(Instant time, const SocketAddress& source, const KnockToken& token);
  void on_knock_at_client(Instant time, const SocketAddress& source, const KnockToken& token);
  void emit_filtering();
  std::expected<void, PeerError> probe_filtering(const PeerId& peer);

  // --- node_connections.cpp: events of the transport, deadlines --------------------------------

  void on_connection_activity(Port port, const transport::ConnectionActivity& activity);
  void on_connected(Port port, transport::ConnectionHandle handle, bool incoming);
  void on_dialled(PeerConnection& connection);
  void on_accepted(PeerConnection& connection);
  void on(PeerConnection& connection, const transport::StreamEvent& event);
  void on(PeerConnection& connection, const transport::Pong& event);
  void on(PeerConnection& connection, const transport::AddressObserved& event);
  void on(PeerConnection& connection, const transport::DatagramReadable& event);
  void on(PeerConnection& connection, const transport::TicketReceived& event);
  void on(PeerConnection& connection, const transport::TokenReceived& event);
  void on(PeerConnection& connection, const transport::Closed& event);
  /// Of no use to a node.
  void on(PeerConnection& /*connection*/, const transport::Connected& /*event*/) {}
  void on(PeerConnection& /*connection*/, const transport::Confirmed& /*event*/) {}
  void on(PeerConnection& /*connection*/, const transport::EarlyDataDecided& /*event*/) {}
  void on(PeerConnection& /*connection*/, const transport::PathActivity& /*event*/) {}
  void on_streams_opened(PeerConnection& connection, bool bidirectional);
  void on_connection_deadline(PeerConnection& connection);
  void violate(PeerConnection& connection, ErrorCode code, std::string_view reason);

  // --- node_refusals.cpp: whom we turn away ----------------------------------------------------

  void on_handshake_refused(Port port, transport::ConnectionHandle handle,
                            const transport::CloseReason& reason);
  void emit_refusal(const PeerConnection& connection, Refusal reason, std::string_view why);

  // --- node_control.cpp: control messages ------------------------------------------------------

  void read_control(PeerConnection& connection);
  bool read_control_message(PeerConnection& connection);
  void on_control(PeerConnection& connection, const ControlMessage& message);
  void on_introduction(PeerConnection& connection, const Introduction& message);
  void on_introduced_by_acceptor(PeerConnection& connection);
  [[nodiscard]] bool is_contested(const PeerConnection& connection);
  void on_introduced_by_dialler(PeerConnection& connection);

  // --- node_owner_events.cpp: events that the owners post --------------------------------------

  void on_owner_event(const ControlReadable& event);
  void on_owner_event(const TransportClosed& event);
  void on_owner_event(const ConnectionEnded& event);
  void on_owner_event(const ConnectionOpened& event);
  void on_owner_event(const StreamsLost& event);
  void on_owner_event(const InboundAttached& event);
  void on_owner_event(const OutboundAttached& event);
  void on_owner_event(const OutboundOpened& event);
  void on_owner_event(const OutboundLost& event);
  void on_owner_event(const PeerDialled& event);
  void on_owner_event(const DialBackProved& event);
  void on_owner_event(const KnocksEnded& event);
  void on_owner_event(const LinkUp& event) { queue.emit(event); }
  void on_owner_event(const LinkReady& event);
  void on_owner_event(const LinkDown& event) { queue.emit(event); }
  void on_owner_event(const LinkWentDown& event);
  void on_owner_event(const RetryDue& event);
  void on_owner_event(const RoleChanged& event);
  void on_owner_event(const LinkAbandoned& event);
  void on_owner_event(const PeerUnused& event);
  void take_held_streams(PeerConnection& connection);
  void on_ended(const PeerConnection& connection, const ConnectionEnded& event);
  void on_dial_failed(const PeerConnection& connection, const ConnectionEnd& end);
  void erase_if_unused(const PeerKey& key);
  void end_other_dials(const Peer& peer);

  // --- node_instances.cpp: processes that share a key ------------------------------------------

  void on_owner_event(const InstanceReplaced& event);
  void on_owner_event(const InstanceRefused& event);
  void on_owner_event(const PlaceFree& event);
  void on_key_refused(PeerConnection& connection, const std::string& why);
  void on_key_shared_notice(const PeerConnection& connection, const KeySharedNotice& notice);
  bool emit_key_in_use(std::optional<Instant>& last, const KeyInUse& event);

  NodeConfig config;
  PeerTls tls;
  Random& random;
  Instant now;
  EventQueue queue;

  Ports ports;
  ConnectionTable connections;
  PeerTable peers;
  VisitorLog visitors;
  RefusalLog refusals;
  OwnAddress own_address;
  KnownNodes known;
  Dialler dialler;
  Knocks knocks;
  Reachability reachability;
  Discovery discovery;
  StreamIndex streams;
  InboxBudget inbox_budget;
  RawStreams raw_streams;
  Mailbox mailbox;
  StunServer stun_server;
  KnockSender knock_sender;
  VisitorLog stun_visitors;
  FilteringProbe filtering_probe;
  Instant knocked_at{};  ///< When the budget for knocks that arrive is full again.
  RouterPorts router_ports;
  std::uint64_t stun_ignored = 0;
  std::optional<std::array<Path, 2>> internet;  ///< By IPv4 and IPv6, as on_network() said.
  bool network_changed = false;                 ///< To be reported.
  bool last_transmit_is_quic = true;

  std::deque<ConnectionSlot> unread;  ///< Whose control stream has more than a turn's share.
  std::optional<Instant> own_key_in_use_emitted;
  std::optional<Instant> key_shared_notice_emitted;
  std::uint64_t violations = 0;
  bool shutting_down = false;
  bool closed = false;
  bool drained_emitted = false;
  Instant shut_down_at = kNever;
};

}  // namespace qpeer::p2p
