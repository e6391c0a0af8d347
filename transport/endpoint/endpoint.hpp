// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One UDP port's worth of connections: finds the connection of a datagram by its connection ID,
// accepts new ones, and answers, without state, what belongs to none: Retry, Version Negotiation,
// stateless reset. RFC 9000 §5.2, §6, §8.1, §10.3.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

#include "qpeer/crypto/address_token.hpp"
#include "qpeer/crypto/keys.hpp"
#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/connection/config.hpp"
#include "qpeer/transport/connection/connection.hpp"

namespace qpeer::transport {

/// Names a connection of an endpoint; stays invalid once that connection is gone.
struct ConnectionHandle {
  std::uint64_t value = 0;  ///< Opaque.
  friend constexpr bool operator==(ConnectionHandle, ConnectionHandle) = default;
};

/// When to make a client prove its address before any state is kept. RFC 9000 §8.1.2.
enum class RetryPolicy : u8 { never, always, under_load };

/// What the endpoints of one UDP port share, each endpoint in a thread of its own. Through it a datagram that
/// the operating system gave to the wrong endpoint reaches the right one. Each endpoint calls it from its own
/// thread, so that all functions must be safe from any thread. An endpoint calls it only for a datagram
/// that belongs to none of its connections, when a connection of a client begins or ends, and when it changes
/// the connection ID that it uses.
class SharedPort {
 public:
  virtual ~SharedPort() = default;
  /// Copies the datagram for the endpoint with the number `member`, which gets it by
  /// Endpoint::on_handed_over(). False when there is no room, or no such endpoint.
  virtual bool hand_over(std::size_t member, const ReceivedDatagram& datagram) = 0;
  /// The number of the endpoint that serves the client which chose `id` for its first datagrams; nullopt
  /// when none does.
  [[nodiscard]] virtual std::optional<std::size_t> find(const ConnectionId& id) = 0;
  /// Makes `member` the endpoint that serves this client, unless another endpoint does already. Returns the
  /// number of the one that serves it.
  virtual std::size_t claim(const ConnectionId& id, std::size_t member) = 0;
  /// Undoes claim(): `member` no longer serves this client.
  virtual void release(const ConnectionId& id, std::size_t member) = 0;
  /// From now on a stateless reset with this token ends a connection of `member`. RFC 9000 §10.3.
  virtual void watch_reset(const StatelessResetToken& token, std::size_t member) = 0;
  /// Undoes watch_reset().
  virtual void unwatch_reset(const StatelessResetToken& token, std::size_t member) = 0;
  /// The number of the endpoint that watches the token; nullopt when none does.
  [[nodiscard]] virtual std::optional<std::size_t> find_reset(const StatelessResetToken& token) = 0;
  /// Whether no endpoint has used the NEW_TOKEN token whose AddressTokens::id_of() is `id`.
  [[nodiscard]] virtual bool is_unused_token(Instant now, std::uint64_t id) = 0;
  /// The same; from now on the token is used.
  virtual bool use_token(Instant now, std::uint64_t id) = 0;
};

/// Which of the endpoints that share a port an endpoint is. They all have the same `port`, `count` and
/// `id_key`, and the same EndpointConfig::token_key and reset_key.
struct SharedPortMember {
  /// The most endpoints of a port.
  static constexpr std::size_t kMaxCount = 256;
  std::shared_ptr<SharedPort> port{};  ///< Needed.
  std::size_t index = 0;               ///< The number of this endpoint, below `count`.
  std::size_t count = 1;               ///< How many endpoints there are.
  /// Encrypts the number of the endpoint in the connection IDs that it issues. A secret.
  std::array<u8, 32> id_key{};
};

/// What an Endpoint is made with.
struct EndpointConfig {
  ConnectionConfig connection = ConnectionConfig();  ///< For accepted connections.
  /// For accepted connections; without one the endpoint is a client only.
  std::shared_ptr<crypto::TlsContext> server_tls{};
  /// When to send Retry.
  RetryPolicy retry = RetryPolicy::under_load;
  std::size_t retry_above_handshakes = 100;  ///< under_load: more handshakes in flight than this.
  /// under_load: the same for the clients of one network (24 bits of IPv4, 56 of IPv6).
  std::size_t retry_above_handshakes_per_prefix = 50;
  std::size_t max_handshakes = 1'000;  ///< Of clients, in flight; beyond, new clients are refused.
  std::size_t max_handshakes_per_prefix = 500;  ///< The same of one network.
  /// Connections, accepted and dialled; beyond, new clients are refused and connect() fails. Clients get
  /// all but a sixteenth of them, so that they cannot keep us from dialling.
  std::size_t max_connections = 100'000;
  std::size_t max_connections_per_prefix = 50'000;    ///< Of clients of one network.
  static constexpr std::size_t kShareOfDialled = 16;  ///< See max_connections.
  /// Credit that connections grant their peers and that is not read yet: what peers can make us keep.
  /// Networks are 24 bits of IPv4, 56 of IPv6.
  PoolLimits receive_credit{};
  /// What is written to streams and not acknowledged. Beyond it write() waits. The same networks.
  PoolLimits send_buffers{};
  /// Memory for DATAGRAM frames that wait to be sent or read, and what is kept for the next ones. Beyond it
  /// queues are full though they are within ConnectionConfig::datagrams. Each connection has a part for
  /// each direction. The same networks.
  PoolLimits datagrams{};
  /// Bytes of memory that all connections together keep for the next data of their streams, beside what
  /// holds data. Beyond it they give memory back at once, and allocate it again.
  std::size_t free_stream_memory = 64 << 20;
  /// How long a client has to come back with the token of a Retry.
  Duration retry_token_lifetime = 15s;
  /// How long a token of a NEW_TOKEN frame proves an address.
  Duration new_token_lifetime = std::chrono::hours(24);
  /// Master key of address tokens. Processes that share it, and `clock_offset`, accept each other's
  /// tokens; a process that was started again with it accepts its own. All zero draws a random one.
  crypto::AddressTokens::Key token_key{};
  /// Unix time minus Instant: for tokens that outlive the process or are shown to another one. Zero
  /// means that it is not known; AsyncEndpoint sets it.
  Duration clock_offset{};
  /// Bytes of memory for the tokens that were used, so that each counts once. When it is full a token
  /// proves nothing: its client is served like one without a token.
  std::size_t used_token_memory = 1 << 20;
  /// Key of stateless reset tokens; all zero draws a random one, so that they end with the process.
  crypto::ResetTokens::Key reset_key{};
  /// Stateless answers a second at most (resets, Version Negotiations, Retries), each kind.
  std::uint32_t stateless_answers_per_second = 10'000;
  /// Of a server, when several endpoints share its port: see async::EndpointGroup, which fills it in.
  /// All limits above are of each endpoint.
  std::optional<SharedPortMember> shared_port{};
};

/// What a connection is dialled with.
struct ConnectOptions {
  std::shared_ptr<crypto::TlsContext> tls{};  ///< Needed.
  std::string server_name{};                  ///< SNI, and the name that CA trust modes check.
  ConnectionConfig connection = ConnectionConfig();  ///< Of this connection alone.
  /// The ticket of a TicketReceived event of an earlier connection to this server, possibly from a file;
  /// empty for none. Use each once: an observer who sees one twice knows that both connections are of
  /// one client. One that cannot be used is ignored, and the handshake is a full one. RFC 9001 §4.5.
  std::vector<u8> session_ticket{};
  /// Whether early streams may be sent before the handshake is complete. RFC 9001 §4.6.
  EarlyDataPolicy early_data = EarlyDataPolicy::none;
  /// Source address where several are possible; unspecified lets the socket choose.
  SocketAddress local{};
  /// The token of a TokenReceived event of an earlier connection: it proves our address, so that the
  /// server need not send a Retry. Use each once; one of another server, name or version is ignored.
  /// RFC 9000 §8.1.3.
  std::vector<u8> address_token{};
  /// An ICMP message that the server's port is closed ends the attempt: see Endpoint::on_port_closed().
  /// Without it the attempt goes on, for a server that is about to start.
  bool ends_at_closed_port = true;
};

/// Why no connection was begun.
enum class ConnectError : u8 {
  bad_address,         ///< Unspecified, a wildcard, or port 0.
  connection_limit,    ///< EndpointConfig::max_connections are open.
  bad_configuration,   ///< No TLS context, or no version.
  shut_down,           ///< shut_down() was called.
  zero_length_in_use,  ///< There is a connection without a connection ID already.
};
/// The error in words; a literal.
std::string_view to_string(ConnectError error);

/// Something happened to one of the connections.
struct ConnectionActivity {
  ConnectionHandle connection;  ///< To which.
  bool incoming = false;        ///< Accepted by us rather than dialled.
  ConnectionEvent event;        ///< What.
};
/// After shut_down() no connection is left. The last event, once.
struct Drained {};

/// What happened to one of the connections, or to the endpoint.
using EndpointEvent = std::variant<ConnectionActivity, Drained>;

/// Why a client that dialled us got no connection.
enum class Rejection : u8 {
  full,             ///< A limit of EndpointConfig, or too many connections wait for accept().
  no_certificate,   ///< The client showed no certificate where one is asked for.
  bad_certificate,  ///< We do not trust the client's certificate: another CA, expired, not its key.
  server_not_trusted,       ///< The client does not trust our certificate.
  no_application_protocol,  ///< ALPN: the client speaks no protocol of ours.
  timed_out,                ///< The client did not complete the handshake in time.
  other,                    ///< The client gave up, or broke the protocol.
  count_,                   ///< How many reasons there are.
};
/// The reason in words, such as "no certificate"; a literal.
std::string_view to_string(Rejection rejection);
/// The Rejection that the end of a handshake amounts to, as the server sees it.
[[nodiscard]] Rejection rejection_of(const CloseReason& reason);
/// How many clients were rejected, by Rejection.
using RejectionCounts = std::array<std::uint64_t, static_cast<std::size_t>(Rejection::count_)>;

/// Figures of an endpoint, since it was made.
struct EndpointStats {
  DropCounts dropped{};                         ///< Datagrams of no connection, and packets of any.
  std::uint64_t datagrams_received = 0;         ///< All that on_datagram() was given.
  std::uint64_t accepted = 0;                   ///< Connections begun for clients.
  std::uint64_t connected = 0;                  ///< Handshakes complete, in both directions.
  RejectionCounts rejected{};                   ///< Clients that got no connection.
  std::uint64_t retries_sent = 0;               ///< RFC 9000 §8.1.2.
  std::uint64_t tokens_accepted = 0;            ///< Of NEW_TOKEN frames.
  std::uint64_t version_negotiations_sent = 0;  ///< RFC 9000 §6.
  std::uint64_t stateless_resets_sent = 0;      ///< RFC 9000 §10.3.
  std::uint64_t handed_over = 0;      ///< Datagrams, to other endpoints of the SharedPort.
  std::uint64_t taken_over = 0;       ///< Datagrams, from others: on_handed_over().
  std::size_t connections = 0;        ///< Now.
  std::size_t handshakes = 0;         ///< Of clients, in flight now.
  std::size_t attempts = 0;           ///< Handshakes of our own, in flight now.
  std::uint64_t receive_credit = 0;   ///< Granted by all connections and not read, bytes, now.
  std::uint64_t send_buffered = 0;    ///< Written to all and not acknowledged, bytes, now.
  std::uint64_t datagram_memory = 0;  ///< Of all for datagrams, bytes, now.

