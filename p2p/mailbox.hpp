// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Messages and requests, whole or not at all, and datagrams: what is sent, and what arrives.
//
// What arrives is gathered until its end. The inbox is bounded for each peer, for each network and
// for all: a stream that finds no room is not read, so that flow control holds its sender back; only
// the oldest of a peer may always go on, so that something gets whole. The outbox, which is what peers
// do not have yet, is bounded in the same way: beyond, nothing more is queued, and no requests are
// read. What stands still for message_timeout, or trickles, is interrupted. What arrived whole is
// confirmed with a receipt, and what is sent counts as sent when its receipt comes. See stream_prefix.hpp
// for the form of a stream.
//
// Invariant: each byte of a message that is kept of a peer, or for a peer, is charged to it, and each
// byte that waits to be sent to a node counts for its queue.
// Datagrams are bounded by their number alone. A transfer that
// has a stream is named by StreamIndex, until an arrived message is whole. A peer's queue names
// transfers of that peer that are not over. Where receipts are owed that are not written, the connection
// is one of owing_, or its control stream takes no more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "qpeer/p2p/datagram_inbox.hpp"
#include "qpeer/p2p/event_queue.hpp"
#include "qpeer/p2p/inbox_budget.hpp"
#include "qpeer/p2p/peer_table.hpp"
#include "qpeer/p2p/raw_streams.hpp"
#include "qpeer/p2p/stream_index.hpp"

namespace qpeer::p2p {

class Mailbox {
 public:
  /// Of what peers sent, not taken yet. Unreliable: the oldest make room.
  /// What a message costs beside its bytes, so that empty ones fill an inbox too.
  static constexpr std::size_t kTransferCost = 256;

  Mailbox(const NodeConfig& config, EventQueue& queue, ConnectionTable& connections,
          PeerTable& peers, StreamIndex& index, InboxBudget& budget, RawStreams& raw)
      : config_(config),
        queue_(queue),
        connections_(connections),
        peers_(peers),
        index_(index),
        budget_(budget),
        raw_(raw),
        outbox_({.peer = config.max_queued_bytes,
                 .network = config.max_queued_network,
                 .total = config.max_queued_total}) {}

  // --- what the application does: as the calls of Node -----------------------------------------

  std::expected<OperationId, PeerError> send(Instant now, const PeerId& to, std::vector<u8>&& data);
  std::expected<OperationId, PeerError> request(Instant now, const PeerId& to,
                                                std::vector<u8>&& data);
  std::expected<void, PeerError> reply(Instant now, OperationId request, std::vector<u8>&& data);
  void cancel(OperationId id);
  std::optional<Message> next_message();
  std::optional<Request> next_request(Instant now);
  std::expected<void, PeerError> send_datagram(const PeerId& to, Bytes data);
  std::optional<Datagram> next_datagram() { return datagrams_.pop(); }

  // --- what happened ---------------------------------------------------------------------------

  /// The peer opened a stream for the application. What is wrong with it, if anything.
  [[nodiscard]] std::optional<std::string_view> on_stream_opened(Instant now,
                                                                 const PeerConnection& connection,
                                                                 StreamId stream);
  /// Application data may flow, or the link is up: takes what was held back until both are. What is
  /// wrong with it.
  [[nodiscard]] std::optional<std::string_view> on_connection_opened(
      Instant now, const PeerConnection& connection);
  /// Of a stream that is the application's, and not raw.
  void on_stream_event(Instant now, OperationId id, const transport::StreamEvent& event);
  /// What is wrong with them, if anything.
  [[nodiscard]] std::optional<std::string_view> on_receipts(PeerConnection& connection,
                                                            const Receipts& receipts);
  void on_datagrams(const PeerConnection& connection);
  /// Nothing on the connection will be whole any more.
  void on_streams_lost(ConnectionSlot connection);
  /// The link is up, or the peer allows more streams: opens them for what waits.
  void write_waiting(Instant now, const Peer& peer);
  void on_can_open(Instant now, const Peer& peer);
  /// The application waits for Writable of this peer.
  void want_writable(const PeerId& peer) { queues_[peer].was_full = true; }
  /// All that waits for a stream to the peer comes to nothing.
  void fail_waiting(const PeerId& peer, PeerError error);
  /// The id names no node any more, and none comes in its place.
  void on_node_gone(const PeerId& peer);
  /// Nor anybody else.
  void on_peer_erased(const PeerId& peer);
  /// All that is not sent yet comes to nothing.
  void shut_down();

