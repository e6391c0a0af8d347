// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A connection whose operations are awaited. RFC 9000 §5.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/transport/async/async_stream.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/version.hpp"
#include "qpeer/transport/connection/config.hpp"

namespace qpeer::async {

using transport::CloseReason;
using transport::ConnectionStats;
using transport::DatagramError;
using transport::PathError;

namespace detail {

/// What AsyncConnection::open_stream and accept_stream give to co_await.
class [[nodiscard]] StreamOperation final : public Operation {
 public:
  enum class Kind : u8 { open, open_early, accept };
  StreamOperation(std::shared_ptr<ConnectionState> connection, Kind kind, bool bidirectional);
  std::expected<AsyncStream, StreamError> await_resume();

 private:
  bool attempt() override;
  std::shared_ptr<ConnectionState> connection_;
  Kind kind_;
  bool bidirectional_;
  std::expected<StreamId, StreamError> result_;
};

/// What AsyncConnection::closed gives to co_await.
class [[nodiscard]] ClosedOperation final : public Operation {
 public:
  explicit ClosedOperation(std::shared_ptr<ConnectionState> connection);
  CloseReason await_resume() const;

 private:
  bool attempt() override;
  std::shared_ptr<ConnectionState> connection_;
};

/// What AsyncConnection::confirmed gives to co_await.
class [[nodiscard]] ConfirmedOperation final : public Operation {
 public:
  explicit ConfirmedOperation(std::shared_ptr<ConnectionState> connection);
  std::expected<void, StreamError> await_resume() const { return result_; }

 private:
  bool attempt() override;
  std::shared_ptr<ConnectionState> connection_;
  std::expected<void, StreamError> result_;
};

/// What AsyncConnection::ping gives to co_await.
class [[nodiscard]] PingOperation final : public Operation {
 public:
  explicit PingOperation(std::shared_ptr<ConnectionState> connection);
  std::expected<Duration, StreamError> await_resume() const { return result_; }

 private:
  bool attempt() override;
  std::shared_ptr<ConnectionState> connection_;
  std::uint64_t number_;  ///< Of its PING, from 1.
  Instant begin_;
  std::expected<Duration, StreamError> result_;
};

/// What AsyncConnection::receive_datagram gives to co_await.
class [[nodiscard]] DatagramOperation final : public Operation {
 public:
  explicit DatagramOperation(std::shared_ptr<ConnectionState> connection);
  std::expected<std::vector<u8>, DatagramError> await_resume() { return std::move(result_); }

 private:
  bool attempt() override;
  std::shared_ptr<ConnectionState> connection_;
  std::expected<std::vector<u8>, DatagramError> result_;
};

/// What AsyncConnection::established gives to co_await.
class [[nodiscard]] EstablishedOperation final : public Operation {
 public:
  explicit EstablishedOperation(std::shared_ptr<ConnectionState> connection);
  std::expected<void, CloseReason> await_resume() const;

 private:
  bool attempt() override;
  std::shared_ptr<ConnectionState> connection_;
};

/// What AsyncConnection::session_ticket gives to co_await.
class [[nodiscard]] TicketOperation final : public Operation {
 public:
  explicit TicketOperation(std::shared_ptr<ConnectionState> connection);
  std::expected<std::vector<u8>, StreamError> await_resume() { return std::move(result_); }

 private:
  bool attempt() override;
  std::shared_ptr<ConnectionState> connection_;
  std::expected<std::vector<u8>, StreamError> result_;
};

/// What AsyncConnection::probe_path and migrate give to co_await.
class [[nodiscard]] PathOperation final : public Operation {
 public:
  enum class Kind : u8 { probe, migrate };
  PathOperation(std::shared_ptr<ConnectionState> connection, Kind kind, const SocketAddress& local);
  ~PathOperation();
  PathOperation(const PathOperation&) = delete;
  PathOperation& operator=(const PathOperation&) = delete;
  std::expected<void, PathError> await_resume() const { return *result_; }

