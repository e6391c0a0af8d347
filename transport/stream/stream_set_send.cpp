// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What streams have to send, and what became of it. RFC 9000 §13.3.
#include <utility>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/stream/stream_set.hpp"

namespace qpeer::transport {

namespace {

using wire::FrameType;

SentFrame note(FrameType type, std::uint64_t value) {
  return {.owner = FrameOwner::stream_set,
          .type = static_cast<u8>(type),
          .stream = {},
          .offset = value};
}

}  // namespace

bool StreamSet::has_frames() const {
  return scheduler_.has_ready() || scheduler_.has_control() || receive_window_.credit().pending() ||
         data_blocked_.pending() || remote_[0].pending() || remote_[1].pending() ||
         local_[0].blocked().pending() || local_[1].blocked().pending();
}

void StreamSet::write_frames(PacketWriter& out) {
  write_stream_control(out);
  write_credit(out);
  write_blocked(out);
  write_data(out);
  // Frames that became due while data was written, where there is room.
  if (scheduler_.has_control()) write_stream_control(out);
  if (data_blocked_.pending()) write_blocked(out);
}

void StreamSet::write_stream_control(PacketWriter& out) {
  while (scheduler_.has_control()) {
    Stream& stream = scheduler_.control();
    if (stream.sends) stream.send.write_reset(out, stream.id);
    if (stream.receives) {
      stream.recv.write_stop(out, stream.id);
      stream.recv.write_credit(out, stream.id);
    }
    if (stream.sends) stream.send.write_blocked(out, stream.id);
    if (stream.has_control()) return;  // The packet is full.
    scheduler_.update(stream, send_credit_.available());
  }
}

void StreamSet::write_credit(PacketWriter& out) {
  if (receive_window_.credit().pending()) {
    const wire::MaxDataFrame frame{receive_window_.next_limit()};
    if (out.write(frame, note(frame.kType, frame.maximum_data))) receive_window_.on_limit_sent();
  }
  for (const bool bidirectional : {true, false}) {
    RemoteStreams& remote = remote_[kind(bidirectional)];
    // A raise that is not due yet is added to a packet that is sent anyway.
    const bool along = remote.has_credit() && (out.ack_eliciting() || scheduler_.has_ready());
    if (!remote.pending() && !along) continue;
    const wire::MaxStreamsFrame frame{bidirectional, remote.next_limit()};
    if (out.write(frame, note(frame.type(), frame.maximum_streams))) remote.raise();
  }
}

void StreamSet::write_blocked(PacketWriter& out) {
  if (data_blocked_.pending()) {
    const wire::DataBlockedFrame frame{send_credit_.limit()};
    if (out.write(frame, note(frame.kType, frame.maximum_data))) data_blocked_.on_sent();
  }
  for (const bool bidirectional : {true, false}) {
    LocalStreams& local = local_[kind(bidirectional)];
    if (!local.blocked().pending()) continue;
    const wire::StreamsBlockedFrame frame{bidirectional, local.limit()};
    if (out.write(frame, note(frame.type(), frame.maximum_streams))) local.blocked().on_sent();
  }
}

void StreamSet::write_data(PacketWriter& out) {
  while (scheduler_.has_ready()) {
    Stream& stream = scheduler_.ready();
    const SendStream::Written written =
        stream.send.write_stream(out, stream.id, send_credit_.available());
    if (!written.any) return;  // No room.
    // RFC 9000 §4.1 [rfc9000-4.1-1]: of the connection, too.
    QPEER_INVARIANT(written.credit <= send_credit_.available(), return);
    send_credit_.use(written.credit);
    schedule(stream);
    if (scheduler_.has_ready() && &scheduler_.ready() == &stream) scheduler_.rotate();
    if (written.credit != 0 && send_credit_.available() == 0) {
      scheduler_.on_starvation();
      if (scheduler_.has_starved()) data_blocked_.on_blocked(send_credit_.limit());
    }
  }
}

// RFC 9000 §4.1 [rfc9000-4.1-5].
void StreamSet::repeat_blocked() {
  if (scheduler_.has_starved()) data_blocked_.repeat();
  if (!std::exchange(any_limited_, false)) return;
  streams_.for_each([&](Stream& stream) {
    if (!stream.sends || stream.held || !stream.send.is_limited()) return;
    stream.send.repeat_blocked();
    schedule(stream);
  });
}

// RFC 9000 §13.3: a lost value is sent again as it is now, if it still matters. Frames whose keys
// were discarded count as lost: only rejected 0-RTT has such, and its data must go out again.
void StreamSet::on_fate(const SentFrame& frame, Fate fate) {
  switch (FrameType{frame.type}) {
    case FrameType::stream:
    case FrameType::reset_stream:
    case FrameType::stop_sending:
    case FrameType::max_stream_data:
    case FrameType::stream_data_blocked:
      if (Stream* stream = index_.find(frame.stream)) on_stream_fate(*stream, frame, fate);
      return;
    default:
      if (fate != Fate::acked) on_connection_lost(frame);
  }
}

void StreamSet::on_stream_fate(Stream& stream, const SentFrame& frame, Fate fate) {
  const bool was_done = stream.send.done();
  switch (FrameType{frame.type}) {
    case FrameType::stream:
      stream.send.on_stream_fate(frame, fate);
      if (!was_done && stream.send.done()) post(stream, StreamEvent::Kind::finished);
      break;
    case FrameType::reset_stream:
      stream.send.on_reset_fate(fate);
      break;
    case FrameType::stop_sending:
      stream.recv.on_stop_fate(fate);
      break;
    case FrameType::max_stream_data:
      stream.recv.on_credit_fate(frame, fate);
      break;
    default:
      stream.send.on_blocked_fate(frame, fate);
      break;
  }
  refresh(stream);
}

void StreamSet::on_connection_lost(const SentFrame& frame) {
  switch (FrameType{frame.type}) {
    case FrameType::max_data:
      receive_window_.credit().on_lost(frame.offset);
      break;
    case FrameType::max_streams_bidi:
      remote_[kind(true)].on_lost(frame.offset);
      break;
    case FrameType::max_streams_uni:
      remote_[kind(false)].on_lost(frame.offset);
      break;
    case FrameType::data_blocked:
      data_blocked_.on_lost(frame.offset, send_credit_.limit(), scheduler_.has_starved());
      break;
    case FrameType::streams_blocked_bidi:
      local_[kind(true)].on_blocked_lost(frame.offset);
      break;
    case FrameType::streams_blocked_uni:
      local_[kind(false)].on_blocked_lost(frame.offset);
      break;
    default:
      break;
  }
}

}  // namespace qpeer::transport
