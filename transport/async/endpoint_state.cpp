// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <utility>
#include <variant>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/transport/async/state.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::async::detail {
namespace {

/// Address tokens outlive the process, so their times are Unix times.
transport::EndpointConfig with_clock(transport::EndpointConfig config) {
  if (config.clock_offset == Duration{}) {
    config.clock_offset = io::unix_now().time_since_epoch() - io::now().time_since_epoch();
  }
  return config;
}

}  // namespace

EndpointState::EndpointState(io::EventLoop& event_loop, const AsyncEndpointOptions& options)
    : MachineRuntime(event_loop, with_clock(options.endpoint), crypto::openssl_keys(),
                     crypto::system_random()),
      backlog_limit(options.backlog) {}

std::expected<std::shared_ptr<EndpointState>, std::error_code> EndpointState::open(
    io::EventLoop& loop, const AsyncEndpointOptions& options) {
  auto state = std::make_shared<EndpointState>(loop, options);
  std::vector<SocketAddress> binds{options.bind};
  binds.insert(binds.end(), options.more_binds.begin(), options.more_binds.end());
  std::vector<io::UdpSocket> sockets;
  for (const SocketAddress& address : binds) {
    auto socket = bind_socket(address, options.socket);
    if (!socket) return std::unexpected(socket.error());
    state->addresses.push_back(socket->local_address());
    sockets.push_back(std::move(*socket));
  }
  state->capabilities = sockets.front().capabilities();
  if (const auto started = state->start(std::move(sockets)); !started) {
    return std::unexpected(started.error());
  }
  return state;
}

// --- events --------------------------------------------------------------------------------------

void EndpointState::handle(transport::EndpointEvent&& event) {
  auto* const activity = std::get_if<transport::ConnectionActivity>(&event);
  if (activity == nullptr) return on_drained();
  const transport::ConnectionHandle handle = activity->connection;
  const auto known = connections.find(handle.value);
  if (known != connections.end()) return known->second->on_event(std::move(activity->event));
  if (!activity->incoming) return;
  const bool established = std::holds_alternative<transport::Connected>(activity->event);
  if (established || std::holds_alternative<transport::EarlyDataDecided>(activity->event)) {
    return on_incoming(handle, established);
  }
  if (const auto* closed = std::get_if<transport::Closed>(&activity->event)) {
    // One that we closed was reported, or need not be: we are shutting down.
    if (closed->reason.kind == CloseReason::Kind::local_application) return;
    report_rejected(handle, transport::rejection_of(closed->reason), closed->reason);
  }
}

void EndpointState::report_rejected(transport::ConnectionHandle handle, transport::Rejection why,
                                    const CloseReason& reason) {
  const auto callback = on_rejected;
  const transport::Connection* const connection = machine.find(handle);
  if (!callback || connection == nullptr) return;
  (*callback)({.remote = connection->path().remote, .why = why, .reason = reason});
}

void EndpointState::on_incoming(transport::ConnectionHandle handle, bool established) {
  if (!accepts || backlog.size() >= backlog_limit) {
    if (auto* connection = machine.edit(handle)) connection->close(io::now(), 0, "busy");
    if (!accepts) return;
    ++not_accepted;
    const CloseReason reason{.kind = CloseReason::Kind::local_application, .reason = "busy"};
    return report_rejected(handle, transport::Rejection::full, reason);
  }
  const auto self = std::static_pointer_cast<EndpointState>(shared_from_this());
  auto connection = std::make_shared<ConnectionState>(self);
  add(*connection, handle);
  if (established) {
    connection->on(transport::Connected{});
  } else {
    connection->early_data_accepted = true;
  }
  backlog.push_back(std::move(connection));
  schedule(accepting);
}

// --- connections ---------------------------------------------------------------------------------

void EndpointState::add(ConnectionState& connection, transport::ConnectionHandle handle) {
  connection.handle = handle;
  connection.registered = true;
  connections.emplace(handle.value, &connection);
  machine.keep_unread(handle);
}

void EndpointState::remove(ConnectionState& connection) {
  if (!std::exchange(connection.registered, false)) return;
  connections.erase(connection.handle.value);
  machine.release(connection.handle);
}

std::expected<void, transport::ConnectError> EndpointState::connect(
    ConnectionState& connection, const SocketAddress& remote,
    const transport::ConnectOptions& options) {
  if (error()) {
    connection.on(transport::Closed{.reason = end_reason()});
    return {};
  }
  const auto dialled = machine.connect(io::now(), remote, options);
  if (!dialled) return std::unexpected(dialled.error());
  add(connection, *dialled);
  wake();
  return {};
}

// --- the end -------------------------------------------------------------------------------------

void EndpointState::shut_down(std::uint64_t error_code, std::string_view reason) {
  accepts = false;
  schedule(accepting);
  machine.shut_down(io::now(), error_code, reason);
  wake();
}

void EndpointState::abandon() {
  const auto unclaimed = std::exchange(backlog, {});
  shut_down(0, {});
  end();
}

CloseReason EndpointState::end_reason() const {
  if (!error()) return {.kind = CloseReason::Kind::local_application, .reason = {}};
  return {.kind = CloseReason::Kind::local_transport,
          .code = static_cast<std::uint64_t>(TransportErrorCode::internal_error),
          .reason = "the socket failed"};
}

void EndpointState::on_sockets_gone() {
  accepts = false;
  schedule(accepting);
  const CloseReason reason = end_reason();
  std::vector<std::shared_ptr<ConnectionState>> open;
  open.reserve(connections.size());
  for (const auto& [handle, connection] : connections) {
    open.push_back(connection->shared_from_this());
  }
  for (const auto& connection : open) {
    connection->on(transport::Closed{.reason = reason});
    if (has_ended()) connection->cancel_calls();
  }
}

}  // namespace qpeer::async::detail
