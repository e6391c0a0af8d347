// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One UDP port's worth of connections: finds the connection of a datagram by its connection ID,
// accepts new ones, and answers, without state, what belongs to none: Retry, Version Negotiation,
// stateless reset. RFC 9000 §5.2, §6, §8.1, §10.3.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "qpeer/crypto/address_token.hpp"
#include "qpeer/crypto/keys.hpp"
#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/connection/config.hpp"
#include "qpeer/transport/connection/connection.hpp"

namespace qpeer::transport {

/// Names a connection of an endpoint; stays invalid once that connection is gone.
struct ConnectionHandle {
  std::uint64_t value = 0;
  friend constexpr bool operator==(ConnectionHandle, ConnectionHandle) = default;
};

/// When to make a client prove its address before any state is kept. RFC 9000 §8.1.2.
enum class RetryPolicy : u8 { never, always, under_load };

struct EndpointConfig {
  ConnectionConfig connection{};  ///< For accepted connections.
  /// For accepted connections; without one the endpoint is a client only.
  std::shared_ptr<crypto::TlsContext> server_tls{};
  RetryPolicy retry = RetryPolicy::under_load;
  std::size_t retry_above_handshakes = 100;  ///< under_load: more handshakes in flight than this.
  /// under_load: the same within one network (24 bits of IPv4, 56 of IPv6), for its clients alone.
  std::size_t retry_above_handshakes_per_prefix = 50;
  std::size_t max_handshakes = 1'000;  ///< Of clients, in flight; beyond, Initials are dropped.
  std::size_t max_handshakes_per_prefix = 500;  ///< The same of one network.
  std::size_t max_connections = 100'000;
  Duration retry_token_lifetime = 15s;
  Duration new_token_lifetime = std::chrono::hours(24);
  /// Master key of address tokens. Processes that share it, and `clock_offset`, take each other's
  /// tokens, and so does one that was started again; all zero draws a random one.
  crypto::AddressTokens::Key token_key{};
  /// What an Instant lacks to Unix time: for tokens that outlive the process or cross to another.
  /// Zero says that nobody knows; AsyncEndpoint fills it in.
  Duration clock_offset{};
  /// Bytes for remembering which tokens were used, so that each counts once. One whose use cannot be
  /// remembered any more proves nothing: its client is served as if it had shown none.
  std::size_t used_token_memory = 1 << 20;
  /// Key of stateless reset tokens; all zero draws a random one, so tokens die with the process.
  crypto::ResetTokens::Key reset_key{};
  /// Stateless answers a second at most (resets, Version Negotiations, Retries), each kind.
  std::uint32_t stateless_answers_per_second = 10'000;
};

struct ConnectOptions {
  std::shared_ptr<crypto::TlsContext> tls{};
  std::string server_name{};  ///< SNI, and the name that CA trust modes check.
  ConnectionConfig connection{};
  /// What the event `session_ticket` gave on an earlier connection to this server (empty: none),
  /// possibly from a file. Use each once: who sees one twice knows that it is the same client. What
  /// is not usable is left aside, and the handshake is a full one. RFC 9001 §4.5.
  std::vector<u8> session_ticket{};
  /// Whether early streams may be sent before the handshake is complete. RFC 9001 §4.6.
  EarlyDataPolicy early_data = EarlyDataPolicy::none;
  /// Source address where several are possible; unspecified lets the socket choose.
  SocketAddress local{};
  /// Of a `new_token` event of an earlier connection: spares the server a Retry. Use each once; one
  /// of another server, name or version is ignored. RFC 9000 §8.1.3.
  std::vector<u8> address_token{};
};

enum class ConnectError : u8 {
  bad_address,
  connection_limit,
  bad_configuration,
  shut_down,
  zero_length_in_use,  ///< There is a connection without a connection ID already.
};
std::string_view to_string(ConnectError error);

struct EndpointEvent {
  ConnectionHandle connection;
  bool incoming = false;  ///< Accepted by us rather than dialled.
  ConnectionEvent event;
};

struct EndpointStats {
  DropCounts dropped{};  ///< Datagrams of no connection, and packets of any.
  std::uint64_t datagrams_received = 0;
  std::uint64_t accepted = 0;
  std::uint64_t connected = 0;
  std::uint64_t retries_sent = 0;
  std::uint64_t tokens_accepted = 0;  ///< Of NEW_TOKEN frames.
  std::uint64_t version_negotiations_sent = 0;
  std::uint64_t stateless_resets_sent = 0;
  std::size_t connections = 0;
  std::size_t handshakes = 0;
};

/// A Machine. Single-threaded. `keys` and `random` must outlive it.
class Endpoint {
 public:
  Endpoint(EndpointConfig config, crypto::KeyFactory& keys, Random& random);
  ~Endpoint();

  std::expected<ConnectionHandle, ConnectError> connect(Instant now, const SocketAddress& remote,
                                                        const ConnectOptions& options);

  /// The connection, or nullptr once it is gone: that is when its `closed` event was polled and it
  /// has drained (three PTOs after a close, at once after a time-out); until then what arrived can
  /// be read. Whoever looks may write, so the connection is polled in the next poll_transmit.
  Connection* find(ConnectionHandle handle);

  void on_datagram(Instant now, ReceivedDatagram datagram);
  std::optional<Transmit> poll_transmit(Instant now, TransmitBuffer& out);
  [[nodiscard]] Instant next_deadline() const;
  void on_deadline(Instant now);
  std::optional<EndpointEvent> poll_event();
  /// The operating system refused datagrams of this train. Ends attempts that can only wait in vain:
  /// where 1,200 bytes are too large, or the socket lacks the address family.
  void on_refused(Instant now, const Transmit& transmit, std::error_code error);

  /// Closes every connection with this application error and refuses new ones. Each still gives its
  /// `closed` event; idle() is true once all have drained.
  void shut_down(Instant now, std::uint64_t error_code, std::string_view reason);
  [[nodiscard]] bool idle() const;

  [[nodiscard]] EndpointStats stats() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> impl_;
};

static_assert(Machine<Endpoint>);

}  // namespace qpeer::transport