  // --- time ------------------------------------------------------------------------------------

  [[nodiscard]] Instant next_deadline() const { return sweep_at_; }
  void on_deadline(Instant now) {
    if (sweep_at_ <= now) sweep(now);
  }
  /// Whether something made room since the last resume_paused().
  [[nodiscard]] bool room_was_made() const {
    return room_was_made_ || budget_.room_was_made() || outbox_.room_was_made() ||
           can_confirm_again();
  }
  /// Reads on where there was no room.
  void resume_paused(Instant now);
  /// Whether receipts wait for send_receipts(), so that those of all that arrived meanwhile go together.
  [[nodiscard]] bool is_owing_receipts() const { return !owing_.empty(); }
  void send_receipts();

  /// Whether something is being sent to a peer whose link is up.
  [[nodiscard]] bool is_sending() const;
  [[nodiscard]] std::size_t inbox_bytes() const { return budget_.total(); }
  [[nodiscard]] std::size_t outbox_bytes() const { return outbox_.total(); }
  [[nodiscard]] bool consistent() const;

 private:
  /// A message or a request on its way.
  struct Transfer {
    enum class Kind : u8 { message_out, request_out, incoming, message_in, request_in };
    OperationId id{};
    Kind kind = Kind::incoming;
    PeerId peer{};
    SocketAddress network{};  ///< That it is charged to, once it has a stream.
    ConnectionSlot connection = kNoSlot;
    std::optional<StreamId> stream{};
    std::vector<u8> out{};
    std::size_t written = 0;
    bool prefix_written = false;
    bool sending = false;   ///< `out` is to be written.
    bool finished = false;  ///< All of it was written, and the end.
    std::vector<u8> in{};
    std::size_t charged = 0;      ///< Of the inbox.
    std::size_t out_charged = 0;  ///< Of the outbox.
    bool whole = false;           ///< All of it was read.
    bool blocked = false;         ///< There is more, and no room for it.
    bool taken = false;           ///< A request that next_request() gave: it may be answered.
    std::optional<PeerError> stopped{};  ///< The peer wants no answer.
    Instant progress_at{};
    // Of the half that moves now: what is sent, then what arrives. Time without room does not count.
    Instant moving_since{};
    std::uint64_t moved_before = 0;  ///< By the peer's queue, when it began to move.

    [[nodiscard]] Account account() const { return {.peer = peer, .network = network}; }
  };
  /// What is not over, of one peer.
  struct PeerQueue {
    std::deque<OperationId> waiting{};  ///< Without a stream yet.
    std::set<OperationId> sending{};    ///< All of ours.
    std::set<OperationId> receiving{};  ///< All of the peer's that are not whole.
    std::size_t queued_bytes = 0;
    std::uint64_t moved_bytes = 0;  ///< Of all that was ever read or written.
    SocketAddress network{};        ///< Where its first stream came from, or went to.
    bool was_full = false;          ///< Writable is owed.
    // Until there is room for answers to the peer.
    std::set<OperationId> unread{};      ///< Requests of which nothing was read.
    std::deque<OperationId> withheld{};  ///< Whole ones, which next_request() does not give.
  };

  // mailbox.cpp
  Transfer& add(Instant now, Transfer::Kind kind, const PeerId& peer);
  [[nodiscard]] Transfer* find(OperationId id);
  [[nodiscard]] transport::Connection* transport_of(const Transfer& transfer);
  std::expected<OperationId, PeerError> queue(Instant now, Transfer::Kind kind, const PeerId& to,
                                              std::vector<u8>&& data);
  void write(Instant now, Transfer& transfer);
  void on_finished(const Transfer& transfer);
  void on_stopped(Transfer& transfer, std::uint64_t code);
  void break_off(const Transfer& transfer, ErrorCode code);
  void fail(OperationId id, PeerError error);
  void erase(OperationId id);
  void emit_writable(const PeerId& peer, PeerQueue& queue);
  void join(Instant now, Transfer& transfer, const PeerConnection& connection, StreamId stream);

