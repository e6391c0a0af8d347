// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Which stream sends next. RFC 9000 §2.3: all are equal and take turns, packet by packet.
//
//   control   owes RESET_STREAM, STOP_SENDING, MAX_STREAM_DATA or STREAM_DATA_BLOCKED
//   ready     has data or FIN to send, and the credit for it
//   starved   has data that only the connection's credit holds back
//
// A stream that its own limit holds back is in none. All operations are O(1), but for on_credit().
#pragma once

#include <cstdint>

#include "qpeer/transport/stream/linked_queue.hpp"
#include "qpeer/transport/stream/stream.hpp"

namespace qpeer::transport {

class Scheduler {
 public:
  [[nodiscard]] bool has_control() const { return !control_.empty(); }
  [[nodiscard]] bool has_ready() const { return !ready_.empty(); }
  [[nodiscard]] bool has_starved() const { return !starved_.empty(); }
  [[nodiscard]] Stream& control() const { return control_.front(); }
  [[nodiscard]] Stream& ready() const { return ready_.front(); }

  /// Puts `stream` into the queues that it belongs to now. Where it is already it keeps its place.
  void update(Stream& stream, std::uint64_t connection_credit) {
    using Need = SendStream::Need;
    const Need need =
        stream.sends && !stream.held ? stream.send.need(connection_credit) : Need::nothing;
    if (need != Need::packet) ready_.remove(stream);
    if (need != Need::connection_credit) starved_.remove(stream);
    if (need == Need::packet) ready_.push_back(stream);
    if (need == Need::connection_credit) starved_.push_back(stream);
    if (stream.has_control() && !stream.held) {
      control_.push_back(stream);
    } else {
      control_.remove(stream);
    }
  }
  /// The first in turn becomes the last.
  void rotate() { ready_.rotate(); }
  /// The connection's credit is used up: streams that need some move from `ready` to `starved`.
  void on_starvation() {
    Stream* last = nullptr;  // The first that stays: when it is in front again all have been seen.
    while (!ready_.empty() && &ready_.front() != last) {
      Stream& stream = ready_.front();
      update(stream, 0);
      if (!ready_.contains(stream)) continue;
      if (last == nullptr) last = &stream;
      ready_.rotate();
    }
  }
  /// There is credit again: all starved streams are ready, in the order in which they starved.
  void on_credit() {
    while (!starved_.empty()) {
      Stream& stream = starved_.front();
      starved_.remove(stream);
      ready_.push_back(stream);
    }
  }
  void remove(Stream& stream) {
    control_.remove(stream);
    ready_.remove(stream);
    starved_.remove(stream);
  }

  /// Whether the stream is in the queues where it belongs. For assertions.
  [[nodiscard]] bool is_placed(const Stream& stream, std::uint64_t connection_credit) const {
    using Need = SendStream::Need;
    const Need need =
        stream.sends && !stream.held ? stream.send.current_need(connection_credit) : Need::nothing;
    return ready_.contains(stream) == (need == Need::packet) &&
           starved_.contains(stream) == (need == Need::connection_credit) &&
           control_.contains(stream) == (stream.has_control() && !stream.held);
  }
  /// Whether each queue holds together. For assertions.
  [[nodiscard]] bool consistent() const {
    return control_.count() && ready_.count() && starved_.count();
  }

 private:
  LinkedQueue<Stream, &Stream::control_link> control_;
  LinkedQueue<Stream, &Stream::data_link> ready_;
  LinkedQueue<Stream, &Stream::data_link> starved_;
};

}  // namespace qpeer::transport
