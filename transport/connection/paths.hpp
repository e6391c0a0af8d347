// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The rules by which a connection uses network paths: which datagrams it takes, challenges and their
// time-outs, the peer's moves and our own, the address that the server prefers, how large datagrams
// may be. RFC 9000 §8.1, §8.2, §9, §14; RFC 8899.
//
//   server   non-probing packet, the newest, from elsewhere --> follow at once, challenge both paths
//                                                           \__ ours is another too: challenge first
//            challenge not answered in time                 --> back to the last validated path
//   client   probe, migrate, preferred_address              --> challenge --> event, or migration
//
// Invariant: each path has a connection ID of the peer's that is not retired, the path in use the
// current one; what recovery knows of a path is kept here only while the path is not in use.
// client_migration.cpp has what only clients do, path_probes.cpp what is sent and how large.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>

#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/connection/config.hpp"
#include "qpeer/transport/connection/path.hpp"
#include "qpeer/transport/connection/path_table.hpp"
#include "qpeer/transport/connection/remote_cids.hpp"
#include "qpeer/transport/log/event_log.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/recovery/recovery.hpp"
#include "qpeer/transport/wire/frame.hpp"
#include "qpeer/transport/wire/transport_parameters.hpp"

namespace qpeer::transport {

/// What the rest of a connection learns of its paths.
class PathObserver {
 public:
  /// A path that the application asked for, or that the server prefers, works or does not.
  virtual void on_path_result(const Path& path, bool validated) = 0;
  /// The connection goes on over another path.
  virtual void on_path_changed(Instant now, const Path& path) = 0;
  /// The system chose the local address of the path in use, and it is known now.
  virtual void on_local_address_learned(const Path& path) = 0;
  /// The address in use, which is not the one of the handshake, is the peer's.
  virtual void on_new_address_validated(Instant now) = 0;

 protected:
  ~PathObserver() = default;
};

class Paths {
 public:
  /// All references must outlive it. `first` is the path of the handshake.
  Paths(Side side, const ConnectionConfig& config, const Path& first, Recovery& recovery,
        RemoteCids& remote_cids, PathObserver& observer);

  /// From now on an observer learns of probes and moves. `log` must outlive this object.
  void set_log(const log::EventLog& log) { log_ = &log; }

  /// The path in use.
  [[nodiscard]] NetworkPath& active() { return table_.active(); }
  [[nodiscard]] const NetworkPath& active() const { return table_.active(); }
  [[nodiscard]] const PathTable& table() const { return table_; }

  /// What the peer's transport parameters, or those remembered for early data, say of datagrams.
  void limit_datagram_size(const wire::TransportParameters& parameters);
  /// The peer's transport parameters.
  void set_peer_parameters(const wire::TransportParameters& parameters);
  /// The handshake proved the path that it used. From here on paths may change.
  void on_handshake_confirmed(Instant now);

  // --- receiving ---------------------------------------------------------------------------------

  /// Counts the datagram for its path. nullopt when it is not to be read: it came over a path that is
  /// not known, and none may be added.
  [[nodiscard]] std::optional<IncomingDatagram> on_datagram(const ReceivedDatagram& datagram,
                                                            bool connection_is_open);
  /// Credit for the path in use may have come or gone. RFC 9000 §8.1.
  void update_amplification(Instant now);
  /// Whether `address` has a local address that the peer no longer uses.
  [[nodiscard]] bool is_stale_local_address(const Path& address) const;
  /// `destination` is here and below the connection ID that the frame's packet was sent to.
  void on_path_challenge(Instant now, IncomingDatagram& datagram, const ConnectionId& destination,
                         const wire::PathChallengeFrame& frame);
  void on_path_response(Instant now, const wire::PathResponseFrame& frame);
  /// The peer has retired IDs that we use: each path gets another one.
  void replace_retired_cids();
  /// A 1-RTT packet came over this path.
  void on_packet(Instant now, const IncomingDatagram& datagram, const ConnectionId& destination);
  /// Whether the datagram came over the path in use.
  [[nodiscard]] bool is_active(const IncomingDatagram& datagram) const {
    return datagram.path == table_.active().id;
  }
  /// The newest packet of the peer, and more than a probe, came over another path than the one in
  /// use.
  void on_peer_migrated(Instant now, IncomingDatagram& datagram, const ConnectionId& destination);

  // --- what clients ask for ------------------------------------------------------------------------

  /// Looks whether the peer can be reached from `local`; `intent` is probe or migrate.
  std::expected<void, PathError> begin(Instant now, const SocketAddress& local,
                                       NetworkPath::Intent intent);

