// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/peers.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/p2p/async/state.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::p2p::detail {

MessageAwaitable::MessageAwaitable(std::shared_ptr<NodeState> node, Kind kind, const PeerId& peer,
                                   std::vector<u8> data, OperationId request)
    : async::Operation(waiting),
      node_(std::move(node)),
      kind_(kind),
      peer_(peer),
      data_(std::move(data)),
      request_(request) {}

MessageAwaitable::~MessageAwaitable() {
  if (waits_for_room) node_->forget_room(peer_, *this);
  if (result) return;
  // A request whose answer was not handed over to the machine is refused, so that its client learns of it.
  const OperationId given_up = id.value != 0 ? id : request_;
  if (given_up.value == 0) return;
  node_->answers.erase(id.value);
  node_->machine.cancel(io::now(), given_up);
  node_->wake();
}

bool MessageAwaitable::attempt() {
  if (result) return true;
  if (id.value != 0 || waits_for_room) return false;
  if (node_->has_stopped()) {
    result = std::unexpected(PeerError::shut_down);
    return true;
  }
  if (node_->others_wait_for_room(peer_)) {
    node_->wait_for_room(peer_, *this);
    return false;
  }
  const auto taken = hand_over();
  if (taken) {
    id = *taken;
    node_->answers[id.value] = this;
    node_->wake();
    return false;
  }
  if (taken.error() == PeerError::queue_full) {
    node_->wait_for_room(peer_, *this);
    return false;
  }
  result = std::unexpected(taken.error());
  return true;
}

std::expected<OperationId, PeerError> MessageAwaitable::hand_over() {
  const Instant now = io::now();
  switch (kind_) {
    case Kind::send:
      return node_->machine.send(now, peer_, std::move(data_));
    case Kind::request:
      return node_->machine.request(now, peer_, std::move(data_));
    case Kind::reply:
      break;
  }
  if (const auto taken = node_->machine.reply(now, request_, std::move(data_)); !taken) {
    if (taken.error() == PeerError::queue_full) return std::unexpected(taken.error());
    node_->machine.cancel(now, request_);  // The client learns that there is no answer.
    node_->wake();
    return std::unexpected(taken.error());
  }
  return request_;
}

SendOperation::SendOperation(std::shared_ptr<NodeState> node, const PeerId& peer,
                             std::vector<u8> data)
    : MessageAwaitable(std::move(node), Kind::send, peer, std::move(data)) {}

SendOperation::SendOperation(std::shared_ptr<NodeState> node, const PeerId& peer,
                             OperationId request, std::vector<u8> data)
    : MessageAwaitable(std::move(node), Kind::reply, peer, std::move(data), request) {}

std::expected<void, PeerError> SendOperation::await_resume() {
  const auto result = take();
  if (!result) return std::unexpected(result.error());
  return {};
}

RequestOperation::RequestOperation(std::shared_ptr<NodeState> node, const PeerId& peer,
                                   std::vector<u8> data)
    : MessageAwaitable(std::move(node), Kind::request, peer, std::move(data)) {}

PingOperation::PingOperation(std::shared_ptr<NodeState> node, const PeerId& peer)
    : async::Operation(waiting_list_), node_(std::move(node)), peer_(peer) {
  if (node_->has_stopped()) {
    result_ = std::unexpected(PeerError::shut_down);
  } else if (const auto sent = node_->machine.ping(io::now(), peer_); !sent) {
    result_ = std::unexpected(sent.error());
  } else {
    node_->pings[peer_].push_back(this);
    node_->wake();
  }
}

PingOperation::~PingOperation() {
  if (result_) return;
  // Its answer still comes, and must not be taken for that of the next ping.
  if (const auto known = node_->pings.find(peer_); known != node_->pings.end()) {
    std::ranges::replace(known->second, this, nullptr);
  }
}

}  // namespace qpeer::p2p::detail
