// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <utility>
#include <vector>

#include "qpeer/crypto/identity.hpp"
#include "qpeer/transport/async/state.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::async::detail {
namespace {

// Any address: both families where there is IPv6, else IPv4 alone.
std::expected<io::UdpSocket, std::error_code> bind(const SocketAddress& address,
                                                   const io::UdpOptions& options) {
  if (address.valid()) return io::UdpSocket::bind(address, options);
  auto both = io::UdpSocket::bind(SocketAddress::ipv6({}, 0), options);
  if (both) return both;
  return io::UdpSocket::bind(SocketAddress::ipv4({}, 0), options);
}

/// Tokens are to outlive the process: they count in Unix time.
transport::EndpointConfig with_clock(transport::EndpointConfig config) {
  if (config.clock_offset == Duration{}) {
    config.clock_offset = io::unix_now().time_since_epoch() - io::now().time_since_epoch();
  }
  return config;
}

}  // namespace

EndpointState::EndpointState(io::EventLoop& event_loop, const AsyncEndpointOptions& options)
    : loop(event_loop),
      machine(with_clock(options.endpoint), crypto::openssl_keys(), crypto::system_random()),
      backlog_limit(options.backlog),
      ready_timer_(event_loop, [this](Instant) {
        const auto self = shared_from_this();
        drain();
      }) {}

std::expected<std::shared_ptr<EndpointState>, std::error_code> EndpointState::open(
    io::EventLoop& loop, const AsyncEndpointOptions& options) {
  auto socket = bind(options.bind, options.socket);
  if (!socket) return std::unexpected(socket.error());
  auto state = std::make_shared<EndpointState>(loop, options);
  state->capabilities = socket->capabilities();
  std::vector<io::UdpSocket> sockets;
  sockets.push_back(std::move(*socket));
  for (const SocketAddress& address : options.more_binds) {
    socket = bind(address, options.socket);
    if (!socket) return std::unexpected(socket.error());
    sockets.push_back(std::move(*socket));
  }
  for (const io::UdpSocket& each : sockets) state->addresses.push_back(each.local_address());
  auto driver = Driver::start(
      loop, std::move(sockets), state->machine,
      [self = state.get()](transport::EndpointEvent&& event) { self->on_event(std::move(event)); });
  if (!driver) return std::unexpected(driver.error());
  state->driver = std::move(*driver);
  state->driver->on_error([self = state.get()](std::error_code code) {
    self->error = code;
    self->on_socket_error();
  });
  return state;
}

// --- events --------------------------------------------------------------------------------------

void EndpointState::on_event(transport::EndpointEvent&& event) {
  using Kind = transport::ConnectionEvent::Kind;
  const auto self = shared_from_this();  // Somebody who goes on may drop the last handle.
  const bool outer = std::exchange(in_event_, !flushing_);
  const auto known = connections.find(event.connection.value);
  if (known != connections.end()) {
    known->second->on_event(std::move(event.event));
  } else if (event.incoming && (event.event.kind == Kind::connected ||
                                event.event.kind == Kind::early_data_accepted)) {
    on_incoming(event.connection, event.event.kind == Kind::connected);
  }
  if (!flushing_) drain();
  in_event_ = outer;
}

void EndpointState::on_incoming(transport::ConnectionHandle handle, bool established) {
  if (!accepts || backlog.size() >= backlog_limit) {
    if (auto* connection = machine.edit(handle)) connection->close(io::now(), 0, "busy");
    return;
  }
  auto connection = std::make_shared<ConnectionState>(shared_from_this());
  add(*connection, handle);
  if (established) {
    connection->on_connected();
  } else {
    connection->early_data_accepted = true;
  }
  backlog.push_back(std::move(connection));
  schedule(accepting);
}

void EndpointState::on_socket_error() {
  const auto self = shared_from_this();
  accepts = false;
  close_all({.kind = CloseReason::Kind::local_transport,
             .code = static_cast<std::uint64_t>(TransportErrorCode::internal_error),
             .reason = "the socket failed"});
  schedule(accepting);
}

void EndpointState::schedule(WaitList& waiting) {
  if (waiting.empty()) return;
  ready_.schedule(waiting);
  if (!draining_ && !in_event_) ready_timer_.fire_soon();
}

void EndpointState::drain() {
  if (draining_) return;
  draining_ = true;
  ready_.drain();
  draining_ = false;
}

// --- connections ---------------------------------------------------------------------------------

void EndpointState::add(ConnectionState& connection, transport::ConnectionHandle handle) {
  connection.handle = handle;
  connection.registered = true;
  connections.emplace(handle.value, &connection);
}

void EndpointState::remove(ConnectionState& connection) {
  if (std::exchange(connection.registered, false)) connections.erase(connection.handle.value);
}

// --- the end -------------------------------------------------------------------------------------

void EndpointState::shut_down(std::uint64_t error_code, std::string_view reason) {
  accepts = false;
  schedule(accepting);
  machine.shut_down(io::now(), error_code, reason);
  wake();
}

void EndpointState::abandon() {
  const auto self = shared_from_this();
  const auto unclaimed = std::exchange(backlog, {});
  shut_down(0, {});
  if (in_event_) {
    loop.post([self] { self->release_socket(); });  // The driver sends nothing before we return.
  } else {
    release_socket();
  }
}

void EndpointState::release_socket() {
  flushing_ = true;
  driver->flush();
  flushing_ = false;
  driver.reset();
  close_all({.kind = CloseReason::Kind::local_application, .reason = {}});
}

void EndpointState::close_all(const CloseReason& reason) {
  std::vector<ConnectionState*> open;
  open.reserve(connections.size());
  for (const auto& [handle, connection] : connections) open.push_back(connection);
  for (ConnectionState* connection : open) connection->on_closed(reason);
}

}  // namespace qpeer::async::detail