  /// The system does not send from `address.local` any more. A client whose path in use that was goes
  /// on at once, over another path that works or from whatever address the system gives; true then. It
  /// stays where it may not move, or has no connection ID for it: the address may come back.
  bool on_local_address_gone(Instant now, const Path& address);
  /// The system would send from `source` now. The same where the path in use has another address, which the
  /// system chose: what is sent from there no longer comes back, or goes where it should not.
  bool on_source_changed(Instant now, const SocketAddress& source);

  // --- sending -----------------------------------------------------------------------------------

  /// With less credit nothing is sent: Initials are padded, later packets need not be.
  [[nodiscard]] std::uint64_t least_allowance() const;
  /// How large the next datagrams may be.
  [[nodiscard]] std::size_t datagram_size() const;
  /// Of the second probe of a timeout: one that every path carries, so that the two show whether the
  /// size matters. RFC 8899 §4.3.
  [[nodiscard]] std::size_t second_probe_size() const;
  /// Whether the path in use has a challenge or an answer to send.
  [[nodiscard]] bool has_frames(Instant now) const {
    return active().responder.has_frames() || active().validator.is_due(now);
  }
  /// Writes them. `expandable`: the datagram may be expanded to the least size. Whether it must be.
  bool write_frames(Instant now, Random& random, PacketWriter& out, bool expandable);

  /// A datagram apart from the flow of data.
  struct Probe {
    NetworkPath* path = nullptr;
    std::size_t size = 0;
    bool is_mtu_probe = false;  ///< Else it challenges, or answers.
  };
  /// The probe to be sent now, in `room` bytes. Only once the handshake is confirmed.
  [[nodiscard]] std::optional<Probe> next_probe(Instant now, std::size_t room);
  /// Writes the frames of a probe, and says what recovery has to know of the packet.
  SentPacketInfo write_probe(Instant now, const Probe& probe, Random& random, PacketWriter& out);

  void on_mtu_probe_fate(Instant now, const SentFrame& frame, Fate fate);
  /// The operating system refused a datagram of this size. Whether datagrams of the path in use have
  /// become smaller.
  bool on_datagram_too_large(Instant now, const Path& address, std::size_t size);
  /// ACKs or time may have shown that large datagrams do not arrive.
  void detect_black_hole(Instant now);

  // --- time --------------------------------------------------------------------------------------

  [[nodiscard]] Instant deadline(Instant now) const { return table_.deadline(now); }
  void on_deadline(Instant now);

  /// Whether the invariant holds. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  [[nodiscard]] MtuDiscovery make_mtu(const SocketAddress& remote, std::uint16_t start) const;
  [[nodiscard]] std::unique_ptr<PathState> make_state(const NetworkPath& path);
  NetworkPath& add(Instant now, const Path& address, std::uint64_t remote_cid);
  NetworkPath* find_or_add(Instant now, IncomingDatagram& datagram,
                           const ConnectionId& destination);
  void remove(NetworkPath& path);
  void give_up(NetworkPath& path);
  void validate(Instant now, NetworkPath& path);
  void on_validated(Instant now, NetworkPath& path);
  void on_active_validated(Instant now);
  void change_to(Instant now, NetworkPath& path);
  void release_cid_for_next_migration(const NetworkPath& previous);
  void revert_to_validated_path(Instant now, NetworkPath& failed);
  void log_state(log::MigrationState state, const NetworkPath& path) const {
    log::emit(log_,
              [&] { return log::MigrationStateUpdated{.new_state = state, .path = path.address}; });
  }

  // client_migration.cpp
  [[nodiscard]] std::expected<void, PathError> may_migrate() const;
  [[nodiscard]] NetworkPath* make_path_from_elsewhere(Instant now, const Path& gone);
  [[nodiscard]] bool came_over(const NetworkPath& path, const Path& address) const;
  void on_packet_after_move(Instant now, NetworkPath& path, const Path& address);
  void abandon_migrations();
  void supersede_migrations(Instant now, const NetworkPath& wanted);
  void probe_preferred_address(Instant now);
  void migrate_to_preferred(Instant now, const Path& address);

  Side side_;
  const ConnectionConfig& config_;
  SocketAddress handshake_remote_;
  Recovery& recovery_;
  RemoteCids& remote_cids_;
  PathObserver& observer_;
  PathTable table_;
  bool confirmed_ = false;
  SocketAddress gone_local_{};  ///< The latest local address that the system refused to send from.

  // Of the peer's transport parameters.
  std::uint16_t peer_max_datagram_size_;
  Duration peer_max_ack_delay_;
  bool peer_disables_migration_ = false;
  std::optional<wire::PreferredAddress> preferred_address_{};
  const log::EventLog* log_ = nullptr;  ///< Null without an observer.
};

}  // namespace qpeer::transport
