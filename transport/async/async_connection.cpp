// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/async_connection.hpp"

#include <utility>

#include "qpeer/transport/async/state.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::async {

AsyncConnection::AsyncConnection(std::shared_ptr<detail::ConnectionState> state)
    : state_(std::move(state)) {}

void AsyncConnection::close(std::uint64_t error_code, std::string_view reason) {
  if (state_->closed) return;
  if (auto* connection = state_->edit()) connection->close(io::now(), error_code, reason);
  state_->wake();
}

bool AsyncConnection::is_closed() const { return state_->closed.has_value(); }

std::expected<void, DatagramError> AsyncConnection::send_datagram(Bytes data) {
  auto* connection = state_->closed ? nullptr : state_->edit();
  if (connection == nullptr) return std::unexpected(DatagramError::closed);
  const auto sent = connection->send_datagram(data);
  if (sent) state_->wake();
  return sent;
}

std::expected<void, DatagramError> AsyncConnection::send_early_datagram(Bytes data) {
  auto* connection = state_->closed ? nullptr : state_->edit();
  if (connection == nullptr) return std::unexpected(DatagramError::closed);
  const auto sent = connection->send_early_datagram(data);
  if (sent) state_->wake();
  return sent;
}

bool AsyncConnection::was_datagram_early() const { return state_->datagram_early; }

std::optional<std::size_t> AsyncConnection::max_datagram_payload() const {
  const auto* connection = state_->closed ? nullptr : state_->find();
  return connection != nullptr ? connection->max_datagram_payload() : std::nullopt;
}

std::optional<SocketAddress> AsyncConnection::observed_address() const {
  return state_->observed_address;
}

Bytes AsyncConnection::address_token() const { return state_->address_token; }

std::optional<bool> AsyncConnection::early_data_accepted() const {
  return state_->early_data_accepted;
}

bool AsyncConnection::is_early(const AsyncStream& stream) const {
  const auto* connection = state_->find();
  return connection != nullptr && connection->is_early(stream.id());
}

bool AsyncConnection::rotate_connection_ids() {
  auto* connection = state_->closed ? nullptr : state_->edit();
  if (connection == nullptr || !connection->rotate_connection_ids()) return false;
  state_->wake();
  return true;
}

bool AsyncConnection::initiate_key_update() {
  auto* connection = state_->closed ? nullptr : state_->edit();
  if (connection == nullptr || !connection->initiate_key_update()) return false;
  state_->wake();
  return true;
}

const ConnectionInfo& AsyncConnection::info() const { return state_->info; }

ConnectionStats AsyncConnection::stats() const {
  const auto* connection = state_->closed ? nullptr : state_->find();
  return connection != nullptr ? connection->stats() : state_->last_stats;
}

}  // namespace qpeer::async
