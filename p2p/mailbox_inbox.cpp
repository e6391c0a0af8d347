// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What arrives, until it is whole and taken.
#include <algorithm>
#include <utility>

#include "qpeer/p2p/mailbox.hpp"
#include "qpeer/p2p/stream_prefix.hpp"

namespace qpeer::p2p {

using transport::StreamError;

// --- streams that peers open ---------------------------------------------------------------------

std::optional<std::string_view> Mailbox::on_stream_opened(Instant now,
                                                          const PeerConnection& connection,
                                                          StreamId stream) {
  const auto& introduction = connection.control.peer_introduction();
  if (introduction) {
    const bool client = introduction->role == Role::client;
    if (stream.is_bidirectional() != client) {
      return client ? "a client opens bidirectional streams only"
                    : "a node opens unidirectional streams only";
    }
  }
  if (!carries_data(connection)) {
    held_[connection.slot].push_back(stream);
    return std::nullopt;
  }
  Transfer& transfer = add(now, Transfer::Kind::incoming, connection.peer);
  join(now, transfer, connection, stream);
  queues_[connection.peer].receiving.insert(transfer.id);
  read(now, transfer.id);
  return std::nullopt;
}

std::optional<std::string_view> Mailbox::on_connection_opened(Instant now,
                                                              const PeerConnection& connection) {
  if (!carries_data(connection)) return std::nullopt;
  const auto at = held_.find(connection.slot);
  if (at == held_.end()) return std::nullopt;
  const std::vector<StreamId> held = std::move(at->second);
  held_.erase(at);
  for (const StreamId stream : held) {
    if (const auto wrong = on_stream_opened(now, connection, stream)) return wrong;
  }
  return std::nullopt;
}

// A peer learns before we do that both directions are proved. What it sends then waits for our LinkUp, so
// that no Incoming comes before it.
bool Mailbox::carries_data(const PeerConnection& connection) const {
  return connection.stage == PeerConnection::Stage::open && connection.owner != kNoSlot &&
         peers_.has(connection.owner) && peers_[connection.owner].up;
}

// --- reading -------------------------------------------------------------------------------------

void Mailbox::read(Instant now, OperationId id) {
  for (;;) {
    Transfer* transfer = find(id);
    if (transfer == nullptr || transfer->whole || waits_for_receipts(*transfer)) return;
    transport::Connection* connection = transport_of(*transfer);
    if (connection == nullptr) return;
    const bool goes_on = transfer->kind == Transfer::Kind::incoming
                             ? read_prefix(*transfer, *connection)
                             : read_body(now, *transfer, *connection);
    if (!goes_on) return;
  }
}

// The first byte says what the stream is. Whether there is more to read.
bool Mailbox::read_prefix(Transfer& transfer, transport::Connection& connection) {
  const auto view = connection.peek(*transfer.stream);
  if (!view) {
    on_unreadable(transfer, view.error());
    return false;
  }
  if (view->data.empty() && !view->fin) return false;
  const bool request = transfer.stream->is_bidirectional();
  if (request && outbox_.is_full(transfer.account())) {
    leave_unread(transfer);
    return false;
  }
  const u8 prefix = view->data.empty() ? u8{255} : view->data[0];
  if (!request && prefix == kMessageStream && !may_owe_receipt(transfer.connection)) {
    wait_for_receipts(transfer);
    return false;
  }
  if (room(transfer) == 0) {
    pause(transfer);
    return false;
  }
  charge(transfer, kTransferCost);
  if (prefix != kMessageStream && prefix != kRawStream) {
    refuse(transfer, ErrorCode::malformed, "a stream of unknown kind");
    return false;
  }
  // With its only byte the stream is gone, and gives no end any more.
  const bool empty = view->fin && view->data.size() == 1;
  connection.consume(*transfer.stream, 1);
  if (prefix == kRawStream) {
    become_raw(transfer, empty);
    return false;
  }
  transfer.kind = request ? Transfer::Kind::request_in : Transfer::Kind::message_in;
  if (empty) complete(transfer);
  return !empty;
}

// From now on RawStreams owns the stream.
void Mailbox::become_raw(Transfer& transfer, bool empty) {
  const OperationId id = transfer.id;
  const RawStream raw{.peer = transfer.peer,
                      .network = transfer.network,
                      .connection = transfer.connection,
                      .stream = *transfer.stream,
                      .sends = transfer.stream->is_bidirectional(),
                      .receives = true,
                      .empty = empty,
                      .charged = std::exchange(transfer.charged, 0)};
  erase(id);
  index_.add(raw.connection, raw.stream, id);
  raw_.adopt(id, raw);
}

// Whether there is more to read.
bool Mailbox::read_body(Instant now, Transfer& transfer, transport::Connection& connection) {
  const auto view = connection.peek(*transfer.stream);
  if (!view) {
    on_unreadable(transfer, view.error());
    return false;
  }
  if (transfer.kind == Transfer::Kind::request_out && (!view->data.empty() || view->fin) &&
      !begin_answer(now, transfer)) {
    return false;
  }
  const std::size_t size = std::min(view->data.size(), room(transfer));
  if (transfer.in.size() + size > config_.max_message_size) {
    refuse(transfer, ErrorCode::message_too_large, "the message is too large");
    return false;
  }
  if (size == 0 && !view->data.empty()) {
    pause(transfer);
    return false;
  }
  transfer.blocked = false;
  transfer.in.insert(transfer.in.end(), view->data.begin(),
                     view->data.begin() + static_cast<std::ptrdiff_t>(size));
  charge(transfer, size);
  queues_[transfer.peer].moved_bytes += size;
  if (size > 0) transfer.progress_at = now;
  const bool whole = view->fin && size == view->data.size();
  const bool empty = view->data.empty();
  connection.consume(*transfer.stream, size);
  if (whole) complete(transfer);
  return !whole && !empty;
}

// An answer is like a message of the peer from its first byte on. Whether it may be read.
bool Mailbox::begin_answer(Instant now, Transfer& transfer) {
  PeerQueue& queue = queues_[transfer.peer];
  if (queue.receiving.contains(transfer.id)) return true;
  if (!may_owe_receipt(transfer.connection)) {
    wait_for_receipts(transfer);
    return false;
  }
  queue.receiving.insert(transfer.id);
  begin_to_move(now, transfer);
  return true;
}

void Mailbox::complete(Transfer& transfer) {
  transfer.whole = true;
  const OperationId id = transfer.id;
  if (transfer.kind != Transfer::Kind::request_in) owe_receipt(transfer);
  if (transfer.kind == Transfer::Kind::request_out) {
    Response response{.id = id, .data = std::exchange(transfer.in, {})};
    erase(id);
    queue_.emit(std::move(response));
    room_was_made_ = true;
    return;
  }
  queues_[transfer.peer].receiving.erase(id);
  const bool message = transfer.kind == Transfer::Kind::message_in;
  if (message) {
    // The end of the connection does not touch it any more.
    index_.remove(transfer.connection, *transfer.stream);
    transfer.connection = kNoSlot;
  }
  (message ? messages_ : requests_).push_back(id);
  queue_.emit(Incoming{.kind = message ? Incoming::Kind::message : Incoming::Kind::request,
                       .from = transfer.peer});
}

// --- what comes to nothing -----------------------------------------------------------------------

void Mailbox::refuse(const Transfer& transfer, ErrorCode code, std::string_view why) {
  const StreamId stream = *transfer.stream;
  if (transport::Connection* connection = transport_of(transfer)) {
    (void)connection->stop_sending(stream, std::to_underlying(code));
    if (stream.is_bidirectional()) (void)connection->reset(stream, std::to_underlying(code));
  }
  if (transfer.kind == Transfer::Kind::request_out) {
    return fail(transfer.id, PeerError::too_large);
  }
  interrupt(transfer.id, why);
}

// The peer reset the stream.
void Mailbox::on_unreadable(const Transfer& transfer, StreamError error) {
  if (error != StreamError::reset) return;
  if (transfer.kind == Transfer::Kind::request_out) return fail(transfer.id, PeerError::refused);
  if (transport::Connection* connection = transport_of(transfer);
      connection != nullptr && transfer.stream->is_bidirectional()) {
    (void)connection->reset(*transfer.stream, std::to_underlying(ErrorCode::interrupted));
  }
  interrupt(transfer.id, "the sender broke it off");
}

void Mailbox::interrupt(OperationId id, std::string_view why) {
  const Transfer& transfer = *find(id);
  queue_.emit(IncomingInterrupted{.from = transfer.peer, .bytes = transfer.in.size(), .why = why});
  std::erase(messages_, id);
  std::erase(requests_, id);
  erase(id);
  room_was_made_ = true;
}

// --- the inbox -----------------------------------------------------------------------------------

std::optional<Message> Mailbox::next_message() {
  if (messages_.empty()) return std::nullopt;
  const OperationId id = messages_.front();
  messages_.pop_front();
  Transfer& transfer = *find(id);
  Message out{.from = transfer.peer, .data = std::exchange(transfer.in, {})};
  erase(id);
  room_was_made_ = true;
  return out;
}

void Mailbox::charge(Transfer& transfer, std::size_t size) {
  transfer.charged += size;
  budget_.charge(transfer.account(), size);
}

void Mailbox::discharge(Transfer& transfer) {
  budget_.discharge(transfer.account(), std::exchange(transfer.charged, 0));
}

std::size_t Mailbox::room(const Transfer& transfer) const {
  const Account account = transfer.account();
  // Of all peers' the oldest may go on when the inbox is full, or halves would wait for each other;
  // the same of those of a network when its share is.
  if (budget_.is_full() && oldest_receiving() != transfer.id) return 0;
  if (budget_.is_full(account.network) && oldest_receiving(&account.network) != transfer.id) {
    return 0;
  }
  if (const std::size_t room = budget_.room(account, false); room > 0) return room;
  const auto at = queues_.find(transfer.peer);
  const bool oldest = at != queues_.end() && !at->second.receiving.empty() &&
                      *at->second.receiving.begin() == transfer.id;
  return oldest ? budget_.room(account, true) : 0;
}

// Of all peers, or of those of one network.
OperationId Mailbox::oldest_receiving(const SocketAddress* network) const {
  OperationId out{};
  for (const auto& [peer, queue] : queues_) {
    if (queue.receiving.empty() || (network != nullptr && queue.network != *network)) continue;
    const OperationId oldest = *queue.receiving.begin();
    if (out == OperationId{} || oldest < out) out = oldest;
  }
  return out;
}

// It goes on when something made room: see resume_paused().
void Mailbox::pause(Transfer& transfer) {
  transfer.blocked = true;
  paused_.insert(transfer.peer);
}

// Who has the least comes first: others may be waiting to fill the room that was made.
std::vector<PeerId> Mailbox::in_turn(const std::set<PeerId>& peers, const ByteBudget& budget) {
  std::vector<PeerId> out(peers.begin(), peers.end());
  std::ranges::sort(out, {},
                    [&](const PeerId& peer) { return std::pair(budget.charged_to(peer), peer); });
  return out;
}

void Mailbox::resume_paused(Instant now) {
  room_was_made_ = false;
  resume_unconfirmable(now);
  (void)budget_.take_room_was_made();
  if (outbox_.take_room_was_made()) resume_outbox(now);
  if (paused_.empty()) return;
  if (budget_.is_full()) return read(now, oldest_receiving());
  std::set<SocketAddress> full;
  for (const PeerId& peer : in_turn(std::exchange(paused_, {}), budget_)) {
    const auto at = queues_.find(peer);
    if (at == queues_.end()) continue;
    const SocketAddress network = at->second.network;
    if (budget_.is_full(network)) {  // Only its oldest may go on, so only that is looked at.
      paused_.insert(peer);
      if (full.insert(network).second) read(now, oldest_receiving(&network));
      continue;
    }
    for (const OperationId id : std::set(at->second.receiving)) read(now, id);
  }
}

}  // namespace qpeer::p2p
