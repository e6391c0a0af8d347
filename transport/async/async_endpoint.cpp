// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/async_endpoint.hpp"

#include <utility>

#include "qpeer/transport/async/combinators.hpp"
#include "qpeer/transport/async/staggered.hpp"
#include "qpeer/transport/async/state.hpp"

namespace qpeer::async {

using detail::AcceptOperation;
using detail::ConnectionState;
using detail::ConnectOperation;
using detail::EndpointState;

std::string to_string(const ConnectFailure& failure) {
  if (failure.refused) return std::string(to_string(*failure.refused));
  return to_string(failure.reason);
}

std::expected<AsyncEndpoint, std::error_code> AsyncEndpoint::open(io::EventLoop& loop,
                                                                  const Options& options) {
  auto state = EndpointState::open(loop, options);
  if (!state) return std::unexpected(state.error());
  return AsyncEndpoint{std::move(*state)};
}

AsyncEndpoint::AsyncEndpoint(std::shared_ptr<EndpointState> state) : state_(std::move(state)) {}

AsyncEndpoint& AsyncEndpoint::operator=(AsyncEndpoint&& other) noexcept {
  if (this != &other) {
    if (state_) state_->abandon();
    state_ = std::move(other.state_);
  }
  return *this;
}

AsyncEndpoint::~AsyncEndpoint() {
  if (state_) state_->abandon();
}

ConnectOperation AsyncEndpoint::connect(const SocketAddress& remote,
                                        const transport::ConnectOptions& options) {
  return {std::make_shared<ConnectionState>(state_), remote, options};
}

ConnectOperation AsyncEndpoint::connect(const SocketAddress& remote,
                                        std::shared_ptr<crypto::TlsContext> tls,
                                        std::string_view server_name) {
  const transport::ConnectOptions options{.tls = std::move(tls),
                                          .server_name = std::string(server_name)};
  return connect(remote, options);
}

namespace {

Task<std::expected<AsyncConnection, ConnectFailure>> connect_to(
    std::shared_ptr<EndpointState> state, SocketAddress remote,
    const transport::ConnectOptions& options) {
  ConnectOperation connecting(std::make_shared<ConnectionState>(state), remote, options);
  auto result = co_await connecting;
  if (!result) result.error().remote = remote;
  co_return std::move(result);
}

Task<std::expected<AsyncConnection, std::vector<ConnectFailure>>> connect_to_any(
    std::shared_ptr<EndpointState> state, std::vector<SocketAddress> remotes,
    transport::ConnectOptions options) {
  const auto begin = [&](std::size_t index) { return connect_to(state, remotes[index], options); };
  auto result = co_await detail::staggered<AsyncConnection, ConnectFailure>(state->loop,
                                                                            remotes.size(), begin);
  co_return std::move(result);
}

}  // namespace

Task<std::expected<AsyncConnection, std::vector<ConnectFailure>>> AsyncEndpoint::connect_any(
    const std::vector<SocketAddress>& remotes, const transport::ConnectOptions& options) {
  return connect_to_any(state_, detail::interleave_families(remotes), options);
}

std::expected<AsyncConnection, transport::ConnectError> AsyncEndpoint::connect_early(
    const SocketAddress& remote, const transport::ConnectOptions& options) {
  auto connection = std::make_shared<ConnectionState>(state_);
  connection->reports_rejection = options.early_data == transport::EarlyDataPolicy::report;
  const auto dialled = state_->connect(*connection, remote, options);
  if (!dialled) return std::unexpected(dialled.error());
  return connection->make_handle();
}

AcceptOperation AsyncEndpoint::accept() { return AcceptOperation{state_}; }

namespace {

Task<void> drained(std::shared_ptr<EndpointState> state, Duration limit) {
  detail::Runtime::DrainedWait drained(*state);
  (void)co_await with_timeout(state->loop, limit, drained);
}

}  // namespace

Task<void> AsyncEndpoint::shut_down(std::uint64_t error_code, std::string_view reason,
                                    Duration limit) {
  state_->shut_down(error_code, reason);
  return drained(state_, limit);
}

const SocketAddress& AsyncEndpoint::local_address() const { return state_->addresses.front(); }

const std::vector<SocketAddress>& AsyncEndpoint::local_addresses() const {
  return state_->addresses;
}

void AsyncEndpoint::on_rejected_client(
    std::move_only_function<void(const RejectedClient&)> callback) {
  using Callback = std::move_only_function<void(const RejectedClient&)>;
  state_->on_rejected = callback ? std::make_shared<Callback>(std::move(callback)) : nullptr;
}

transport::EndpointStats AsyncEndpoint::stats() const {
  transport::EndpointStats out = state_->machine.stats();
  out.rejected[static_cast<std::size_t>(transport::Rejection::full)] += state_->not_accepted;
  return out;
}
io::UdpStats AsyncEndpoint::udp_stats() const { return state_->udp_stats(); }
const io::UdpCapabilities& AsyncEndpoint::capabilities() const {
  // The kernel may refuse later what it took at first.
  if (const io::UdpSocket* socket = state_->socket()) state_->capabilities = socket->capabilities();
  return state_->capabilities;
}
std::error_code AsyncEndpoint::error() const { return state_->error(); }
io::EventLoop& AsyncEndpoint::loop() const { return state_->loop; }

namespace detail {

ConnectOperation::ConnectOperation(std::shared_ptr<ConnectionState> connection,
                                   const SocketAddress& remote,
                                   const transport::ConnectOptions& options)
    : Operation(connection->connecting), connection_(std::move(connection)) {
  const auto dialled = connection_->endpoint->connect(*connection_, remote, options);
  if (!dialled) refused_ = dialled.error();
}

bool ConnectOperation::attempt() {
  return refused_.has_value() || connection_->connected || connection_->closed.has_value();
}

std::expected<AsyncConnection, ConnectFailure> ConnectOperation::await_resume() {
  if (refused_) return std::unexpected(ConnectFailure{.refused = refused_, .reason = {}});
  // A connection that ended right after its handshake counts as failed.
  if (connection_->closed) {
    return std::unexpected(ConnectFailure{.refused = {}, .reason = *connection_->closed});
  }
  return connection_->make_handle();
}

AcceptOperation::AcceptOperation(std::shared_ptr<EndpointState> endpoint)
    : Operation(endpoint->accepting), endpoint_(std::move(endpoint)) {}

bool AcceptOperation::attempt() {
  if (endpoint_->backlog.empty()) return !endpoint_->accepts;
  accepted_ = std::move(endpoint_->backlog.front());
  endpoint_->backlog.pop_front();
  return true;
}

std::optional<AsyncConnection> AcceptOperation::await_resume() {
  if (!accepted_) return std::nullopt;
  return accepted_->make_handle();
}

}  // namespace detail

}  // namespace qpeer::async
