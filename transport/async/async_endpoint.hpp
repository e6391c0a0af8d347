// SPDX-License-Identifier: MIT OR BSD-3-Clause
// An endpoint on a UDP port whose connections are dialled and accepted with co_await.
//
//   open --> connect(address, options) --> AsyncConnection --> open_stream() --> AsyncStream
//        --> accept()                  --> AsyncConnection --> accept_stream() --> AsyncStream
//
// An EndpointGroup is a server with several threads: an endpoint in each, all on one port.
//
// An endpoint, its connections and their streams belong to the thread of its event loop. Nothing here throws;
// every wait ends when its task is destroyed, or with an error when the connection or the endpoint ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "qpeer/transport/async/async_connection.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::async {

/// What an AsyncEndpoint is opened with.
struct AsyncEndpointOptions {
  /// Where to bind; unspecified is any address, IPv6 and IPv4, and a port that the system chooses.
  SocketAddress bind{};
  /// Further sockets, likewise, each of another port, for connections to move to: AsyncConnection::migrate(),
  /// ConnectionConfig::preferred_ipv4. Connections begin on that of `bind`.
  std::vector<SocketAddress> more_binds{};
  /// With `server_tls` the endpoint accepts connections.
  transport::EndpointConfig endpoint = transport::EndpointConfig();
  /// Of each socket.
  io::UdpOptions socket{};
  /// How many connections may wait for accept(); further ones are closed with error code 0.
  std::size_t backlog = 128;
};

/// Why connect() gave no connection: refused here, or ended in the handshake.
struct ConnectFailure {
  /// Why no handshake was begun; nullopt when one was.
  std::optional<transport::ConnectError> refused{};
  CloseReason reason = CloseReason();  ///< When not `refused`.
  SocketAddress remote{};              ///< The address that was tried; set by connect_any().
};
/// One readable line.
std::string to_string(const ConnectFailure& failure);

/// A client that dialled us and got no connection.
struct RejectedClient {
  SocketAddress remote{};                                  ///< From where.
  transport::Rejection why = transport::Rejection::other;  ///< What was wrong.
  CloseReason reason = CloseReason();  ///< The same in full; its text may be the client's own.
};

namespace detail {

struct EndpointState;
class GroupMember;

/// What AsyncEndpoint::connect gives to co_await. Destroying it abandons the handshake.
class [[nodiscard]] ConnectOperation final : public Operation {
 public:
  ConnectOperation(std::shared_ptr<ConnectionState> connection, const SocketAddress& remote,
                   const transport::ConnectOptions& options);
  std::expected<AsyncConnection, ConnectFailure> await_resume();

 private:
  bool attempt() override;
  std::shared_ptr<ConnectionState> connection_;
  std::optional<transport::ConnectError> refused_;
};

/// What AsyncEndpoint::accept gives to co_await.
class [[nodiscard]] AcceptOperation final : public Operation {
 public:
  explicit AcceptOperation(std::shared_ptr<EndpointState> endpoint);
  std::optional<AsyncConnection> await_resume();

 private:
  bool attempt() override;
  std::shared_ptr<EndpointState> endpoint_;
  std::shared_ptr<ConnectionState> accepted_;
};

}  // namespace detail

/// Owns the sockets and the state of the connections. Move-only. Destroying it closes all connections
/// with error code 0 and frees the port; handles that outlive it give the error `closed`. Of the thread
/// of its loop, which must outlive it. A task or a callback that uses it may destroy it.
class AsyncEndpoint {
 public:
  /// What open() takes.
  using Options = AsyncEndpointOptions;

  /// Binds, and begins to work in the loop's next turn. The errors are those of UdpSocket::bind.
  [[nodiscard]] static std::expected<AsyncEndpoint, std::error_code> open(
      io::EventLoop& loop, const Options& options = {});
  AsyncEndpoint(AsyncEndpoint&&) noexcept = default;
  AsyncEndpoint& operator=(AsyncEndpoint&& other) noexcept;
  ~AsyncEndpoint();

  /// co_await: a connection with a completed handshake, or why there is none.
  [[nodiscard]] detail::ConnectOperation connect(const SocketAddress& remote,
                                                 const transport::ConnectOptions& options);
  /// Options in braces need a name: g++ 12 destroys such temporaries of a co_await expression twice.
  detail::ConnectOperation connect(const SocketAddress& remote,
                                   transport::ConnectOptions&& options) = delete;
  /// The same with defaults for all other options.
  [[nodiscard]] detail::ConnectOperation connect(const SocketAddress& remote,
                                                 std::shared_ptr<crypto::TlsContext> tls,
                                                 std::string_view server_name = {});
  /// co_await: a connection to one of the addresses of a name, best first. The families take turns, an
  /// attempt begins 250 ms after the one before or when one has failed, and the first that completes its
  /// handshake wins; the others are cancelled. When all fail: the reason of each address, in the order in
  /// which they failed. RFC 8305 §4, §5.
  [[nodiscard]] Task<std::expected<AsyncConnection, std::vector<ConnectFailure>>> connect_any(
      const std::vector<SocketAddress>& remotes, const transport::ConnectOptions& options);
  /// The connection before its handshake is complete: to send on its early streams what may be
  /// replayed, as options.early_data and options.session_ticket allow. Data that the server rejects is
  /// sent again by the library. With EarlyDataPolicy::report it is not: the early streams then give the
  /// error `closed`, early_data_accepted() is false, and new streams can be opened. RFC 9001 §4.6.
  std::expected<AsyncConnection, transport::ConnectError> connect_early(
      const SocketAddress& remote, const transport::ConnectOptions& options);
  /// co_await: the next connection that a client made, its handshake complete or, where the server's
  /// TLS takes early data, such data on its way (see established()); nullopt once the endpoint shuts
  /// down or its socket failed.
  [[nodiscard]] detail::AcceptOperation accept();

