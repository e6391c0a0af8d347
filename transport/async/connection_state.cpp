// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <utility>
#include <vector>

#include "qpeer/transport/async/state.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::async::detail {

ConnectionState::~ConnectionState() {
  if (!registered) return;
  endpoint->remove(*this);
  auto* const connection = closed ? nullptr : endpoint->machine.edit(handle);
  if (connection != nullptr) connection->close(io::now(), 0, {});
  endpoint->wake();
}

// --- events --------------------------------------------------------------------------------------

void ConnectionState::on(const transport::Confirmed& /*event*/) {
  confirmed = true;
  schedule(confirming);
  schedule(moving);
}

void ConnectionState::on(const transport::Pong& /*event*/) {
  ++pongs;
  schedule(pinging);
}

void ConnectionState::on(const transport::DatagramReadable& /*event*/) { schedule(receiving); }

void ConnectionState::on(const transport::AddressObserved& event) {
  observed_address = event.address;
}

void ConnectionState::on(transport::TokenReceived&& event) {
  address_token = std::move(event.address_token);
}

void ConnectionState::on(transport::TicketReceived&& event) {
  if (tickets.size() == kMaxTickets) tickets.pop_front();
  tickets.push_back(std::move(event.session_ticket));
  schedule(ticketing);
}

void ConnectionState::on(const transport::Connected& /*event*/) {
  connected = true;
  if (const auto* connection = find()) {
    info = {.local = connection->path().local,
            .remote = connection->path().remote,
            .version = connection->version(),
            .alpn = std::string(connection->alpn()),
            .server_name = std::string(connection->server_name()),
            .cipher_suite = connection->cipher_suite(),
            .key_exchange_group = connection->key_exchange_group(),
            .peer_certificate = connection->peer_certificate(),
            .resumed = connection->is_resumed()};
  }
  schedule(connecting);
  // Streams that could not be opened early.
  for (WaitList& each : opening) schedule(each);
}

void ConnectionState::on(const transport::EarlyDataDecided& event) {
  early_data_accepted = event.accepted;
  if (event.accepted || !reports_rejection) return;
  // Their IDs are free for others now; their handles say `closed`.
  while (!streams.empty()) {
    rejected_streams.push_back(streams.extract(streams.begin()));
    StreamState& stream = rejected_streams.back().mapped();
    stream.rejected = true;
    stream.on_over();
  }
}

void ConnectionState::on(const transport::PathActivity& event) {
  if (event.kind == transport::PathActivity::Kind::changed) {
    info.local = event.path.local;
    info.remote = event.path.remote;
  }
  for (PathOperation* operation : path_operations) operation->on_activity(event);
  schedule(moving);
}

void ConnectionState::on(const transport::StreamEvent& event) {
  using Kind = transport::StreamEvent::Kind;
  const bool bidirectional = event.stream_id.is_bidirectional();
  switch (event.kind) {
    case Kind::opened:
      schedule(accepting[bidirectional]);
      break;
    case Kind::can_open:
      schedule(opening[bidirectional]);
      break;
    default:
      if (const auto known = streams.find(event.stream_id.value); known != streams.end()) {
        known->second.on_event(event);
      }
      break;
  }
}

void ConnectionState::on(const transport::Closed& event) {
  if (closed) return;
  if (const auto* connection = find()) last_stats = connection->stats();
  closed = event.reason;
  for (WaitList* list : {&connecting, &confirming, &closing, &moving, &pinging, &receiving,
                         &ticketing, &opening[0], &opening[1], &accepting[0], &accepting[1]}) {
    schedule(*list);
  }
  for (auto& [id, stream] : streams) stream.on_over();
}

// Cancelling a callback may destroy the stream that it holds: so the streams are looked up by their IDs.
void ConnectionState::cancel_calls() {
  std::vector<std::uint64_t> ids;
  ids.reserve(streams.size());
  for (const auto& [id, stream] : streams) ids.push_back(id);
  for (const std::uint64_t id : ids) {
    if (const auto known = streams.find(id); known != streams.end()) known->second.calls.cancel();
  }
}

const transport::Connection* ConnectionState::find() const {
  return endpoint->machine.find(handle);
}

transport::Connection* ConnectionState::edit() const { return endpoint->machine.edit(handle); }

void ConnectionState::wake() const { endpoint->wake(); }

void ConnectionState::schedule(WaitList& waiting) const { endpoint->schedule(waiting); }

AsyncStream ConnectionState::make_stream(StreamId id) {
  const auto [at, added] = streams.try_emplace(id.value, *this, id);
  return AsyncStream{shared_from_this(), at->second};
}

// --- operations ----------------------------------------------------------------------------------

StreamOperation::StreamOperation(std::shared_ptr<ConnectionState> connection, Kind kind,
                                 bool bidirectional)
    : Operation(kind == Kind::accept ? connection->accepting[bidirectional]
                                     : connection->opening[bidirectional]),
      connection_(std::move(connection)),
      kind_(kind),
      bidirectional_(bidirectional) {}

