// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a p2p::Node tells its owner, and how its operations are named.
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

/// Why a call was refused, or an operation came to nothing.
enum class PeerError : u8 {
  not_linked,  ///< There is no link to that peer, and none is being made.
  wrong_role,  ///< A client has no send(), a node's peer no request().
  too_large,   ///< Over max_message_size, ours or the peer's.
  queue_full,  ///< Wait for `Writable` of that peer.
  refused,     ///< The peer wants none of it.
  link_lost,   ///< The link ended first; the peer may or may not have it.
  timed_out,  ///< No link within message_timeout, or no receipt, or no answer; the peer may have it.
  shut_down,  ///< We are shutting down.
  unknown,    ///< No operation has that name any more.
};
/// The error in words; a literal.
std::string_view to_string(PeerError error);

/// The first link of a bootstrap() is up; the other candidates are left alone.
struct Bootstrapped {
  PeerId peer;            ///< Whom we are linked to.
  SocketAddress address;  ///< Where it was dialled.
  Duration took{};        ///< Since bootstrap().
  std::size_t tried = 0;  ///< Candidates that were dialled, this one included.
  /// Of our introduction, that the node took with the first flight. RFC 9001 §4.6.
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
/// A connect() came to nothing.
struct LinkFailed {
  FailedCandidate candidate;  ///< With its reason.
};
/// Whether `peer`, which said that it is a node, can be reached.
struct PeerJudged {
  PeerId peer;                           ///< Who was dialled back.
  Verdict verdict = Verdict::reachable;  ///< What came of it.
  SocketAddress address;                 ///< That was tried.
};
/// What `by` found when it dialled us back.
struct WeWereJudged {
  PeerId by;                             ///< Who dialled us back.
  Verdict verdict = Verdict::reachable;  ///< What came of it.
  SocketAddress address;                 ///< That it tried.
};
/// Two nodes use one key. Whoever has a link to the first refuses the second, as long as the first
/// answers. Both learn it from that peer; the second dials again with growing pauses. At most once a
/// minute for a key. Clients beside another process of their key are no trouble, and not reported.
struct KeyInUse {
  PeerId peer;                 ///< Whose key; ours, when `by` is set.
  SocketAddress address;       ///< Of the second; when we are it, of the peer that refused us.
  std::optional<PeerId> by{};  ///< Who refused the second, when the key is ours.
  bool refused_us = false;     ///< We are the second. Else we are the first, or it is not our key.
};
/// Why a peer that dialled us was turned away.
enum class Refusal : u8 {
  no_certificate,      ///< It showed none.
  untrusted,           ///< Its certificate is of no authority that we trust, or not valid.
  not_allowed,         ///< Its id is not among Trust::allowed.
  wrong_protocol,      ///< It speaks another application protocol (ALPN), or major version of ours.
  handshake_failed,    ///< Of other reasons.
  no_introduction,     ///< None came in time.
  too_many_links,      ///< NodeConfig::max_links, or too many processes of its key.
  too_many_newcomers,  ///< NodeConfig::max_unintroduced.
  too_many_of_network,  ///< NodeConfig::max_links_network or max_unintroduced_network.
};
inline constexpr std::size_t kRefusals = 9;  ///< How many reasons there are.
/// The reason in words; a literal.
std::string_view to_string(Refusal refusal);

/// A peer that dialled us was turned away. In ten seconds 20 are reported, and three of one network (a
/// /24 or /48), so that a flood of dials is none of events; NodeStats::refused counts all.
struct DialRefused {
  Refusal reason = Refusal::handshake_failed;  ///< What was wrong.
  SocketAddress address;  ///< From where; anybody may forge that before its handshake is complete.
  std::optional<PeerId> peer{};  ///< Whom, once its handshake was complete.
  std::string why{};             ///< For people.
  std::uint64_t unreported = 0;  ///< That were not reported since the event before.
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
  std::uint64_t bytes = 0;  ///< That had come.
  std::string_view why;     ///< For people.
};
/// The peer has the whole of it in its inbox, from where its program takes it once. A peer of minor version
/// 0 of the protocol confirms only that its transport has it: it may still refuse it, or lose it with the
/// link.
struct Sent {
  OperationId id;  ///< Of the send() or reply().
};
/// Of a request().
struct Response {
  OperationId id;        ///< Of the request().
  std::vector<u8> data;  ///< The answer.
};
/// A send(), request() or reply() came to nothing.
struct Failed {
  OperationId id;                          ///< Of the operation.
  PeerError error = PeerError::link_lost;  ///< Why.
};
/// After PeerError::queue_full: there is room again.
struct Writable {
  PeerId peer;  ///< That more can be sent to.
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
/// cache() is not what it was: save it, not too often.
struct CacheChanged {};

/// After shut_down() the last connection is gone, and its peer had time to learn of it. The last
/// event, once.
struct Drained {};

/// What poll_event() gives.
using NodeEvent =
    std::variant<Bootstrapped, BootstrapFailed, LinkUp, LinkDown, LinkFailed, PeerJudged,
                 WeWereJudged, KeyInUse, DialRefused, Incoming, IncomingInterrupted, Sent, Response,
                 Failed, Writable, StreamActivity, Pong, OwnAddressChanged, CacheChanged, Drained>;

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
  bool we_dialled = false;  ///< First.
  /// Of another process that shows the peer's key: the PeerId does not name this link, but what comes
  /// on it is the peer's, and is answered there.
  bool further = false;
  Instant up_since{};  ///< When it came up last.
  /// Of the connection that we send on, as is what follows.
  crypto::CipherSuite cipher_suite = crypto::CipherSuite::aes_128_gcm_sha256;
  std::string key_exchange_group{};    ///< Such as "X25519MLKEM768"; for people.
  transport::ConnectionStats stats{};  ///< Figures of that connection.
};

}  // namespace qpeer::p2p
