// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/stream_handle.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/transport/async/runtime.hpp"
#include "qpeer/transport/async/sleep.hpp"
#include "qpeer/transport/async/stream_core.hpp"
#include "qpeer/transport/base/assert.hpp"

namespace qpeer::async {

using detail::StreamCore;
using Sending = StreamCore::Sending;
using Receiving = StreamCore::Receiving;

StreamHandle::StreamHandle(StreamHandle&& other) noexcept
    : owner_(std::move(other.owner_)), core_(std::exchange(other.core_, nullptr)) {}

StreamHandle& StreamHandle::operator=(StreamHandle&& other) noexcept {
  if (this != &other) {
    abandon();
    owner_ = std::move(other.owner_);
    core_ = std::exchange(other.core_, nullptr);
  }
  return *this;
}

StreamHandle::~StreamHandle() { abandon(); }

void StreamHandle::abandon() noexcept {
  if (core_ == nullptr) return;
  core_->calls.cancel();
  QPEER_ASSERT(core_->reading.empty() && core_->writing.empty() && core_->finishing.empty() &&
               "a stream outlives its operations");
  if (core_->sending == Sending::open) (void)reset(0);
  if (core_->receiving == Receiving::open) (void)stop_sending(0);
  std::exchange(core_, nullptr)->forget();
  owner_.reset();
}

std::uint64_t StreamHandle::reset_code() const { return core_->reset_code; }
std::uint64_t StreamHandle::stop_code() const { return core_->stop_code; }

namespace {

Task<std::expected<std::size_t, StreamError>> read_full_of(StreamCore& stream,
                                                           MutableBytes buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    detail::ReadOperation operation(stream, buffer.subspan(filled));
    const auto got = co_await operation;
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) break;
    filled += *got;
  }
  co_return filled;
}

Task<std::expected<std::vector<u8>, StreamError>> read_all_of(StreamCore& stream,
                                                              std::size_t limit) {
  std::vector<u8> out;
  while (out.size() < limit) {
    detail::PeekOperation operation(stream);
    const auto view = co_await operation;
    if (!view) co_return std::unexpected(view.error());
    const Bytes data = view->data.first(std::min(view->data.size(), limit - out.size()));
    const bool ended = view->fin && data.size() == view->data.size();
    out.insert(out.end(), data.begin(), data.end());
    stream.consume(data.size());
    if (ended) break;
  }
  co_return out;
}

// The tasks of callback users. They begin in the loop's next turn, and own what they use but for the
// stream, to which they belong. The callback may destroy the stream: nothing is used after it.

template <class Value, class Awaited, class... Arguments>
Task<void> call_with(StreamCore& stream, StreamDone<Value> done, Arguments... arguments) {
  co_await yield(stream.runtime().loop);
  Awaited operation(stream, arguments...);
  const auto result = co_await operation;
  stream.runtime().call(done, result);
}

Task<void> call_with_written(StreamCore& stream, StreamDone<void> done, std::vector<u8> data) {
  co_await yield(stream.runtime().loop);
  detail::WriteOperation operation(stream, data);
  const auto result = co_await operation;
  stream.runtime().call(done, result);
}

template <class Value>
Task<void> call_after(StreamCore& stream, StreamDone<Value> done,
                      Task<std::expected<Value, StreamError>> task) {
  co_await yield(stream.runtime().loop);
  auto result = co_await std::move(task);
  stream.runtime().call(done, std::move(result));
}

}  // namespace

Task<std::expected<std::size_t, StreamError>> StreamHandle::read_full(MutableBytes buffer) {
  return read_full_of(*core_, buffer);
}

Task<std::expected<std::vector<u8>, StreamError>> StreamHandle::read_all(std::size_t limit) {
  return read_all_of(*core_, limit);
}

void StreamHandle::read(MutableBytes buffer, StreamDone<std::size_t> done) {
  core_->calls.spawn(
      call_with<std::size_t, detail::ReadOperation>(*core_, std::move(done), buffer));
}

void StreamHandle::read_full(MutableBytes buffer, StreamDone<std::size_t> done) {
  core_->calls.spawn(call_after(*core_, std::move(done), read_full_of(*core_, buffer)));
}

void StreamHandle::read_all(std::size_t limit, StreamDone<std::vector<u8>> done) {
  core_->calls.spawn(call_after(*core_, std::move(done), read_all_of(*core_, limit)));
}

