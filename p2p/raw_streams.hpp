// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Raw streams: the transport's own, which the application uses by the name of an operation.
//
// Invariant: a raw stream is kept while one of its sides is not over, and then StreamIndex names it.
// What a peer opened is charged to it until next() gives it away, or it is over. arrived_ names those
// that next() has not given, and only those are charged.
//
// A stream on which nothing moves is swept: a peer that opens streams and leaves them costs nothing for
// long. What waits for our own application does not stand still, and what arrived stays to be read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <set>

#include "qpeer/p2p/connection_table.hpp"
#include "qpeer/p2p/event_queue.hpp"
#include "qpeer/p2p/inbox_budget.hpp"
#include "qpeer/p2p/stream_index.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

struct RawStream {
  PeerId peer{};
  SocketAddress network{};  ///< That it is charged to, with the peer.
  ConnectionSlot connection = kNoSlot;
  StreamId stream{};
  bool sends = false;        ///< Our side is not over.
  bool receives = false;     ///< The peer's is not.
  bool empty = false;        ///< It ended with its first byte: the transport has forgotten it.
  bool owes_prefix = false;  ///< It begins with a byte that the transport has had no room for yet.
  bool owes_end = false;     ///< The end was asked for, and waits for that byte.
  std::size_t charged = 0;   ///< To the peer.
  bool incoming = false;     ///< The peer opened it.
  bool moved = true;         ///< Since the last sweep.
  Instant quiet_since{};     ///< Unless it moved.
};

class RawStreams {
 public:
  using StreamError = transport::StreamError;

  RawStreams(ConnectionTable& connections, EventQueue& queue, StreamIndex& index,
             InboxBudget& budget)
      : connections_(connections), queue_(queue), index_(index), budget_(budget) {}

  /// Opens one on this connection; nullopt when the peer allows no other now.
  [[nodiscard]] std::optional<OperationId> open(const PeerConnection& connection,
                                                bool bidirectional);
  /// One that a peer opened, whose first byte was taken: it becomes an IncomingStream. It brings along
  /// what is charged for it.
  void adopt(OperationId id, const RawStream& stream);
  /// The oldest that was not given away.
  [[nodiscard]] std::optional<IncomingStream> next();
  [[nodiscard]] bool contains(OperationId id) const { return streams_.contains(id); }

  // --- what the application does: StreamError::closed for what is over -------------------------

  std::expected<std::size_t, StreamError> write(OperationId id, Bytes data);
  std::expected<void, StreamError> finish(OperationId id);
  std::expected<void, StreamError> reset(OperationId id, std::uint64_t error_code);
  std::expected<void, StreamError> stop_sending(OperationId id, std::uint64_t error_code);
  std::expected<transport::ReadView, StreamError> peek(OperationId id);
  void consume(OperationId id, std::size_t size);
  [[nodiscard]] std::uint64_t reset_code(OperationId id);
  void cancel(OperationId id);

  // --- what happened ---------------------------------------------------------------------------

  void on_event(OperationId id, const transport::StreamEvent& event);
  /// Its connection ended; StreamIndex does not name it any more.
  void on_lost(OperationId id);

  // --- time ------------------------------------------------------------------------------------

  /// When sweep() has something to look at; Instant::min() for at once.
  [[nodiscard]] Instant next_sweep() const { return sweep_at_; }
  /// Resets the streams on which nothing has moved for `timeout`, or an eighth more. Duration::max() is
  /// for ever.
  void sweep(Instant now, Duration timeout);

  [[nodiscard]] std::size_t size() const { return streams_.size(); }
  /// What is charged to each peer, for consistent().
  [[nodiscard]] std::map<PeerId, std::size_t> charged() const;
  [[nodiscard]] bool consistent() const;

 private:
  enum class Direction : u8 { sending, receiving };
  struct TransportStream {
    RawStream* raw = nullptr;
    transport::Connection* connection = nullptr;
    [[nodiscard]] StreamId id() const { return raw->stream; }
  };
  /// Without a connection when it is over, or its connection has ended.
  [[nodiscard]] TransportStream find(OperationId id);
  RawStream& add(OperationId id, const RawStream& stream);
  /// Writes the first byte, if that is to be done. False while there is no room.
  static std::expected<bool, StreamError> write_prefix(const TransportStream& stream);
  void on_writable(OperationId id);
  [[nodiscard]] bool waits_for_us(const RawStream& stream) const;
  void give_up(OperationId id);
  void on_side_over(OperationId id, Direction direction);
  void discharge(RawStream& stream);
  void erase(OperationId id);

  ConnectionTable& connections_;
  EventQueue& queue_;
  StreamIndex& index_;
  InboxBudget& budget_;
  std::map<OperationId, RawStream> streams_;
  std::set<OperationId> arrived_;
  Instant sweep_at_ = kNever;
};

}  // namespace qpeer::p2p
