// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One QUIC connection as a machine: datagrams and deadlines in, datagrams and events out. RFC 9000.
// What an application does with it stands in connection.hpp.
//
//            on_datagram            poll_transmit
//                |                        ^
//            receiver              PacketAssembler
//                |                        |
//         frame_dispatch -> parts -> FrameSources
//
// Parts: Handshake, Paths, Lifetime, Recovery, StreamSet, DatagramQueue, KeyPhases, LocalCids,
// RemoteCids, NewTokens, ObservedAddresses, Pings. Single-threaded, not movable: they refer to each
// other. Invariant: that of each part. What is left for this class:
//   connection_machine.cpp  creation, verbs, ends, what the application calls, figures
//   receiver.cpp            on_datagram: coalesced packets, unprotection, duplicates
//                           RFC 9000 §12, RFC 9001 §5
//   frame_dispatch.cpp      each frame to its owner, each fate back. RFC 9000 §12.4, §19
//   handshake_effects.cpp   what a handshake changes in the other parts. RFC 9000 §7, RFC 9001 §4
//   connection_log.cpp      how it begins, for its observer; other events come where things happen
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/crypto/keys.hpp"
#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/connection/ack_frequency.hpp"
#include "qpeer/transport/connection/config.hpp"
#include "qpeer/transport/connection/connection.hpp"
#include "qpeer/transport/connection/frame_sources.hpp"
#include "qpeer/transport/connection/handshake.hpp"
#include "qpeer/transport/connection/key_phases.hpp"
#include "qpeer/transport/connection/lifetime.hpp"
#include "qpeer/transport/connection/local_cids.hpp"
#include "qpeer/transport/connection/new_tokens.hpp"
#include "qpeer/transport/connection/number_space.hpp"
#include "qpeer/transport/connection/observed_addresses.hpp"
#include "qpeer/transport/connection/open_packet.hpp"
#include "qpeer/transport/connection/packet_assembler.hpp"
#include "qpeer/transport/connection/paths.hpp"
#include "qpeer/transport/connection/pings.hpp"
#include "qpeer/transport/connection/remote_cids.hpp"
#include "qpeer/transport/connection/setup.hpp"
#include "qpeer/transport/connection/undecryptable_packets.hpp"
#include "qpeer/transport/log/event_log.hpp"
#include "qpeer/transport/recovery/recovery.hpp"
#include "qpeer/transport/stream/datagram_queue.hpp"
#include "qpeer/transport/stream/stream_set.hpp"
#include "qpeer/transport/wire/header.hpp"
#include "qpeer/transport/wire/transport_parameters.hpp"

