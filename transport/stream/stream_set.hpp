// SPDX-License-Identifier: MIT OR BSD-3-Clause
// All streams of one connection: what the application does to them, what the peer's frames do to
// them, what they have to send. RFC 9000 §2, §3, §4.
//
// A stream is forgotten, and its memory returned, when both parts are over and its last event was
// polled. So a caller that does not poll keeps the peer from opening more, and memory stays bounded.
// The peer can make us hold at most: its streams within max_streams_*, bytes within the windows (a
// chunk is at most about four times what it holds, see chunk_store.hpp), and
// RecvBuffer::kMaxGaps ranges a stream. What it does not take from us is bounded by SendRoom.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/slab.hpp"
#include "qpeer/transport/log/event_log.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"
#include "qpeer/transport/stream/byte_pool.hpp"
#include "qpeer/transport/stream/chunk_pool.hpp"
#include "qpeer/transport/stream/flow_control.hpp"
#include "qpeer/transport/stream/receive_window.hpp"
#include "qpeer/transport/stream/scheduler.hpp"
#include "qpeer/transport/stream/send_room.hpp"
#include "qpeer/transport/stream/stream.hpp"
#include "qpeer/transport/stream/stream_index.hpp"
#include "qpeer/transport/stream/stream_limits.hpp"
#include "qpeer/transport/stream/stream_types.hpp"
#include "qpeer/transport/wire/frame.hpp"
#include "qpeer/transport/wire/transport_parameters.hpp"

namespace qpeer::transport {

class StreamSet {
 public:
  /// Without pools, credit and buffers have the bounds of the configuration alone.
  StreamSet(Side side, const StreamConfig& config, const ConnectionPools& pools = {});
  ~StreamSet();
  StreamSet(const StreamSet&) = delete;
  StreamSet& operator=(const StreamSet&) = delete;

  // --- application -----------------------------------------------------------------------------

  /// Opens a stream of ours. After StreamError::limit_reached the event `can_open` follows once the peer
  /// allows more.
  std::expected<StreamId, StreamError> open(bool bidirectional);
  /// The next stream that the peer opened and that was not given yet, in order of its ID.
  std::optional<StreamId> accept(bool bidirectional);
  /// Copies as much of `data` as there is room for and says how much; 0 means wait for `writable`.
  std::expected<std::size_t, StreamError> write(StreamId id, Bytes data);
  /// No more data: FIN follows what was written.
  std::expected<void, StreamError> finish(StreamId id);
  /// Abandons the send side. RFC 9000 §3.1, §19.4.
  std::expected<void, StreamError> reset(StreamId id, std::uint64_t error_code);
  /// Abandons the receive side: what arrives is dropped, the peer is asked to stop. §3.5.
  std::expected<void, StreamError> stop_sending(StreamId id, std::uint64_t error_code);
  /// What can be read now; empty data without fin means wait for `readable`. After the peer reset
  /// the stream: StreamError::reset, and reset_code() tells its code.
  std::expected<ReadView, StreamError> peek(StreamId id);
  /// Gives back `size` bytes of what peek showed; with all of it and fin, the receive side is done.
  void consume(StreamId id, std::size_t size);
  /// The peer's error code, after peek() gave StreamError::reset; 0 when there is none.
  [[nodiscard]] std::uint64_t reset_code(StreamId id) const;
  /// Whether some of what the peer sent on it came in early data, which may be a replay.
  [[nodiscard]] bool is_early(StreamId id) const;
  /// The next event; those of one stream in the order of StreamEvent::Kind. Call until nullopt.
  std::optional<StreamEvent> poll_event();
  /// Whether there are streams to accept, or data to read.
  [[nodiscard]] bool has_unread() const;
  /// The connection is over: nothing more is sent or arrives, and what arrived can be read.
  void close();

  /// From now on an observer learns of the states of streams. `log` must outlive this object.
  void set_log(const log::EventLog& log) { log_ = &log; }

  // --- the peer --------------------------------------------------------------------------------

  /// The peer's limits; again with 1-RTT keys when 0-RTT values were remembered.
  void set_peer_parameters(const wire::TransportParameters& parameters);
  /// Every stream is gone, and the next is the first again: for early data that was rejected, where
  /// the peer knows of none.
  void abandon();
  /// What we announce, from the configuration.
  void fill_parameters(wire::TransportParameters& parameters) const;

