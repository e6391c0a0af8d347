// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What an application does with one QUIC connection: streams, datagrams, paths, its end. RFC 9000.
//
// Connections belong to an Endpoint, which makes them, drives them and gives their events:
// Endpoint::find() and edit() give one. Single-threaded. A pointer to one is good until the next call
// on the endpoint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "qpeer/crypto/aead.hpp"
#include "qpeer/crypto/resumption.hpp"
#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/base/version.hpp"
#include "qpeer/transport/connection/config.hpp"
#include "qpeer/transport/stream/datagram_types.hpp"
#include "qpeer/transport/stream/stream_types.hpp"
#include "qpeer/transport/wire/transport_parameters.hpp"

namespace qpeer::transport {

/// One connection of an Endpoint, which owns it: users neither make nor destroy one.
class Connection {
 public:
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Streams; opening and writing work from Connected on (StreamError::closed after the end).
  virtual std::expected<StreamId, StreamError> open_stream(bool bidirectional) = 0;
  /// Client: the same, and what is written on it may leave before the handshake is complete, within
  /// what the server allowed last time: an attacker can make the server see it again. Where no early
  /// data is possible, StreamError::closed until Connected. RFC 9001 §4.6, §9.2.
  virtual std::expected<StreamId, StreamError> open_early_stream(bool bidirectional) = 0;
  /// Whether some of what the peer sent on a stream came in early data.
  [[nodiscard]] virtual bool is_early(StreamId id) const = 0;
  /// The next stream that the peer opened and that was not given yet, in order of its ID.
  virtual std::optional<StreamId> accept_stream(bool bidirectional) = 0;
  /// Copies as much of `data` as there is room for and says how much; 0 means wait for `writable`.
  virtual std::expected<std::size_t, StreamError> write(StreamId id, Bytes data) = 0;
  /// No more data: the end of the stream follows what was written.
  virtual std::expected<void, StreamError> finish(StreamId id) = 0;
  /// Abandons the send side: what was not acknowledged may be lost. RFC 9000 §3.1.
  virtual std::expected<void, StreamError> reset(StreamId id, std::uint64_t error_code) = 0;
  /// Abandons the receive side: what arrives is dropped, the peer is asked to stop. RFC 9000 §3.5.
  virtual std::expected<void, StreamError> stop_sending(StreamId id, std::uint64_t error_code) = 0;
  /// What can be read now; empty data without `fin` means wait for `readable`. StreamError::reset
  /// after the peer reset the stream.
  virtual std::expected<ReadView, StreamError> peek(StreamId id) = 0;
  /// Gives back the first `size` bytes of what peek() showed; with all of it and `fin`, the receive
  /// side is done.
  virtual void consume(StreamId id, std::size_t size) = 0;
  /// The peer's error code, after peek() gave StreamError::reset; 0 when there is none.
  [[nodiscard]] virtual std::uint64_t reset_code(StreamId id) const = 0;

  /// Unreliable datagrams, RFC 9221: sent once, in their order among themselves, as soon as
  /// congestion control lets them, in turns with streams. They may be lost, or overtaken.
  virtual std::expected<void, DatagramError> send_datagram(Bytes data) = 0;
  /// Client: the same, even before the handshake is complete, as open_early_stream().
  virtual std::expected<void, DatagramError> send_early_datagram(Bytes data) = 0;
  /// The largest that can be sent now; nullopt when none can. Paths that change may change it.
  [[nodiscard]] virtual std::optional<std::size_t> max_datagram_payload() const = 0;
  /// The oldest that came and was not read. The view is valid until the next call on this
  /// connection; read until nullopt, then wait for the `datagram` event.
  virtual std::optional<Bytes> next_datagram() = 0;
  /// Whether what next_datagram() gave came in early data.
  [[nodiscard]] virtual bool was_datagram_early() const = 0;
  /// Whether we announced that we take any.
  [[nodiscard]] virtual bool receives_datagrams() const = 0;

  /// Ends the connection at once with an application error code; what was not acknowledged is
  /// lost. `reason` is cut to 256 bytes; codes end at 2^62 - 1, here and for streams. RFC 9000 §10.2.
  virtual void close(Instant now, std::uint64_t error_code, std::string_view reason) = 0;
  /// Sends a PING as soon as possible: its ACK gives a fresh RTT sample and one `pong` event. Several
  /// calls before it leaves share it, and have an event each.
  virtual void ping() = 0;
  /// Client: asks whether the peer can be reached from `local`, an address (and port) that one of
  /// the sockets has. A PathActivity event answers; nothing else changes.
  /// RFC 9000 §9.1.
  virtual std::expected<void, PathError> probe_path(Instant now, const SocketAddress& local) = 0;
  /// Client: the same, and goes over to that path when it works: PathActivity `changed`. At once, when that
  /// is known from probe_path(). RFC 9000 §9.2.
  virtual std::expected<void, PathError> migrate(Instant now, const SocketAddress& local) = 0;
  /// Gives the peer new connection IDs and asks it to retire all others. False when it is not
  /// possible now. RFC 9000 §5.1.2.
  virtual bool rotate_connection_ids() = 0;

  /// Begins a key update; false when one is not possible yet. RFC 9001 §6.
  virtual bool initiate_key_update() = 0;

  /// Which end we are.
  [[nodiscard]] virtual Side side() const = 0;
  /// The one in use; a client may learn from the server's first packet that it is another.
  [[nodiscard]] virtual Version version() const = 0;
  /// The path in use. RFC 9000 §9.
  [[nodiscard]] virtual const Path& path() const = 0;
  /// The handshake is complete; stays so after the end. RFC 9001 §4.1.1.
  [[nodiscard]] virtual bool is_connected() const = 0;
  /// The handshake is confirmed; stays so after the end. RFC 9001 §4.1.2.
  [[nodiscard]] virtual bool is_confirmed() const = 0;
  /// No longer open: closing, draining or gone.
  [[nodiscard]] virtual bool is_closed() const = 0;
  /// Nothing is left to do: may be destroyed once its events are polled.
  [[nodiscard]] virtual bool is_drained() const = 0;
  /// An earlier connection vouches for the peer: see ConnectOptions::session_ticket.
  [[nodiscard]] virtual bool is_resumed() const = 0;
  /// What became of early data.
  [[nodiscard]] virtual crypto::EarlyData early_data() const = 0;
  /// Why it ended; nullopt while it has not.
  [[nodiscard]] virtual const std::optional<CloseReason>& close_reason() const = 0;
  /// Who the peer is. Meaningful once connected; empty when the peer showed no certificate.
  [[nodiscard]] virtual crypto::PeerCertificate peer_certificate() const = 0;
  /// The application protocol; empty until chosen.
  [[nodiscard]] virtual std::string_view alpn() const = 0;
  /// What the client asked for (SNI); may be empty.
  [[nodiscard]] virtual std::string_view server_name() const = 0;
  /// The cipher suite of the newest keys.
  [[nodiscard]] virtual crypto::CipherSuite cipher_suite() const = 0;
  /// The key exchange, such as "X25519MLKEM768"; for people to read.
  [[nodiscard]] virtual std::string key_exchange_group() const = 0;
  /// What the peer announced. Meaningful once connected.
  [[nodiscard]] virtual const wire::TransportParameters& peer_parameters() const = 0;
  /// Figures, as of now.
  [[nodiscard]] virtual ConnectionStats stats() const = 0;

 protected:
  Connection() = default;
  ~Connection() = default;
};

}  // namespace qpeer::transport
