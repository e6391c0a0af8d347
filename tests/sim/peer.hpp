// SPDX-License-Identifier: MIT OR BSD-3-Clause
// An application over a transport::Endpoint, as scenarios need one: it sends streams of a known
// pattern, reads whatever comes, checks every byte, and notes all that it is told.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/tests/sim/network.hpp"
#include "qpeer/tests/sim/null_keys.hpp"
#include "qpeer/tests/sim/test_tls.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"

namespace qpeer::sim {

using Predicate = std::function<bool()>;

struct PeerConfig {
  transport::EndpointConfig endpoint;      ///< `endpoint.connection` is for accepted connections.
  transport::ConnectionConfig connection;  ///< For dialled ones.
  TestTlsConfig tls;                       ///< Of both sides.
  std::shared_ptr<crypto::TlsContext> real_server_tls;  ///< Instead of the test TLS ...
  std::shared_ptr<crypto::TlsContext> real_client_tls;
  crypto::KeyFactory* keys = nullptr;  ///< Unset is NullKeys.
  std::string server_name = "peer.example";
  std::vector<u8> session_ticket;  ///< Of dialled connections.
  transport::EarlyDataPolicy early_data = transport::EarlyDataPolicy::none;
  bool listens = true;
  std::size_t max_segments = kMaxTransmitSegments;
};

enum class StreamKind : u8 { bidirectional, unidirectional };

/// What is known of one stream of one connection.
struct StreamRecord {
  std::uint64_t to_send = 0;
  std::uint64_t written = 0;
  std::uint64_t received = 0;
  bool finish_called = false;
  bool acknowledged = false;                  ///< StreamEvent::finished came.
  bool fin = false;                           ///< All of it was read.
  bool early = false;                         ///< Some of it came in early data.
  std::optional<std::uint64_t> reset_code;    ///< The peer reset it.
  std::optional<std::uint64_t> stopped_code;  ///< The peer wants no more.
};

class Peer;

/// One connection of a Peer, which outlives the connection itself.
class Session {
 public:
  Session(Peer& peer, transport::ConnectionHandle handle, bool incoming)
      : peer_(peer), handle_(handle), incoming_(incoming) {}

  /// Sends this much on a stream of its own, as soon as a stream can be opened, and finishes it.
  void sends(std::uint64_t size, StreamKind kind = StreamKind::bidirectional);
  /// Client: opens an early stream now, and sends all of it.
  std::optional<StreamId> sends_early(std::uint64_t size,
                                      StreamKind kind = StreamKind::bidirectional);
  /// The same on a stream that is there (the other direction of the peer's).
  void sends_on(StreamId id, std::uint64_t size);
  /// Opens a stream and writes without finishing; nullopt when it cannot be opened now.
  std::optional<StreamId> opens(std::uint64_t size, StreamKind kind = StreamKind::bidirectional);
  /// Writes no more on a stream that opens() opened, and finishes it.
  void finishes(StreamId id);
  /// Reads up to this much of what has come, over all streams; for a Peer that does not read.
  std::uint64_t reads(std::uint64_t most);
  void resets(StreamId id, std::uint64_t code);
  void stops(StreamId id, std::uint64_t code);
  void closes(std::uint64_t code, std::string_view reason);
  /// Sends a datagram, if it is taken.
  std::expected<void, transport::DatagramError> sends_datagram(Bytes data);
  /// Reads the datagrams that have come; for a Peer that does not read.
  void reads_datagrams();

  [[nodiscard]] bool connected() const { return connected_at.has_value(); }
  [[nodiscard]] bool closed() const { return close.has_value(); }
  [[nodiscard]] bool incoming() const { return incoming_; }
  [[nodiscard]] transport::ConnectionHandle handle() const { return handle_; }
  /// Nullptr once its `closed` event was polled.
  [[nodiscard]] transport::Connection* find() const;
  /// The same, where it must be there.
  [[nodiscard]] transport::Connection& connection() const;
  [[nodiscard]] transport::ConnectionStats stats() const;

  std::optional<Instant> connected_at;
  std::optional<Instant> confirmed_at;
  std::optional<Instant> closed_at;
  std::optional<transport::CloseReason> close;
  std::map<StreamId, StreamRecord> streams;
  std::uint64_t received = 0;  ///< Over all streams.
  std::uint64_t pongs = 0;
  std::uint64_t datagrams = 0;             ///< Received and read.
  std::uint64_t early_datagrams = 0;       ///< Of those.
  std::function<void(Bytes)> on_datagram;  ///< Sees each of them.
  std::uint64_t datagram_events = 0;
  std::vector<std::vector<u8>> tokens;  ///< For the next connections.
  std::vector<SocketAddress> observed;  ///< Where the peer says that we are.
  std::vector<std::vector<u8>> tickets;
  std::optional<bool> early_data_accepted;  ///< What was told of it.
  std::vector<Path> paths;                  ///< Those that it changed to, in order.
  std::vector<Path> validated_paths;
  std::vector<Path> failed_paths;
  std::size_t unacknowledged = 0;  ///< Streams to be sent and not wholly acknowledged.

