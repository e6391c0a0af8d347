// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the handles share, internal to async: the endpoint with its driver, its connections, their
// streams, and the lists of the operations that wait for each.
//
//   AsyncEndpoint --owns--> EndpointState <--keeps-- ConnectionState <--share-- AsyncConnection
//                               |  plain pointers         |                     AsyncStream
//                               +------ connections ----->+-- streams --> StreamState
//
// A ConnectionState is destroyed with its last handle; an EndpointState with the AsyncEndpoint (which
// closes everything) or with the last ConnectionState, whichever is later.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "qpeer/transport/async/async_connection.hpp"
#include "qpeer/transport/async/async_endpoint.hpp"
#include "qpeer/transport/async/async_stream.hpp"
#include "qpeer/transport/async/runtime.hpp"
#include "qpeer/transport/async/stream_core.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async::detail {

struct StreamState final : StreamCore {
  StreamState(ConnectionState& owner, StreamId stream_id);
  void on_event(const transport::StreamEvent& event);

  std::expected<ReadView, StreamError> peek_below() override;
  void consume_below(std::size_t size) override;
  std::expected<std::size_t, StreamError> write_below(Bytes data) override;
  std::expected<void, StreamError> finish_below() override;
  std::expected<void, StreamError> reset_below(std::uint64_t error_code) override;
  std::expected<void, StreamError> stop_sending_below(std::uint64_t error_code) override;
  [[nodiscard]] std::uint64_t reset_code_below() const override;
  [[nodiscard]] bool is_over() const override;
  void schedule(WaitList& waiting) override;
  void wake() override;
  [[nodiscard]] Runtime& runtime() override;
  void forget() noexcept override;

  ConnectionState& connection;
  StreamId id;
  bool rejected = false;  ///< The server knows nothing of it: EarlyDataPolicy::report.

 private:
  [[nodiscard]] transport::Connection* edit() const;
};

struct ConnectionState : std::enable_shared_from_this<ConnectionState> {
  explicit ConnectionState(std::shared_ptr<EndpointState> owner) : endpoint(std::move(owner)) {}
  ~ConnectionState();
  ConnectionState(const ConnectionState&) = delete;
  ConnectionState& operator=(const ConnectionState&) = delete;

  void on_event(transport::ConnectionEvent&& event) {
    std::visit([this](auto&& what) { on(std::forward<decltype(what)>(what)); }, std::move(event));
  }
  void on(const transport::Connected& event);
  void on(const transport::Closed& event);
  /// Cancels what callback users wait for.
  void cancel_calls();
  /// The connection while it can still be asked anything, else nullptr: to look at, or to change.
  [[nodiscard]] const transport::Connection* find() const;
  [[nodiscard]] transport::Connection* edit() const;
  void wake() const;
  void schedule(WaitList& waiting) const;
  [[nodiscard]] AsyncStream make_stream(StreamId id);
  [[nodiscard]] AsyncConnection make_handle() { return AsyncConnection{shared_from_this()}; }

  std::shared_ptr<EndpointState> endpoint;
  transport::ConnectionHandle handle;
  bool registered = false;  ///< The endpoint knows it by its handle.
  bool connected = false;
  bool confirmed = false;
  std::optional<CloseReason> closed;
  ConnectionInfo info;
  ConnectionStats last_stats;
  std::uint64_t pings = 0;
  std::uint64_t pongs = 0;  ///< In the order of the pings.
  using Streams = std::unordered_map<std::uint64_t, StreamState>;
  Streams streams;
  std::vector<Streams::node_type> rejected_streams;  ///< Those whose handles still exist.
  bool reports_rejection = false;
  static constexpr std::size_t kMaxTickets = 8;
  std::deque<std::vector<u8>> tickets;
  std::optional<bool> early_data_accepted;
  bool datagram_early = false;
  WaitList ticketing;
  WaitList connecting;
  WaitList confirming;
  WaitList closing;
  std::optional<SocketAddress> observed_address;
  std::vector<u8> address_token;
  std::vector<PathOperation*> path_operations;  ///< Those that are not destroyed.
  WaitList moving;
  WaitList pinging;
  WaitList receiving;   ///< Datagrams.
  WaitList opening[2];  ///< By whether bidirectional.
  WaitList accepting[2];

 private:
  void on(const transport::Confirmed& event);
  void on(const transport::StreamEvent& event);
  void on(const transport::Pong& event);
  void on(const transport::DatagramReadable& event);
  void on(const transport::AddressObserved& event);
  void on(transport::TokenReceived&& event);
  void on(transport::TicketReceived&& event);
  void on(const transport::EarlyDataDecided& event);
  void on(const transport::PathActivity& event);
};

struct EndpointState final : MachineRuntime<transport::Endpoint> {
  EndpointState(io::EventLoop& event_loop, const AsyncEndpointOptions& options);
  [[nodiscard]] static std::expected<std::shared_ptr<EndpointState>, std::error_code> open(
      io::EventLoop& loop, const AsyncEndpointOptions& options);

  void add(ConnectionState& connection, transport::ConnectionHandle handle);
  void remove(ConnectionState& connection);
  /// Dials. Once the sockets have failed, `connection` ends as all did.
  [[nodiscard]] std::expected<void, transport::ConnectError> connect(
      ConnectionState& connection, const SocketAddress& remote,
      const transport::ConnectOptions& options);

  void shut_down(std::uint64_t error_code, std::string_view reason);
  /// The AsyncEndpoint is gone.
  void abandon();

  std::vector<SocketAddress> addresses;  ///< Bound to; the first is that of `options.bind`.
  io::UdpCapabilities capabilities;
  std::size_t backlog_limit;
  std::deque<std::shared_ptr<ConnectionState>> backlog;
  std::unordered_map<std::uint64_t, ConnectionState*> connections;
  WaitList accepting;
  bool accepts = true;
  std::uint64_t not_accepted = 0;  ///< Connections for which the backlog had no room.
  /// Shared: the callback may replace itself while it runs.
  std::shared_ptr<std::move_only_function<void(const RejectedClient&)>> on_rejected;

 private:
  void handle(transport::EndpointEvent&& event) override;
  void on_sockets_gone() override;
  [[nodiscard]] CloseReason end_reason() const;
  void on_incoming(transport::ConnectionHandle handle, bool established);
  void report_rejected(transport::ConnectionHandle handle, transport::Rejection why,
                       const CloseReason& reason);
};

}  // namespace qpeer::async::detail
