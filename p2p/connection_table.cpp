// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/connection_table.hpp"

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {
namespace {

/// How long the peer has to read the reason before the connection is closed.
constexpr Duration kClosingTime = 1s;

std::uint64_t key_of(Port port, transport::ConnectionHandle handle) {
  return handle.value * 2 + (port == Port::probe ? 1 : 0);
}

}  // namespace

PeerConnection& ConnectionTable::add(Instant now, Port port, transport::ConnectionHandle handle) {
  const ConnectionSlot slot = connections_.emplace();
  PeerConnection& connection = connections_[slot];
  connection.slot = slot;
  connection.port = port;
  connection.handle = handle;
  connection.began = now;
  by_handle_.emplace(key_of(port, handle), slot);
  return connection;
}

PeerConnection* ConnectionTable::find(Port port, transport::ConnectionHandle handle) {
  const auto at = by_handle_.find(key_of(port, handle));
  return at == by_handle_.end() ? nullptr : &connections_[at->second];
}

std::optional<ConnectionSlot> ConnectionTable::take_due(Instant now) {
  if (deadlines_.earliest() > now) return std::nullopt;
  const ConnectionSlot slot = deadlines_.top();
  deadlines_.set(slot, kNever);
  return slot;
}

void ConnectionTable::set_newcomer(PeerConnection& connection, bool newcomer) {
  if (connection.newcomer == newcomer) return;
  connection.newcomer = newcomer;
  const SocketAddress network = site_of(connection.remote);
  newcomer ? newcomers_.add(network) : newcomers_.remove(network);
}

void ConnectionTable::close_with_reason(Instant now, PeerConnection& connection, ErrorCode code,
                                        std::string_view reason) {
  connection.stage = PeerConnection::Stage::closing;
  connection.close_code = code;
  connection.close_reason = reason;
  if (!connection.dialled) set_newcomer(connection, true);
  set_deadline(connection, now + kClosingTime);
  connection.control.finish(transport(connection));
}

void ConnectionTable::end(PeerConnection& connection) {
  set_newcomer(connection, false);
  set_deadline(connection, kNever);
  by_handle_.erase(key_of(connection.port, connection.handle));
  connection.stage = PeerConnection::Stage::ended;
}

void ConnectionTable::erase(ConnectionSlot slot) { connections_.erase(slot); }

bool ConnectionTable::consistent() const {
  std::size_t newcomers = 0;
  for (const auto& [key, slot] : by_handle_) {
    if (!connections_.contains(slot)) return false;
    const PeerConnection& connection = connections_[slot];
    if (connection.has_ended() || connection.slot != slot ||
        key_of(connection.port, connection.handle) != key || !connection.control.consistent()) {
      return false;
    }
    newcomers += connection.newcomer ? 1 : 0;
  }
  return newcomers == newcomers_.total() && newcomers_.consistent() &&
         by_handle_.size() <= connections_.size() && (deadlines_.empty() || has(deadlines_.top()));
}

}  // namespace qpeer::p2p