 private:
  friend ConnectionState;
  bool attempt() override;
  void begin();
  void on_activity(const transport::PathActivity& event);
  std::shared_ptr<ConnectionState> connection_;
  Kind kind_;
  SocketAddress local_;
  bool begun_ = false;
  std::optional<std::expected<void, PathError>> result_;
};

}  // namespace detail

/// What the handshake decided, and the addresses of the path in use.
struct ConnectionInfo {
  SocketAddress local;            ///< Its address may be 0.0.0.0 or [::], where the system chooses.
  SocketAddress remote;           ///< The peer's.
  Version version = Version::v1;  ///< Of QUIC.
  std::string alpn;               ///< The application protocol. RFC 7301.
  std::string server_name;        ///< That the client asked for (SNI); empty when it named none.
  /// Of the 1-RTT packets.
  crypto::CipherSuite cipher_suite = crypto::CipherSuite::aes_128_gcm_sha256;
  std::string key_exchange_group;  ///< Such as "X25519MLKEM768"; for people to read.
  /// Who the peer is; empty when it showed none. A resumed connection has that of the earlier one.
  crypto::PeerCertificate peer_certificate;
  bool resumed = false;  ///< Whether the TLS session of an earlier connection was resumed.
};

/// A handle of a connection. Its handshake is complete, unless early data is used: by connect_early(), or
/// by a client that sends early data to a server whose accept() gives it. Copies name the same
/// connection, which is closed, with error code 0, when its last handle and its last stream are gone.
/// All calls are allowed after its end; they then give the error `closed`. Of the thread of the
/// endpoint's loop.
class AsyncConnection {
 public:
  /// co_await: opens a stream; waits while the peer's limit allows none.
  [[nodiscard]] detail::StreamOperation open_stream(bool bidirectional = true) {
    return {state_, detail::StreamOperation::Kind::open, bidirectional};
  }
  /// co_await: opens a stream whose data may leave before the handshake is complete, and be replayed:
  /// see transport::Connection::open_early_stream. Without early data, as soon as it is complete.
  [[nodiscard]] detail::StreamOperation open_early_stream(bool bidirectional = true) {
    return {state_, detail::StreamOperation::Kind::open_early, bidirectional};
  }
  /// co_await: the next stream that the peer opened.
  [[nodiscard]] detail::StreamOperation accept_stream(bool bidirectional = true) {
    return {state_, detail::StreamOperation::Kind::accept, bidirectional};
  }

  /// Ends the connection at once: what the peer has not acknowledged is lost, so first await
  /// AsyncStream::finished() of what matters. `reason` is cut to 256 bytes, codes end at 2^62 - 1.
  /// RFC 9000 §10.2.
  void close(std::uint64_t error_code = 0, std::string_view reason = {});
  /// co_await: waits until the connection has ended, for whatever reason.
  [[nodiscard]] detail::ClosedOperation closed() { return detail::ClosedOperation{state_}; }
  /// Whether the connection has ended: either side closed it, or it timed out.
  [[nodiscard]] bool is_closed() const;

  /// co_await: waits until the peer is known to have completed the handshake too. When a client closes
  /// before that, its server may never learn of the connection. RFC 9001 §4.1.2.
  [[nodiscard]] detail::ConfirmedOperation confirmed() {
    return detail::ConfirmedOperation{state_};
  }

  /// co_await: sends a PING and waits until it is acknowledged. Gives the time that took, which
  /// includes the peer's acknowledgement delay; stats() then has an RTT sample without it.
  [[nodiscard]] detail::PingOperation ping() { return detail::PingOperation{state_}; }

