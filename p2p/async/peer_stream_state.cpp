// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A raw stream as the node knows it.
#include <utility>

#include "qpeer/p2p/async/state.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::p2p {
namespace detail {

void PeerStreamState::on_event(const StreamActivity& event) {
  using Kind = StreamActivity::Kind;
  switch (event.kind) {
    case Kind::readable:
      return on_readable();
    case Kind::writable:
      return on_writable();
    case Kind::finished:
      return on_finished();
    case Kind::stopped:
      return on_stopped(event.error_code);
    case Kind::lost:
      lost = true;
      return on_over();
  }
}

std::expected<transport::ReadView, transport::StreamError> PeerStreamState::peek_below() {
  code_of_reset = node.machine.reset_code(id);  // peek() below may be the last call that knows it.
  return node.machine.peek(id);
}

void PeerStreamState::consume_below(std::size_t size) { node.machine.consume(io::now(), id, size); }

std::expected<std::size_t, transport::StreamError> PeerStreamState::write_below(Bytes data) {
  return node.machine.write(io::now(), id, data);
}

std::expected<void, transport::StreamError> PeerStreamState::finish_below() {
  return node.machine.finish(io::now(), id);
}

std::expected<void, transport::StreamError> PeerStreamState::reset_below(std::uint64_t error_code) {
  return node.machine.reset(io::now(), id, error_code);
}

std::expected<void, transport::StreamError> PeerStreamState::stop_sending_below(
    std::uint64_t error_code) {
  return node.machine.stop_sending(io::now(), id, error_code);
}

void PeerStreamState::schedule(async::WaitList& waiting) { node.schedule(waiting); }
void PeerStreamState::wake() { node.wake(); }
async::detail::Runtime& PeerStreamState::runtime() { return node; }
void PeerStreamState::forget() noexcept { node.streams.erase(id.value); }

}  // namespace detail

PeerStream::PeerStream(std::shared_ptr<detail::NodeState> node, detail::PeerStreamState& state)
    : StreamHandle(std::move(node), state) {}

const PeerId& PeerStream::peer() const {
  return static_cast<const detail::PeerStreamState&>(core()).peer;
}

OperationId PeerStream::id() const {
  return static_cast<const detail::PeerStreamState&>(core()).id;
}

}  // namespace qpeer::p2p