  /// The figures of both together.
  EndpointStats& operator+=(const EndpointStats& other);
};

/// A Machine. Single-threaded. `keys` and `random` must outlive it.
class Endpoint {
 public:
  /// Opens no socket: its owner drives it. See Machine.
  Endpoint(EndpointConfig config, crypto::KeyFactory& keys, Random& random);
  ~Endpoint();

  /// Begins a connection; the event Connected or Closed follows. After an error nothing has changed.
  std::expected<ConnectionHandle, ConnectError> connect(Instant now, const SocketAddress& remote,
                                                        const ConnectOptions& options);

  /// The connection, to look at, or nullptr once it is gone. It is gone when its Closed event was
  /// polled and it has drained (three PTOs after a close, at once after a time-out); until then what
  /// arrived can be read. The pointer is valid until the next call that is not const.
  [[nodiscard]] const Connection* find(ConnectionHandle handle) const;
  /// The same connection, to call what changes it: it is polled for datagrams and events in the next
  /// poll_transmit and poll_event, whether it was changed or not.
  [[nodiscard]] Connection* edit(ConnectionHandle handle);

  /// From now on the connection stays after it has drained, for as long as it has streams to accept or
  /// data to read, so that data which its peer knows to have arrived is not lost. It counts against
  /// EndpointConfig::max_connections until release(). No effect on a connection that is gone.
  void keep_unread(ConnectionHandle handle);
  /// Undoes keep_unread(): nobody reads the connection any more.
  void release(ConnectionHandle handle);

