// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/async_node.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/p2p/async/state.hpp"
#include "qpeer/p2p/contact_addresses.hpp"
#include "qpeer/transport/io/interface_addresses.hpp"
#include "qpeer/transport/io/internet_path.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::p2p {

using detail::NodeState;

namespace {

using Shared = std::shared_ptr<NodeState>;

template <class Peer>
async::Task<std::expected<Peer, BootstrapError>> as_peer(
    Shared node, async::Task<std::expected<PeerId, BootstrapError>> task) {
  auto result = co_await std::move(task);
  if (!result) co_return std::unexpected(std::move(result.error()));
  co_return node->make_peer<Peer>(*result);
}

// The tasks of callback users.

template <class Peer>
async::Task<void> link_then(Shared node, async::Task<std::expected<Peer, BootstrapError>> task,
                            LinkCallback<Peer> done) {
  auto result = co_await std::move(task);
  node->call(done, std::move(result));
}

template <class T>
async::Task<void> for_each_arrival(Shared node, std::move_only_function<void(T)> callback) {
  for (;;) {
    detail::NextOperation<T> operation(node);
    auto next = co_await operation;
    if (!next || node->has_ended()) co_return;
    try {
      node->call(callback, std::move(*next));
    } catch (...) {
      // The exception ends this task; what arrives later is another's.
      node->run(for_each_arrival<T>(node, std::move(callback)));
      throw;
    }
  }
}

async::Task<void> shut_down_then(Shared node, async::Task<void> task,
                                 std::move_only_function<void()> done) {
  co_await std::move(task);
  node->call(done);
}

std::vector<PeerAddress> copy_of(std::span<const PeerAddress> contacts) {
  return {contacts.begin(), contacts.end()};
}

template <class Peer>
async::Task<std::expected<Peer, BootstrapError>> bootstrap(const Shared& node,
                                                           std::span<const PeerAddress> contacts) {
  return as_peer<Peer>(node, NodeState::bootstrap(node, copy_of(contacts)));
}

template <class Peer>
async::Task<std::expected<Peer, BootstrapError>> connect(const Shared& node,
                                                         const PeerAddress& contact) {
  return as_peer<Peer>(node, NodeState::connect(node, contact));
}

}  // namespace

// --- what both are -------------------------------------------------------------------------------

std::expected<Shared, ConfigError> AsyncNodeBase::open(io::EventLoop& loop, NodeOptions options,
                                                       Role role) {
  return NodeState::open(loop, std::move(options), role);
}

AsyncNodeBase& AsyncNodeBase::operator=(AsyncNodeBase&& other) noexcept {
  if (this != &other) {
    if (state_) state_->abandon();
    state_ = std::move(other.state_);
  }
  return *this;
}

AsyncNodeBase::~AsyncNodeBase() {
  if (state_) state_->abandon();
}

const PeerId& AsyncNodeBase::id() const { return state_->machine.id(); }
const SocketAddress& AsyncNodeBase::local_address() const { return state_->local_address; }
std::optional<SocketAddress> AsyncNodeBase::own_address() const {
  return state_->machine.own_address();
}
std::vector<LinkInfo> AsyncNodeBase::links() const { return state_->machine.links(); }
const cache::BootstrapCache& AsyncNodeBase::cache() const { return state_->machine.cache(); }
NodeStats AsyncNodeBase::stats() const { return state_->machine.stats(); }
transport::EndpointStats AsyncNodeBase::endpoint_stats() const {
  return state_->machine.endpoint_stats();
}
io::UdpStats AsyncNodeBase::udp_stats() const { return state_->udp_stats(); }
async::Task<std::expected<NetworkReport, std::error_code>> AsyncNodeBase::network_report(
    std::vector<SocketAddress> servers) const {
  return NodeState::network_report(state_, std::move(servers));
}
std::error_code AsyncNodeBase::error() const { return state_->error(); }
io::EventLoop& AsyncNodeBase::loop() const { return state_->loop; }

void AsyncNodeBase::on_event(std::move_only_function<void(const NodeEvent&)> callback) {
  using Callback = std::move_only_function<void(const NodeEvent&)>;
  state_->observer = callback ? std::make_shared<Callback>(std::move(callback)) : nullptr;
}

detail::NextOperation<Datagram> AsyncNodeBase::next_datagram() {
  return detail::NextOperation<Datagram>(state_);
}

void AsyncNodeBase::on_datagram(std::move_only_function<void(Datagram)> callback) {
  state_->run(for_each_arrival<Datagram>(state_, std::move(callback)));
}

async::Task<void> AsyncNodeBase::shut_down(Duration drain) {
  state_->begin_shut_down(drain);
  return NodeState::finish_shut_down(state_, std::min(drain, Duration::max() - 1s) + 1s);
}

void AsyncNodeBase::shut_down(std::move_only_function<void()> done, Duration drain) {
  state_->run(shut_down_then(state_, shut_down(drain), std::move(done)));
}

