// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/raw_streams.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "qpeer/p2p/stream_prefix.hpp"

namespace qpeer::p2p {

using transport::StreamError;

std::optional<OperationId> RawStreams::open(const PeerConnection& connection, bool bidirectional) {
  transport::Connection* transport = connections_.transport(connection);
  const auto stream = transport->open_stream(bidirectional);
  if (!stream) return std::nullopt;
  const OperationId id = index_.new_id();
  index_.add(connection.slot, *stream, id);
  RawStream& raw = add(id, RawStream{.peer = connection.peer,
                                     .connection = connection.slot,
                                     .stream = *stream,
                                     .sends = true,
                                     .receives = bidirectional,
                                     .owes_prefix = true});
  (void)write_prefix({.raw = &raw, .connection = transport});
  return id;
}

std::expected<bool, StreamError> RawStreams::write_prefix(const TransportStream& stream) {
  if (!stream.raw->owes_prefix) return true;
  constexpr std::array<u8, 1> kPrefix{kRawStream};
  const auto written = stream.connection->write(stream.id(), kPrefix);
  if (!written) return std::unexpected(written.error());
  stream.raw->owes_prefix = *written == 0;
  return *written != 0;
}

RawStream& RawStreams::add(OperationId id, const RawStream& stream) {
  if (sweep_at_ == kNever) sweep_at_ = Instant::min();
  return streams_.emplace(id, stream).first->second;
}

void RawStreams::adopt(OperationId id, const RawStream& stream) {
  add(id, stream).incoming = true;
  arrived_.insert(id);
  queue_.emit(Incoming{.kind = Incoming::Kind::stream, .from = stream.peer});
}

std::optional<IncomingStream> RawStreams::next() {
  if (arrived_.empty()) return std::nullopt;
  const OperationId id = *arrived_.begin();
  arrived_.erase(arrived_.begin());
  RawStream& raw = streams_.at(id);
  discharge(raw);
  return IncomingStream{.id = id, .from = raw.peer, .bidirectional = raw.stream.is_bidirectional()};
}

void RawStreams::discharge(RawStream& stream) {
  budget_.discharge({.peer = stream.peer, .network = stream.network},
                    std::exchange(stream.charged, 0));
}

RawStreams::TransportStream RawStreams::find(OperationId id) {
  const auto at = streams_.find(id);
  if (at == streams_.end()) return {};
  return {.raw = &at->second, .connection = connections_.transport(at->second.connection)};
}

// --- what the application does -------------------------------------------------------------------

std::expected<std::size_t, StreamError> RawStreams::write(OperationId id, Bytes data) {
  const TransportStream stream = find(id);
  if (stream.connection == nullptr) return std::unexpected(StreamError::closed);
  if (stream.raw->owes_end) return std::unexpected(StreamError::finished);
  const auto prefix = write_prefix(stream);
  if (!prefix) return std::unexpected(prefix.error());
  if (!*prefix) return 0;  // `writable` follows.
  const auto written = stream.connection->write(stream.id(), data);
  stream.raw->moved |= written && *written > 0;
  return written;
}

std::expected<void, StreamError> RawStreams::finish(OperationId id) {
  const TransportStream stream = find(id);
  if (stream.connection == nullptr) return std::unexpected(StreamError::closed);
  if (stream.raw->owes_end) return std::unexpected(StreamError::finished);
  stream.raw->moved = true;
  const auto prefix = write_prefix(stream);
  if (!prefix) return std::unexpected(prefix.error());
  stream.raw->owes_end = !*prefix;
  return *prefix ? stream.connection->finish(stream.id()) : std::expected<void, StreamError>();
}

std::expected<void, StreamError> RawStreams::reset(OperationId id, std::uint64_t error_code) {
  const TransportStream stream = find(id);
  if (stream.connection == nullptr) return std::unexpected(StreamError::closed);
  const auto done = stream.connection->reset(stream.id(), error_code);
  if (done) on_side_over(id, Direction::sending);
  return done;
}

std::expected<void, StreamError> RawStreams::stop_sending(OperationId id,
                                                          std::uint64_t error_code) {
  const TransportStream stream = find(id);
  if (stream.connection == nullptr) return std::unexpected(StreamError::closed);
  const auto done = stream.connection->stop_sending(stream.id(), error_code);
  if (done) on_side_over(id, Direction::receiving);
  return done;
}

std::expected<transport::ReadView, StreamError> RawStreams::peek(OperationId id) {
  const TransportStream stream = find(id);
  if (stream.connection == nullptr) return std::unexpected(StreamError::closed);
  if (stream.raw->empty) return transport::ReadView{.data = {}, .fin = true};
  const auto view = stream.connection->peek(stream.id());
  if (!view && view.error() == StreamError::reset) on_side_over(id, Direction::receiving);
  return view;
}

void RawStreams::consume(OperationId id, std::size_t size) {
  const TransportStream stream = find(id);
  if (stream.connection == nullptr) return;
  if (stream.raw->empty) return on_side_over(id, Direction::receiving);
  const auto view = stream.connection->peek(stream.id());
  const bool over = view && view->fin && view->data.size() == size;
  stream.raw->moved |= size > 0;
  stream.connection->consume(stream.id(), size);
  if (over) on_side_over(id, Direction::receiving);
}

std::uint64_t RawStreams::reset_code(OperationId id) {
  const TransportStream stream = find(id);
  return stream.connection == nullptr ? 0 : stream.connection->reset_code(stream.id());
}

void RawStreams::cancel(OperationId id) {
  const TransportStream stream = find(id);
  if (stream.connection != nullptr) {
    const auto code = std::to_underlying(ErrorCode::not_allowed);
    (void)stream.connection->reset(stream.id(), code);
    (void)stream.connection->stop_sending(stream.id(), code);
  }
  erase(id);
}

// --- what happened -------------------------------------------------------------------------------

void RawStreams::on_event(OperationId id, const transport::StreamEvent& event) {
  using Kind = transport::StreamEvent::Kind;
  streams_.at(id).moved = true;
  switch (event.kind) {
    case Kind::readable:
      return queue_.emit(StreamActivity{.id = id});
    case Kind::writable:
      return on_writable(id);
    case Kind::finished:
      queue_.emit(StreamActivity{.id = id, .kind = StreamActivity::Kind::finished});
      return on_side_over(id, Direction::sending);
    case Kind::stopped:
      queue_.emit(StreamActivity{
          .id = id, .kind = StreamActivity::Kind::stopped, .error_code = event.error_code});
      return on_side_over(id, Direction::sending);
    case Kind::opened:
    case Kind::can_open:
      return;
  }
}

void RawStreams::on_writable(OperationId id) {
  const TransportStream stream = find(id);
  if (stream.connection != nullptr && !write_prefix(stream).value_or(true)) return;
  if (!std::exchange(stream.raw->owes_end, false)) {
    return queue_.emit(StreamActivity{.id = id, .kind = StreamActivity::Kind::writable});
  }
  if (stream.connection != nullptr) (void)stream.connection->finish(stream.id());
}

void RawStreams::on_lost(OperationId id) {
  queue_.emit(StreamActivity{.id = id, .kind = StreamActivity::Kind::lost});
  const auto at = streams_.find(id);
  discharge(at->second);
  arrived_.erase(id);
  streams_.erase(at);
}

// With both sides its name is of no more use.
void RawStreams::on_side_over(OperationId id, Direction direction) {
  RawStream& raw = streams_.at(id);
  (direction == Direction::sending ? raw.sends : raw.receives) = false;
  if (!raw.sends && !raw.receives) erase(id);
}

void RawStreams::erase(OperationId id) {
  const auto at = streams_.find(id);
  index_.remove(at->second.connection, at->second.stream);
  discharge(at->second);
  arrived_.erase(id);
  streams_.erase(at);
}

// --- time ----------------------------------------------------------------------------------------

void RawStreams::sweep(Instant now, Duration timeout) {
  std::vector<OperationId> still;
  for (auto& [id, raw] : streams_) {
    if (std::exchange(raw.moved, false) || waits_for_us(raw)) {
      raw.quiet_since = now;
    } else if (now - raw.quiet_since >= timeout) {
      still.push_back(id);
    }
  }
  for (const OperationId id : still) give_up(id);
  sweep_at_ = streams_.empty() || timeout == Duration::max() ? kNever : now + timeout / 8;
}

// What arrived, the end too, is the application's to read.
bool RawStreams::waits_for_us(const RawStream& stream) const {
  if (stream.empty) return true;
  transport::Connection* const connection = connections_.transport(stream.connection);
  if (!stream.receives || connection == nullptr) return false;
  const auto view = connection->peek(stream.stream);
  return view && (view->fin || !view->data.empty());
}

void RawStreams::give_up(OperationId id) {
  const TransportStream stream = find(id);
  if (stream.connection != nullptr) {
    const auto code = std::to_underlying(ErrorCode::timed_out);
    (void)stream.connection->reset(stream.id(), code);
    (void)stream.connection->stop_sending(stream.id(), code);
  }
  queue_.emit(StreamActivity{.id = id, .kind = StreamActivity::Kind::lost});
  if (stream.raw->incoming) {
    queue_.emit(IncomingInterrupted{
        .from = stream.raw->peer, .bytes = 0, .why = "it stood still for too long"});
  }
  erase(id);
}

std::map<PeerId, std::size_t> RawStreams::charged() const {
  std::map<PeerId, std::size_t> out;
  for (const auto& [id, raw] : streams_) {
    if (raw.charged > 0) out[raw.peer] += raw.charged;
  }
  return out;
}

bool RawStreams::consistent() const {
  const auto is_kept = [&](OperationId id) { return streams_.contains(id); };
  return std::ranges::all_of(arrived_, is_kept) &&
         std::ranges::all_of(streams_, [&](const auto& one) {
           const auto& [id, raw] = one;
           return (raw.sends || raw.receives) && (raw.charged == 0 || arrived_.contains(id)) &&
                  (raw.owes_prefix || !raw.owes_end) &&
                  index_.find(raw.connection, raw.stream) == id;
         });
}

}  // namespace qpeer::p2p