  // mailbox_sweep.cpp
  void begin_to_move(Instant now, Transfer& transfer);
  /// How often what takes too long is looked for.
  [[nodiscard]] Duration sweep_interval() const { return config_.message_timeout / 8; }
  void sweep(Instant now);
  void time_out(const Transfer& transfer, std::string_view why);
  [[nodiscard]] bool is_half(const Transfer& transfer) const;
  [[nodiscard]] bool has_timed_out(Instant now, const Transfer& transfer) const;
  [[nodiscard]] bool is_slow(Instant now, const Transfer& transfer, std::size_t moved) const;
  [[nodiscard]] std::vector<OperationId> slow_halves(Instant now) const;
  [[nodiscard]] std::vector<OperationId> slow_readers(Instant now) const;

  // mailbox_answers.cpp
  void charge_out(Transfer& transfer, std::size_t size);
  PeerQueue& wait_for_outbox(const PeerId& peer);
  void leave_unread(Transfer& transfer);
  void resume_outbox(Instant now);

  // mailbox_receipts.cpp
  void owe_receipt(const Transfer& transfer);
  [[nodiscard]] bool may_owe_receipt(ConnectionSlot connection) const;
  void wait_for_receipts(Transfer& transfer);
  [[nodiscard]] bool waits_for_receipts(const Transfer& transfer) const;
  [[nodiscard]] bool can_confirm_again() const;
  void resume_unconfirmable(Instant now);
  [[nodiscard]] bool awaits_receipt(const Transfer& transfer) const;
  [[nodiscard]] static bool is_confirmed_by_peer(const Transfer& transfer);
  void on_confirmed(OperationId id);

  // mailbox_consistent.cpp
  [[nodiscard]] bool transfers_are_consistent() const;
  [[nodiscard]] bool queues_are_consistent() const;
  [[nodiscard]] bool is_consistent(const PeerId& peer, const PeerQueue& queue) const;
  [[nodiscard]] bool inbox_is_consistent() const;
  [[nodiscard]] bool receipts_are_consistent() const;
  [[nodiscard]] bool outbox_is_consistent() const;

  // mailbox_inbox.cpp
  void read(Instant now, OperationId id);
  bool read_prefix(Transfer& transfer, transport::Connection& connection);
  bool read_body(Instant now, Transfer& transfer, transport::Connection& connection);
  [[nodiscard]] bool carries_data(const PeerConnection& connection) const;
  bool begin_answer(Instant now, Transfer& transfer);
  void become_raw(Transfer& transfer, bool empty);
  void on_unreadable(const Transfer& transfer, transport::StreamError error);
  void refuse(const Transfer& transfer, ErrorCode code, std::string_view why);
  void interrupt(OperationId id, std::string_view why);
  void complete(Transfer& transfer);
  void pause(Transfer& transfer);
  void charge(Transfer& transfer, std::size_t size);
  void discharge(Transfer& transfer);
  [[nodiscard]] std::size_t room(const Transfer& transfer) const;
  [[nodiscard]] static std::vector<PeerId> in_turn(const std::set<PeerId>& peers,
                                                   const ByteBudget& budget);
  [[nodiscard]] OperationId oldest_receiving(const SocketAddress* network = nullptr) const;

  const NodeConfig& config_;
  EventQueue& queue_;
  ConnectionTable& connections_;
  PeerTable& peers_;
  StreamIndex& index_;
  InboxBudget& budget_;
  RawStreams& raw_;
  std::map<OperationId, Transfer> transfers_;
  std::map<PeerId, PeerQueue> queues_;
  std::map<ConnectionSlot, std::vector<StreamId>>
      held_;                          ///< Opened by a peer before its link is up.
  std::deque<OperationId> messages_;  ///< Whole, and not taken.
  std::deque<OperationId> requests_;
  DatagramInbox datagrams_;
  std::set<PeerId> paused_;  ///< Those of queues_ that have something that found no room.
  ByteBudget outbox_;
  std::set<PeerId> short_of_outbox_;   ///< Those of queues_ that wait for room in the outbox.
  std::vector<ConnectionSlot> owing_;  ///< With receipts that were not written yet.
  /// Messages and answers of which nothing is read, since the peer does not read its receipts.
  std::map<ConnectionSlot, std::set<OperationId>> unconfirmable_;
  bool room_was_made_ = false;
  Instant sweep_at_ = kNever;
};

}  // namespace qpeer::p2p
