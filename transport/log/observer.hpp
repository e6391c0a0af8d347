// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What happened to a connection, as plain structs, and the interface of who wants to know. Names of
// events and members are those of draft-ietf-quic-qlog-quic-events, whose sections say what they mean.
//
// An observer is given in ConnectionConfig::observer. Views in an event (spans, strings) are lent for
// the call. Nothing here allocates, so that an observer that does not either costs no allocation; a
// connection without an observer works none of this out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "qpeer/crypto/aead.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/base/version.hpp"
#include "qpeer/transport/wire/transport_parameters.hpp"

namespace qpeer::transport::log {

/// Who did it: this endpoint or its peer.
enum class Initiator : u8 { local, remote };

// --- connectivity ----------------------------------------------------------------------------------

/// The first event of a connection.
struct ConnectionStarted {
  Path path;                ///< A client may not know its own address yet.
  ConnectionId local_cid;   ///< Ours.
  ConnectionId remote_cid;  ///< The peer's; of a client, the one that it drew for the server.
};

/// It ended; see CloseReason, which says the same to the application.
struct ConnectionClosed {
  /// Why, as the draft has it.
  enum class Trigger : u8 {
    idle_timeout,
    application,
    error,
    version_mismatch,
    stateless_reset,
    aborted,
    unspecified,
  };
  std::optional<Initiator> initiator{};  ///< Unset when neither side said so: a time-out.
  /// Either this or the next, if a code ended it.
  std::optional<std::uint64_t> connection_error{};
  std::optional<std::uint64_t> application_error{};  ///< Chosen by an application.
  std::string_view reason{};                         ///< A peer's is untrusted bytes.
  Trigger trigger = Trigger::unspecified;            ///< Why.
};

/// A side sends to, or is reached by, another connection ID.
struct ConnectionIdUpdated {
  Initiator initiator = Initiator::local;  ///< Whose ID it is.
  std::optional<ConnectionId> old_id{};    ///< What was in use before, when known.
  std::optional<ConnectionId> new_id{};    ///< What is from now on.
};

/// The states that this library tells.
enum class ConnectionState : u8 {
  attempted,
  handshake_started,
  handshake_complete,
  handshake_confirmed,
  closing,
  draining,
  closed,
};
/// A new state of the connection.
struct ConnectionStateUpdated {
  ConnectionState new_state = ConnectionState::attempted;  ///< From now on.
};

/// A path is in use from now on.
struct TupleAssigned {
  std::uint64_t tuple_id = 0;  ///< Counts the changes of path; 0 is that of the handshake.
  Path path;                   ///< The addresses.
};

/// The size of full datagrams on the path in use changed.
struct MtuUpdated {
  std::uint32_t old_mtu = 0;  ///< Bytes of UDP payload.
  std::uint32_t new_mtu = 0;  ///< Bytes of UDP payload.
};

// --- transport -------------------------------------------------------------------------------------

/// The versions that both sides speak, once the one in use is settled.
struct VersionInformation {
  std::span<const Version> server_versions{};  ///< Empty when not known.
  std::span<const Version> client_versions{};  ///< Empty when not known.
  Version chosen_version = Version::v1;        ///< In use.
};

/// The application protocol, once it is chosen.
struct AlpnInformation {
  std::string_view chosen_alpn{};  ///< Any bytes.
};

/// Transport parameters that were sent or received.
struct ParametersSet {
  Initiator initiator = Initiator::local;                 ///< Whose they are.
  const wire::TransportParameters* parameters = nullptr;  ///< Lent for the call; never null.
  bool resumed = false;                                   ///< A session ticket was taken.
  bool early_data_enabled = false;                        ///< Early data was offered or taken.
  std::optional<crypto::CipherSuite> tls_cipher{};        ///< When known.
};

/// What is known of a packet's header.
struct PacketHeader {
  std::optional<PacketType> packet_type{};      ///< Unset: it could not be read.
  std::optional<PacketNumber> packet_number{};  ///< Whole, not as truncated on the wire.
  std::optional<bool> key_phase_bit{};          ///< Of 1-RTT packets.
  std::optional<Version> version{};             ///< Of long headers.
  std::optional<ConnectionId> source{};         ///< Of long headers.
  std::optional<ConnectionId> destination{};    ///< When it is not obvious.
  std::optional<std::size_t> token_length{};    ///< Of Initial and Retry packets that have a token.
};

/// A packet left the connection, for the socket.
struct PacketSent {
  PacketHeader header{};             ///< Of the packet.
  Bytes frames{};                    ///< The plain payload: encoded frames, padding included.
  std::size_t length = 0;            ///< Of the whole packet, bytes.
  bool is_mtu_probe_packet = false;  ///< It tries a larger datagram.
  bool is_pto_probe = false;         ///< Sent because no acknowledgement came in time.
};

/// A packet was authenticated, and its frames are about to be processed.
struct PacketReceived {
  PacketHeader header{};      ///< Of the packet.
  Bytes frames{};             ///< The plain payload: encoded frames, not checked yet.
  std::size_t length = 0;     ///< Of the whole packet, bytes.
  bool was_buffered = false;  ///< It waited for its keys: see PacketBuffered.
};

/// A packet was discarded.
struct PacketDropped {
  PacketHeader header{};             ///< As far as it could be read.
  std::size_t length = 0;            ///< Bytes; 0 when not known.
  DropReason reason = DropReason{};  ///< Why.
};

/// A packet came before its keys, and waits for them.
struct PacketBuffered {
  PacketHeader header{};   ///< As far as it can be read.
  std::size_t length = 0;  ///< Bytes.
};

/// A train of datagrams was given to the socket.
struct UdpDatagramsSent {
  std::size_t size = 0;          ///< Bytes of all of them.
  std::size_t segment_size = 0;  ///< Bytes of each but the last.
  Ecn ecn = Ecn::not_ect;        ///< Of each.
};

/// One datagram came.
struct UdpDatagramsReceived {
  std::size_t size = 0;    ///< Bytes.
  Ecn ecn = Ecn::not_ect;  ///< As it came.
};

/// A step of RFC 9000 §3.1, §3.2.
enum class StreamState : u8 {
  ready,
  send,
  data_sent,
  reset_sent,
  reset_received,
  receive,
  size_known,
  data_read,
  reset_read,
  data_received,
};
/// One direction of a stream is in another state.
struct StreamStateUpdated {
  StreamId stream_id;                          ///< Which stream.
  bool sending = true;                         ///< The direction: that of our data, or the peer's.
  StreamState new_state = StreamState::ready;  ///< From now on.
};

/// A step of RFC 9000 §9.
enum class MigrationState : u8 {
  probing_started,
  probing_abandoned,
  probing_successful,
  migration_started,
  migration_abandoned,
  migration_complete,
};
/// A path is looked at, or gone over to.
struct MigrationStateUpdated {
  MigrationState new_state = MigrationState::probing_started;  ///< From now on.
  Path path;                                                   ///< The one that it is about.
};

// --- security --------------------------------------------------------------------------------------

/// Keys of one level and direction. No event has a key or a secret in it.
struct KeyType {
  EncryptionLevel level = EncryptionLevel::initial;  ///< Which packets they protect.
  Side sender = Side::client;                        ///< Whose packets.
};
/// What made keys come or go.
enum class KeyTrigger : u8 { tls, remote_update, local_update };

/// There are new keys.
struct KeyUpdated {
  KeyType key_type{};                        ///< Which.
  std::optional<std::uint64_t> key_phase{};  ///< Of 1-RTT: how many updates went before.
  KeyTrigger trigger = KeyTrigger::tls;      ///< Why.
};

/// Keys are gone.
struct KeyDiscarded {
  KeyType key_type{};                        ///< Which.
  std::optional<std::uint64_t> key_phase{};  ///< Of 1-RTT.
  KeyTrigger trigger = KeyTrigger::tls;      ///< Why.
};

// --- recovery --------------------------------------------------------------------------------------

/// With what recovery begins. RFC 9002 §A.2, §B.2.
struct RecoveryParametersSet {
  std::uint16_t reordering_threshold = 0;             ///< Packets.
  float time_threshold = 0;                           ///< Round trips.
  Duration timer_granularity{};                       ///< Of timers.
  Duration initial_rtt{};                             ///< Until there is a sample.
  std::uint32_t max_datagram_size = 0;                ///< Bytes.
  std::uint64_t initial_congestion_window = 0;        ///< Bytes.
  std::uint16_t persistent_congestion_threshold = 0;  ///< PTOs.
};

/// All figures of the path in use, as of now. RFC 9002 §A.3, §B.2.
struct RecoveryMetricsUpdated {
  Duration min_rtt{};                          ///< 0 before the first sample, as the next but one.
  Duration smoothed_rtt{};                     ///< Weighted mean.
  Duration latest_rtt{};                       ///< The newest sample.
  Duration rtt_variance{};                     ///< Mean deviation.
  std::uint16_t pto_count = 0;                 ///< Expirations in a row.
  std::uint64_t congestion_window = 0;         ///< Bytes.
  std::uint64_t bytes_in_flight = 0;           ///< Bytes.
  std::optional<std::uint64_t> ssthresh{};     ///< Bytes; unset where there is none.
  std::optional<std::uint64_t> pacing_rate{};  ///< Bits a second; unset without pacing.
  friend bool operator==(const RecoveryMetricsUpdated&, const RecoveryMetricsUpdated&) = default;
};

/// The congestion controller is in another phase.
struct CongestionStateUpdated {
  std::string_view old_state{};  ///< Its own names, such as "slow_start"; empty at first.
  std::string_view new_state{};  ///< Its own names.
};

/// A packet was declared lost.
struct PacketLost {
  /// What showed it.
  enum class Trigger : u8 { reordering_threshold, time_threshold, pto_expired };
  PacketNumberSpace space = PacketNumberSpace::initial;  ///< What it is numbered in.
  PacketNumber packet_number = 0;                        ///< In that space.
  bool is_mtu_probe_packet = false;                      ///< Which says nothing of congestion.
  Trigger trigger = Trigger::reordering_threshold;       ///< What showed it.
};

/// What is sent again: the data of one frame that was lost, or may be.
struct MarkedForRetransmit {
  std::optional<StreamId> stream_id{};  ///< Of a STREAM frame; unset: a CRYPTO frame.
  std::uint64_t offset = 0;             ///< In that stream.
  std::size_t length = 0;               ///< Bytes.
  bool fin = false;                     ///< The end of the stream is of it.
};

/// RFC 9000 §13.4.2.
enum class EcnState : u8 { testing, unknown, failed, capable };
/// Another state of ECN validation on the path in use.
struct EcnStateUpdated {
  EcnState old_state = EcnState::testing;  ///< Until now.
  EcnState new_state = EcnState::testing;  ///< From now on.
};

/// The loss detection timer. RFC 9002 §6.2, §A.8.
struct TimerUpdated {
  /// What will happen, or has.
  enum class Type : u8 { loss_timeout, pto };
  /// What became of it.
  enum class EventType : u8 { set, expired, cancelled };
  std::optional<Type> timer_type{};       ///< Unset when it is cancelled.
  EventType event_type = EventType::set;  ///< What became of it.
  Duration delta{};                       ///< When set: from now on.
};

/// Any of them.
using Event = std::variant<
    ConnectionStarted, ConnectionClosed, ConnectionIdUpdated, ConnectionStateUpdated, TupleAssigned,
    MtuUpdated, VersionInformation, AlpnInformation, ParametersSet, PacketSent, PacketReceived,
    PacketDropped, PacketBuffered, UdpDatagramsSent, UdpDatagramsReceived, StreamStateUpdated,
    MigrationStateUpdated, KeyUpdated, KeyDiscarded, RecoveryParametersSet, RecoveryMetricsUpdated,
    CongestionStateUpdated, PacketLost, MarkedForRetransmit, EcnStateUpdated, TimerUpdated>;

/// Which connection an event is of.
struct Source {
  /// Of the client's first Initial: both sides know it. RFC 9000 §7.2.
  ConnectionId original_destination_connection_id{};
  Side side = Side::client;  ///< Ours.
  Instant created_at{};      ///< When the connection was made.
  Duration clock_offset{};   ///< What an Instant lacks to Unix time; 0 when not known.
};

/// Learns what happens to connections, in the order in which it happens. Each call comes from the
/// thread that drives the connection, in the middle of its work: an observer must not throw, block for
/// long, or call the connection or its endpoint.
class Observer {
 public:
  virtual ~Observer() = default;
  /// `source` and `event` are lent for the call; `now` never goes back for one connection.
  virtual void on_event(const Source& source, Instant now, const Event& event) = 0;
};

/// Gives each new connection its observer: one of its own, one that several share, or nullptr, and then
/// nothing is observed. The connection keeps it to its own end. Called in the thread that drives the
/// connection: who serves several threads with one observer makes it safe.
using ObserverFactory = std::function<std::shared_ptr<Observer>(const Source&)>;

}  // namespace qpeer::transport::log