 private:
  friend class Peer;
  struct Job {
    std::uint64_t size;
    StreamKind kind;
  };

  void on_event(Instant now, const transport::ConnectionEvent& event);
  void on(Instant now, const transport::Connected& event);
  void on(Instant now, const transport::Confirmed& event);
  void on(Instant now, const transport::StreamEvent& event);
  void on(Instant now, const transport::Pong& event);
  void on(Instant now, const transport::DatagramReadable& event);
  void on(Instant now, const transport::AddressObserved& event);
  void on(Instant now, const transport::TokenReceived& event);
  void on(Instant now, const transport::TicketReceived& event);
  void on(Instant now, const transport::EarlyDataDecided& event);
  void on(Instant now, const transport::PathActivity& event);
  void on(Instant now, const transport::Closed& event);
  void start_jobs();
  void accept_streams(bool bidirectional);
  void write_more(StreamId id, StreamRecord& stream);
  std::uint64_t read(StreamId id, std::uint64_t most);
  void check(StreamId id, const StreamRecord& stream, Bytes data) const;
  [[nodiscard]] Side side() const { return incoming_ ? Side::server : Side::client; }
  void changed();  ///< The connection was written to: have it polled.

  Peer& peer_;
  transport::ConnectionHandle handle_;
  bool incoming_;
  bool lost_ = false;  ///< The peer crashed.
  std::deque<Job> jobs_;
};

/// An endpoint with its application. Helpers without a session mean the first one, and wait for it.
class Peer {
 public:
  Peer(Network& network, PeerConfig config, SocketAddress address);

  /// Dials. The session is closed at once, with internal_error, when connect() refuses.
  Session& connect(const SocketAddress& to, std::vector<u8> address_token = {});
  Session& connect(const Peer& to, std::vector<u8> address_token = {}) {
    return connect(to.address(), std::move(address_token));
  }
  void sends(std::uint64_t size, StreamKind kind = StreamKind::bidirectional);
  /// Polled while its application was away: for those who use endpoint() directly.
  void wake() { network_.wake(host_); }
  /// Loses everything without a word, and comes back with the same configuration.
  void restart();
  /// The same without coming back.
  void crash();

  [[nodiscard]] Predicate connected() const;
  [[nodiscard]] Predicate confirmed() const;
  [[nodiscard]] Predicate closed() const;  ///< All of its sessions, and there is one.
  [[nodiscard]] Predicate received(std::uint64_t size) const;  ///< At least, over all sessions.
  [[nodiscard]] Predicate acknowledged() const;  ///< All that it wanted to send arrived.

  [[nodiscard]] bool has_session() const { return !sessions_.empty(); }
  [[nodiscard]] Session& session(std::size_t index = 0) const;
  [[nodiscard]] const std::vector<std::unique_ptr<Session>>& sessions() const { return sessions_; }
  [[nodiscard]] std::uint64_t received_bytes() const { return received_; }
  [[nodiscard]] transport::Connection& connection() const { return session().connection(); }
  [[nodiscard]] transport::Endpoint& endpoint() const { return *endpoint_; }
  [[nodiscard]] Host& host() const { return host_; }
  [[nodiscard]] const SocketAddress& address() const { return host_.address(); }
  [[nodiscard]] Network& network() const { return network_; }
  [[nodiscard]] const PeerConfig& config() const { return config_; }
  PeerConfig& config() { return config_; }  ///< For connections and restarts to come.

  bool drained = false;  ///< Its endpoint emitted the event.
  bool reads = true;     ///< Reads whatever comes, at once.
  bool checks = true;    ///< Expects the pattern that Peers send; false where forgeries come in.
  bool echoes =
      false;  ///< Sends back as much on each bidirectional stream as it got, once it ends.

 private:
  friend class Session;

  std::unique_ptr<transport::Endpoint> make_endpoint();
  std::unique_ptr<Node> make_node();
  void on_event(const transport::EndpointEvent& event);
  Session& add_session(transport::ConnectionHandle handle, bool incoming);

  Network& network_;
  PeerConfig config_;
  SeededRandom random_;
  NullKeys null_keys_;
  std::shared_ptr<crypto::TlsContext> client_tls_;
  std::shared_ptr<crypto::TlsContext> server_tls_;
  std::unique_ptr<transport::Endpoint> endpoint_;
  Host& host_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::map<std::uint64_t, Session*> by_handle_;
  std::deque<Session::Job> jobs_;  ///< For the first session to come.
  std::uint64_t received_ = 0;
};

}  // namespace qpeer::sim
