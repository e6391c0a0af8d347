#include "transport/async/async_stream.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "transport/async/state.hpp"

namespace qpeer::async {

using detail::ConnectionState;
using detail::StreamState;
using Sending = StreamState::Sending;
using Receiving = StreamState::Receiving;

AsyncStream::AsyncStream(std::shared_ptr<ConnectionState> connection, StreamState& state)
    : connection_(std::move(connection)), state_(&state) {}

AsyncStream::AsyncStream(AsyncStream&& other) noexcept
    : connection_(std::move(other.connection_)), state_(std::exchange(other.state_, nullptr)) {}

AsyncStream& AsyncStream::operator=(AsyncStream&& other) noexcept {
  if (this != &other) {
    abandon();
    connection_ = std::move(other.connection_);
    state_ = std::exchange(other.state_, nullptr);
  }
  return *this;
}

AsyncStream::~AsyncStream() { abandon(); }

void AsyncStream::abandon() noexcept {
  if (state_ == nullptr) return;
  assert(state_->reading.empty() && state_->writing.empty() && state_->finishing.empty() &&
         "a stream outlives its operations");
  if (state_->sending == Sending::open) (void)reset(0);
  if (state_->receiving == Receiving::open) (void)stop_sending(0);
  connection_->streams.erase(std::exchange(state_, nullptr)->id.value);
  connection_.reset();
}

StreamId AsyncStream::id() const { return state_->id; }
std::uint64_t AsyncStream::reset_code() const { return state_->reset_code; }
std::uint64_t AsyncStream::stop_code() const { return state_->stop_code; }

Task<std::expected<std::size_t, StreamError>> AsyncStream::read_full(MutableBytes buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const auto got = co_await read(buffer.subspan(filled));
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) break;
    filled += *got;
  }
  co_return filled;
}

Task<std::expected<std::vector<u8>, StreamError>> AsyncStream::read_all(std::size_t limit) {
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

void AsyncStream::consume(std::size_t size) {
  auto* connection = connection_->find();
  if (connection == nullptr || state_->receiving != Receiving::open) return;
  assert(size <= state_->shown);
  const bool ends = state_->shown_end && size == state_->shown;
  state_->shown -= size;
  state_->take(*connection, size, ends);
}

std::expected<void, StreamError> AsyncStream::finish() {
  if (const auto error = state_->send_error()) return std::unexpected(*error);
  auto* connection = connection_->find();
  if (connection == nullptr) return std::unexpected(StreamError::closed);
  const auto finished = connection->finish(state_->id);
  if (finished) state_->sending = Sending::finishing;
  connection_->wake();
  return finished;
}

std::expected<void, StreamError> AsyncStream::reset(std::uint64_t error_code) {
  const auto error = state_->send_error();
  if (error && state_->sending != Sending::finishing) return std::unexpected(*error);
  state_->sending = Sending::reset;
  connection_->schedule(state_->writing);
  connection_->schedule(state_->finishing);
  auto* connection = connection_->closed ? nullptr : connection_->find();
  if (connection == nullptr) return std::unexpected(StreamError::closed);
  connection_->wake();
  return connection->reset(state_->id, error_code);
}

std::expected<void, StreamError> AsyncStream::stop_sending(std::uint64_t error_code) {
  if (const auto error = state_->receive_error()) return std::unexpected(*error);
  if (state_->receiving == Receiving::ended) return {};
  state_->receiving = Receiving::abandoned;
  connection_->schedule(state_->reading);
  auto* connection = connection_->closed ? nullptr : connection_->find();
  if (connection == nullptr) return std::unexpected(StreamError::closed);
  connection_->wake();
  return connection->stop_sending(state_->id, error_code);
}

}  // namespace qpeer::async
