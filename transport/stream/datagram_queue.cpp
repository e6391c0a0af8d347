// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/stream/datagram_queue.hpp"

#include <algorithm>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer::transport {

std::string_view to_string(DatagramError error) {
  switch (error) {
    case DatagramError::disabled:
      return "datagrams are not negotiated";
    case DatagramError::too_large:
      return "too large for a datagram";
    case DatagramError::queue_full:
      return "too many datagrams wait";
    case DatagramError::closed:
      return "the connection is not open";
  }
  return "unknown";
}

namespace {

bool is_ours(const SentFrame& frame) { return frame.owner == FrameOwner::datagram_queue; }

}  // namespace

std::expected<void, DatagramError> DatagramQueue::send(Bytes data, std::size_t packet_room) {
  const auto largest = max_payload(packet_room);
  if (!largest) return std::unexpected(DatagramError::disabled);
  if (data.size() > *largest) return std::unexpected(DatagramError::too_large);
  if (!outgoing_.fits(data.size()) || !outgoing_.push_back(data)) {
    return std::unexpected(DatagramError::queue_full);
  }
  return {};
}

// RFC 9221 §3 [rfc9221-3-1], [rfc9221-3-2]: the peer's limit is for the whole frame. In a packet the
// Length field can be left out, but it counts as long as it may be written.
std::optional<std::size_t> DatagramQueue::max_payload(std::size_t packet_room) const {
  QPEER_ASSERT(packet_room != 0);
  const std::uint64_t limit = std::min<std::uint64_t>(peer_max_frame_size_, DatagramRing::kMaxSize);
  if (limit < 2) return std::nullopt;
  auto size = static_cast<std::size_t>(limit) - 2;
  while (wire::DatagramFrame::header_size(size) + size > limit) --size;
  return std::min(size, packet_room - 1);
}

std::optional<Bytes> DatagramQueue::next() {
  if (incoming_.empty()) {
    incoming_.give_back_if_crowded();
    return std::nullopt;
  }
  const Bytes data = incoming_.front();
  was_early_ = incoming_.front_mark();
  incoming_.pop_front();
  return data;
}

bool DatagramQueue::poll_readable() {
  const bool tell = became_readable_ && !incoming_.empty();
  became_readable_ = false;
  return tell;
}

Result DatagramQueue::on_frame(const wire::DatagramFrame& frame, bool early) {
  constexpr auto kType = static_cast<std::uint64_t>(wire::FrameType::datagram);
  // RFC 9221 §3 [rfc9221-3-3], [rfc9221-3-4].
  if (frame.received_size > max_frame_size_) {
    return fail(TransportErrorCode::protocol_violation,
                receives() ? "DATAGRAM larger than announced" : "DATAGRAM was not negotiated",
                kType);
  }
  ++stats_.received;
  const bool was_empty = incoming_.empty();
  if (keep(frame, early)) {
    became_readable_ = became_readable_ || was_empty;
  } else {
    ++stats_.unread;
  }
  return {};
}

/// RFC 9221 §5 [rfc9221-5.3-1]: what is newer is worth more, so older ones make room for it.
bool DatagramQueue::keep(const wire::DatagramFrame& frame, bool early) {
  const std::size_t size = frame.data.size();
  if (!incoming_.alone(size)) return false;
  while (!incoming_.fits(size)) drop_oldest();
  while (!incoming_.push_back(frame.data, early)) {
    // The pool has no room: the block stays as large as it is.
    if (incoming_.empty() || size > incoming_.capacity()) return false;
    drop_oldest();
  }
  return true;
}

void DatagramQueue::drop_oldest() {
  incoming_.pop_front();
  ++stats_.unread;
}

void DatagramQueue::write_frames(PacketWriter& out, std::size_t packet_room) {
  const std::size_t largest = max_payload(packet_room).value_or(0);
  while (!outgoing_.empty()) {
    const Bytes data = outgoing_.front();
    if (data.size() > largest) {
      ++stats_.unsent;
    } else if (write(out, data)) {
      ++stats_.sent;
    } else {
      break;
    }
    outgoing_.pop_front();
  }
  outgoing_.give_back_if_crowded();
  crowded_out_ = !outgoing_.empty() && std::ranges::none_of(out.sent_frames(), is_ours);
}

bool DatagramQueue::write(PacketWriter& out, Bytes data) {
  using wire::DatagramFrame;
  const std::size_t room = out.remaining();
  if (room < DatagramFrame::header_size(std::nullopt) + data.size()) return false;
  std::optional<std::size_t> length = data.size();
  if (DatagramFrame::header_size(length) + data.size() > room) {
    // Without a Length the frame ends where the packet does, so PADDING goes before it.
    length.reset();
    out.raw().zeros(room - DatagramFrame::header_size(length) - data.size());
  }
  Writer frame{out.tail()};
  DatagramFrame::encode_header(frame, length);
  frame.bytes(data);
  out.commit(frame.size(), {.owner = FrameOwner::datagram_queue,
                            .length = static_cast<std::uint32_t>(data.size()),
                            .stream = {}});
  return true;
}

// RFC 9221 §5.2: nothing is sent again. Losses are not counted: a loss may be reported twice, and may
// turn out to be spurious.
void DatagramQueue::on_fate(Fate fate) {
  if (fate == Fate::acked) ++stats_.acknowledged;
}

void DatagramQueue::close() {
  outgoing_.clear();
  crowded_out_ = false;
}

}  // namespace qpeer::transport
