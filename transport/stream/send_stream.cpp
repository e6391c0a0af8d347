// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/stream/send_stream.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/wire/flow_frames.hpp"
#include "qpeer/transport/wire/stream_frames.hpp"

namespace qpeer::transport {

namespace {

SentFrame note(wire::FrameType type, StreamId id, std::uint64_t value) {
  return {.owner = FrameOwner::stream_set,
          .type = static_cast<u8>(type),
          .stream = id,
          .offset = value};
}

}  // namespace

std::expected<std::size_t, StreamError> SendStream::write(Bytes data, std::uint64_t capacity) {
  if (stopped_) return std::unexpected(StreamError::stopped);
  if (fin_ != Fin::none || !state_.can_send()) return std::unexpected(StreamError::finished);
  const std::uint64_t room = capacity > buffer_.size() ? capacity - buffer_.size() : 0;
  const auto size = static_cast<std::size_t>(
      std::min<std::uint64_t>({data.size(), room, kMaxVarint - buffer_.end()}));
  buffer_.append(data.first(size));
  waits_for_room_ = size < data.size();
  return size;
}

std::expected<void, StreamError> SendStream::finish() {
  if (stopped_) return std::unexpected(StreamError::stopped);
  if (fin_ != Fin::none || !state_.can_send()) return std::unexpected(StreamError::finished);
  fin_ = Fin::wanted;
  return {};
}

std::expected<void, StreamError> SendStream::reset(std::uint64_t error_code) {
  if (stopped_) return std::unexpected(StreamError::stopped);
  if (!state_.on_reset()) return std::unexpected(StreamError::finished);
  // RFC 9000 §19.9 [rfc9000-19.9-1]: the final size is what was sent, so the connection's credit
  // covers it already. RFC 9000 §13.3 [rfc9000-13.3-1]: the final size and the error code are fixed
  // here; a RESET_STREAM that is sent again has the same.
  reset_code_ = std::min(error_code, kMaxVarint);
  reset_pending_ = true;
  waits_for_room_ = false;
  blocked_.on_unblocked();
  buffer_.clear();
  return {};
}

bool SendStream::has_room(std::uint64_t capacity) const {
  // An eighth of the buffer, so that not every acknowledged packet wakes the writer.
  return capacity > buffer_.size() && capacity - buffer_.size() > capacity / 8;
}

std::uint64_t SendStream::sendable(std::uint64_t connection_credit) const {
  const std::uint64_t own = max_stream_data_ - std::min(max_stream_data_, buffer_.next());
  return buffer_.next() - buffer_.front() + std::min(own, connection_credit);
}

// RFC 9000 §3.5 [rfc9000-3.5-2] [rfc9000-3.5-4] [rfc9000-3.5-5]: answered by RESET_STREAM with the
// same code, also in "Data Sent", where it could wait: the peer wants nothing more of it.
bool SendStream::on_stop_sending(std::uint64_t error_code) {
  if (!reset(error_code)) return false;
  stopped_ = true;
  stop_code_ = error_code;
  return true;
}

void SendStream::on_max_stream_data(std::uint64_t limit) {
  raised_ = true;
  // RFC 9000 §4.1 [rfc9000-4.1-3]: a limit that is no higher is ignored.
  if (limit <= max_stream_data_) return;
  max_stream_data_ = limit;
  blocked_.on_unblocked();
}

void SendStream::set_initial_limit(std::uint64_t limit) {
  max_stream_data_ = raised_ ? std::max(max_stream_data_, limit) : limit;
}

void SendStream::rewind() {
  buffer_.rewind();
  if (fin_ != Fin::none) fin_ = Fin::wanted;
}

void SendStream::discard() {
  waits_for_room_ = false;
  buffer_.clear();
}

SendStream::Need SendStream::need(std::uint64_t connection_credit) {
  if (is_limited() && !buffer_.has_lost()) blocked_.on_blocked(max_stream_data_);
  return current_need(connection_credit);
}

SendStream::Need SendStream::current_need(std::uint64_t connection_credit) const {
  if (!state_.can_send()) return Need::nothing;
  if (buffer_.has_lost()) return Need::packet;
  if (is_limited()) return Need::nothing;
  if (buffer_.next() < buffer_.end()) {
    return connection_credit == 0 ? Need::connection_credit : Need::packet;
  }
  return fin_ == Fin::wanted ? Need::packet : Need::nothing;
}

void SendStream::write_reset(PacketWriter& out, StreamId id) {
  if (!reset_pending_) return;
  const wire::ResetStreamFrame frame{id, reset_code_, buffer_.next()};
  reset_pending_ = !out.write(frame, note(wire::FrameType::reset_stream, id, frame.final_size));
}

void SendStream::write_blocked(PacketWriter& out, StreamId id) {
  if (!blocked_.pending()) return;
  const wire::StreamDataBlockedFrame frame{id, max_stream_data_};
  if (!out.write(frame, note(frame.kType, id, frame.maximum_stream_data))) return;
  state_.on_send();
  blocked_.on_sent();
}

/// Where the range to be sent next ends. RFC 9000 §13.3 [rfc9000-13.3-4]: lost data goes first; it
/// has had its credit. RFC 9000 §4.1 [rfc9000-4.1-1]: new data keeps within both limits.
std::uint64_t SendStream::range_end(std::uint64_t connection_credit) const {
  if (buffer_.has_lost()) return buffer_.lost().end;
  const std::uint64_t limit = std::min(buffer_.end(), std::max(max_stream_data_, buffer_.next()));
  return buffer_.next() + std::min(limit - buffer_.next(), connection_credit);
}

SendStream::Written SendStream::write_stream(PacketWriter& out, StreamId id,
                                             std::uint64_t connection_credit) {
  const std::uint64_t offset = buffer_.has_lost() ? buffer_.lost().begin : buffer_.next();
  const std::uint64_t available = range_end(connection_credit) - offset;
  const bool fin_due = fin_ == Fin::wanted || fin_ == Fin::sent;
  if (available == 0 && !(fin_ == Fin::wanted && offset == buffer_.end())) return {};

  const std::size_t room = out.remaining();
  std::size_t header = wire::StreamFrame::header_size(id, offset, std::nullopt);
  if (room < header + (available != 0 ? 1 : 0)) return {};
  auto size = static_cast<std::size_t>(std::min<std::uint64_t>(available, room - header));
  std::optional<std::size_t> length;  // Left out when the frame ends where the packet does.
  if (header + size != room) {
    header = wire::StreamFrame::header_size(id, offset, size);
    size = std::min(size, room - header);
    length = size;
  }
  const bool fin = fin_due && offset + size == buffer_.end();

  const MutableBytes tail = out.tail();
  Writer writer{tail};
  wire::StreamFrame::encode_header(writer, id, offset, length, fin);
  buffer_.copy_out(offset, tail.subspan(writer.size(), size));
  out.commit(writer.size() + size, {.owner = FrameOwner::stream_set,
                                    .type = static_cast<u8>(wire::FrameType::stream),
                                    .fin = fin,
                                    .length = static_cast<std::uint32_t>(size),
                                    .stream = id,
                                    .offset = offset});
  const std::uint64_t before = buffer_.next();
  buffer_.on_sent(offset, size);
  // RFC 9000 §4.1 [rfc9000-4.1-1].
  QPEER_INVARIANT(buffer_.next() <= std::max(before, max_stream_data_));
  state_.on_send();
  if (fin) {
    fin_ = Fin::sent;
    state_.on_fin();
  }
  return {.any = true, .credit = buffer_.next() - before};
}

void SendStream::on_stream_fate(const SentFrame& frame, Fate fate) {
  if (!state_.can_send()) return;  // After a reset nobody needs it. RFC 9000 §13.3.
  if (fate != Fate::acked) {
    buffer_.on_lost(frame.offset, frame.length);
    if (frame.fin && fin_ == Fin::sent) fin_ = Fin::wanted;
    return;
  }
  buffer_.on_acked(frame.offset, frame.length);
  if (frame.fin && fin_ != Fin::none) fin_ = Fin::acked;
  if (fin_ == Fin::acked && buffer_.all_acked()) state_.on_all_acked();
}

void SendStream::on_reset_fate(Fate fate) {
  if (fate == Fate::acked) {
    if (state_.on_reset_acked()) reset_pending_ = false;
  } else if (state_ == SendState::reset_sent) {
    reset_pending_ = true;
  }
}

void SendStream::on_blocked_fate(const SentFrame& frame, Fate fate) {
  if (fate == Fate::acked || !state_.can_send()) return;
  blocked_.on_lost(frame.offset, max_stream_data_, is_limited());
}

bool SendStream::consistent() const {
  if (!buffer_.consistent()) return false;
  const bool finishing = state_ == SendState::data_sent || state_ == SendState::data_recvd;
  if (finishing && fin_ == Fin::none) return false;
  if (fin_ != Fin::none && fin_ != Fin::wanted && buffer_.next() != buffer_.end()) return false;
  if (state_ == SendState::data_recvd && !(fin_ == Fin::acked && buffer_.all_acked())) return false;
  if (state_ == SendState::data_sent && fin_ == Fin::acked && buffer_.all_acked()) return false;
  const bool was_reset = state_ == SendState::reset_sent || state_ == SendState::reset_recvd;
  if ((reset_pending_ || stopped_) && !was_reset) return false;
  return !was_reset || (buffer_.size() == 0 && !blocked_.pending() && !waits_for_room_);
}

}  // namespace qpeer::transport
