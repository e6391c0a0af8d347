// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The configuration of a peer. The defaults are safe on the open internet; every limit bounds
// something that a stranger can make us keep or do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "qpeer/cache/bootstrap_cache.hpp"
#include "qpeer/p2p/bootstrap_plan.hpp"
#include "qpeer/p2p/dial_back_guard.hpp"
#include "qpeer/p2p/protocol.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"

namespace qpeer::p2p {

/// What a Node is made with.
struct NodeConfig {
  /// Whether others can reach us.
  Role role = Role::client;

  // --- addresses -------------------------------------------------------------------------------

  /// Role::node: the port that we accept connections on.
  std::uint16_t listen_port = 0;
  /// Role::node: whether our router is asked to let strangers through to `listen_port` (PCP, or NAT-PMP where
  /// our own address is a private one), when `advertised` is empty. See Node::on_network().
  bool port_mapping = true;
  /// Whether whoever drives the node asks the router by other means (UPnP), where it maps no port by PCP and
  /// NAT-PMP: see Node::wanted_mapping().
  bool other_port_mapper = false;
  /// Role::node: where others reach us; at most four. Empty means `listen_port` at the host that
  /// they see us from.
  std::vector<SocketAddress> advertised{};
  /// The local address of a second port, from which peers are dialled back. A NAT or firewall accepts
  /// packets from an address to which the peer has sent some, so a dial-back from the first port would
  /// prove little. Unset: the first port is used, for an owner with a single socket.
  std::optional<SocketAddress> probe_address{};
  /// Role::node: whether we tell who asks by STUN (RFC 8489), at the first port, where we see it. So peers
  /// behind NATs learn their address without a connection.
  bool answer_stun = true;
  std::uint32_t max_stun_answers = 1'000;       ///< Of these answers, in any second.
  std::uint32_t max_stun_answers_network = 20;  ///< The same, to one network (/24, /48).
  /// Role::node: how many datagrams of 48 bytes, in any second, linked nodes can make us send to others, and
  /// clients to themselves, to learn whether strangers get through to these. One to each network.
  std::uint32_t max_knocks = 5;

  // --- links -----------------------------------------------------------------------------------

  std::size_t target_links = 3;  ///< Links to nodes that we keep up once bootstrapped.
  /// How many peers there are at once; beyond, peers that dial us are turned away. An eighth of the places
  /// is kept for peers that we dial.
  std::size_t max_links = 512;
  std::size_t max_links_network =
      256;  ///< The same for peers of one network (/24, /48) that dialled us.
  /// How many accepted connections may be without an introduction; of one network (/24, /48) as below.
  std::size_t max_unintroduced = 256;
  std::size_t max_unintroduced_network = 64;  ///< See max_unintroduced.
  Duration introduction_timeout = 5s;  ///< From the end of the handshake to the introduction.
  Duration dial_back_timeout = 5s;     ///< For handshake, introduction and proof together.
  Duration recheck_interval = 5min;    ///< Between proofs that a node can still be reached.
  std::size_t reconnect_attempts = 6;  ///< For a lost link that we dialled, with back-off.
  bool exchange_peers = true;          ///< Tell linked peers of nodes we reached, and ask them.

  /// To which hosts peers may ask us to dial back.
  DialBackTarget dial_back_target = DialBackTarget::observed_host;
  DialBackLimiterConfig dial_back_limits{};  ///< How many at once, and how fast.
  BootstrapConfig bootstrap{};               ///< How candidates are dialled.

  // --- messages --------------------------------------------------------------------------------

  std::size_t max_message_size = 16 << 20;  ///< Bytes, of requests and answers too.
  /// Bytes that are kept for one peer until it has them: messages and requests (beyond,
  /// PeerError::queue_full), answers, and requests that the application has taken and not answered.
  /// Beyond, no requests of the peer are read either. One answer may exceed this limit, and the next two.
  std::size_t max_queued_bytes = 32 << 20;
  std::size_t max_queued_network = 64 << 20;  ///< The same, to one network, a /24 or /48.
  std::size_t max_queued_total = 256 << 20;   ///< The same, to all peers.
  std::size_t max_queued_messages = 4'096;    ///< To one peer: beyond, PeerError::queue_full.
  std::size_t max_inbox_bytes = 32 << 20;     ///< From one peer, finished or not.
  std::size_t max_inbox_network = 64 << 20;   ///< From one network, a /24 or /48.
  std::size_t max_inbox_total = 256 << 20;    ///< From all peers; one message may go over it.
  /// How long a message may take to arrive whole, or wait for a link. When other bytes move between us and
  /// the peer meanwhile, it has longer, by the time of these bytes at min_message_rate; at most by the time
  /// that the largest message takes.
  Duration message_timeout = 60s;
  std::size_t min_message_rate = 16 << 10;  ///< Bytes a second.
  /// A raw stream on which nothing moves for so long is reset, on either side; not while something
  /// that arrived waits for the application. Duration::max() lets it stand.
  Duration raw_stream_timeout = 5min;

  // --- what lasts ------------------------------------------------------------------------------

  cache::CacheConfig cache{};                   ///< Limits of the cache.
  std::vector<cache::CacheEntry> remembered{};  ///< Of an earlier run, newest first.
  /// The wall clock's time at Instant zero: for the times of cache entries.
  UnixSeconds unix_time_at_zero{};

  // --- transport -------------------------------------------------------------------------------

  /// `endpoint.server_tls` is set by us; the rest holds for accepted connections.
  transport::EndpointConfig endpoint = transport::EndpointConfig();
  /// For connections that we dial.
  transport::ConnectionConfig connection = default_connection();

  /// The transport's defaults, with smaller windows, keep-alive, datagrams and address discovery.
  static transport::ConnectionConfig default_connection() {
    transport::ConnectionConfig out;
    out.streams.receive_window = 4 << 20;
    out.streams.stream_receive_window = 2 << 20;
    out.streams.send_buffer = 1 << 20;
    out.streams.connection_send_buffer = 4 << 20;
    out.max_idle_timeout = 30s;
    out.keep_alive = 12s;
    out.handshake_timeout = 5s;
    out.max_ack_delay = 5ms;  // The sender of a single message waits for its acknowledgement.
    out.address_discovery = {.provide = true, .request = true};
    out.max_datagram_frame_size = 65'535;
    return out;
  }
};

}  // namespace qpeer::p2p
