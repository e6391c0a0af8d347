// All streams of one connection: what the application does to them, what the peer's frames do to
// them, what they have to send. RFC 9000 §2, §3, §4.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>

#include "transport/base/bytes.hpp"
#include "transport/base/error.hpp"
#include "transport/base/ids.hpp"
#include "transport/recovery/packet_writer.hpp"
#include "transport/recovery/sent_frame.hpp"
#include "transport/wire/frame.hpp"
#include "transport/wire/transport_parameters.hpp"

namespace qpeer::transport {

/// Misuse or misfortune, told to the caller at once; leaves no trace.
enum class StreamError : u8 {
  unknown_stream,   ///< Never opened, or closed and forgotten.
  wrong_direction,  ///< Reading a send-only stream or writing a receive-only one.
  finished,         ///< Written to after finish() or reset().
  reset,            ///< The peer reset it: what was not read is gone.
  stopped,          ///< The peer asked us to stop sending.
  limit_reached,    ///< The peer's stream limit allows no further stream now.
  closed,           ///< The connection is closed or was never open.
};
std::string_view to_string(StreamError error);

struct StreamConfig {
  std::uint64_t receive_window = 16 << 20;         ///< Of the connection, bytes.
  std::uint64_t stream_receive_window = 8 << 20;   ///< Of each stream, bytes.
  std::uint64_t max_streams_bidi = 100;            ///< Of the peer's, open at once.
  std::uint64_t max_streams_uni = 100;
  std::size_t send_buffer = 8 << 20;  ///< Of each stream, bytes not yet acknowledged.
};

/// What happened to a stream, told once per change: `readable` and `writable` are edges, given
/// when a read (write) that found nothing (no room) would now find something.
struct StreamEvent {
  enum class Kind : u8 {
    opened,      ///< By the peer. accept() hands these out too.
    readable,    ///< Data, the end, or a reset can be read.
    writable,    ///< write() takes bytes again.
    finished,    ///< All we sent, FIN included, is acknowledged.
    stopped,     ///< The peer sent STOP_SENDING; the send side was reset. `error_code` is its code.
    can_open,    ///< The peer raised the stream limit; stream_id tells the direction only.
  };
  Kind kind = Kind::opened;
  StreamId stream_id;
  std::uint64_t error_code = 0;
};

/// What peek() shows.
struct ReadView {
  Bytes data;        ///< Contiguous and in order; valid until the next call on this connection.
  bool fin = false;  ///< The stream ends right after `data`.
};

class StreamSet {
 public:
  StreamSet(Side side, const StreamConfig& config);
  ~StreamSet();

  // --- application -----------------------------------------------------------------------------

  std::expected<StreamId, StreamError> open(bool bidirectional);
  /// The next stream that the peer opened and nobody has been given yet, in order of its ID.
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
  [[nodiscard]] std::uint64_t reset_code(StreamId id) const;
  std::optional<StreamEvent> poll_event();

  // --- the peer --------------------------------------------------------------------------------

  /// The peer's limits; again with 1-RTT keys when 0-RTT values were remembered.
  void set_peer_parameters(const wire::TransportParameters& parameters);
  /// What we announce, from the configuration.
  void fill_parameters(wire::TransportParameters& parameters) const;

  Result on_frame(const wire::StreamFrame& frame);
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
  void write_frames(PacketWriter& out);
  void on_fate(const SentFrame& frame, Fate fate);

  // --- figures ---------------------------------------------------------------------------------

  [[nodiscard]] std::size_t open_streams() const;
  [[nodiscard]] std::size_t buffered_bytes() const;  ///< Memory held in chunks, both directions.
};

}  // namespace qpeer::transport
