// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A node and a client of the peer-to-peer network as objects to co_await, or with callbacks.
//
//   auto node = Node::start(loop, options);                // qpeer::Node is p2p::AsyncNode
//   auto peer = co_await node->bootstrap(contact);         // NodePeer, or what was tried
//   co_await peer->send(message);                          // the peer has it
//   while (auto arrival = co_await node->next()) ...       // messages, requests, streams
//   co_await node->shut_down();
//
//   auto client = Client::start(loop, options);
//   auto server = co_await client->bootstrap(contact);     // ServerPeer
//   auto reply = co_await server->request(question);
//
// All of it belongs to the thread of its event loop. Nothing here throws. Destroying a task that
// waits cancels what it waits for. Nothing is queued here: what arrives stays with the machine,
// bounded by NodeConfig, until somebody awaits it.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "qpeer/p2p/async/node_options.hpp"
#include "qpeer/p2p/async/peers.hpp"
#include "qpeer/p2p/nat/network_report.hpp"
#include "qpeer/p2p/node.hpp"
#include "qpeer/p2p/peer_address.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/config_error.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::p2p {

/// What next() gives.
using Arrival = std::variant<Message, IncomingRequest, PeerStream, Datagram>;

/// What bootstrap() and connect() call when they are done.
template <class Peer>
using LinkCallback = std::move_only_function<void(std::expected<Peer, BootstrapError>)>;

namespace detail {

/// What next() and its like give to co_await: the next of its kind, nullopt after the end.
template <class T>
class [[nodiscard]] NextOperation final : public async::Operation {
 public:
  explicit NextOperation(std::shared_ptr<NodeState> node);
  std::optional<T> await_resume() { return std::move(next_); }

 private:
  bool attempt() override;
  std::shared_ptr<NodeState> node_;
  std::optional<T> next_;
};

extern template class NextOperation<Message>;
extern template class NextOperation<IncomingRequest>;
extern template class NextOperation<PeerStream>;
extern template class NextOperation<Datagram>;
extern template class NextOperation<Arrival>;

}  // namespace detail

/// What AsyncNode and AsyncClient share. Move-only. Destroying it closes all links at once, without
/// letting what is queued arrive: shut_down() does. Handles that outlive it give the error `shut_down`.
/// Of the thread of its loop, which must outlive it.
class AsyncNodeBase {
 public:
  AsyncNodeBase(AsyncNodeBase&&) noexcept = default;
  AsyncNodeBase& operator=(AsyncNodeBase&& other) noexcept;
  ~AsyncNodeBase();

  /// Our own name.
  [[nodiscard]] const PeerId& id() const;
  /// What we are bound to, with the port that was chosen.
  [[nodiscard]] const SocketAddress& local_address() const;
  /// Where others see us, once peers of different networks agree.
  [[nodiscard]] std::optional<SocketAddress> own_address() const;
  /// All peers that are known now, linked or being linked.
  [[nodiscard]] std::vector<LinkInfo> links() const;
  /// The nodes that we can rejoin through. Valid while this object is.
  [[nodiscard]] const cache::BootstrapCache& cache() const;
  /// Figures, as of now.
  [[nodiscard]] NodeStats stats() const;
  /// Figures of the transport below: datagrams that were dropped, peers that were rejected.
  [[nodiscard]] transport::EndpointStats endpoint_stats() const;
  /// Counts of the sockets, of all together.
  [[nodiscard]] io::UdpStats udp_stats() const;
  /// co_await: what this network lets a peer be, and why, in three seconds at most: see findings_of(). Asks the
  /// nodes that we are linked to, and STUN servers at `servers`, at most eight together, from a port of its own; a node
  /// with NodeConfig::port_mapping has its router map that port for a moment. Whom the NAT or firewall lets in
  /// a node knows from those who dialled it back; a client asks a node, which needs others to which we have
  /// not written lately. The error is that of the socket.
  [[nodiscard]] async::Task<std::expected<NetworkReport, std::error_code>> network_report(
      std::vector<SocketAddress> servers = {}) const;
  /// Why the socket failed, if it did: all has ended then.
  [[nodiscard]] std::error_code error() const;
  /// The loop that it was started with.
  [[nodiscard]] io::EventLoop& loop() const;