  Result on_frame(const wire::StreamFrame& frame);
  void on_early_frame(StreamId id);  ///< A frame of it came in early data.
  Result on_frame(const wire::ResetStreamFrame& frame);
  Result on_frame(const wire::StopSendingFrame& frame);
  Result on_frame(const wire::MaxDataFrame& frame);
  Result on_frame(const wire::MaxStreamDataFrame& frame);
  Result on_frame(const wire::MaxStreamsFrame& frame);
  Result on_frame(const wire::DataBlockedFrame& frame);
  Result on_frame(const wire::StreamDataBlockedFrame& frame);
  Result on_frame(const wire::StreamsBlockedFrame& frame);

  // --- sending (a FrameSource) -----------------------------------------------------------------

  [[nodiscard]] bool has_frames() const;
  /// Once for each train: windows and buffers follow the path in use, and what it holds of late.
  void on_path_figures(Instant now, const PathFigures& path) {
    receive_window_.on_time(now, path.round_trip);
    send_room_.on_path_figures(path);
  }
  void write_frames(PacketWriter& out);
  void on_fate(const SentFrame& frame, Fate fate);
  /// Whether the peer's limits hold data up, or did when repeat_blocked() was last called.
  [[nodiscard]] bool may_be_blocked() const { return scheduler_.has_starved() || any_limited_; }
  /// Tells the peer of each of its limits that holds data up, once more. RFC 9000 §4.1.
  void repeat_blocked();

  // --- figures ---------------------------------------------------------------------------------

  // For tests alone: what a peer can make us keep shows nowhere else.
  [[nodiscard]] std::size_t open_streams() const;
  [[nodiscard]] std::size_t buffered_bytes() const;  ///< Memory held in chunks, both directions.
  /// Memory that is kept for what comes next.
  [[nodiscard]] std::size_t free_chunks() const;
  /// Credit granted to the peer for what is not read yet, and after close() what arrived of that.
  [[nodiscard]] std::uint64_t receive_credit() const { return receive_window_.held(); }
  /// Written and not acknowledged.
  [[nodiscard]] std::uint64_t send_buffered() const { return send_room_.held(); }

  /// Whether each stream is right and stands where it belongs, and the sums over all streams (memory,
  /// credit, places) are what their owners count. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  enum class Part : u8 { sending, receiving };
  struct PeerReset {
    StreamId id;
    std::uint64_t error_code = 0;
    bool valid = false;
  };

  static constexpr std::size_t kind(bool bidirectional) { return bidirectional ? 0 : 1; }
  [[nodiscard]] std::uint64_t initial_send_limit(StreamId id) const;
  Stream& create(StreamId id);
  std::expected<Stream*, StreamError> find_part(StreamId id, Part part);
  std::expected<Stream*, TransportError> find_for_frame(StreamId id, Part part,
                                                        wire::FrameType type);
  [[nodiscard]] const PeerReset* find_reset(StreamId id) const;
  void post(Stream& stream, StreamEvent::Kind event);
  void refresh(Stream& stream);
  void refresh_writers();
  void schedule(Stream& stream);
  void retire(Stream& stream);
  [[nodiscard]] bool is_consistent(const Stream& stream) const;
  /// With an observer: tells it of states that it does not know.
  void log_states(Stream& stream) const;

  void write_stream_control(PacketWriter& out);
  void write_credit(PacketWriter& out);
  void write_blocked(PacketWriter& out);
  void write_data(PacketWriter& out);
  void on_stream_fate(Stream& stream, const SentFrame& frame, Fate fate);
  void on_connection_lost(const SentFrame& frame);

  Side side_;
  StreamConfig config_;
  ChunkPool pool_;  // Before the streams, which hold chunks of it.
  Slab<Stream> streams_;
  StreamIndex<Stream> index_;
  Scheduler scheduler_;
  LinkedQueue<Stream, &Stream::event_link> eventful_;

  SendCredit send_credit_;
  SendRoom send_room_;
  ReceiveWindow receive_window_;
  BlockedSignal data_blocked_;
  bool any_limited_ = false;             // By its own limit, since repeat_blocked().
  std::array<LocalStreams, 2> local_;    // By kind().
  std::array<RemoteStreams, 2> remote_;  // By kind().
  std::array<bool, 2> can_open_{};       // Whether that event is to be polled, by kind().
  std::array<PeerReset, 8> resets_{};    // The latest that were read, for reset_code().
  std::size_t next_reset_ = 0;

  // The peer's limits for the streams to come.
  std::uint64_t peer_bidi_local_ = 0;
  std::uint64_t peer_bidi_remote_ = 0;
  std::uint64_t peer_uni_ = 0;
  bool data_raised_ = false;            // By MAX_DATA; parameters do not take that back.
  const log::EventLog* log_ = nullptr;  // Null without an observer.
};

}  // namespace qpeer::transport
