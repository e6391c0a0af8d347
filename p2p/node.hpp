// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A peer as a machine: it bootstraps, introduces itself, proves that others can be reached before
// it believes that they are nodes, keeps links up, and carries messages. It drives no socket.
//
//   link between two nodes A and B:     A --- connection that A dialled: A's messages ---> B
//                                       A <--- connection that B dialled: B's messages --- B
//   link of a client C to a node B:     C --- connection that C dialled: requests, replies --- B
//
// On each connection the dialler's first bidirectional stream is the control stream: introductions,
// proofs, verdicts. A node dials back each peer that says it is a node, and accepts messages from it
// once the peer answers there with the same key and the nonce that it was given. See docs/peers.md.
//
// What it is made of is in p2p/node_state.hpp.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

#include "qpeer/cache/bootstrap_cache.hpp"
#include "qpeer/crypto/keys.hpp"
#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/p2p/node_config.hpp"
#include "qpeer/p2p/node_event.hpp"
#include "qpeer/p2p/trust.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"

namespace qpeer::p2p {

/// Figures of one node.
struct NodeStats {
  std::size_t links = 0;                ///< Up.
  std::size_t connections = 0;          ///< Of all kinds.
  std::uint64_t dial_backs = 0;         ///< Begun.
  std::uint64_t dial_backs_failed = 0;  ///< Of those: ended without a proof while one was needed.
  std::uint64_t violations = 0;         ///< Connections closed for what the peer did.
  std::array<std::uint64_t, kRefusals>
      refused{};                 ///< Peers that dialled us and were turned away, by Refusal.
  std::size_t inbox_bytes = 0;   ///< What arrives or waits to be taken.
  std::size_t outbox_bytes = 0;  ///< Messages, requests and answers that peers do not have yet.
  std::size_t candidates_learned = 0;   ///< Nodes that peers named, kept to be dialled.
  std::uint64_t stun_answers = 0;       ///< To STUN requests.
  std::uint64_t stun_rate_limited = 0;  ///< STUN requests beyond what is answered.
  std::uint64_t stun_ignored = 0;  ///< STUN messages that are none of our business, or not wanted.
  std::uint64_t knocks_sent = 0;   ///< At ports of others, because linked nodes or clients asked.
};

/// A Machine. Single-threaded. `keys` and `random` must outlive it.
class Node {
 public:
  /// Reads NodeConfig::remembered into the cache. Dials no peer before bootstrap() or connect().
  Node(Instant now, NodeConfig config, PeerTls tls, crypto::KeyFactory& keys, Random& random);
  ~Node();

  // --- machine ---------------------------------------------------------------------------------

  /// A datagram arrived on the first port or, by `path.local`, on that of NodeConfig::probe_address.
  void on_datagram(Instant now, ReceivedDatagram datagram);
  /// The system refused to send this train, whatever its options: see Endpoint::on_refused(). A dial
  /// that cannot succeed fails at once.
  void on_refused(Instant now, const Transmit& transmit, std::error_code error);
  /// This machine lost an IP address: see Endpoint::on_local_address_gone().
  void on_local_address_gone(Instant now, const SocketAddress& local);
  /// The routes of this machine are others: see Endpoint::on_routes_changed().
  void on_routes_changed(Instant now, const transport::Endpoint::SourceOf& source_of);
  /// This machine gained an address, a route or a link: see Endpoint::on_network_changed(). No candidate
  /// is left alone any longer because dials to it failed before.
  void on_network_changed(Instant now);
  /// How this machine reaches the internet by IPv4 and by IPv6: our address there with the port of our socket,
  /// and the router; neither is valid() without a way. With NodeConfig::port_mapping the router is asked to
  /// let strangers through to us: see PortMapped. To be called at first and after each change.
  void on_network(Instant now, const Path& ipv4, const Path& ipv6);
  /// With NodeConfig::other_port_mapper: for whom a port is to be mapped, as on_network() said it, while the
  /// router maps none by PCP and NAT-PMP. The owner then asks the router by other means until this is another
  /// one (see MappingWanted), keeps the mapping, and removes it afterwards.
  [[nodiscard]] const std::optional<Path>& wanted_mapping() const;
  /// The router maps a port to that of wanted_mapping(), or another one than before; ignored when none is
  /// wanted. A lifetime of 0 means for ever.
  void on_mapped(Instant now, const SocketAddress& external, Duration lifetime);
  /// The router maps no port by other means either, or none any more. `why` says of the router what is wrong,
  /// such as "it has no UPnP".
  void on_mapping_failed(Instant now, std::string_view why);
  /// An ICMP message about a closed port: see Endpoint::on_port_closed(). A dial of that address fails.
  void on_port_closed(Instant now, const SocketAddress& remote, Bytes quoted);
  /// What to send. `path.local` is probe_address for datagrams that must be sent from there.
  std::optional<Transmit> poll_transmit(Instant now, TransmitBuffer& out);
  /// When to call on_deadline(); kNever when nothing is waited for.
  [[nodiscard]] Instant next_deadline() const;
  /// The time of next_deadline() has come. Early and late calls do no harm.
  void on_deadline(Instant now);
  /// The next event, in order; call until nullopt.
  std::optional<NodeEvent> poll_event();

  // --- links -----------------------------------------------------------------------------------