void StreamHandle::peek(StreamDone<ReadView> done) {
  core_->calls.spawn(call_with<ReadView, detail::PeekOperation>(*core_, std::move(done)));
}

void StreamHandle::write(Bytes data, StreamDone<void> done) {
  core_->calls.spawn(call_with_written(*core_, std::move(done), {data.begin(), data.end()}));
}

void StreamHandle::finished(StreamDone<void> done) {
  core_->calls.spawn(call_with<void, detail::FinishedOperation>(*core_, std::move(done)));
}

void StreamHandle::consume(std::size_t size) { core_->consume(size); }

std::expected<void, StreamError> StreamHandle::finish() { return core_->finish(); }

std::expected<void, StreamError> StreamHandle::reset(std::uint64_t error_code) {
  return core_->reset(error_code);
}

std::expected<void, StreamError> StreamHandle::stop_sending(std::uint64_t error_code) {
  return core_->stop_sending(error_code);
}

namespace detail {

ReadOperation::ReadOperation(StreamCore& stream, MutableBytes buffer)
    : Operation(stream.reading), stream_(stream), buffer_(buffer) {
  QPEER_ASSERT(stream.reading.empty() && "one task reads a stream");
}

bool ReadOperation::attempt() {
  result_ = 0;
  if (const auto error = stream_.receive_error()) {
    result_ = std::unexpected(*error);
    return true;
  }
  if (stream_.receiving == Receiving::ended || buffer_.empty()) return true;
  std::size_t filled = 0;
  while (filled < buffer_.size()) {
    const auto view =
        stream_.look();  // Also after the end of the connection: to read what came before.
    if (!view) {
      if (filled > 0) break;  // The next read gives the error.
      result_ = std::unexpected(view.error());
      return !stream_.is_ending(view.error());
    }
    const Bytes data = view->data.first(std::min(view->data.size(), buffer_.size() - filled));
    const bool ends = view->fin && data.size() == view->data.size();
    if (data.empty() && !ends) break;
    copy(data, buffer_.subspan(filled));
    filled += data.size();
    stream_.take(data.size(), ends);
    if (ends) break;
  }
  result_ = filled;
  return filled > 0 || stream_.receiving == Receiving::ended;
}

PeekOperation::PeekOperation(StreamCore& stream) : Operation(stream.reading), stream_(stream) {
  QPEER_ASSERT(stream.reading.empty() && "one task reads a stream");
}

bool PeekOperation::attempt() {
  stream_.shown = 0;
  stream_.shown_end = false;
  if (const auto error = stream_.receive_error()) {
    result_ = std::unexpected(*error);
    return true;
  }
  if (stream_.receiving == Receiving::ended) {
    result_ = ReadView{.data = {}, .fin = true};
    return true;
  }
  result_ = stream_.look();
  if (!result_) return !stream_.is_ending(result_.error());
  stream_.shown = result_->data.size();
  stream_.shown_end = result_->fin;
  if (!result_->data.empty()) return true;
  if (result_->fin) stream_.take(0, true);
  return result_->fin;
}

WriteOperation::WriteOperation(StreamCore& stream, Bytes data)
    : Operation(stream.writing), stream_(stream), left_(data) {
  QPEER_ASSERT(stream.writing.empty() && "one task writes a stream");
}

bool WriteOperation::attempt() {
  if (const auto error = stream_.send_error()) {
    result_ = std::unexpected(*error);
    return true;
  }
  while (!left_.empty()) {
    const auto taken = stream_.write_below(left_);
    if (!taken) {
      result_ = std::unexpected(taken.error());
      return !stream_.is_ending(taken.error());
    }
    if (*taken == 0) return false;
    left_ = left_.subspan(*taken);
    stream_.wake();
  }
  return true;
}

FinishedOperation::FinishedOperation(StreamCore& stream)
    : Operation(stream.finishing), stream_(stream) {}

bool FinishedOperation::attempt() {
  switch (stream_.sending) {
    case Sending::acknowledged:
      result_ = {};
      return true;
    case Sending::open:
    case Sending::finishing:
      result_ = std::unexpected(StreamError::closed);
      return stream_.is_over();
    default:
      result_ = std::unexpected(*stream_.send_error());
      return true;
  }
}

}  // namespace detail

}  // namespace qpeer::async
