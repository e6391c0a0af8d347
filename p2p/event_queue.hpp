// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How the owners of a Node's state send events to each other, and to the application.
//
// An owner calls only owners that it was made with. What concerns other owners it posts as an OwnerEvent.
// Each call of a Node ends with work_off(), which handles these events, one after the other, while no
// call of any owner is under way. So no call destroys an object that one of its callers still uses.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "qpeer/p2p/node_event.hpp"
#include "qpeer/p2p/peer_connection.hpp"

namespace qpeer::p2p {

/// Why a connection ended.
struct ConnectionEnd {
  std::string why{};       ///< For people.
  bool may_retry = false;  ///< Dialling again may help.
  bool refused = false;    ///< The other side refused the handshake, rather than not answer it.
  std::optional<ErrorCode> closed_by_us{};
  /// The reason lies with us, as when our system sends nothing: it is no failure of the peer.
  bool is_our_failure = false;
  bool no_room = false;  ///< The peer said that it has too many links.
};

/// There may be another control message to read.
struct ControlReadable {
  ConnectionSlot connection = kNoSlot;
};
/// The transport's side of the connection has ended. What the peer sent last can still be read.
struct TransportClosed {
  ConnectionSlot connection = kNoSlot;
  transport::CloseReason reason = transport::CloseReason();
};
/// The connection is of no use any more. It is erased when this is worked off.
struct ConnectionEnded {
  ConnectionSlot connection = kNoSlot;
  ConnectionEnd end = ConnectionEnd();
  std::optional<PeerKey> missed_by{};  ///< Whose link it was a direction of.
  bool had_owner = false;
};
/// Application data may flow on the connection.
struct ConnectionOpened {
  ConnectionSlot connection = kNoSlot;
};
/// What the peer has sent on its streams is of no use any more.
struct StreamsLost {
  ConnectionSlot connection = kNoSlot;
};
/// A connection that the peer dialled became a direction of its link, and it must be reachable.
struct InboundAttached {
  PeerKey peer{};
};
/// A connection that we dialled became a direction of the peer's link.
struct OutboundAttached {
  PeerKey peer{};
};
/// A connection that we dialled is open: application data may flow on it.
struct OutboundOpened {
  ConnectionSlot connection = kNoSlot;
};
/// The last connection that we dialled is gone, and the peer's are still there.
struct OutboundLost {
  PeerKey peer{};
};
/// We reached the peer, without its help unless `helped`.
struct PeerDialled {
  PeerKey peer{};
  bool helped = false;
};
/// The peer proved that it can be reached.
struct DialBackProved {
  PeerKey peer{};
};
/// What came of asking strangers to knock at a peer's port.
enum class KnockOutcome : u8 {
  heard,      ///< A knock arrived.
  silent,     ///< Two were sent, and none arrived.
  no_helper,  ///< No node is there that could send two.
};
struct KnocksEnded {
  PeerKey peer{};
  KnockOutcome outcome = KnockOutcome::no_helper;
};
/// The link is up, or has another direction than before.
struct LinkReady {
  PeerKey peer{};
};
/// A link was up and is not any more.
struct LinkWentDown {
  PeerId peer{};
  SocketAddress address{};
  Instant up_since{};
  bool we_dialled = false;
  bool we_ended = false;  ///< The peer did nothing to end it.
};
/// The peer is to be dialled again.
struct RetryDue {
  PeerKey peer{};
};
/// The peer came in another role: what waited for it has failed.
struct RoleChanged {
  PeerKey peer{};
};
/// Another process of the peer's key has the place of the one that was there and had no connection left.
struct InstanceReplaced {
  PeerKey peer{};
};
/// Another process of the peer's key is linked, and this one is to go.
struct InstanceRefused {
  PeerKey peer{};
};
/// The peer waited for the place of another process of its key, and that is gone.
struct PlaceFree {
  PeerKey peer{};
};
/// There is no way to the peer any more, and none is being made.
struct LinkAbandoned {
  PeerKey peer{};
};
/// The peer may have nothing left that keeps it: it is erased if so.
struct PeerUnused {
  PeerKey peer{};
};

/// LinkUp and LinkDown are for the application, in their turn: what a link carried ends before the
/// link does, and a link ends before the next one to the same peer begins.
using OwnerEvent =
    std::variant<ControlReadable, TransportClosed, ConnectionEnded, ConnectionOpened, StreamsLost,
                 InboundAttached, OutboundAttached, OutboundOpened, OutboundLost, PeerDialled,
                 DialBackProved, KnocksEnded, LinkUp, LinkReady, LinkDown, LinkWentDown, RetryDue,
                 RoleChanged, InstanceReplaced, InstanceRefused, PlaceFree, LinkAbandoned,
                 PeerUnused>;

/// Both queues are in the order in which things happened. So an event that names a connection comes
/// before the ConnectionEnded with which that is erased.
class EventQueue {
 public:
  /// For the application.
  void emit(NodeEvent event) { emitted_.push_back(std::move(event)); }
  [[nodiscard]] std::optional<NodeEvent> take_emitted() { return take(emitted_); }
  [[nodiscard]] bool has_emitted() const { return !emitted_.empty(); }

  /// For the other owners.
  void post(OwnerEvent event) { posted_.push_back(std::move(event)); }
  [[nodiscard]] bool has_posted() const { return !posted_.empty(); }
  [[nodiscard]] std::optional<OwnerEvent> take_posted() { return take(posted_); }

 private:
  template <class Event>
  static std::optional<Event> take(std::deque<Event>& queue) {
    if (queue.empty()) return std::nullopt;
    std::optional<Event> out{std::move(queue.front())};
    queue.pop_front();
    return out;
  }

  std::deque<NodeEvent> emitted_;
  std::deque<OwnerEvent> posted_;
};

}  // namespace qpeer::p2p
