// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the application does to streams, and their lifetime in the set.
#include "qpeer/transport/stream/stream_set.hpp"

#include <bit>
#include <utility>
#include <vector>

namespace qpeer::transport {

std::string_view to_string(StreamError error) {
  switch (error) {
    case StreamError::unknown_stream:
      return "unknown stream";
    case StreamError::wrong_direction:
      return "wrong direction";
    case StreamError::finished:
      return "finished";
    case StreamError::reset:
      return "reset by the peer";
    case StreamError::stopped:
      return "stopped by the peer";
    case StreamError::limit_reached:
      return "stream limit reached";
    case StreamError::closed:
      return "connection closed";
  }
  return "unknown";
}

StreamSet::StreamSet(Side side, const StreamConfig& config, const ConnectionPools& pools)
    : side_(side),
      config_(config),
      pool_(pools.free_chunks),
      send_room_(config, pools.send_buffers),
      receive_window_(config, pools.receive_credit),
      remote_{RemoteStreams(config.max_streams_bidi), RemoteStreams(config.max_streams_uni)} {}

StreamSet::~StreamSet() = default;

std::expected<StreamId, StreamError> StreamSet::open(bool bidirectional) {
  LocalStreams& local = local_[kind(bidirectional)];
  if (!local.can_open()) {
    local.on_refused();
    return std::unexpected(StreamError::limit_reached);
  }
  return create(StreamId::make(side_, bidirectional, local.open())).id;
}

std::optional<StreamId> StreamSet::accept(bool bidirectional) {
  RemoteStreams& remote = remote_[kind(bidirectional)];
  while (remote.has_unaccepted()) {
    const StreamId id = StreamId::make(other(side_), bidirectional, remote.accept());
    if (index_.find(id) != nullptr) return id;  // Otherwise it is over; its events had its ID.
  }
  return std::nullopt;
}

bool StreamSet::has_unread() const {
  bool found = remote_[0].has_unaccepted() || remote_[1].has_unaccepted();
  streams_.for_each([&](const Stream& stream) {
    found = found || (stream.receives && stream.recv.has_unread());
  });
  return found;
}

std::expected<std::size_t, StreamError> StreamSet::write(StreamId id, Bytes data) {
  const auto stream = find_part(id, Part::sending);
  if (!stream) return std::unexpected(stream.error());
  const std::uint64_t capacity = send_room_.capacity_for(**stream, send_credit_.available());
  auto result = (*stream)->send.write(data, capacity);
  send_room_.on_written(**stream);
  refresh(**stream);
  return result;
}

std::expected<void, StreamError> StreamSet::finish(StreamId id) {
  const auto stream = find_part(id, Part::sending);
  if (!stream) return std::unexpected(stream.error());
  auto result = (*stream)->send.finish();
  refresh(**stream);
  return result;
}

std::expected<void, StreamError> StreamSet::reset(StreamId id, std::uint64_t error_code) {
  const auto stream = find_part(id, Part::sending);
  if (!stream) return std::unexpected(stream.error());
  auto result = (*stream)->send.reset(error_code);
  refresh(**stream);
  return result;
}

std::expected<void, StreamError> StreamSet::stop_sending(StreamId id, std::uint64_t error_code) {
  const auto stream = find_part(id, Part::receiving);
  if (!stream) return std::unexpected(stream.error());
  auto result = (*stream)->recv.stop(error_code, receive_window_.credit());
  receive_window_.settle();
  refresh(**stream);
  return result;
}

std::expected<ReadView, StreamError> StreamSet::peek(StreamId id) {
  const auto found = find_part(id, Part::receiving);
  if (!found) {
    const bool known = found.error() == StreamError::unknown_stream && find_reset(id) != nullptr;
    return std::unexpected(known ? StreamError::reset : found.error());
  }
  Stream& stream = **found;
  auto view = stream.recv.peek();
  if (!view && view.error() == StreamError::reset && find_reset(id) == nullptr) {
    resets_[next_reset_++ % resets_.size()] = {id, stream.recv.reset_code(), true};
    refresh(stream);
  }
  return view;
}

void StreamSet::consume(StreamId id, std::size_t size) {
  const auto stream = find_part(id, Part::receiving);
  if (!stream) return;
  (*stream)->recv.consume(size, receive_window_.credit());
  receive_window_.settle();
  refresh(**stream);
}

std::uint64_t StreamSet::reset_code(StreamId id) const {
  if (const PeerReset* reset = find_reset(id)) return reset->error_code;
  const Stream* stream = index_.find(id);
  return stream != nullptr ? stream->recv.reset_code() : 0;
}

bool StreamSet::is_early(StreamId id) const {
  const Stream* stream = index_.find(id);
  return stream != nullptr && stream->early;
}

std::optional<StreamEvent> StreamSet::poll_event() {
  for (const bool bidirectional : {true, false}) {
    if (!std::exchange(can_open_[kind(bidirectional)], false)) continue;
    return StreamEvent{StreamEvent::Kind::can_open, StreamId::make(side_, bidirectional, 0)};
  }
  if (eventful_.empty()) {
    Stream* const writable = send_room_.poll_writable(send_credit_.available());
    if (writable == nullptr) return std::nullopt;
    writable->send.on_writable();
    post(*writable, StreamEvent::Kind::writable);
  }
  Stream& stream = eventful_.front();
  const auto event = static_cast<StreamEvent::Kind>(std::countr_zero(stream.events));
  const StreamEvent result{event, stream.id,
                           event == StreamEvent::Kind::stopped ? stream.send.stop_code() : 0};
  stream.events = static_cast<u8>(stream.events & (stream.events - 1));
  if (stream.events == 0) {
    eventful_.remove(stream);
    refresh(stream);
  }
  return result;
}

std::size_t StreamSet::open_streams() const { return streams_.size(); }
std::size_t StreamSet::buffered_bytes() const { return pool_.in_use(); }

std::size_t StreamSet::free_chunks() const { return pool_.kept(); }

// --- the lifetime of a stream --------------------------------------------------------------------

std::uint64_t StreamSet::initial_send_limit(StreamId id) const {
  if (!id.is_bidirectional()) return peer_uni_;
  return id.initiator() == side_ ? peer_bidi_remote_ : peer_bidi_local_;
}

Stream& StreamSet::create(StreamId id) {
  const auto slot =
      streams_.emplace(id, side_, pool_, initial_send_limit(id), config_.stream_receive_window);
  Stream& stream = streams_[slot];
  stream.slot = slot;
  index_.insert(id, &stream);
  if (log_ != nullptr) [[unlikely]]
    log_states(stream);
  return stream;
}

std::expected<Stream*, StreamError> StreamSet::find_part(StreamId id, Part part) {
  const bool is_local = id.initiator() == side_;
  if (!id.is_bidirectional() && is_local != (part == Part::sending)) {
    return std::unexpected(StreamError::wrong_direction);
  }
  Stream* const stream = index_.find(id);
  if (stream == nullptr) return std::unexpected(StreamError::unknown_stream);
  return stream;
}

const StreamSet::PeerReset* StreamSet::find_reset(StreamId id) const {
  for (const PeerReset& reset : resets_) {
    if (reset.valid && reset.id == id) return &reset;
  }
  return nullptr;
}

void StreamSet::post(Stream& stream, StreamEvent::Kind event) {
  stream.events = static_cast<u8>(stream.events | 1U << std::to_underlying(event));
  eventful_.push_back(stream);
}

/// To be called after anything that happened to a stream: posts its events, schedules it, or erases
/// it when it is over. The stream may be gone afterwards.
void StreamSet::refresh(Stream& stream) {
  if (stream.receives && stream.recv.take_readable()) post(stream, StreamEvent::Kind::readable);
  if (stream.sends && send_room_.settle(stream, send_credit_.available())) {
    stream.send.on_writable();
    post(stream, StreamEvent::Kind::writable);
  }
  schedule(stream);
  if (scheduler_.has_starved()) data_blocked_.on_blocked(send_credit_.limit());
  if (stream.done() && stream.events == 0) retire(stream);
}

/// The connection's limit was raised: streams whose writers wait for room may keep more.
void StreamSet::refresh_writers() {
  streams_.for_each([&](Stream& stream) {
    if (stream.sends && stream.send.waits_for_room()) refresh(stream);
  });
}

void StreamSet::close() {
  streams_.for_each([&](Stream& stream) {
    scheduler_.remove(stream);
    send_room_.remove(stream);
    stream.send.discard();
  });
  receive_window_.stop();
}

void StreamSet::schedule(Stream& stream) {
  if (log_ != nullptr) [[unlikely]]
    log_states(stream);
  scheduler_.update(stream, send_credit_.available());
  any_limited_ = any_limited_ || (stream.sends && stream.send.is_limited());
}

void StreamSet::abandon() {
  std::vector<Stream*> all;
  streams_.for_each([&](Stream& stream) { all.push_back(&stream); });
  for (Stream* stream : all) retire(*stream);
  for (LocalStreams& local : local_) local.restart();
  send_credit_.restart(send_credit_.limit());
  data_blocked_ = {};
}

void StreamSet::retire(Stream& stream) {
  scheduler_.remove(stream);
  eventful_.remove(stream);
  send_room_.remove(stream);
  index_.erase(stream.id);
  if (!stream.is_local) remote_[kind(stream.id.is_bidirectional())].on_closed();
  streams_.erase(stream.slot);
}

// --- assertions ----------------------------------------------------------------------------------

bool StreamSet::is_consistent(const Stream& stream) const {
  const std::size_t direction = kind(stream.id.is_bidirectional());
  const std::uint64_t opened =
      stream.is_local ? local_[direction].opened() : remote_[direction].opened();
  return &streams_[stream.slot] == &stream && index_.find(stream.id) == &stream &&
         stream.id.index() < opened && stream.is_local == (stream.id.initiator() == side_) &&
         (!stream.sends || stream.send.consistent()) && send_room_.is_right(stream) &&
         (!stream.receives || stream.recv.consistent()) &&
         scheduler_.is_placed(stream, send_credit_.available()) &&
         (stream.events != 0) == eventful_.contains(stream) &&
         (stream.events != 0 || !stream.done());
}

bool StreamSet::consistent() const {
  bool each = true;
  std::size_t memory = 0;
  std::uint64_t sent = 0;
  std::uint64_t charged = 0;
  std::uint64_t unsettled = 0;
  std::array<std::uint64_t, 2> remote_open{};
  streams_.for_each([&](const Stream& stream) {
    each = each && is_consistent(stream);
    memory += stream.send.buffer().memory() + stream.recv.buffer().memory();
    sent += stream.send.buffer().next();
    charged += stream.charged;
    unsettled += stream.recv.unsettled();
    if (!stream.is_local) ++remote_open[kind(stream.id.is_bidirectional())];
  });
  const bool limits = local_[0].consistent() && local_[1].consistent() && remote_[0].consistent() &&
                      remote_[1].consistent() && remote_open[0] == remote_[0].open_now() &&
                      remote_open[1] == remote_[1].open_now();
  const RecvCredit& granted = receive_window_.credit();
  const bool credit = receive_window_.consistent() && send_room_.consistent(charged) &&
                      sent <= send_credit_.used() &&
                      unsettled == granted.received() - granted.consumed();
  return each && limits && credit && streams_.consistent() && pool_.consistent() &&
         memory == pool_.in_use() && index_.size() == streams_.size() && scheduler_.consistent() &&
         eventful_.count().has_value();
}

}  // namespace qpeer::transport
