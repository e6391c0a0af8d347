// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What an application does with a connection: events, streams, datagrams, figures.
#include <utility>
#include <variant>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/connection/connection_machine.hpp"

namespace qpeer::transport {

std::optional<ConnectionEvent> ConnectionMachine::poll_event() {
  const InvariantLatch::Scope scope(latch_);
  // Events of streams come before the end of the connection that took the streams.
  const bool at_end = !events_.empty() && std::holds_alternative<Closed>(events_.front());
  if (events_.empty() || at_end) {
    if (const auto event = streams_.poll_event()) return *event;
    if (datagrams_.poll_readable()) return DatagramReadable{};
    if (const auto address = observed_addresses_.poll_event()) {
      return AddressObserved{.address = *address};
    }
    if (!at_end) return std::nullopt;
  }
  ConnectionEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::expected<StreamId, StreamError> ConnectionMachine::open_stream(bool bidirectional) {
  // What a client sends on it must not leave early.
  if (!usable() || (!is_connected() && side() == Side::client)) {
    return std::unexpected(StreamError::closed);
  }
  return open_early_stream(bidirectional);
}

std::expected<StreamId, StreamError> ConnectionMachine::open_early_stream(bool bidirectional) {
  const InvariantLatch::Scope scope(latch_);
  if (!usable()) return std::unexpected(StreamError::closed);
  return streams_.open(bidirectional);
}

std::optional<StreamId> ConnectionMachine::accept_stream(bool bidirectional) {
  const InvariantLatch::Scope scope(latch_);
  return streams_.accept(bidirectional);
}

std::expected<std::size_t, StreamError> ConnectionMachine::write(StreamId id, Bytes data) {
  const InvariantLatch::Scope scope(latch_);
  if (!usable()) return std::unexpected(StreamError::closed);
  return streams_.write(id, data);
}

std::expected<void, StreamError> ConnectionMachine::finish(StreamId id) {
  const InvariantLatch::Scope scope(latch_);
  if (!usable()) return std::unexpected(StreamError::closed);
  return streams_.finish(id);
}

std::expected<void, StreamError> ConnectionMachine::reset(StreamId id, std::uint64_t error_code) {
  const InvariantLatch::Scope scope(latch_);
  if (!usable()) return std::unexpected(StreamError::closed);
  return streams_.reset(id, error_code);
}

std::expected<void, StreamError> ConnectionMachine::stop_sending(StreamId id,
                                                                 std::uint64_t error_code) {
  const InvariantLatch::Scope scope(latch_);
  if (!usable()) {
    (void)streams_.stop_sending(id,
                                error_code);  // It is not read any more, so it need not be kept.
    return std::unexpected(StreamError::closed);
  }
  return streams_.stop_sending(id, error_code);
}

// What arrived before the end can still be read.
std::expected<ReadView, StreamError> ConnectionMachine::peek(StreamId id) {
  const InvariantLatch::Scope scope(latch_);
  auto view = streams_.peek(id);
  if (view && view->data.empty() && !view->fin && !lifetime_.is_open()) {
    return std::unexpected(StreamError::closed);
  }
  return view;
}

void ConnectionMachine::consume(StreamId id, std::size_t size) {
  const InvariantLatch::Scope scope(latch_);
  streams_.consume(id, size);
}

std::uint64_t ConnectionMachine::reset_code(StreamId id) const { return streams_.reset_code(id); }

std::expected<void, DatagramError> ConnectionMachine::send_datagram(Bytes data) {
  if (!is_connected() && side() == Side::client) {
    return std::unexpected(DatagramError::closed);
  }
  return send_early_datagram(data);
}

std::expected<void, DatagramError> ConnectionMachine::send_early_datagram(Bytes data) {
  const InvariantLatch::Scope scope(latch_);
  if (!usable()) return std::unexpected(DatagramError::closed);
  return datagrams_.send(data, sources_.packet_room());
}

std::optional<std::size_t> ConnectionMachine::max_datagram_payload() const {
  return usable() ? datagrams_.max_payload(sources_.packet_room()) : std::nullopt;
}

std::optional<Bytes> ConnectionMachine::next_datagram() {
  const InvariantLatch::Scope scope(latch_);
  return datagrams_.next();
}

void ConnectionMachine::ping() { pings_.ask(); }

bool ConnectionMachine::initiate_key_update() {
  const InvariantLatch::Scope scope(latch_);
  return lifetime_.is_open() && key_phases_.initiate(spaces_.application().next_packet_number);
}

crypto::PeerCertificate ConnectionMachine::peer_certificate() const {
  return handshake_.tls().peer_certificate();
}

std::string_view ConnectionMachine::alpn() const { return handshake_.tls().alpn(); }

std::string_view ConnectionMachine::server_name() const { return handshake_.tls().server_name(); }

std::string ConnectionMachine::key_exchange_group() const { return handshake_.tls().group(); }

ConnectionStats ConnectionMachine::stats() const {
  ConnectionStats out = stats_;
  out.packets_sent = assembler_.packets_sent();
  out.packets_lost = recovery_.packets_lost();
  out.spurious_losses = recovery_.spurious_losses();
  out.congestion_window = recovery_.congestion_window();
  out.key_updates = key_phases_.updates();
  out.early_bytes = handshake_.early_bytes();
  out.max_datagram_size = paths_.active().mtu.size();
  out.datagrams = datagrams_.stats();
  out.smoothed_rtt = recovery_.rtt().smoothed();
  out.min_rtt = recovery_.rtt().min();
  return out;
}

}  // namespace qpeer::transport