// --- nodes ---------------------------------------------------------------------------------------

std::expected<AsyncNode, ConfigError> AsyncNode::start(io::EventLoop& loop, NodeOptions options) {
  auto state = open(loop, std::move(options), Role::node);
  if (!state) return std::unexpected(std::move(state.error()));
  return AsyncNode{std::move(*state)};
}

async::Task<std::expected<NodePeer, BootstrapError>> AsyncNode::bootstrap(
    std::span<const PeerAddress> contacts) {
  return p2p::bootstrap<NodePeer>(state_, contacts);
}

void AsyncNode::bootstrap(std::span<const PeerAddress> contacts, LinkCallback<NodePeer> done) {
  state_->run(link_then(state_, bootstrap(contacts), std::move(done)));
}

async::Task<std::expected<NodePeer, BootstrapError>> AsyncNode::connect(
    const PeerAddress& contact) {
  return p2p::connect<NodePeer>(state_, contact);
}

void AsyncNode::connect(const PeerAddress& contact, LinkCallback<NodePeer> done) {
  state_->run(link_then(state_, connect(contact), std::move(done)));
}

PeerAddress AsyncNode::contact() const {
  AddressSources sources{.bound = state_->local_address,
                         .advertised = state_->advertised,
                         .mapped = state_->machine.mapped_address(),
                         .observed = own_address()};
  if (sources.bound.is_wildcard()) {
    sources.interfaces = io::read_interface_addresses();
    const SocketAddress way_out = io::read_internet_path(0).local;
    if (way_out.valid()) sources.interfaces.insert(sources.interfaces.begin(), way_out);
  }
  PeerAddress out{.id = id()};
  for (const SocketAddress& address : contact_addresses(sources)) {
    out.others.push_back(PeerAddress::Place::at(address));
  }
  out.host = std::move(out.others.front().host);
  out.port = out.others.front().port;
  out.others.erase(out.others.begin());
  return out;
}

NodePeer AsyncNode::peer(const PeerId& id) const { return state_->make_peer<NodePeer>(id); }
std::vector<NodePeer> AsyncNode::peers() const { return state_->linked_nodes<NodePeer>(); }

std::expected<void, PeerError> AsyncNode::send_datagram(const PeerId& peer, Bytes data) {
  return state_->send_datagram(peer, data);
}

void AsyncNode::disconnect(const PeerId& peer) { state_->disconnect(peer); }

detail::NextOperation<Arrival> AsyncNode::next() { return detail::NextOperation<Arrival>(state_); }
detail::NextOperation<Message> AsyncNode::next_message() {
  return detail::NextOperation<Message>(state_);
}
detail::NextOperation<IncomingRequest> AsyncNode::next_request() {
  return detail::NextOperation<IncomingRequest>(state_);
}
detail::NextOperation<PeerStream> AsyncNode::next_stream() {
  return detail::NextOperation<PeerStream>(state_);
}

void AsyncNode::on_message(std::move_only_function<void(Message)> callback) {
  state_->run(for_each_arrival<Message>(state_, std::move(callback)));
}
void AsyncNode::on_request(std::move_only_function<void(IncomingRequest)> callback) {
  state_->run(for_each_arrival<IncomingRequest>(state_, std::move(callback)));
}
void AsyncNode::on_stream(std::move_only_function<void(PeerStream)> callback) {
  state_->run(for_each_arrival<PeerStream>(state_, std::move(callback)));
}

void AsyncNode::on_arrival(std::move_only_function<void(Arrival)> callback) {
  state_->run(for_each_arrival<Arrival>(state_, std::move(callback)));
}

// --- clients -------------------------------------------------------------------------------------

std::expected<AsyncClient, ConfigError> AsyncClient::start(io::EventLoop& loop,
                                                           NodeOptions options) {
  auto state = open(loop, std::move(options), Role::client);
  if (!state) return std::unexpected(std::move(state.error()));
  return AsyncClient{std::move(*state)};
}

async::Task<std::expected<ServerPeer, BootstrapError>> AsyncClient::bootstrap(
    std::span<const PeerAddress> contacts) {
  return p2p::bootstrap<ServerPeer>(state_, contacts);
}

void AsyncClient::bootstrap(std::span<const PeerAddress> contacts, LinkCallback<ServerPeer> done) {
  state_->run(link_then(state_, bootstrap(contacts), std::move(done)));
}

async::Task<std::expected<ServerPeer, BootstrapError>> AsyncClient::connect(
    const PeerAddress& contact) {
  return p2p::connect<ServerPeer>(state_, contact);
}

void AsyncClient::connect(const PeerAddress& contact, LinkCallback<ServerPeer> done) {
  state_->run(link_then(state_, connect(contact), std::move(done)));
}

ServerPeer AsyncClient::peer(const PeerId& id) const { return state_->make_peer<ServerPeer>(id); }
std::vector<ServerPeer> AsyncClient::peers() const { return state_->linked_nodes<ServerPeer>(); }

}  // namespace qpeer::p2p