  /// Calls `callback` with every event of the machine (p2p/node_event.hpp), before coroutines that wait
  /// for the event go on. It may call anything, and destroy the node. What it throws leaves the loop;
  /// the coroutines go on all the same. There is one callback at a time; nullptr removes it.
  void on_event(std::move_only_function<void(const NodeEvent&)> callback);

  /// co_await: the next datagram of any peer; nullopt once shut down.
  [[nodiscard]] detail::NextOperation<Datagram> next_datagram();
  /// The same as a callback, one call for each that arrives. It may call anything.
  void on_datagram(std::move_only_function<void(Datagram)> callback);

  /// Refuses new calls, lets what is queued arrive for at most `drain`, closes all links, and saves the
  /// cache. This begins with the call; co_await waits for its end. Calls that still wait then give
  /// PeerError::shut_down, or nullopt.
  async::Task<void> shut_down(Duration drain = 2s);
  /// The same; calls `done` at the end.
  void shut_down(std::move_only_function<void()> done, Duration drain = 2s);

 protected:
  /// Takes what open() made.
  explicit AsyncNodeBase(std::shared_ptr<detail::NodeState> state) : state_(std::move(state)) {}
  /// Binds and reads the cache, as start() of either class says.
  static std::expected<std::shared_ptr<detail::NodeState>, ConfigError> open(io::EventLoop& loop,
                                                                             NodeOptions options,
                                                                             Role role);
  std::shared_ptr<detail::NodeState> state_;  ///< Null once moved from.
};

/// A worker of the network: others reach it, it exchanges messages with nodes and answers clients. Of
/// the thread of its loop.
class AsyncNode final : public AsyncNodeBase {
 public:
  /// What it is started with.
  using Options = NodeOptions;

  /// Binds, reads the cache, and begins to work in the loop's next turn; else what of `options`
  /// must change, with the reason.
  [[nodiscard]] static std::expected<AsyncNode, ConfigError> start(io::EventLoop& loop,
                                                                   NodeOptions options);

  /// co_await: a link to the first node that answers, of those in the cache and then of `contacts`,
  /// whose names are looked up first. From then on the node keeps as many links up as
  /// NodeConfig::target_links. Destroying the task ends the search. One at a time.
  [[nodiscard]] async::Task<std::expected<NodePeer, BootstrapError>> bootstrap(
      std::span<const PeerAddress> contacts = {});
  /// The same with one contact.
  [[nodiscard]] async::Task<std::expected<NodePeer, BootstrapError>> bootstrap(
      const PeerAddress& contact) {
    return bootstrap(std::span(&contact, 1));
  }
  /// Contacts in braces need a name: g++ 12 destroys such temporaries of a co_await expression twice.
  async::Task<std::expected<NodePeer, BootstrapError>> bootstrap(PeerAddress&& contact) = delete;
  /// The same; calls `done` with the result.
  void bootstrap(std::span<const PeerAddress> contacts, LinkCallback<NodePeer> done);

  /// co_await: a link to this one node, which is then kept up.
  [[nodiscard]] async::Task<std::expected<NodePeer, BootstrapError>> connect(
      const PeerAddress& contact);
  async::Task<std::expected<NodePeer, BootstrapError>> connect(PeerAddress&& contact) = delete;
  /// The same; calls `done` with the result.
  void connect(const PeerAddress& contact, LinkCallback<NodePeer> done);

