// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The handshake of one connection: TLS, the keys of each level as they come and go, versions,
// transport parameters, early data, Retry. RFC 9001 §4; RFC 9000 §7, §8.1.2, §17.2.5; RFC 9368.
//
//   handshaking --TLS is done--> complete --server: at once; client: HANDSHAKE_DONE--> confirmed
//
// Invariant: what is confirmed is complete; what is complete has 1-RTT keys both ways; what is
// confirmed has no Initial and no Handshake keys; old 0-RTT keys have an end.
//
//   handshake.cpp          TLS, keys, transport parameters
//   handshake_packets.cpp  which long header packets are taken; Retry, Version Negotiation
//   early_data.cpp         tickets, resumption, 0-RTT
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "qpeer/crypto/keys.hpp"
#include "qpeer/crypto/tls_session.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/connection/config.hpp"
#include "qpeer/transport/connection/early_data_state.hpp"
#include "qpeer/transport/connection/handshake_done.hpp"
#include "qpeer/transport/connection/key_phases.hpp"
#include "qpeer/transport/connection/number_space.hpp"
#include "qpeer/transport/connection/quic_bit.hpp"
#include "qpeer/transport/connection/setup.hpp"
#include "qpeer/transport/connection/version_choice.hpp"
#include "qpeer/transport/wire/ack_frame.hpp"
#include "qpeer/transport/wire/frame.hpp"
#include "qpeer/transport/wire/header.hpp"
#include "qpeer/transport/wire/packet_decoder.hpp"
#include "qpeer/transport/wire/transport_parameters.hpp"

namespace qpeer::transport {

/// What a handshake asks of its connection, and what it changes there.
class HandshakeObserver {
 public:
  /// Fills in what our streams, connection IDs and datagrams announce.
  virtual void fill_parameters(wire::TransportParameters& out) = 0;
  /// What may be sent from now on, though nothing is confirmed: `remembered` limits are those of an
  /// earlier connection, for early data.
  virtual void on_peer_limits(const wire::TransportParameters& limits, bool remembered) = 0;
  virtual void on_peer_parameters(Instant now, const wire::TransportParameters& parameters) = 0;
  /// The Destination Connection ID of the handshake is another one.
  virtual void on_remote_cid(const ConnectionId& id) = 0;
  /// There are keys of a level for the packets that `sender` sends.
  virtual void on_new_keys(EncryptionLevel level, Side sender) = 0;
  /// A Handshake packet can be sent.
  virtual void on_handshake_keys() = 0;
  /// What was sent in the space is of no use: to be sent again.
  virtual void on_space_reset(Instant now, PacketNumberSpace space) = 0;
  /// Nothing of the space will ever be acknowledged.
  virtual void on_space_discarded(Instant now, PacketNumberSpace space) = 0;
  virtual void on_early_data_accepted() = 0;
  virtual void on_early_data_rejected(Instant now) = 0;
  /// Client: for the next connection, as SessionTicket encodes it.
  virtual void on_session_ticket(std::vector<u8> ticket) = 0;
  virtual void on_handshake_complete(Instant now) = 0;
  virtual void on_handshake_confirmed(Instant now) = 0;

 protected:
  ~HandshakeObserver() = default;
};

class Handshake final : private crypto::TlsHandler {
 public:
  /// All references must outlive it. `local_cid` is our first connection ID.
  Handshake(const ConnectionConfig& config, ConnectionSetup setup, const ConnectionId& local_cid,
            crypto::KeyFactory& keys, Random& random, NumberSpaces& spaces, KeyPhases& key_phases,
            HandshakeObserver& observer);
  ~Handshake() override;
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;

  /// Makes the Initial keys and begins with TLS. Call once. An error closes.
  Result start();

  // --- what is known -----------------------------------------------------------------------------

  [[nodiscard]] Side side() const { return setup_.side; }
  /// The version in use.
  [[nodiscard]] Version version() const { return versions_.negotiated(); }
  /// What was settled before the connection, brought up to date.
  [[nodiscard]] const ConnectionSetup& setup() const { return setup_; }
  [[nodiscard]] const crypto::TlsSession& tls() const { return *tls_; }
  [[nodiscard]] const wire::TransportParameters& peer_parameters() const {
    return peer_parameters_;
  }
  [[nodiscard]] bool is_complete() const { return complete_; }
  [[nodiscard]] bool is_confirmed() const { return confirmed_; }
  /// Streams can be used: from the end of the handshake on, or from early data on.
  [[nodiscard]] bool allows_streams() const { return complete_ || early_.usable; }
  [[nodiscard]] crypto::EarlyData early_data() const { return early_.state; }
  /// Of streams and datagrams in 0-RTT packets.
  [[nodiscard]] std::uint64_t early_bytes() const { return early_.bytes; }
  void count_early_bytes(std::uint64_t bytes) { early_.bytes += bytes; }
  /// Whether the frame acknowledges packets of rejected early data.
  [[nodiscard]] bool acknowledges_rejected(const wire::AckFrame& frame) const;

  // --- keys --------------------------------------------------------------------------------------