  /// Tries what the cache holds, then `contacts`, until one of them is a link: Bootstrapped or
  /// BootstrapFailed. From then on links are kept up by themselves.
  void bootstrap(Instant now, std::vector<Candidate> contacts);
  /// Gives up a bootstrap() that is under way; no event follows.
  void cancel_bootstrap(Instant now);
  /// The contacts of bootstrap() have these addresses now: their names were looked up again.
  void update_contacts(Instant now, std::vector<Candidate> contacts);
  /// Whether there are fewer links than NodeConfig::target_links, and more are wanted.
  [[nodiscard]] bool lacks_links() const;
  /// Makes a link to one node, and keeps it: LinkUp or LinkFailed. When there is one already, LinkUp
  /// comes again, with the address of the candidate if that names no id.
  void connect(Instant now, const Candidate& candidate);
  /// Gives up a connect() that has no link yet; no event follows.
  void cancel_connect(Instant now, const Candidate& candidate);
  /// Ends the link without another try.
  void disconnect(Instant now, const PeerId& peer);
  /// All peers that are known now, linked or being linked.
  [[nodiscard]] std::vector<LinkInfo> links() const;
  /// The link that this id names; nullopt when there is none.
  [[nodiscard]] std::optional<LinkInfo> link(const PeerId& peer) const;

  // --- messages between nodes ------------------------------------------------------------------

  /// Queues a message; Sent or Failed follows. It waits while a lost link is made again. `data` is taken
  /// only when there is no error, here and in request() and reply().
  std::expected<OperationId, PeerError> send(Instant now, const PeerId& peer,
                                             std::vector<u8>&& data);
  /// The next whole message. Takes it out of the inbox, so that more can come.
  std::optional<Message> next_message(Instant now);

  // --- requests of clients ---------------------------------------------------------------------

  /// Asks a node; Response or Failed follows.
  std::expected<OperationId, PeerError> request(Instant now, const PeerId& peer,
                                                std::vector<u8>&& data);
  /// The next whole request of a client. Takes it out of the inbox. Answer each, or cancel() it.
  std::optional<Request> next_request(Instant now);
  /// Answers a request that next_request() gave; Sent or Failed follows with its id. After
  /// PeerError::queue_full call it again when Writable comes.
  std::expected<void, PeerError> reply(Instant now, OperationId request, std::vector<u8>&& data);
  /// Gives up a send() or request() of ours, or refuses a request of the peer's.
  void cancel(Instant now, OperationId operation);

  // --- raw streams: bidirectional from clients, unidirectional between nodes -------------------

  /// Opens a stream to a linked peer. Its id serves for the calls below.
  std::expected<OperationId, PeerError> open_stream(Instant now, const PeerId& peer);
  /// The next stream that a peer opened and that was not given yet.
  std::optional<IncomingStream> next_stream(Instant now);
  /// As transport::Connection's calls of the same names; StreamError::closed once it is gone.
  std::expected<std::size_t, transport::StreamError> write(Instant now, OperationId stream,
                                                           Bytes data);
  /// As transport::Connection::finish().
  std::expected<void, transport::StreamError> finish(Instant now, OperationId stream);
  /// As transport::Connection::reset().
  std::expected<void, transport::StreamError> reset(Instant now, OperationId stream,
                                                    std::uint64_t error_code);
  /// As transport::Connection::stop_sending().
  std::expected<void, transport::StreamError> stop_sending(Instant now, OperationId stream,
                                                           std::uint64_t error_code);
  /// As transport::Connection::peek().
  std::expected<transport::ReadView, transport::StreamError> peek(OperationId stream);
  /// As transport::Connection::consume().
  void consume(Instant now, OperationId stream, std::size_t size);
  /// The peer's error code, from its reset until peek() has given StreamError::reset.
  [[nodiscard]] std::uint64_t reset_code(OperationId stream) const;

  // --- datagrams: unreliable, either way on any link -------------------------------------------

  /// Queues one to be sent, or says why not. It may be lost.
  std::expected<void, PeerError> send_datagram(Instant now, const PeerId& peer, Bytes data);
  /// The oldest that was not taken. At most 256 wait; beyond, one of the peer with the most is dropped.
  std::optional<Datagram> next_datagram(Instant now);

  // --- rest ------------------------------------------------------------------------------------

  /// A round trip on the link: Pong follows.
  std::expected<void, PeerError> ping(Instant now, const PeerId& peer);
  /// Role::client: has a linked node find out whom the NAT or firewall before us lets in; FilteringFound
  /// follows, 2.2 seconds later at most. Nothing is found out of hosts that we wrote to before. One at a
  /// time; PeerError::refused: the node is of a version that does not do it.
  std::expected<void, PeerError> probe_filtering(Instant now, const PeerId& peer);
  /// Refuses new calls, lets what is queued arrive for at most `drain`, then closes all links.
  /// Once their peers had time to learn of it, the event Drained follows, and is_idle() is true.
  void shut_down(Instant now, Duration drain = 2s);
  /// Whether shut_down() has ended: the node may be destroyed without loss.
  [[nodiscard]] bool is_idle() const;

  /// The nodes that we can rejoin through. Valid until the next call that is not const.
  [[nodiscard]] const cache::BootstrapCache& cache() const;
  /// Where others see us, once peers of different networks agree.
  [[nodiscard]] std::optional<SocketAddress> own_address() const;
  /// What our router maps to us, as it says: see PortMapped.
  [[nodiscard]] std::optional<SocketAddress> mapped_address() const;
  /// Our own name.
  [[nodiscard]] const PeerId& id() const;
  /// As configured.
  [[nodiscard]] Role role() const;
  /// Figures, as of now.
  [[nodiscard]] NodeStats stats() const;
  /// Figures of the transport below, of both ports: datagrams that were dropped, peers that were rejected.
  [[nodiscard]] transport::EndpointStats endpoint_stats() const;
  /// Whether what it holds agrees with itself, between two calls. For tests: it looks at everything.
  [[nodiscard]] bool consistent() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> impl_;
};

static_assert(Machine<Node>);

}  // namespace qpeer::p2p