namespace qpeer::transport {

class ConnectionMachine final : public Connection,
                                private FateHandler,
                                private HandshakeObserver,
                                private PathObserver {
 public:
  /// `issuer` makes our connection IDs and learns which are gone; all references must outlive it.
  ConnectionMachine(Instant now, const ConnectionConfig& config, ConnectionSetup setup,
                    crypto::KeyFactory& keys, Random& random, CidIssuer& issuer);
  ~ConnectionMachine() override;

  // --- machine ---------------------------------------------------------------------------------

  void on_datagram(Instant now, ReceivedDatagram datagram);
  /// Fills `out` with the next datagrams to send, or returns nullopt when idle or blocked.
  ///
  /// Call until nullopt after every on_datagram, on_deadline or application write; then re-arm the
  /// timer from next_deadline(). All segments share one destination and, but for the last, one
  /// size, so the result maps to a single segmented send. `out.storage` may be reused once the send
  /// returns. Never blocks, never reads a clock. RFC 9000 §14; RFC 9002 §7.7 (pacing).
  [[nodiscard]] std::optional<Transmit> poll_transmit(Instant now, TransmitBuffer& out);
  [[nodiscard]] Instant next_deadline() const;
  void on_deadline(Instant now);
  std::optional<ConnectionEvent> poll_event();

  /// Whether the invariant of each part holds. For assertions.
  [[nodiscard]] bool consistent() const;

  // --- Connection ------------------------------------------------------------------------------
  std::expected<StreamId, StreamError> open_stream(bool bidirectional) override;
  std::expected<StreamId, StreamError> open_early_stream(bool bidirectional) override;
  [[nodiscard]] bool is_early(StreamId id) const override { return streams_.is_early(id); }
  std::optional<StreamId> accept_stream(bool bidirectional) override;
  std::expected<std::size_t, StreamError> write(StreamId id, Bytes data) override;
  std::expected<void, StreamError> finish(StreamId id) override;
  std::expected<void, StreamError> reset(StreamId id, std::uint64_t error_code) override;
  std::expected<void, StreamError> stop_sending(StreamId id, std::uint64_t error_code) override;
  std::expected<ReadView, StreamError> peek(StreamId id) override;
  void consume(StreamId id, std::size_t size) override;
  [[nodiscard]] std::uint64_t reset_code(StreamId id) const override;
  std::expected<void, DatagramError> send_datagram(Bytes data) override;
  std::expected<void, DatagramError> send_early_datagram(Bytes data) override;
  [[nodiscard]] std::optional<std::size_t> max_datagram_payload() const override;
  std::optional<Bytes> next_datagram() override;
  [[nodiscard]] bool was_datagram_early() const override { return datagrams_.was_early(); }
  [[nodiscard]] bool receives_datagrams() const override { return datagrams_.receives(); }
  void close(Instant now, std::uint64_t error_code, std::string_view reason) override;
  void ping() override;
  std::expected<void, PathError> probe_path(Instant now, const SocketAddress& local) override;
  std::expected<void, PathError> migrate(Instant now, const SocketAddress& local) override;
  bool rotate_connection_ids() override;
  bool initiate_key_update() override;
  [[nodiscard]] Side side() const override { return handshake_.side(); }
  [[nodiscard]] Version version() const override { return handshake_.version(); }
  [[nodiscard]] const Path& path() const override { return paths_.active().address; }
  [[nodiscard]] bool is_connected() const override { return handshake_.is_complete(); }
  [[nodiscard]] bool is_confirmed() const override { return handshake_.is_confirmed(); }
  [[nodiscard]] bool is_closed() const override { return !lifetime_.is_open(); }
  [[nodiscard]] bool is_drained() const override { return lifetime_.is_drained(); }
  /// Whether there are streams to accept, or data or datagrams to read.
  [[nodiscard]] bool has_unread() const { return streams_.has_unread() || datagrams_.has_unread(); }
  /// It has drained: gives back its connection IDs and stops watching for stateless resets.
  void release_ids();
  [[nodiscard]] bool is_resumed() const override { return handshake_.tls().is_resumed(); }
  [[nodiscard]] crypto::EarlyData early_data() const override { return handshake_.early_data(); }
  [[nodiscard]] const std::optional<CloseReason>& close_reason() const override {
    return lifetime_.close_reason();
  }
  [[nodiscard]] crypto::PeerCertificate peer_certificate() const override;
  [[nodiscard]] std::string_view alpn() const override;
  [[nodiscard]] std::string_view server_name() const override;
  [[nodiscard]] crypto::CipherSuite cipher_suite() const override {
    return key_phases_.cipher_suite();
  }
  [[nodiscard]] std::string key_exchange_group() const override;
  [[nodiscard]] const wire::TransportParameters& peer_parameters() const override {
    return handshake_.peer_parameters();
  }
  [[nodiscard]] ConnectionStats stats() const override;

  // --- endpoint --------------------------------------------------------------------------------

  /// Held from the pools of its setup: see StreamSet and DatagramQueue.
  [[nodiscard]] std::uint64_t receive_credit() const { return streams_.receive_credit(); }
  [[nodiscard]] std::uint64_t send_buffered() const { return streams_.send_buffered(); }
  [[nodiscard]] std::uint64_t datagram_memory() const { return datagrams_.held(); }
  [[nodiscard]] std::size_t free_chunks() const { return streams_.free_chunks(); }
  /// How many packets proved authentic.
  [[nodiscard]] std::uint64_t packets_received() const { return stats_.packets_received; }
  /// The Destination Connection ID of what it sends.
  [[nodiscard]] Bytes destination() const { return remote_cids_.current().bytes(); }
  /// Whether the peer is, or may be, at this address.
  [[nodiscard]] bool knows_remote(const SocketAddress& remote) const {
    return paths_.table().knows_remote(remote);
  }
  /// The operating system refused a datagram of this size over this path, as too large. RFC 9000 §14.
  void on_datagram_too_large(Instant now, const Path& path, std::size_t size);
  /// Ends an attempt in silence and at once: no peer is there to read that it ends.
  void abandon(Instant now, const CloseReason& reason);
  /// The operating system does not send from `path.local` any more. A client goes on from another address,
  /// if it may; before the handshake is confirmed, when it may not, it ends. RFC 9000 §9.
  /// The network below is another, or is back. RFC 9002 §6.2.1.
  void on_network_changed(Instant now);
  void on_local_address_gone(Instant now, const Path& path);
  /// The routes have changed: the system would send from `source` now. A client follows, if it may.
  void on_source_changed(Instant now, const SocketAddress& source);
  /// The endpoint matched a stateless reset of this peer. RFC 9000 §10.3.1.
  void on_stateless_reset(Instant now);

 private:
  // HandshakeObserver
  void fill_parameters(wire::TransportParameters& out) override;
  void on_peer_limits(const wire::TransportParameters& limits, bool remembered) override;
  void on_peer_parameters(Instant now, const wire::TransportParameters& parameters) override;
  void on_remote_cid(const ConnectionId& id) override;
  void on_handshake_keys() override;
  void on_new_keys(EncryptionLevel level, Side sender) override;
  void on_space_reset(Instant now, PacketNumberSpace space) override;
  void on_space_discarded(Instant now, PacketNumberSpace space) override;
  void on_early_data_accepted() override;
  void on_early_data_rejected(Instant now) override;
  void on_session_ticket(std::vector<u8> ticket) override;
  void on_handshake_complete(Instant now) override;
  void on_handshake_confirmed(Instant now) override;
  // PathObserver
  void on_path_result(const Path& path, bool validated) override;
  void on_path_changed(Instant now, const Path& path) override;
  void on_local_address_learned(const Path& path) override;
  void on_new_address_validated(Instant now) override;
  // FateHandler
  void on_frame_fate(Instant now, PacketNumberSpace space, const SentFrame& frame,
                     Fate fate) override;

  // receiver.cpp
  void receive_packet(Instant now, Instant received_at, const wire::ProtectedHeader& header,
                      MutableBytes packet, const ReceivedDatagram& datagram,
                      IncomingDatagram& incoming);
  [[nodiscard]] bool awaits_keys(const wire::ProtectedHeader& header) const;
  void receive_undecryptable(Instant now, IncomingDatagram& incoming);
  std::optional<OpenPacket> open_packet(Instant now, const wire::ProtectedHeader& header,
                                        MutableBytes packet);
  bool decrypt(Instant now, const wire::ProtectedHeader& protected_header, const OpenPacket& packet,
               crypto::PacketKeys& keys, Bytes header, MutableBytes sealed);
  void on_packet_authenticated(Instant now, const wire::ProtectedHeader& header);
  /// RFC 9287 §3 [rfc9287-3-2]: we said so.
  [[nodiscard]] bool accepts_zero_quic_bit() const { return config_.grease.quic_bit; }
  /// `header` and `size` of the packet, where they are known.
  void drop(DropReason reason, const wire::ProtectedHeader* header = nullptr, std::size_t size = 0);

  // frame_dispatch.cpp
  /// What the frames of one packet were.
  struct DispatchResult {
    bool ack_eliciting = false;
    bool probing = true;  ///< Nothing but probing frames. RFC 9000 §9.1.
    PathChallenges challenges{};
  };
  Result dispatch_frames(Instant now, const OpenPacket& packet, IncomingDatagram& incoming,
                         DispatchResult& result);
  template <class F>
  Result on_frame(Instant now, const OpenPacket& packet, const F& frame, DispatchResult& result);
  Result on_ack(Instant now, EncryptionLevel level, const wire::AckFrame& frame);
  void on_new_token(Instant now, const wire::NewTokenFrame& frame);

  // handshake_effects.cpp
  void fill_server_parameters(wire::TransportParameters& out);
  void on_acceptance(Instant now, const Handshake::Acceptance& acceptance);
  void give_new_tokens(Instant now);

  // connection_machine.cpp
  std::optional<Transmit> transmit_probe(Instant now, TransmitBuffer& out);
  /// The train that goes out now, without a look at the invariants.
  void request_acks(Instant now, std::uint64_t flight);
  std::optional<Transmit> build_train(Instant now, TransmitBuffer& out);
  void give_probes_data(Instant now);
  void fail(Instant now, const TransportError& error);
  /// Whether an invariant did not hold since the last look: the connection ends with INTERNAL_ERROR.
  bool fail_if_broken(Instant now);
  /// Builds with assertions only. With much to look at it looks at one call in so many.
  void assert_consistent();
  void emit_closed();
  void replace_spent_cids();
  /// The parts get the observer, if there is one, which learns how the connection begins.
  void start_log();
  void log_handshake_complete() const;
  void log_state(log::ConnectionState state) const {
    log::emit(log_.get(), [&] { return log::ConnectionStateUpdated{.new_state = state}; });
  }

  /// Streams can be used: from the end of the handshake, or from early data on, to the end of the
  /// connection.
  [[nodiscard]] bool usable() const { return handshake_.allows_streams() && lifetime_.is_open(); }

  InvariantLatch latch_;
  std::uint32_t checks_ = 0;  ///< Calls of assert_consistent().
  ConnectionConfig config_;
  CidIssuer& issuer_;
  Instant created_at_;
  Instant called_at_;  ///< The latest time that a call gave, for next_deadline(), which gets none.
  std::unique_ptr<log::EventLog> log_;  ///< Null without an observer.

  NumberSpaces spaces_;
  KeyPhases key_phases_;
  Recovery recovery_;
  Lifetime lifetime_;
  StreamSet streams_;
  DatagramQueue datagrams_;
  LocalCids local_cids_;
  RemoteCids remote_cids_;
  NewTokens new_tokens_;
  AckFrequency ack_frequency_;
  ObservedAddresses observed_addresses_;
  Pings pings_;
  Paths paths_;
  Handshake handshake_;
  FrameSources sources_;
  PacketAssembler assembler_;
  UndecryptablePackets undecryptable_packets_;

  std::uint64_t failed_opens_ = 0;
  std::size_t new_tokens_received_ = 0;
  std::deque<ConnectionEvent> events_;
  ConnectionStats stats_;
};

static_assert(Machine<ConnectionMachine>);

}  // namespace qpeer::transport
