// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/peers.hpp"

#include <utility>

#include "qpeer/p2p/async/state.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::p2p {

using detail::NodeState;

namespace {

// The tasks of callback users: they own what they send.

async::Task<void> send_then(std::shared_ptr<NodeState> node, PeerId peer, std::vector<u8> data,
                            Done<void> done) {
  detail::SendOperation operation(node, peer, std::move(data));
  const auto result = co_await operation;
  node->call(done, result);
}

async::Task<void> request_then(std::shared_ptr<NodeState> node, PeerId peer, std::vector<u8> data,
                               Done<std::vector<u8>> done) {
  detail::RequestOperation operation(node, peer, std::move(data));
  auto result = co_await operation;
  node->call(done, std::move(result));
}

async::Task<void> reply_then(std::shared_ptr<NodeState> node, PeerId peer, OperationId request,
                             std::vector<u8> data, Done<void> done) {
  detail::SendOperation operation(node, peer, request, std::move(data));
  const auto result = co_await operation;
  node->call(done, result);
}

async::Task<void> ping_then(std::shared_ptr<NodeState> node, PeerId peer, Done<Duration> done) {
  detail::PingOperation operation(node, peer);
  const auto result = co_await operation;
  node->call(done, result);
}

async::Task<void> open_then(std::shared_ptr<NodeState> node, PeerId peer, Done<PeerStream> done) {
  auto result = co_await NodeState::open_stream(node, peer);
  node->call(done, std::move(result));
}

}  // namespace

PeerHandle::PeerHandle(std::shared_ptr<NodeState> node, const PeerId& id)
    : node_(std::move(node)), id_(id) {}

bool PeerHandle::is_linked() const {
  const auto link = info();
  return link && link->up;
}

std::optional<LinkInfo> PeerHandle::info() const { return node_->machine.link(id_); }

void PeerHandle::ping(Done<Duration> done) const {
  node_->run(ping_then(node_, id_, std::move(done)));
}

std::expected<void, PeerError> PeerHandle::send_datagram(Bytes data) const {
  return node_->send_datagram(id_, data);
}

void PeerHandle::disconnect() const { node_->disconnect(id_); }

async::Task<std::expected<PeerStream, PeerError>> PeerHandle::open() const {
  return NodeState::open_stream(node_, id_);
}

void PeerHandle::open(Done<PeerStream> done) const {
  node_->run(open_then(node_, id_, std::move(done)));
}

void NodePeer::send(std::vector<u8> message, Done<void> done) const {
  node_->run(send_then(node_, id_, std::move(message), std::move(done)));
}

void ServerPeer::request(std::vector<u8> question, Done<std::vector<u8>> done) const {
  node_->run(request_then(node_, id_, std::move(question), std::move(done)));
}

async::Task<std::expected<FilteringFound, PeerError>> ServerPeer::probe_filtering() const {
  return NodeState::probe_filtering(node_, id_);
}

// --- requests of clients -------------------------------------------------------------------------

IncomingRequest::IncomingRequest(std::shared_ptr<NodeState> node, Request request)
    : node_(std::move(node)), request_(std::move(request)) {}

IncomingRequest& IncomingRequest::operator=(IncomingRequest&& other) noexcept {
  if (this != &other) {
    refuse();
    node_ = std::move(other.node_);
    request_ = std::move(other.request_);
    answered_ = other.answered_;
  }
  return *this;
}

detail::SendOperation IncomingRequest::reply(std::vector<u8> answer) {
  answered_ = true;
  return {node_, request_.from, request_.id, std::move(answer)};
}

void IncomingRequest::reply(std::vector<u8> answer, Done<void> done) {
  answered_ = true;
  node_->run(reply_then(node_, request_.from, request_.id, std::move(answer), std::move(done)));
}

void IncomingRequest::refuse() {
  if (node_ == nullptr || std::exchange(answered_, true)) return;
  node_->machine.cancel(io::now(), request_.id);
  node_->wake();
}

}  // namespace qpeer::p2p