  /// How others may reach us, to be passed on; to_ticket() has all of it in one word. Its places are the
  /// addresses of NodeOptions::advertise, those of the internet (that of the port that our router maps, this
  /// machine's own, own_address()), then those of private networks; loopback where we are bound to it or
  /// where there is nothing else. As of now: each call asks the system, and PortMapped, PortMapFailed and
  /// OwnAddressChanged say that it may have changed.
  [[nodiscard]] PeerAddress contact() const;

  /// A handle for the node of this name, linked or not: for answering a message, say.
  [[nodiscard]] NodePeer peer(const PeerId& id) const;
  /// All nodes that we are linked to now.
  [[nodiscard]] std::vector<NodePeer> peers() const;
  /// To a client of ours, or to a node.
  std::expected<void, PeerError> send_datagram(const PeerId& peer, Bytes data);
  /// Ends the link to a peer; it is not made again by itself.
  void disconnect(const PeerId& peer);

  /// co_await: whatever arrives next, the kinds in turns; nullopt once shut down.
  [[nodiscard]] detail::NextOperation<Arrival> next();
  /// co_await: the next of one kind.
  [[nodiscard]] detail::NextOperation<Message> next_message();
  /// co_await: the next request of a client.
  [[nodiscard]] detail::NextOperation<IncomingRequest> next_request();
  /// co_await: the next stream that a peer opened: read-only from a node, both ways from a client.
  [[nodiscard]] detail::NextOperation<PeerStream> next_stream();

  /// The same as callbacks, one call for each that arrives. They may call anything, and destroy the
  /// node. What one throws leaves the loop; it is called again for the next.
  void on_message(std::move_only_function<void(Message)> callback);
  /// Calls `callback` with each request of a client.
  void on_request(std::move_only_function<void(IncomingRequest)> callback);
  /// Calls `callback` with each stream that a peer opened.
  void on_stream(std::move_only_function<void(PeerStream)> callback);
  /// Calls `callback` with whatever arrives, as next() gives it.
  void on_arrival(std::move_only_function<void(Arrival)> callback);

 private:
  using AsyncNodeBase::AsyncNodeBase;
};

/// A consumer: it is never dialled, and asks nodes. Of the thread of its loop.
class AsyncClient final : public AsyncNodeBase {
 public:
  /// What it is started with.
  using Options = NodeOptions;

  /// As AsyncNode::start; NodeOptions::advertise and probe_port mean nothing here.
  [[nodiscard]] static std::expected<AsyncClient, ConfigError> start(io::EventLoop& loop,
                                                                     NodeOptions options);

  /// As AsyncNode::bootstrap.
  [[nodiscard]] async::Task<std::expected<ServerPeer, BootstrapError>> bootstrap(
      std::span<const PeerAddress> contacts = {});
  /// The same with one contact.
  [[nodiscard]] async::Task<std::expected<ServerPeer, BootstrapError>> bootstrap(
      const PeerAddress& contact) {
    return bootstrap(std::span(&contact, 1));
  }
  async::Task<std::expected<ServerPeer, BootstrapError>> bootstrap(PeerAddress&& contact) = delete;
  /// The same; calls `done` with the result.
  void bootstrap(std::span<const PeerAddress> contacts, LinkCallback<ServerPeer> done);

  /// As AsyncNode::connect.
  [[nodiscard]] async::Task<std::expected<ServerPeer, BootstrapError>> connect(
      const PeerAddress& contact);
  async::Task<std::expected<ServerPeer, BootstrapError>> connect(PeerAddress&& contact) = delete;
  /// The same; calls `done` with the result.
  void connect(const PeerAddress& contact, LinkCallback<ServerPeer> done);

  /// A handle for the node of this name, linked or not.
  [[nodiscard]] ServerPeer peer(const PeerId& id) const;
  /// All nodes that we are linked to now.
  [[nodiscard]] std::vector<ServerPeer> peers() const;

 private:
  using AsyncNodeBase::AsyncNodeBase;
};

}  // namespace qpeer::p2p