  /// Sends an unreliable datagram, as far as the peer takes them: see
  /// transport::Connection::send_datagram. Never waits: a full queue is an error. RFC 9221.
  std::expected<void, DatagramError> send_datagram(Bytes data);
  /// The same, even before the handshake is complete, as open_early_stream(): it may be replayed, and
  /// is lost when the server rejects early data.
  std::expected<void, DatagramError> send_early_datagram(Bytes data);
  /// The largest that can be sent now; nullopt when none can.
  [[nodiscard]] std::optional<std::size_t> max_datagram_payload() const;
  /// co_await: the next datagram of the peer, which may send them if our configuration has a
  /// max_datagram_frame_size. An application that does not keep up loses the oldest.
  [[nodiscard]] detail::DatagramOperation receive_datagram() {
    return detail::DatagramOperation{state_};
  }
  /// Whether the datagram that receive_datagram() gave last came in early data, hence may be a replay.
  [[nodiscard]] bool was_datagram_early() const;
  /// Our address as the peer sees it; nullopt unless ConnectionConfig::address_discovery asks for it and
  /// the peer has reported it.
  [[nodiscard]] std::optional<SocketAddress> observed_address() const;

  /// The newest token of the server, for ConnectOptions::address_token of one later connection to
  /// it; empty before it sent one, which it does soon after the handshake. A secret. The view is valid
  /// until the loop turns. RFC 9000 §8.1.3.
  [[nodiscard]] Bytes address_token() const;

  // --- resumption and early data, RFC 9001 §4.5, §4.6 ---

  /// co_await: waits for the end of the handshake, or gives the reason why it failed. Only connections
  /// with early data have to wait.
  [[nodiscard]] detail::EstablishedOperation established() {
    return detail::EstablishedOperation{state_};
  }
  /// co_await: the next ticket for ConnectOptions::session_ticket of one later connection to this
  /// server. They come soon after the handshake, if at all.
  [[nodiscard]] detail::TicketOperation session_ticket() { return detail::TicketOperation{state_}; }
  /// Whether early data was taken; nullopt when there is none, or no answer yet.
  [[nodiscard]] std::optional<bool> early_data_accepted() const;
  /// Whether some of what the peer sent on the stream came in early data, hence may be a replay.
  [[nodiscard]] bool is_early(const AsyncStream& stream) const;

  // --- paths, RFC 9000 §9 ---

  /// co_await, client: whether the peer can be reached from this local address, one of
  /// AsyncEndpoint::local_addresses(). Waits for the handshake to be confirmed, then for the answer,
  /// without which it gives `no_answer` after some seconds; nothing else changes. When the task is
  /// cancelled the probe goes on. RFC 9000 §9.1.
  [[nodiscard]] detail::PathOperation probe_path(const SocketAddress& local) {
    return {state_, detail::PathOperation::Kind::probe, local};
  }
  /// co_await, client: the same, and moves the connection to that path when it works; to a path that
  /// was probed before, at once. On an error the connection stays where it is. Of several migrations
  /// under way the last counts; the others give `superseded`. RFC 9000 §9.2.
  [[nodiscard]] detail::PathOperation migrate(const SocketAddress& local) {
    return {state_, detail::PathOperation::Kind::migrate, local};
  }
  /// Gives the peer a new connection ID and asks it to retire all others; false when that is not
  /// possible now. RFC 9000 §5.1.2.
  bool rotate_connection_ids();

  /// Begins a key update; false when one is not possible now. RFC 9001 §6.
  bool initiate_key_update();

  /// Settled by the handshake, valid as long as a handle lives.
  [[nodiscard]] const ConnectionInfo& info() const;
  /// Figures as of now; after the end of the connection, as of then, as far as they are known.
  [[nodiscard]] ConnectionStats stats() const;

  friend bool operator==(const AsyncConnection&, const AsyncConnection&) = default;

 private:
  friend class AsyncEndpoint;
  friend detail::ConnectionState;
  explicit AsyncConnection(std::shared_ptr<detail::ConnectionState> state);
  std::shared_ptr<detail::ConnectionState> state_;
};

}  // namespace qpeer::async
