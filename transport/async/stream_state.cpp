#include <algorithm>
#include <cassert>

#include "transport/async/state.hpp"

namespace qpeer::async::detail {
namespace {

bool opened_here(const ConnectionState& connection, StreamId id) {
  const auto* machine = connection.find();
  return machine != nullptr && machine->side() == id.initiator();
}

}  // namespace

StreamState::StreamState(ConnectionState& owner, StreamId stream_id)
    : connection(owner), id(stream_id) {
  const bool ours = opened_here(owner, stream_id);
  sending = id.is_bidirectional() || ours ? Sending::open : Sending::none;
  receiving = id.is_bidirectional() || !ours ? Receiving::open : Receiving::none;
}

void StreamState::on_event(const transport::StreamEvent& event) {
  using Kind = transport::StreamEvent::Kind;
  switch (event.kind) {
    case Kind::readable:
      connection.schedule(reading);
      break;
    case Kind::writable:
      connection.schedule(writing);
      break;
    case Kind::finished:
      if (sending == Sending::finishing) sending = Sending::acknowledged;
      connection.schedule(finishing);
      break;
    case Kind::stopped:
      if (sending == Sending::open || sending == Sending::finishing) {
        sending = Sending::stopped;
        stop_code = event.error_code;
      }
      connection.schedule(writing);
      connection.schedule(finishing);
      break;
    case Kind::opened:
    case Kind::can_open:
      break;
  }
}

std::optional<StreamError> StreamState::send_error() const {
  switch (sending) {
    case Sending::open:
      if (connection.closed) return StreamError::closed;
      return std::nullopt;
    case Sending::finishing:
    case Sending::acknowledged:
    case Sending::reset:
      return StreamError::finished;
    case Sending::stopped:
      return StreamError::stopped;
    case Sending::none:
      return StreamError::wrong_direction;
  }
  return std::nullopt;
}

std::optional<StreamError> StreamState::receive_error() const {
  switch (receiving) {
    case Receiving::open:
    case Receiving::ended:
      return std::nullopt;
    case Receiving::reset:
      return StreamError::reset;
    case Receiving::abandoned:
      return StreamError::finished;
    case Receiving::none:
      return StreamError::wrong_direction;
  }
  return std::nullopt;
}

StreamError StreamState::on_peek_error(transport::Connection& machine, StreamError error) {
  if (error == StreamError::reset) {
    receiving = Receiving::reset;
    reset_code = machine.reset_code(id);
  }
  return error;
}

void StreamState::take(transport::Connection& machine, std::size_t size, bool ends) {
  machine.consume(id, size);
  if (ends) receiving = Receiving::ended;
  connection.wake();  // There may be credit to give.
}

// --- operations ----------------------------------------------------------------------------------

ReadOperation::ReadOperation(StreamState& stream, MutableBytes buffer)
    : Operation(stream.reading), stream_(stream), buffer_(buffer) {
  assert(stream.reading.empty() && "one task reads a stream");
}

bool ReadOperation::attempt() {
  result_ = 0;
  if (const auto error = stream_.receive_error()) {
    result_ = std::unexpected(*error);
    return true;
  }
  if (stream_.receiving == StreamState::Receiving::ended || buffer_.empty()) return true;
  auto* machine = stream_.connection.find();  // Also after the end: what came before can be read.
  if (machine == nullptr) {
    result_ = std::unexpected(StreamError::closed);
    return true;
  }
  std::size_t filled = 0;
  while (filled < buffer_.size()) {
    const auto view = machine->peek(stream_.id);
    if (!view) {
      if (filled > 0) break;  // The next read tells.
      result_ = std::unexpected(stream_.on_peek_error(*machine, view.error()));
      return true;
    }
    const Bytes data = view->data.first(std::min(view->data.size(), buffer_.size() - filled));
    const bool ends = view->fin && data.size() == view->data.size();
    if (data.empty() && !ends) break;
    copy(data, buffer_.subspan(filled));
    filled += data.size();
    stream_.take(*machine, data.size(), ends);
    if (ends) break;
  }
  result_ = filled;
  return filled > 0 || stream_.receiving == StreamState::Receiving::ended;
}

PeekOperation::PeekOperation(StreamState& stream) : Operation(stream.reading), stream_(stream) {
  assert(stream.reading.empty() && "one task reads a stream");
}

bool PeekOperation::attempt() {
  stream_.shown = 0;
  stream_.shown_end = false;
  if (const auto error = stream_.receive_error()) {
    result_ = std::unexpected(*error);
    return true;
  }
  if (stream_.receiving == StreamState::Receiving::ended) {
    result_ = ReadView{.data = {}, .fin = true};
    return true;
  }
  auto* machine = stream_.connection.find();
  if (machine == nullptr) {
    result_ = std::unexpected(StreamError::closed);
    return true;
  }
  result_ = machine->peek(stream_.id);
  if (!result_) {
    result_ = std::unexpected(stream_.on_peek_error(*machine, result_.error()));
    return true;
  }
  stream_.shown = result_->data.size();
  stream_.shown_end = result_->fin;
  if (!result_->data.empty()) return true;
  if (result_->fin) stream_.take(*machine, 0, true);
  return result_->fin;
}

WriteOperation::WriteOperation(StreamState& stream, Bytes data)
    : Operation(stream.writing), stream_(stream), left_(data) {
  assert(stream.writing.empty() && "one task writes a stream");
}

bool WriteOperation::attempt() {
  if (const auto error = stream_.send_error()) {
    result_ = std::unexpected(*error);
    return true;
  }
  auto* machine = stream_.connection.find();
  if (machine == nullptr) {
    result_ = std::unexpected(StreamError::closed);
    return true;
  }
  while (!left_.empty()) {
    const auto taken = machine->write(stream_.id, left_);
    if (!taken) {
      result_ = std::unexpected(taken.error());
      return true;
    }
    if (*taken == 0) return false;
    left_ = left_.subspan(*taken);
    stream_.connection.wake();
  }
  return true;
}

FinishedOperation::FinishedOperation(StreamState& stream)
    : Operation(stream.finishing), stream_(stream) {}

bool FinishedOperation::attempt() {
  switch (stream_.sending) {
    case StreamState::Sending::acknowledged:
      result_ = {};
      return true;
    case StreamState::Sending::open:
    case StreamState::Sending::finishing:
      result_ = std::unexpected(StreamError::closed);
      return stream_.connection.closed.has_value();
    default:
      result_ = std::unexpected(*stream_.send_error());
      return true;
  }
}

}  // namespace qpeer::async::detail
