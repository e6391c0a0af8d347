// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A stream as its connection knows it.
#include <utility>

#include "qpeer/transport/async/state.hpp"

namespace qpeer::async {
namespace detail {
namespace {

bool opened_here(const ConnectionState& connection, StreamId id) {
  const auto* machine = connection.find();
  return machine != nullptr && machine->side() == id.initiator();
}

}  // namespace

StreamState::StreamState(ConnectionState& owner, StreamId stream_id)
    : StreamCore(stream_id.is_bidirectional() || opened_here(owner, stream_id),
                 stream_id.is_bidirectional() || !opened_here(owner, stream_id)),
      connection(owner),
      id(stream_id) {}

void StreamState::on_event(const transport::StreamEvent& event) {
  using Kind = transport::StreamEvent::Kind;
  switch (event.kind) {
    case Kind::readable:
      return on_readable();
    case Kind::writable:
      return on_writable();
    case Kind::finished:
      return on_finished();
    case Kind::stopped:
      return on_stopped(event.error_code);
    case Kind::opened:
    case Kind::can_open:
      break;
  }
}

std::expected<ReadView, StreamError> StreamState::peek_below() {
  auto* below = edit();
  if (below == nullptr) return std::unexpected(StreamError::closed);
  return below->peek(id);
}

void StreamState::consume_below(std::size_t size) {
  if (auto* below = edit()) below->consume(id, size);
}

std::expected<std::size_t, StreamError> StreamState::write_below(Bytes data) {
  auto* below = edit();
  if (below == nullptr) return std::unexpected(StreamError::closed);
  return below->write(id, data);
}

std::expected<void, StreamError> StreamState::finish_below() {
  auto* below = edit();
  if (below == nullptr) return std::unexpected(StreamError::closed);
  return below->finish(id);
}

std::expected<void, StreamError> StreamState::reset_below(std::uint64_t error_code) {
  auto* below = edit();
  if (below == nullptr) return std::unexpected(StreamError::closed);
  return below->reset(id, error_code);
}

std::expected<void, StreamError> StreamState::stop_sending_below(std::uint64_t error_code) {
  auto* below = edit();
  if (below == nullptr) return std::unexpected(StreamError::closed);
  return below->stop_sending(id, error_code);
}

std::uint64_t StreamState::reset_code_below() const {
  const auto* below = rejected ? nullptr : connection.find();
  return below == nullptr ? 0 : below->reset_code(id);
}

bool StreamState::is_over() const { return rejected || connection.closed.has_value(); }
void StreamState::schedule(WaitList& waiting) { connection.schedule(waiting); }
void StreamState::wake() { connection.wake(); }
Runtime& StreamState::runtime() { return *connection.endpoint; }
void StreamState::forget() noexcept {
  if (!rejected) {
    connection.streams.erase(id.value);
    return;
  }
  std::erase_if(connection.rejected_streams, [this](auto& each) { return &each.mapped() == this; });
}
transport::Connection* StreamState::edit() const { return rejected ? nullptr : connection.edit(); }

}  // namespace detail

AsyncStream::AsyncStream(std::shared_ptr<detail::ConnectionState> connection,
                         detail::StreamState& state)
    : StreamHandle(std::move(connection), state) {}

StreamId AsyncStream::id() const { return static_cast<const detail::StreamState&>(core()).id; }

}  // namespace qpeer::async
