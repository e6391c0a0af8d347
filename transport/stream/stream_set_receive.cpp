// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the peer's parameters and frames do to streams. RFC 9000 §3, §4, §19.4 to §19.14.
#include "qpeer/transport/stream/stream_set.hpp"

#include <algorithm>
#include <utility>

namespace qpeer::transport {

namespace {

using wire::FrameType;

Result check_count(std::uint64_t count, FrameType type) {
  // RFC 9000 §4.6 [rfc9000-4.6-1], §19.11 [rfc9000-19.11-1], §19.14 [rfc9000-19.14-2].
  if (count <= wire::kMaxStreams) return {};
  return fail(TransportErrorCode::frame_encoding_error, "stream count too large",
              std::to_underlying(type));
}

}  // namespace

void StreamSet::set_peer_parameters(const wire::TransportParameters& parameters) {
  const bool reduced = parameters.initial_max_data < send_credit_.limit() ||
                       parameters.initial_max_stream_data_bidi_local < peer_bidi_local_ ||
                       parameters.initial_max_stream_data_bidi_remote < peer_bidi_remote_ ||
                       parameters.initial_max_stream_data_uni < peer_uni_;
  peer_bidi_local_ = parameters.initial_max_stream_data_bidi_local;
  peer_bidi_remote_ = parameters.initial_max_stream_data_bidi_remote;
  peer_uni_ = parameters.initial_max_stream_data_uni;
  // A limit goes down only when the peer rejected 0-RTT (RFC 9000 §7.4.1): then it knows of no
  // stream, and everything is sent anew under the new limits.
  const bool rejected = reduced && !data_raised_;
  if (rejected) {
    send_credit_.restart(parameters.initial_max_data);
    data_blocked_ = {};
  } else {
    send_credit_.raise(parameters.initial_max_data);
  }
  const std::array counts{parameters.initial_max_streams_bidi, parameters.initial_max_streams_uni};
  for (std::size_t i = 0; i < counts.size(); ++i) {
    can_open_[i] = local_[i].set_initial_limit(counts[i]) || can_open_[i];
  }
  streams_.for_each([&](Stream& stream) {
    if (!stream.sends) return;
    stream.send.set_initial_limit(initial_send_limit(stream.id));
    if (rejected) {
      stream.send.rewind();
      send_credit_.use(stream.send.buffer().next());
    }
    const LocalStreams& local = local_[kind(stream.id.is_bidirectional())];
    stream.held = stream.is_local && stream.id.index() >= local.limit();
  });
  if (send_credit_.available() != 0) scheduler_.on_credit();
  streams_.for_each([&](Stream& stream) { refresh(stream); });
}

void StreamSet::fill_parameters(wire::TransportParameters& parameters) const {
  const std::uint64_t window = RecvStream::initial_window(config_.stream_receive_window);
  parameters.initial_max_data = receive_window_.credit().limit();
  parameters.initial_max_stream_data_bidi_local = window;
  parameters.initial_max_stream_data_bidi_remote = window;
  parameters.initial_max_stream_data_uni = window;
  parameters.initial_max_streams_bidi = remote_[kind(true)].window();
  parameters.initial_max_streams_uni = remote_[kind(false)].window();
}

/// The stream that a frame is about; a stream of the peer is opened if need be. Null when the stream is
/// over and forgotten: the frame is late, and is ignored.
std::expected<Stream*, TransportError> StreamSet::find_for_frame(StreamId id, Part part,
                                                                 FrameType type) {
  const bool is_local = id.initiator() == side_;
  const bool bidirectional = id.is_bidirectional();
  if (!bidirectional && is_local != (part == Part::sending)) {
    // RFC 9000 §19.4 [rfc9000-19.4-1], §19.5 [rfc9000-19.5-2], §19.8 [rfc9000-19.8-1],
    // §19.10 [rfc9000-19.10-2], §19.13 [rfc9000-19.13-2]: the stream has no such part.
    return fail(TransportErrorCode::stream_state_error, "frame for the wrong direction",
                std::to_underlying(type));
  }
  if (is_local) {
    if (id.index() < local_[kind(bidirectional)].opened()) return index_.find(id);
    // RFC 9000 §19.5 [rfc9000-19.5-1], §19.8 [rfc9000-19.8-1], §19.10 [rfc9000-19.10-1].
    return fail(TransportErrorCode::stream_state_error, "frame for a stream we have not opened",
                std::to_underlying(type));
  }
  RemoteStreams& remote = remote_[kind(bidirectional)];
  if (!remote.allows(id.index())) {
    // RFC 9000 §4.6 [rfc9000-4.6-3], §19.11 [rfc9000-19.11-4].
    return fail(TransportErrorCode::stream_limit_error, "stream limit exceeded",
                std::to_underlying(type));
  }
  // RFC 9000 §3.2 [rfc9000-3.2-1]: with it, all lower ones of its kind.
  while (remote.opened() <= id.index()) {
    post(create(StreamId::make(other(side_), bidirectional, remote.open())),
         StreamEvent::Kind::opened);
  }
  return index_.find(id);
}

Result StreamSet::on_frame(const wire::StreamFrame& frame) {
  const auto stream = find_for_frame(frame.stream_id, Part::receiving, FrameType::stream);
  if (!stream) return std::unexpected(stream.error());
  if (*stream == nullptr) return {};
  if (auto result = (*stream)->recv.on_stream(frame, receive_window_.credit()); !result)
    return result;
  receive_window_.settle();
  refresh(**stream);
  return {};
}

void StreamSet::on_early_frame(StreamId id) {
  if (Stream* stream = index_.find(id)) stream->early = true;
}

Result StreamSet::on_frame(const wire::ResetStreamFrame& frame) {
  const auto stream = find_for_frame(frame.stream_id, Part::receiving, frame.kType);
  if (!stream) return std::unexpected(stream.error());
  if (*stream == nullptr) return {};
  if (auto result = (*stream)->recv.on_reset(frame, receive_window_.credit()); !result)
    return result;
  receive_window_.settle();
  refresh(**stream);
  return {};
}

Result StreamSet::on_frame(const wire::StopSendingFrame& frame) {
  const auto stream = find_for_frame(frame.stream_id, Part::sending, frame.kType);
  if (!stream) return std::unexpected(stream.error());
  if (*stream == nullptr) return {};
  if ((*stream)->send.on_stop_sending(frame.application_error_code)) {
    post(**stream, StreamEvent::Kind::stopped);
  }
  refresh(**stream);
  return {};
}

Result StreamSet::on_frame(const wire::MaxDataFrame& frame) {
  data_raised_ = true;
  if (!send_credit_.raise(frame.maximum_data)) return {};
  if (send_credit_.available() == 0) return {};
  data_blocked_.on_unblocked();
  scheduler_.on_credit();
  refresh_writers();
  return {};
}

Result StreamSet::on_frame(const wire::MaxStreamDataFrame& frame) {
  const auto stream = find_for_frame(frame.stream_id, Part::sending, frame.kType);
  if (!stream) return std::unexpected(stream.error());
  if (*stream == nullptr) return {};
  (*stream)->send.on_max_stream_data(frame.maximum_stream_data);
  refresh(**stream);
  return {};
}

Result StreamSet::on_frame(const wire::MaxStreamsFrame& frame) {
  if (auto result = check_count(frame.maximum_streams, frame.type()); !result) return result;
  LocalStreams& local = local_[kind(frame.bidirectional)];
  const std::uint64_t before = local.limit();
  if (local.raise(frame.maximum_streams)) can_open_[kind(frame.bidirectional)] = true;
  if (before >= local.opened()) return {};
  // Only after a rejected 0-RTT: streams that waited for this.
  streams_.for_each([&](Stream& stream) {
    if (!stream.held || stream.id.is_bidirectional() != frame.bidirectional) return;
    stream.held = stream.id.index() >= local.limit();
    refresh(stream);
  });
  return {};
}

// RFC 9000 §4.2 [rfc9000-4.2-2]: credit does not wait for these three frames, but comes sooner with
// them.
Result StreamSet::on_frame(const wire::DataBlockedFrame& frame) {
  receive_window_.credit().on_blocked(frame.maximum_data);
  return {};
}

Result StreamSet::on_frame(const wire::StreamDataBlockedFrame& frame) {
  const auto stream = find_for_frame(frame.stream_id, Part::receiving, frame.kType);
  if (!stream) return std::unexpected(stream.error());
  if (*stream == nullptr) return {};
  (*stream)->recv.on_blocked(frame.maximum_stream_data);
  refresh(**stream);
  return {};
}

Result StreamSet::on_frame(const wire::StreamsBlockedFrame& frame) {
  if (auto result = check_count(frame.maximum_streams, frame.type()); !result) return result;
  remote_[kind(frame.bidirectional)].on_blocked(frame.maximum_streams);
  return {};
}

}  // namespace qpeer::transport