bool StreamOperation::attempt() {
  result_ = std::unexpected(StreamError::closed);
  auto* connection = connection_->edit();
  if (connection == nullptr) return true;
  if (kind_ != Kind::accept) {
    if (connection_->closed) return true;
    result_ = kind_ == Kind::open ? connection->open_stream(bidirectional_)
                                  : connection->open_early_stream(bidirectional_);
    if (!result_ && !connection->is_connected() && !connection->is_closed()) return false;
    if (result_ || result_.error() != StreamError::limit_reached) return true;
    connection_->wake();  // Tells the peer that its limit holds us up, RFC 9000 §4.6.
    return false;
  }
  // Also after the end of the connection: streams that were opened before it can be accepted.
  const auto accepted = connection->accept_stream(bidirectional_);
  if (accepted) result_ = *accepted;
  return accepted || connection_->closed;
}

std::expected<AsyncStream, StreamError> StreamOperation::await_resume() {
  if (!result_) return std::unexpected(result_.error());
  return connection_->make_stream(*result_);
}

EstablishedOperation::EstablishedOperation(std::shared_ptr<ConnectionState> connection)
    : Operation(connection->connecting), connection_(std::move(connection)) {}

bool EstablishedOperation::attempt() {
  return connection_->connected || connection_->closed.has_value();
}

std::expected<void, CloseReason> EstablishedOperation::await_resume() const {
  if (connection_->connected) return {};
  return std::unexpected(*connection_->closed);
}

TicketOperation::TicketOperation(std::shared_ptr<ConnectionState> connection)
    : Operation(connection->ticketing), connection_(std::move(connection)) {}

bool TicketOperation::attempt() {
  result_ = std::unexpected(StreamError::closed);
  if (connection_->tickets.empty()) return connection_->closed.has_value();
  result_ = std::move(connection_->tickets.front());
  connection_->tickets.pop_front();
  return true;
}

ClosedOperation::ClosedOperation(std::shared_ptr<ConnectionState> connection)
    : Operation(connection->closing), connection_(std::move(connection)) {}

bool ClosedOperation::attempt() { return connection_->closed.has_value(); }

CloseReason ClosedOperation::await_resume() const { return *connection_->closed; }

ConfirmedOperation::ConfirmedOperation(std::shared_ptr<ConnectionState> connection)
    : Operation(connection->confirming), connection_(std::move(connection)) {}

bool ConfirmedOperation::attempt() {
  result_ = {};
  if (connection_->confirmed) return true;
  result_ = std::unexpected(StreamError::closed);
  return connection_->closed.has_value();
}

DatagramOperation::DatagramOperation(std::shared_ptr<ConnectionState> connection)
    : Operation(connection->receiving), connection_(std::move(connection)) {}

bool DatagramOperation::attempt() {
  result_ = std::unexpected(DatagramError::closed);
  auto* connection = connection_->edit();
  if (connection == nullptr) return true;
  // Also after the end of the connection: datagrams that came before it can be read.
  if (const auto data = connection->next_datagram()) {
    result_ = std::vector<u8>(data->begin(), data->end());
    connection_->datagram_early = connection->was_datagram_early();
    return true;
  }
  if (connection->receives_datagrams()) return connection_->closed.has_value();
  result_ = std::unexpected(DatagramError::disabled);
  return true;
}

PingOperation::PingOperation(std::shared_ptr<ConnectionState> connection)
    : Operation(connection->pinging),
      connection_(std::move(connection)),
      number_(++connection_->pings),
      begin_(io::now()) {
  if (connection_->closed) return;
  if (auto* machine = connection_->edit()) machine->ping();
  connection_->wake();
}

bool PingOperation::attempt() {
  if (connection_->pongs >= number_) {
    result_ = io::now() - begin_;
    return true;
  }
  result_ = std::unexpected(StreamError::closed);
  return connection_->closed.has_value();
}

PathOperation::PathOperation(std::shared_ptr<ConnectionState> connection, Kind kind,
                             const SocketAddress& local)
    : Operation(connection->moving),
      connection_(std::move(connection)),
      kind_(kind),
      local_(local) {
  connection_->path_operations.push_back(this);
  begin();
}

PathOperation::~PathOperation() { std::erase(connection_->path_operations, this); }

void PathOperation::begin() {
  auto* machine = connection_->closed ? nullptr : connection_->edit();
  if (machine == nullptr) {
    result_ = std::unexpected(PathError::closed);
    return;
  }
  // A socket of both families is bound to [::], whatever it speaks to the peer.
  if (local_.is_wildcard() && machine->path().remote.is_ipv4()) {
    local_ = SocketAddress::ipv4({}, local_.port());
  }
  const auto begun = kind_ == Kind::probe ? machine->probe_path(io::now(), local_)
                                          : machine->migrate(io::now(), local_);
  begun_ = begun.has_value();
  if (begun_) connection_->wake();
  if (!begun_ && begun.error() != PathError::not_confirmed) result_ = begun;
}

void PathOperation::on_activity(const transport::PathActivity& event) {
  using Kind = transport::PathActivity::Kind;
  if (!begun_ || result_ || event.path.local != local_) return;
  if (event.kind == Kind::failed) {
    result_ = std::unexpected(PathError::no_answer);
  } else if (event.kind == Kind::changed || kind_ == PathOperation::Kind::probe) {
    result_.emplace();
  } else {
    result_ = std::unexpected(PathError::superseded);  // A later migration counts.
  }
}

bool PathOperation::attempt() {
  if (!result_ && (!begun_ || connection_->closed)) begin();
  return result_.has_value();
}

}  // namespace qpeer::async::detail