  /// A datagram has arrived. Its bytes are changed, and not needed after the call.
  void on_datagram(Instant now, ReceivedDatagram datagram);
  /// The same for one that another endpoint of our SharedPort received, and handed over.
  void on_handed_over(Instant now, ReceivedDatagram datagram);
  /// Fills `out` with the next datagrams to send; nullopt when there are none now. The caller sends
  /// them and may then use the storage again. Each connection gets its turn.
  std::optional<Transmit> poll_transmit(Instant now, TransmitBuffer& out);
  /// When to call on_deadline(); kNever when nothing is waited for.
  [[nodiscard]] Instant next_deadline() const;
  /// The time of next_deadline() has come. Early and late calls do no harm.
  void on_deadline(Instant now);
  /// The next event; those of one connection in their order. Call until nullopt.
  std::optional<EndpointEvent> poll_event();
  /// The operating system refused datagrams of this train, the latest that poll_transmit() gave. Ends
  /// attempts that can only wait in vain: where 1,200 bytes are too large, or the socket lacks the
  /// address family. A connection whose datagrams are larger, and too large, falls to 1,200 bytes at
  /// once and sends again; a size that it was looking for is known to be too large. RFC 9000 §14.
  /// Where nothing leaves from the local address that the train names (it is gone, or its network is not
  /// reached), a client's connection goes on at once from whatever address the system gives, unless the
  /// server forbids it or gave no connection ID for it; an attempt whose address is gone ends. RFC 9000 §9.
  void on_refused(Instant now, const Transmit& transmit, std::error_code error);
  /// This machine lost the IP address `local`, whose port does not matter. The same, for connections that
  /// have nothing to send and would not learn so from a refusal.
  void on_local_address_gone(Instant now, const SocketAddress& local);
  /// Which of our addresses the system would send from now, to `remote`; not valid() without a way.
  using SourceOf = std::function<SocketAddress(const SocketAddress& remote)>;
  /// The routes of this machine are others. A client's connection whose address the system had chosen, and
  /// would choose no longer, goes on from the new one: its packets may not come back otherwise. Only for a
  /// socket that is bound to any address.
  void on_routes_changed(Instant now, const SourceOf& source_of);
  /// The network below is another, or is back: an interface came up, a route or an address is new. All
  /// connections with something on its way probe at once, however long they backed off. RFC 9002 §6.2.1.
  void on_network_changed(Instant now);
  /// An ICMP message says that no socket listens at `remote`, and quotes the beginning of a datagram of ours.
  /// It ends the attempt that the datagram is of, if it names that attempt's connection ID, which is
  /// random, and nothing has come from the server. Connections take no notice.
  void on_port_closed(Instant now, const SocketAddress& remote, Bytes quoted);

  /// Closes every connection with this application error and refuses new ones. Each still gives its
  /// Closed event; once all have drained, Drained follows, and idle() is true.
  void shut_down(Instant now, std::uint64_t error_code, std::string_view reason);
  /// Whether all connections have drained. Those that keep_unread() keeps may be left.
  [[nodiscard]] bool idle() const;

  /// Figures, as of now.
  [[nodiscard]] EndpointStats stats() const;

  /// Whether its tables agree with each other and with its connections. It walks through all of
  /// them: for tests and assertions.
  [[nodiscard]] bool consistent() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> impl_;
};

static_assert(Machine<Endpoint>);

}  // namespace qpeer::transport