  /// Closes all connections with this application error and takes no more. co_await waits until
  /// their peers had time to learn of it, `limit` at most; the closing begins without it, too.
  Task<void> shut_down(std::uint64_t error_code = 0, std::string_view reason = {},
                       Duration limit = 1s);

  /// The address bound to, with the port that was chosen.
  [[nodiscard]] const SocketAddress& local_address() const;
  /// The same of all sockets: that of Options::bind, then those of more_binds.
  [[nodiscard]] const std::vector<SocketAddress>& local_addresses() const;
  /// Calls `callback` for each client whose handshake failed, or for which the backlog had no room. Clients
  /// that a limit of EndpointConfig refused without a handshake are only counted: EndpointStats::rejected.
  /// The callback may call anything, and destroy the endpoint. There is one at a time; nullptr removes it.
  void on_rejected_client(std::move_only_function<void(const RejectedClient&)> callback);

  /// Counts since open(), and how many connections and handshakes there are now. `dropped` and `rejected`
  /// have the reasons for which datagrams were discarded and clients refused.
  [[nodiscard]] transport::EndpointStats stats() const;
  /// Counts of the sockets, of all together.
  [[nodiscard]] io::UdpStats udp_stats() const;
  /// What the first socket can do, of what io::UdpOptions asked.
  [[nodiscard]] const io::UdpCapabilities& capabilities() const;
  /// Why a socket failed, if one did: all connections have ended then.
  [[nodiscard]] std::error_code error() const;
  /// The loop given to open().
  [[nodiscard]] io::EventLoop& loop() const;

 private:
  friend detail::GroupMember;
  explicit AsyncEndpoint(std::shared_ptr<detail::EndpointState> state);
  std::shared_ptr<detail::EndpointState> state_;
};

/// What an EndpointGroup is opened with.
struct EndpointGroupOptions {
  /// The options of each endpoint. Each has all the limits for itself: with two threads twice as much is
  /// let in. Where `token_key` and `reset_key` are not given, they are drawn once for all endpoints.
  /// io::UdpOptions::reuse_port is set.
  AsyncEndpointOptions endpoint = AsyncEndpointOptions();
  /// Threads, each with a loop and an endpoint: at most 256. 0 is one for each processor.
  std::size_t threads = 0;
};

/// A server with several threads on one port: each has an EventLoop and an AsyncEndpoint of its own, and
/// the system spreads new clients over them. A client stays with its thread, also when its address changes:
/// datagrams of it that another thread receives are handed over to its thread. That queue is bounded; a
/// datagram that does not fit is dropped, and counted as DropReason::handover_full.
///
/// Threads: its own calls come from any thread but those of the group, except shut_down(), which may come from
/// those too. `serve` runs in all threads at once, so that what it shares must be safe from any thread: a
/// crypto::TlsContext is. All that belongs to an endpoint stays in its thread. Move-only.
class EndpointGroup {
 public:
  /// What open() takes.
  using Options = EndpointGroupOptions;
  /// What each thread does with its endpoint; as a rule, accept() until it gives nullopt. Called once in each
  /// thread. When it returns or throws in one thread, the whole group shuts down.
  using Serve = std::function<Task<void>(AsyncEndpoint& endpoint)>;

  /// Binds all, and starts the threads. The errors are those of AsyncEndpoint::open(), and the system's when
  /// it has no more threads.
  [[nodiscard]] static std::expected<EndpointGroup, std::error_code> open(const Options& options,
                                                                          const Serve& serve);
  EndpointGroup(EndpointGroup&&) noexcept = default;
  EndpointGroup& operator=(EndpointGroup&& other) noexcept;
  /// Closes all connections with error code 0, cancels `serve`, and waits until the threads have ended.
  ~EndpointGroup();

  /// Closes all connections with this application error and takes no more; accept() gives nullopt. What
  /// `serve` has not ended after `limit` is cancelled. Returns at once: see wait(). The first call counts.
  void shut_down(std::uint64_t error_code = 0, std::string_view reason = {}, Duration limit = 1s);
  /// Blocks until all threads have ended, which follows shut_down(). Throws what left `serve`, once.
  void wait();

  /// How many threads were started.
  [[nodiscard]] std::size_t threads() const;
  /// As AsyncEndpoint::local_address(): the same for all.
  [[nodiscard]] const SocketAddress& local_address() const;
  /// As AsyncEndpoint::local_addresses().
  [[nodiscard]] const std::vector<SocketAddress>& local_addresses() const;
  /// As AsyncEndpoint::stats(), of each thread; `+=` adds them up. Blocks until each thread has answered.
  [[nodiscard]] std::vector<transport::EndpointStats> stats() const;

 private:
  struct State;
  explicit EndpointGroup(std::shared_ptr<State> state);
  void end();
  std::shared_ptr<State> state_;
};

}  // namespace qpeer::async
