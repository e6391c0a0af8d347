// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What arrives, when a coroutine awaits it.
#include <utility>
#include <variant>

#include "qpeer/p2p/async/state.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::p2p::detail {
namespace {

/// Where NodeState::arriving has those who wait for this.
template <class T>
constexpr std::size_t kListOf = std::variant_size_v<Arrival>;
template <>
constexpr std::size_t kListOf<Message> = std::to_underlying(Incoming::Kind::message);
template <>
constexpr std::size_t kListOf<IncomingRequest> = std::to_underlying(Incoming::Kind::request);
template <>
constexpr std::size_t kListOf<PeerStream> = std::to_underlying(Incoming::Kind::stream);
template <>
constexpr std::size_t kListOf<Datagram> = std::to_underlying(Incoming::Kind::datagram);

}  // namespace

void NodeState::schedule_all_arriving() {
  for (async::WaitList& waiting : arriving) schedule(waiting);
}

void NodeState::take(std::optional<Message>& out) { out = machine.next_message(io::now()); }

void NodeState::take(std::optional<IncomingRequest>& out) {
  auto request = machine.next_request(io::now());
  if (request) out = IncomingRequest{shared(), std::move(*request)};
}

void NodeState::take(std::optional<PeerStream>& out) {
  const auto stream = machine.next_stream(io::now());
  if (!stream) return;
  out = make_stream(stream->id, stream->from, {.writes = stream->bidirectional, .reads = true});
}

void NodeState::take(std::optional<Datagram>& out) { out = machine.next_datagram(io::now()); }

// The kinds take turns.
void NodeState::take(std::optional<Arrival>& out) {
  const auto take_one = [&]<class T>(std::optional<T> one) {
    take(one);
    if (one) out.emplace(std::move(*one));
  };
  constexpr unsigned kKinds = std::variant_size_v<Arrival>;
  for (unsigned i = 0; i < kKinds && !out; ++i) {
    switch (turn_of_kind++ % kKinds) {
      case 0:
        take_one(std::optional<Message>{});
        break;
      case 1:
        take_one(std::optional<IncomingRequest>{});
        break;
      case 2:
        take_one(std::optional<PeerStream>{});
        break;
      default:
        take_one(std::optional<Datagram>{});
        break;
    }
  }
}

std::expected<void, PeerError> NodeState::send_datagram(const PeerId& peer, Bytes data) {
  if (has_stopped()) return std::unexpected(PeerError::shut_down);
  const auto sent = machine.send_datagram(io::now(), peer, data);
  wake();
  return sent;
}

void NodeState::disconnect(const PeerId& peer) {
  machine.disconnect(io::now(), peer);
  wake();
}

template <class T>
NextOperation<T>::NextOperation(std::shared_ptr<NodeState> node)
    : async::Operation(node->arriving[kListOf<T>]), node_(std::move(node)) {}

template <class T>
bool NextOperation<T>::attempt() {
  if (!node_->has_ended()) node_->take(next_);
  if (next_) node_->wake();  // There may be credit to give.
  return next_ || node_->ending;
}

template class NextOperation<Message>;
template class NextOperation<IncomingRequest>;
template class NextOperation<PeerStream>;
template class NextOperation<Datagram>;
template class NextOperation<Arrival>;

}  // namespace qpeer::p2p::detail
