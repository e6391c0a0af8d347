// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a p2p::Node tells its owner, and how its operations are named.
#pragma once

#include <compare>
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
  std::uint64_t value = 0;
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
  timed_out,   ///< No link within message_timeout, or no answer.
  shut_down,   ///< We are shutting down.
  unknown,     ///< No operation has that name any more.
};
std::string_view to_string(PeerError error);

/// The first link of a bootstrap() is up; the other candidates are left alone.
struct Bootstrapped {
  PeerId peer;
  SocketAddress address;
  Duration took{};
  std::size_t tried = 0;
  /// Of our introduction, that the node took with the first flight. RFC 9001 §4.6.
  std::uint64_t early_bytes = 0;
};
/// No candidate worked: each of them with its reason. Empty when there was none to try.
struct BootstrapFailed {
  std::vector<FailedCandidate> failures;
};
/// The peer is introduced and, between nodes, both directions are proved.
struct LinkUp {
  PeerId peer;
  Role role = Role::node;  ///< The peer's.
  SocketAddress address;
};
struct LinkDown {
  PeerId peer;
  std::string why;
  bool will_retry = false;  ///< We dial it again.
};
/// A connect() came to nothing.
struct LinkFailed {
  FailedCandidate candidate;
};
/// Whether `peer`, which said that it is a node, can be reached.
struct PeerJudged {
  PeerId peer;
  Verdict verdict = Verdict::reachable;
  SocketAddress address;  ///< That was tried.
};
/// What `by` found when it dialled us back.
struct WeWereJudged {
  PeerId by;
  Verdict verdict = Verdict::reachable;
  SocketAddress address;
};
/// next_message() or next_request() or next_stream() or next_datagram() has something.
struct Incoming {
  enum class Kind : u8 { message, request, stream, datagram };
  Kind kind = Kind::message;
  PeerId from;
};
/// A message or request that will never be whole: it is not delivered.
struct IncomingInterrupted {
  PeerId from;
  std::uint64_t bytes = 0;  ///< That had come.
  std::string_view why;
};
/// The peer has all of it. What is over a limit of its own it may still refuse.
struct Sent {
  OperationId id;
};
/// Of a request().
struct Response {
  OperationId id;
  std::vector<u8> data;
};
/// A send(), request() or reply() came to nothing.
struct Failed {
  OperationId id;
  PeerError error = PeerError::link_lost;
};
/// After PeerError::queue_full: there is room again.
struct Writable {
  PeerId peer;
};
/// Something happened to a raw stream: see transport::StreamEvent.
struct StreamActivity {
  enum class Kind : u8 { readable, writable, finished, stopped, lost };
  OperationId id;
  Kind kind = Kind::readable;
  std::uint64_t error_code = 0;
};
/// The answer to ping().
struct Pong {
  PeerId peer;
  Duration round_trip{};
};
/// Our own address as peers of different networks agree to see it.
struct OwnAddressChanged {
  std::optional<SocketAddress> address;
  std::optional<SocketAddress> before;
};
/// cache() is not what it was: save it, not too often.
struct CacheChanged {};

/// After shut_down() the last connection is gone, and its peer had time to learn of it. The last
/// event, once.
struct Drained {};

using NodeEvent =
    std::variant<Bootstrapped, BootstrapFailed, LinkUp, LinkDown, LinkFailed, PeerJudged,
                 WeWereJudged, Incoming, IncomingInterrupted, Sent, Response, Failed, Writable,
                 StreamActivity, Pong, OwnAddressChanged, CacheChanged, Drained>;

struct Message {
  PeerId from;
  std::vector<u8> data;
};

struct Request {
  OperationId id;  ///< For reply().
  PeerId from;
  std::vector<u8> data;
};

struct Datagram {
  PeerId from;
  std::vector<u8> data;
};

struct IncomingStream {
  OperationId id;
  PeerId from;
};

/// One peer, as of now.
struct LinkInfo {
  PeerId peer;
  Role role = Role::node;
  SocketAddress address;  ///< Where it is seen from, or where we dialled it.
  bool up = false;
  bool we_dialled = false;  ///< First.
  Instant up_since{};
  /// Of the connection that we send on, as is what follows.
  crypto::CipherSuite cipher_suite = crypto::CipherSuite::aes_128_gcm_sha256;
  std::string key_exchange_group{};
  transport::ConnectionStats stats{};
};

}  // namespace qpeer::p2p
