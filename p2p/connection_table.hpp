// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The QUIC connections of a Node, from the first packet until the event ConnectionEnded is handled.
//
//   connections_   slot -> PeerConnection     by_handle_   port and handle -> slot, of those alive
//
// Invariant: by_handle_ names each connection that has not ended, once, and no other; only those have
// a deadline; newcomers() counts those that are marked as such.
#pragma once

#include <cstddef>
#include <optional>
#include <unordered_map>

#include "qpeer/p2p/peer_connection.hpp"
#include "qpeer/p2p/ports.hpp"
#include "qpeer/transport/base/counts.hpp"
#include "qpeer/transport/base/deadline_heap.hpp"
#include "qpeer/transport/base/slab.hpp"

namespace qpeer::p2p {

class ConnectionTable {
 public:
  explicit ConnectionTable(ConnectionSource& source) : source_(source) {}

  PeerConnection& add(Instant now, Port port, transport::ConnectionHandle handle);
  /// Null when there is none, or it has ended.
  [[nodiscard]] PeerConnection* find(Port port, transport::ConnectionHandle handle);
  [[nodiscard]] PeerConnection& operator[](ConnectionSlot slot) { return connections_[slot]; }
  [[nodiscard]] const PeerConnection& operator[](ConnectionSlot slot) const {
    return connections_[slot];
  }
  /// Whether application data may flow there; not for kNoSlot.
  [[nodiscard]] bool is_open(ConnectionSlot slot) const {
    return slot != kNoSlot && connections_[slot].stage == PeerConnection::Stage::open;
  }
  /// The transport's side; null once it, or the connection, has ended.
  [[nodiscard]] transport::Connection* transport(const PeerConnection& connection) {
    return connection.has_ended() ? nullptr : source_.edit(connection.port, connection.handle);
  }
  [[nodiscard]] const transport::Connection* transport(const PeerConnection& connection) const {
    const ConnectionSource& source = source_;
    return connection.has_ended() ? nullptr : source.find(connection.port, connection.handle);
  }
  [[nodiscard]] transport::Connection* transport(ConnectionSlot slot) {
    return transport(connections_[slot]);
  }

  /// When take_due() gives the connection; kNever for not at all.
  void set_deadline(const PeerConnection& connection, Instant deadline) {
    deadlines_.set(connection.slot, deadline);
  }
  [[nodiscard]] Instant next_deadline() const { return deadlines_.earliest(); }
  /// The connection whose deadline is over, once.
  [[nodiscard]] std::optional<ConnectionSlot> take_due(Instant now);

  /// Accepted connections that are not a direction of a link (yet), by their networks: see site_of().
  [[nodiscard]] const Counts<SocketAddress>& newcomers() const { return newcomers_; }
  void set_newcomer(PeerConnection& connection, bool newcomer);

  /// Ends the control stream, and closes the connection once the peer has read all of it or some
  /// time has passed: the peer is to learn what was sent last.
  void close_with_reason(Instant now, PeerConnection& connection, ErrorCode code,
                         std::string_view reason);
  /// The connection is no more; it stays where it is until erase().
  void end(PeerConnection& connection);
  void erase(ConnectionSlot slot);

  /// Whether there is a connection in that slot which has not ended.
  [[nodiscard]] bool has(ConnectionSlot slot) const {
    return connections_.contains(slot) && !connections_[slot].has_ended();
  }
  /// Whether none has ended: the end of each was worked off.
  [[nodiscard]] bool has_only_alive() const { return by_handle_.size() == connections_.size(); }
  /// Those that have not ended.
  [[nodiscard]] std::size_t size() const { return by_handle_.size(); }
  template <class F>
  void for_each(F&& visit) {
    connections_.for_each([&](PeerConnection& connection) {
      if (!connection.has_ended()) visit(connection);
    });
  }

  [[nodiscard]] bool consistent() const;

 private:
  ConnectionSource& source_;
  Slab<PeerConnection> connections_;
  std::unordered_map<std::uint64_t, ConnectionSlot> by_handle_;
  DeadlineHeap deadlines_;
  Counts<SocketAddress> newcomers_;
};

}  // namespace qpeer::p2p
