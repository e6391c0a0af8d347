#include "p2p/async/peer_stream.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "p2p/async/state.hpp"
#include "transport/io/system_clock.hpp"

namespace qpeer::p2p {

using detail::NodeState;
using detail::PeerStreamState;
using Sending = PeerStreamState::Sending;
using Receiving = PeerStreamState::Receiving;

PeerStream::PeerStream(std::shared_ptr<NodeState> node, PeerStreamState& state)
    : node_(std::move(node)), state_(&state) {}

PeerStream::PeerStream(PeerStream&& other) noexcept
    : node_(std::move(other.node_)), state_(std::exchange(other.state_, nullptr)) {}

PeerStream& PeerStream::operator=(PeerStream&& other) noexcept {
  if (this != &other) {
    abandon();
    node_ = std::move(other.node_);
    state_ = std::exchange(other.state_, nullptr);
  }
  return *this;
}

PeerStream::~PeerStream() { abandon(); }

void PeerStream::abandon() noexcept {
  if (state_ == nullptr) return;
  assert(state_->reading.empty() && state_->writing.empty() && state_->finishing.empty() &&
         "a stream outlives its operations");
  if (state_->sending == Sending::open) (void)reset(0);
  if (state_->receiving == Receiving::open) (void)stop_sending(0);
  node_->streams.erase(std::exchange(state_, nullptr)->id.value);
  node_.reset();
}

const PeerId& PeerStream::peer() const { return state_->peer; }
OperationId PeerStream::id() const { return state_->id; }
std::uint64_t PeerStream::stop_code() const { return state_->stop_code; }

async::Task<std::expected<std::size_t, StreamError>> PeerStream::read_full(MutableBytes buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const auto got = co_await read(buffer.subspan(filled));
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) break;
    filled += *got;
  }
  co_return filled;
}

async::Task<std::expected<std::vector<u8>, StreamError>> PeerStream::read_all(std::size_t limit) {
  std::vector<u8> out;
  while (out.size() < limit) {
    const auto view = co_await peek();
    if (!view) co_return std::unexpected(view.error());
    const Bytes data = view->data.first(std::min(view->data.size(), limit - out.size()));
    const bool ended = view->fin && data.size() == view->data.size();
    out.insert(out.end(), data.begin(), data.end());
    consume(data.size());
    if (ended) break;
  }
  co_return out;
}

void PeerStream::consume(std::size_t size) {
  if (state_->receiving != Receiving::open) return;
  assert(size <= state_->shown);
  const bool ends = state_->shown_end && size == state_->shown;
  state_->shown -= size;
  state_->take(size, ends);
}

std::expected<void, StreamError> PeerStream::finish() {
  if (const auto error = state_->send_error()) return std::unexpected(*error);
  const auto finished = node_->machine.finish(io::now(), state_->id);
  if (finished) state_->sending = Sending::finishing;
  node_->wake();
  return finished;
}

std::expected<void, StreamError> PeerStream::reset(std::uint64_t error_code) {
  const auto error = state_->send_error();
  if (error && state_->sending != Sending::finishing) return std::unexpected(*error);
  state_->sending = Sending::reset;
  node_->schedule(state_->writing);
  node_->schedule(state_->finishing);
  node_->wake();
  return node_->machine.reset(io::now(), state_->id, error_code);
}

std::expected<void, StreamError> PeerStream::stop_sending(std::uint64_t error_code) {
  if (const auto error = state_->receive_error()) return std::unexpected(*error);
  if (state_->receiving == Receiving::ended) return {};
  state_->receiving = Receiving::abandoned;
  node_->schedule(state_->reading);
  node_->wake();
  return node_->machine.stop_sending(io::now(), state_->id, error_code);
}

}  // namespace qpeer::p2p
