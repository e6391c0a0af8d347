// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The events of a p2p::Node, what its calls give, and how its operations are named.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "qpeer/crypto/aead.hpp"
#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/p2p/bootstrap_plan.hpp"
#include "qpeer/p2p/protocol.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/connection/config.hpp"
#include "qpeer/transport/stream/stream_types.hpp"

namespace qpeer::p2p {

/// Names one operation of one Node; never used twice. Messages, requests and streams share the
/// numbers. Zero names none.
struct OperationId {
  std::uint64_t value = 0;  ///< Zero names none.
  friend constexpr auto operator<=>(OperationId, OperationId) = default;
};

/// Why a call was refused, or an operation failed.
enum class PeerError : u8 {
  not_linked,  ///< There is no link to that peer, and none is being made.
  wrong_role,  ///< A client has no send(), a node's peer no request().
  too_large,   ///< Over max_message_size, ours or the peer's.
  queue_full,  ///< Wait for `Writable` of that peer.
  refused,     ///< The peer refused it.
  link_lost,   ///< The link ended first; the message may or may not have arrived.
  timed_out,   ///< No link within message_timeout, no receipt, or no answer; it may have arrived.
  shut_down,   ///< We are shutting down.
  unknown,     ///< No operation has that id any more.
};
/// The error in words; a literal.
std::string_view to_string(PeerError error);

/// The first link of a bootstrap() is up; the other candidates are left alone.
struct Bootstrapped {
  PeerId peer;            ///< Whom we are linked to.
  SocketAddress address;  ///< Where it was dialled.
  Duration took{};        ///< Since bootstrap().
  std::size_t tried = 0;  ///< Candidates that were dialled, this one included.
  /// How many bytes of our introduction the node accepted as early data. RFC 9001 §4.6.
  std::uint64_t early_bytes = 0;
};
/// No candidate worked: each of them with its reason. Empty when there was none to try.
struct BootstrapFailed {
  std::vector<FailedCandidate> failures;  ///< Best candidate first.
};
/// The peer is introduced and, between nodes, both directions are proved.
struct LinkUp {
  PeerId peer;             ///< Whose link.
  Role role = Role::node;  ///< The peer's.
  SocketAddress address;   ///< Where the peer is.
};
/// A link has ended.
struct LinkDown {
  PeerId peer;              ///< Whose link.
  std::string why;          ///< For people.
  bool will_retry = false;  ///< We dial it again.
};
/// A connect() failed.
struct LinkFailed {
  FailedCandidate candidate;  ///< With its reason.
};
/// We dialled back `peer`, which said that it is a node: whether it can be reached.
struct PeerVerdict {
  PeerId peer;                           ///< The peer that was dialled back.
  Verdict verdict = Verdict::reachable;  ///< The result.
  SocketAddress address;                 ///< The address that was dialled.
  /// Anybody reaches the peer there: not only we, to whom it had written. When that is not known, the link
  /// is up all the same, and other peers are not told of this one.
  bool by_strangers = false;
};
/// The peer `by` has dialled us back: whether it could reach us.
struct ReachabilityVerdict {
  PeerId by;                             ///< The peer that dialled us back.
  Verdict verdict = Verdict::reachable;  ///< The result.
  SocketAddress address;                 ///< The address that it dialled.
  bool by_strangers = false;             ///< See PeerVerdict. False also where `by` cannot tell.
};
/// Two nodes use one key. A peer that has a link to the first refuses the second, as long as the first
/// answers. Both nodes get this event from that peer; the second dials again with growing pauses. At
/// most once a minute for a key. Clients with the key of another process are linked, and not reported.
struct KeyInUse {
  PeerId peer;                 ///< The id of that key; our own, when `by` is set.
  SocketAddress address;       ///< Of the second node; when we are it, of the peer that refused us.
  std::optional<PeerId> by{};  ///< The peer that refused the second node, when the key is ours.
  bool refused_us = false;     ///< We are the second. Else we are the first, or it is not our key.
};
/// Why a peer that dialled us was turned away.
enum class Refusal : u8 {
  no_certificate,      ///< The peer showed none.
  untrusted,           ///< Its certificate is of no authority that we trust, or not valid.
  not_allowed,         ///< Its id is not among Trust::allowed.
  wrong_protocol,      ///< It speaks another application protocol (ALPN), or major version of ours.
  handshake_failed,    ///< The handshake failed for another reason.
  no_introduction,     ///< The peer did not introduce itself in time.
  too_many_links,      ///< NodeConfig::max_links, or too many processes of its key.
  too_many_newcomers,  ///< NodeConfig::max_unintroduced.
  too_many_of_network,  ///< NodeConfig::max_links_network or max_unintroduced_network.
};
inline constexpr std::size_t kRefusals = 9;  ///< How many reasons there are.
/// The reason in words; a literal.
std::string_view to_string(Refusal refusal);

/// A peer that dialled us was turned away. In ten seconds at most 20 are reported, and three of one network
/// (a /24 or /48), so that a flood of dials makes no flood of events; NodeStats::refused counts all.
struct DialRefused {
  Refusal reason = Refusal::handshake_failed;  ///< What was wrong.
  SocketAddress address;  ///< The peer's; it may be forged unless the handshake was complete.
  std::optional<PeerId> peer{};  ///< The peer, when its handshake was complete.
  std::string why{};             ///< For people.
  std::uint64_t unreported = 0;  ///< How many were not reported since the event before.
};
/// next_message() or next_request() or next_stream() or next_datagram() has something.
struct Incoming {
  /// Which of the calls has something.
  enum class Kind : u8 { message, request, stream, datagram };
  Kind kind = Kind::message;  ///< Which of them.
  PeerId from;                ///< The peer that sent it.
};
/// A message or request that will never be whole: it is not delivered.
struct IncomingInterrupted {
  PeerId from;              ///< The peer that sent it.
  std::uint64_t bytes = 0;  ///< How many had arrived.
  std::string_view why;     ///< For people.
};
/// The peer has all of a message or an answer in its inbox, from where its program takes it once. A peer
/// with minor version 0 of the protocol confirms only that its transport has it: that peer may still
/// refuse it, or lose it with the link.
struct Sent {
  OperationId id;  ///< Of the send() or reply().
};
/// The answer to a request().
struct Response {
  OperationId id;        ///< Of the request().
  std::vector<u8> data;  ///< The answer.
};
/// A send(), request() or reply() failed.
struct Failed {
  OperationId id;                          ///< Of the operation.
  PeerError error = PeerError::link_lost;  ///< Why.
};
/// After PeerError::queue_full: there is room again.
struct Writable {
  PeerId peer;  ///< The peer to which more can be sent.
};
/// Something happened to a raw stream: see transport::StreamEvent.
struct StreamActivity {
  /// As of transport::StreamEvent; `lost`: the link has ended.
  enum class Kind : u8 { readable, writable, finished, stopped, lost };
  OperationId id;                ///< Of the stream.
  Kind kind = Kind::readable;    ///< What happened.
  std::uint64_t error_code = 0;  ///< Of `stopped`: the peer's code.
};
/// The answer to ping().
struct Pong {
  PeerId peer;            ///< Who answered.
  Duration round_trip{};  ///< From ping() to the answer.
};
/// Our own address as peers of different networks agree to see it.
struct OwnAddressChanged {
  std::optional<SocketAddress> address;  ///< nullopt: they do not agree any more.
  std::optional<SocketAddress> before;   ///< What it was until now.
};
/// cache() has changed. Save it, but not after each event: there may be many.
struct CacheChanged {};

/// After shut_down() the last connection is gone, and its peer had time to learn of it. The last
/// event, once.
struct Drained {};

/// Our router lets strangers through to us: it maps a port of its own to ours. Whether that is true, nodes
/// find out when they dial us back. Again when the mapping changes.
struct PortMapped {
  SocketAddress external;     ///< Where we are reached, as the router says.
  std::string_view protocol;  ///< "PCP", "NAT-PMP" or "UPnP".
  Duration lifetime{};        ///< It is renewed when half of that is over. 0: it needs no renewal.
  bool double_nat = false;    ///< The address is a private one: another NAT is behind the router.
};

/// There is no such mapping, or none any more. It is tried again from time to time. Who has a public address
/// needs none, and is told only of the loss of one.
struct PortMapFailed {
  std::string why;          ///< For people.
  bool double_nat = false;  ///< Another NAT is behind the router.
};

/// Node::wanted_mapping() has changed. Only with NodeConfig::other_port_mapper.
struct MappingWanted {};

/// An address or a route of this machine has come or gone. Links move by themselves; what the change means,
/// AsyncNode::network_report() finds out. Several may follow each other.
struct NetworkChanged {
  /// Our address towards the internet now, with the port of our socket; not valid() without a way there,
  /// or where nobody calls Node::on_network().
  SocketAddress local{};
};

/// Whom the NAT or firewall before us lets in, by what a node tried for us: see Node::probe_filtering().
struct FilteringFound {
  PeerId by;  ///< The node.
  /// Whether the node's host gets through from a port that we had not written to; unset: not tried.
  std::optional<bool> other_port{};
  /// Whether other nodes do, to whose hosts we had not written; unset: not tried.
  std::optional<bool> strangers{};
};

/// What poll_event() gives.
using NodeEvent =
    std::variant<Bootstrapped, BootstrapFailed, LinkUp, LinkDown, LinkFailed, PeerVerdict,
                 ReachabilityVerdict, KeyInUse, DialRefused, Incoming, IncomingInterrupted, Sent,
                 Response, Failed, Writable, StreamActivity, Pong, OwnAddressChanged, PortMapped,
                 PortMapFailed, MappingWanted, FilteringFound, NetworkChanged, CacheChanged,
                 Drained>;

/// A message of a node.
struct Message {
  PeerId from;           ///< Who sent it.
  std::vector<u8> data;  ///< All of it.
};

/// A request of a client.
struct Request {
  OperationId id;        ///< For reply().
  PeerId from;           ///< Who asks.
  std::vector<u8> data;  ///< The question.
};

/// An unreliable datagram of a peer.
struct Datagram {
  PeerId from;           ///< Who sent it.
  std::vector<u8> data;  ///< All of it.
};

/// A raw stream that a peer opened.
struct IncomingStream {
  OperationId id;              ///< For the calls of raw streams.
  PeerId from;                 ///< Who opened it.
  bool bidirectional = false;  ///< A client opened it.
};

/// One peer, as of now.
struct LinkInfo {
  PeerId peer;              ///< Its name.
  Role role = Role::node;   ///< The peer's.
  SocketAddress address;    ///< Where it is seen from, or where we dialled it.
  bool up = false;          ///< Whether messages can pass.
  bool we_dialled = false;  ///< Whether we dialled first.
  /// This is a link to another process with the same key. The PeerId does not name this link: calls with
  /// the PeerId use another one. What arrives here is the peer's, and is answered here.
  bool further = false;
  Instant up_since{};  ///< When the link came up last.
  /// Of the connection that we send on, like the next two.
  crypto::CipherSuite cipher_suite = crypto::CipherSuite::aes_128_gcm_sha256;
  std::string key_exchange_group{};    ///< Such as "X25519MLKEM768"; for people.
  transport::ConnectionStats stats{};  ///< Figures of that connection.
};

}  // namespace qpeer::p2p