  [[nodiscard]] bool can_send(EncryptionLevel level) const {
    if (level == EncryptionLevel::zero_rtt) return can_send_early();
    if (level == EncryptionLevel::one_rtt) {
      // RFC 9001 §4.6.2: a server answers early data before it has the client's Finished.
      return key_phases_.can_send() &&
             (complete_ || (setup_.side == Side::server && early_.usable));
    }
    return static_cast<bool>(spaces_[space_of(level)].send);
  }
  [[nodiscard]] bool can_receive(EncryptionLevel level) const;
  /// There are no keys, but they may still come.
  [[nodiscard]] bool awaits_keys(EncryptionLevel level) const;
  /// Client: 0-RTT packets can be sent.
  [[nodiscard]] bool can_send_early() const {
    return setup_.side == Side::client && static_cast<bool>(early_.keys);
  }
  /// Those of a long header packet that can be received.
  crypto::PacketKeys& receive_keys(const wire::ProtectedHeader& header);
  /// Those of a level below 1-RTT at which can_send().
  [[nodiscard]] const crypto::PacketKeys& send_keys(EncryptionLevel level) const;
  void discard_keys(Instant now, PacketNumberSpace which);

  // --- packets -----------------------------------------------------------------------------------

  /// Why the packet or the connection ends here.
  using Refusal = std::variant<DropReason, TransportError, CloseReason>;
  using Acceptance = std::expected<void, Refusal>;

  /// Why a packet with a long header is to be dropped unread; `datagram_size` is that of its
  /// datagram.
  [[nodiscard]] std::optional<DropReason> refuses(const wire::ProtectedHeader& header,
                                                  std::size_t datagram_size) const;
  void on_packet_authenticated(Instant now, const wire::ProtectedHeader& header, Duration pto);
  Acceptance on_retry(Instant now, const wire::ProtectedHeader& header, Bytes packet);
  Acceptance on_version_negotiation(Instant now, Bytes packet);
  Result on_frame(Instant now, EncryptionLevel level, const wire::CryptoFrame& frame);
  /// The peer confirmed the handshake, or we know that it is.
  void confirm(Instant now);

  /// What our long header packets of a level have in their headers.
  [[nodiscard]] wire::LongHeader long_header(EncryptionLevel level,
                                             const ConnectionId& destination) const;
  /// Nothing came back in time.
  void on_pto();
  /// The QUIC Bit of the next packet.
  bool next_quic_bit() { return quic_bit_.next(random_); }
  [[nodiscard]] HandshakeDone& done() { return done_; }
  [[nodiscard]] const HandshakeDone& done() const { return done_; }

  // --- time --------------------------------------------------------------------------------------

  /// When the keys of early data go.
  [[nodiscard]] Instant deadline() const { return early_.keys_end; }
  void on_deadline(Instant now);

  /// Whether the invariant holds. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  // TlsHandler
  void on_tls_data(EncryptionLevel level, Bytes data) override;
  void on_tls_secret(EncryptionLevel level, crypto::Direction direction, crypto::CipherSuite suite,
                     Bytes secret) override;
  Result on_tls_transport_parameters(Bytes parameters) override;
  void on_tls_session(Bytes session) override;
  std::vector<u8> tls_ticket_data() override;
  crypto::TicketUse on_tls_ticket(Bytes ticket_data) override;

  // handshake.cpp
  [[nodiscard]] crypto::PacketKeys initial_keys(Version version, Side sender) const;
  void install_initial_keys();
  [[nodiscard]] wire::TransportParameters local_parameters();
  Bytes encode_parameters(MutableBytes storage);
  [[nodiscard]] Result check_connection_ids(const wire::TransportParameters& parameters) const;
  Result agree_on_version(const wire::TransportParameters& parameters);
  Result feed_tls(Instant now);
  void complete(Instant now);

  // handshake_packets.cpp
  [[nodiscard]] bool is_spoken(const wire::ProtectedHeader& header) const;
  [[nodiscard]] bool fits_initials() const;
  Result restart_with_version(Instant now);

  // early_data.cpp
  [[nodiscard]] crypto::Resumption read_ticket();
  void on_early_secret(crypto::Direction direction, crypto::CipherSuite suite, Bytes secret);
  Result settle_early_data(Instant now);
  void reject_early_data(Instant now);

  const ConnectionConfig& config_;
  ConnectionSetup setup_;
  ConnectionId local_cid_;
  crypto::KeyFactory& keys_;
  Random& random_;
  NumberSpaces& spaces_;
  KeyPhases& key_phases_;
  HandshakeObserver& observer_;

  std::unique_ptr<crypto::TlsSession> tls_;
  VersionChoice versions_;
  QuicBit quic_bit_;
  EarlyDataState early_;
  HandshakeDone done_;
  wire::TransportParameters peer_parameters_;
  bool has_new_peer_parameters_ = false;  ///< Which the connection does not know yet.
  /// Of Initials in the version that is not the original one.
  crypto::PacketKeys switched_initial_receive_;
  std::optional<ConnectionId> retry_source_connection_id_;
  bool peer_packet_processed_ = false;  ///< Retry and Version Negotiation come too late then.
  bool complete_ = false;
  bool confirmed_ = false;
};

}  // namespace qpeer::transport
