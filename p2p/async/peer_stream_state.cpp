// What a raw stream has come to, and the operations that wait for it.
#include <algorithm>
#include <cassert>

#include "p2p/async/state.hpp"
#include "transport/io/system_clock.hpp"

namespace qpeer::p2p::detail {

void PeerStreamState::on_event(const StreamActivity& event) {
  using Kind = StreamActivity::Kind;
  switch (event.kind) {
    case Kind::readable:
      return node.schedule(reading);
    case Kind::writable:
      return node.schedule(writing);
    case Kind::finished:
      if (sending == Sending::finishing) sending = Sending::acknowledged;
      return node.schedule(finishing);
    case Kind::stopped:
      if (sending == Sending::open || sending == Sending::finishing) {
        sending = Sending::stopped;
        stop_code = event.error_code;
      }
      node.schedule(writing);
      return node.schedule(finishing);
    case Kind::lost:
      lost = true;
      node.schedule(reading);
      node.schedule(writing);
      return node.schedule(finishing);
  }
}

std::optional<StreamError> PeerStreamState::send_error() const {
  switch (sending) {
    case Sending::open:
      if (lost) return StreamError::closed;
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

std::optional<StreamError> PeerStreamState::receive_error() const {
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

std::expected<ReadView, StreamError> PeerStreamState::look() {
  const auto view = node.machine.peek(id);
  if (!view && view.error() == StreamError::reset) receiving = Receiving::reset;
  return view;
}

void PeerStreamState::take(std::size_t size, bool ends) {
  node.machine.consume(io::now(), id, size);
  if (ends) receiving = Receiving::ended;
  node.wake();  // There may be credit to give.
}

// --- operations ----------------------------------------------------------------------------------

ReadOperation::ReadOperation(PeerStreamState& stream, MutableBytes buffer)
    : async::Operation(stream.reading), stream_(stream), buffer_(buffer) {
  assert(stream.reading.empty() && "one task reads a stream");
}

bool ReadOperation::attempt() {
  result_ = 0;
  if (const auto error = stream_.receive_error()) {
    result_ = std::unexpected(*error);
    return true;
  }
  if (stream_.receiving == PeerStreamState::Receiving::ended || buffer_.empty()) return true;
  std::size_t filled = 0;
  while (filled < buffer_.size()) {
    const auto view = stream_.look();
    if (!view) {
      if (filled > 0) break;  // The next read tells.
      if (stream_.is_ending(view.error())) return false;
      result_ = std::unexpected(view.error());
      return true;
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
  return filled > 0 || stream_.receiving == PeerStreamState::Receiving::ended;
}

PeekOperation::PeekOperation(PeerStreamState& stream)
    : async::Operation(stream.reading), stream_(stream) {
  assert(stream.reading.empty() && "one task reads a stream");
}

bool PeekOperation::attempt() {
  stream_.shown = 0;
  stream_.shown_end = false;
  if (const auto error = stream_.receive_error()) {
    result_ = std::unexpected(*error);
    return true;
  }
  if (stream_.receiving == PeerStreamState::Receiving::ended) {
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

WriteOperation::WriteOperation(PeerStreamState& stream, Bytes data)
    : async::Operation(stream.writing), stream_(stream), left_(data) {
  assert(stream.writing.empty() && "one task writes a stream");
}

bool WriteOperation::attempt() {
  if (const auto error = stream_.send_error()) {
    result_ = std::unexpected(*error);
    return true;
  }
  while (!left_.empty()) {
    const auto taken = stream_.node.machine.write(io::now(), stream_.id, left_);
    if (!taken) {
      result_ = std::unexpected(taken.error());
      return !stream_.is_ending(taken.error());
    }
    if (*taken == 0) return false;
    left_ = left_.subspan(*taken);
    stream_.node.wake();
  }
  return true;
}

FinishedOperation::FinishedOperation(PeerStreamState& stream)
    : async::Operation(stream.finishing), stream_(stream) {}

bool FinishedOperation::attempt() {
  switch (stream_.sending) {
    case PeerStreamState::Sending::acknowledged:
      result_ = {};
      return true;
    case PeerStreamState::Sending::open:
    case PeerStreamState::Sending::finishing:
      result_ = std::unexpected(StreamError::closed);
      return stream_.lost;
    default:
      result_ = std::unexpected(*stream_.send_error());
      return true;
  }
}

}  // namespace qpeer::p2p::detail
