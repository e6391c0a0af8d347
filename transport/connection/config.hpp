// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What a connection can be told to do, and what it tells. Defaults are safe on the open internet.
//
// Here and in all options: a member that is itself an aggregate with a destructor begins with `= Type()`, not
// with `{}`. When a later initializer of a designated list throws, g++ (12 to 14 at least) destroys the members
// of one that began with `{}` twice.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/inline_vector.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/base/version.hpp"
#include "qpeer/transport/log/observer.hpp"
#include "qpeer/transport/recovery/congestion.hpp"
#include "qpeer/transport/stream/datagram_types.hpp"
#include "qpeer/transport/stream/stream_types.hpp"
#include "qpeer/transport/wire/transport_parameters.hpp"

namespace qpeer::transport {

/// Versions of QUIC that an endpoint speaks, the most preferred first. RFC 9368 §3.
using VersionOrder = InlineVector<Version, 4>;

/// The versions that an endpoint speaks unless it is configured otherwise.
constexpr VersionOrder all_versions() {
  VersionOrder out;
  out.push_back(Version::v1);
  out.push_back(Version::v2);
  return out;
}

/// What is sent only so that nobody comes to rely on its absence.
struct Grease {
  /// Take packets without the QUIC Bit, say so, and set the bit at random towards who says the same.
  /// Off where other protocols share the port. RFC 9287.
  bool quic_bit = true;
  bool transport_parameters = true;  ///< A reserved one. RFC 9000 §18.1.
  bool versions = true;              ///< A reserved one among those we speak. RFC 9000 §15.
};

/// Datagram Packetization Layer Path MTU Discovery. RFC 8899; RFC 9000 §14.3.
struct MtuDiscoveryConfig {
  bool enabled = true;  ///< Off: packets keep ConnectionConfig::max_datagram_size.
  /// The largest UDP payload over IPv4 to look for; over IPv6 it is 20 bytes less. 1472 fills the
  /// packets of an Ethernet. No more than the interface can send.
  std::uint16_t max_datagram_size = 1472;
  /// How long the result stands before larger sizes are tried again. RFC 8899 §5.1.1.
  Duration raise_interval = 600s;
};

/// What a connection is made with. Values out of their range are brought into it, without an error.
struct ConnectionConfig {
  /// Client: the version to start with, but for a connection with a ticket of another of `versions`,
  /// which serves that one only. A reserved one (0x?a?a?a?a) makes the server tell its own, which
  /// costs a round trip. RFC 9000 §15; RFC 9369 §5.
  Version version = Version::v1;
  /// The versions spoken, the most preferred first. RFC 9368 §3.
  VersionOrder versions = all_versions();
  /// Comes before those. A server moves clients to it that began with another and offer it, without
  /// a round trip; unset, they stay where they began. RFC 9368 §2.3, RFC 9369 §4.
  std::optional<Version> preferred_version{};
  Grease grease{};         ///< What is sent against ossification.
  StreamConfig streams{};  ///< Windows, buffers and counts of streams.
  /// The connection ends in silence after this long without traffic; 0 is never. RFC 9000 §10.1.
  Duration max_idle_timeout = 30s;
  /// Sends a PING when nothing else was heard for this long, or for half of the idle timeout if
  /// that is shorter; 0 is never. RFC 9000 §10.1.2.
  Duration keep_alive{};
  Duration handshake_timeout = 10s;  ///< 0 is never.
  /// The longest that we hold an acknowledgement back. RFC 9000 §13.2.1.
  Duration max_ack_delay = 25ms;
  /// The largest UDP payload that we send at first: 1200 is safe everywhere; 1452 suits paths known
  /// to carry 1500-byte packets. RFC 9000 §14.
  std::uint16_t max_datagram_size = 1200;
  /// Larger ones are looked for while data flows. RFC 9000 §14.3.
  MtuDiscoveryConfig mtu_discovery{};
  /// Assumed until a first sample; cut to 1 ms to 60 s. RFC 9002 §6.2.2.
  Duration initial_rtt = 333ms;
  bool ecn = true;     ///< Mark packets, where a path lets marks through. RFC 9000 §13.4.
  bool pacing = true;  ///< Spread packets over the round trip. RFC 9002 §7.7.
  /// How many connection IDs of the peer we keep; at least 2. RFC 9000 §5.1.1.
  std::uint64_t active_connection_id_limit = 4;
  /// Client: have no connection ID, so that packets to us are 8 bytes shorter. An endpoint takes one
  /// such connection at a time, and it cannot migrate. RFC 9000 §5.1.
  bool zero_length_connection_id = false;
  /// Ask the peer to stay at its address. One that a NAT moves is followed all the same.
  /// RFC 9000 §9, §18.2.
  bool disable_active_migration = false;
  /// The network paths that are known at once, the one in use included; at least 2. RFC 9000 §9.
  std::size_t max_paths = 4;
  /// Server: where clients shall move to once they are connected, in either family. Its socket must
  /// be one of those that drive the endpoint. RFC 9000 §9.6.
  SocketAddress preferred_ipv4{};
  /// The same of IPv6.
  SocketAddress preferred_ipv6{};
  /// Client: whether to do so.
  bool use_preferred_address = true;
  /// The largest DATAGRAM frame that the peer may send, header included: 65535 is any that fits a
  /// packet, 0 none. Sending needs only that the peer takes them. RFC 9221 §3.
  std::uint64_t max_datagram_frame_size = 0;
  DatagramLimits datagrams{};  ///< Queues of DATAGRAM frames.
  /// Whether to tell the peer the address that we see it at, and to ask it for ours. What it says
  /// proves nothing. draft-ietf-quic-address-discovery.
  wire::AddressDiscovery address_discovery{};
  /// Server: how many address tokens a client is given for its next connections, once the handshake
  /// is confirmed; 4 at most, 0 is none. RFC 9000 §8.1.3.
  std::size_t new_tokens = 1;
  /// Client: how many of the server's tokens are told as TokenReceived; more are ignored.
  std::size_t max_new_tokens = 8;
  /// Out-of-order handshake bytes kept a level, 4096 at least; of Initials no more than 16 KiB.
  /// RFC 9000 §7.5.
  std::size_t crypto_buffer = 64 << 10;
  /// What limits how much is in flight. Each path has a controller of its own. RFC 9002 §7.
  CongestionAlgorithm congestion_algorithm = CongestionAlgorithm::cubic;
  /// Makes a controller of your own for each path, and is called with the path's max_datagram_size.
  /// Unset, or where it gives a null pointer, congestion_algorithm decides.
  std::function<std::unique_ptr<CongestionController>(std::uint16_t)> congestion_controller{};
  /// Learns what happens to the connection: see log/observer.hpp, and log/qlog.hpp for qlog files. Unset:
  /// nobody does, at no cost.
  log::ObserverFactory observer{};
};

/// Why a connection ended.
struct CloseReason {
  /// Who ended it, and how.
  enum class Kind : u8 {
    local_application,  ///< close() was called here.
    peer_application,   ///< The peer's application closed.
    local_transport,  ///< We found the peer, or ourselves, at fault: code is a TransportErrorCode.
    peer_transport,   ///< The peer found so.
    idle_timeout,
    handshake_timeout,
    stateless_reset,
    version_negotiation,  ///< The server speaks none of our versions.
    port_closed,          ///< An ICMP message said so of the address that we dialled.
  };
  Kind kind = Kind::local_application;  ///< Who ended it, and how.
  /// An application error code or a TransportErrorCode, as `kind` says.
  std::uint64_t code = 0;
  /// Of a transport error: the frame that caused it; 0 when not known.
  std::uint64_t frame_type = 0;
  std::string reason{};  ///< At most 256 bytes; a peer's is untrusted text.
};

/// One readable line, control bytes escaped.
std::string to_string(const CloseReason& reason);

/// Why there will be no other path.
enum class PathError : u8 {
  closed,
  not_client,
  not_confirmed,     ///< Too early: wait for Confirmed.
  disabled,          ///< The peer said disable_active_migration.
  no_connection_id,  ///< The peer gave none that is unused; or one side has zero-length IDs.
  too_many_paths,
  bad_address,  ///< Not an address of the peer's family, or the one in use.
  // Told by async::AsyncConnection, for the machine has events.
  no_answer,   ///< Nothing came back over it.
  superseded,  ///< A later migrate() came in between.
};
/// The error in words; a literal.
std::string_view to_string(PathError error);

/// The handshake is complete: the peer is authenticated, streams can open.
struct Connected {};
/// The handshake is confirmed. RFC 9001 §4.1.2.
struct Confirmed {};
/// What ping() sent is acknowledged; once for each call.
struct Pong {};
/// next_datagram() gives one, which it did not before.
struct DatagramReadable {};
/// The peer sees us at another address than before.
struct AddressObserved {
  SocketAddress address;  ///< Ours, as the peer sees it.
};
/// Client: the server gave an address token.
struct TokenReceived {
  /// For ConnectOptions::address_token of one later connection to the same server: opaque bytes, a
  /// secret, to be stored and given back as they are.
  std::vector<u8> address_token;
};
/// Client: the server gave a ticket. Several may come, each for one connection.
struct TicketReceived {
  /// For ConnectOptions::session_ticket of the next connection to this server. Opaque, a secret, at
  /// most SessionTicket::kMaxSize bytes.
  std::vector<u8> session_ticket;
};
/// Before Connected. Client: whether the server took what was sent early; if not, see EarlyDataPolicy.
/// Server, always accepted: what comes from now until Connected may be a replay; Connection::is_early()
/// tells which streams.
struct EarlyDataDecided {
  bool accepted = false;  ///< Whether it counts.
};
/// What became of a path.
struct PathActivity {
  /// What happened.
  enum class Kind : u8 {
    validated,  ///< What probe_path() asked for works.
    failed,     ///< What probe_path(), migrate() or the server wanted does not.
    changed,    ///< The connection goes on over it, because we or the peer moved.
  };
  Kind kind = Kind::validated;  ///< What happened.
  Path path{};                  ///< To which path.
};
/// The connection has ended. Its last event.
struct Closed {
  CloseReason reason;  ///< Why.
};

/// What happened to a connection.
using ConnectionEvent =
    std::variant<Connected, Confirmed, StreamEvent, Pong, DatagramReadable, AddressObserved,
                 TokenReceived, TicketReceived, EarlyDataDecided, PathActivity, Closed>;

/// What a client may send before the handshake is complete, and what becomes of it when the server
/// rejects it. RFC 9001 §4.6.2.
enum class EarlyDataPolicy : u8 {
  none,    ///< Nothing is sent early.
  resend,  ///< The library sends the streams again, as if they had been opened later.
  report,  ///< All early streams are gone; the application opens others, or not.
};

/// How many datagrams or packets were discarded, by DropReason.
using DropCounts = std::array<std::uint64_t, static_cast<std::size_t>(DropReason::count_)>;

/// Figures of one connection. Bytes are UDP payload.
struct ConnectionStats {
  std::uint64_t packets_sent = 0;       ///< QUIC packets; a datagram may carry several.
  std::uint64_t packets_received = 0;   ///< Those that could be decrypted.
  std::uint64_t packets_lost = 0;       ///< Of those sent: declared lost. RFC 9002 §6.1.
  std::uint64_t spurious_losses = 0;    ///< Of those: acknowledged later, so they were only late.
  std::uint64_t packets_dropped = 0;    ///< Received and discarded, whatever the reason.
  std::uint64_t bytes_sent = 0;         ///< All of our datagrams.
  std::uint64_t bytes_received = 0;     ///< All of the peer's datagrams.
  std::uint64_t congestion_window = 0;  ///< Of the path in use, bytes.
  std::uint64_t key_updates = 0;        ///< By either side. RFC 9001 §6.
  std::uint64_t early_bytes =
      0;  ///< In 0-RTT packets: of streams and datagrams sent, of streams taken.
  std::uint64_t path_changes = 0;       ///< How often the connection moved.
  std::uint16_t max_datagram_size = 0;  ///< Of the path in use.
  DatagramStats datagrams{};            ///< Of DATAGRAM frames.
  Duration smoothed_rtt{};              ///< RFC 9002 §5.3.
  Duration min_rtt{};                   ///< RFC 9002 §5.2.
  Duration handshake_time{};            ///< From creation to Connected; 0 before.
};

}  // namespace qpeer::transport
