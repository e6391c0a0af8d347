// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The connection IDs by which the peer reaches us; or the one without length, where our address is
// enough. RFC 9000 §5.1, §5.1.1, §5.1.2, §19.15, §19.16.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"

namespace qpeer::transport {

/// Who makes connection IDs and routes by them: the endpoint. Bound to one connection.
class CidIssuer {
 public:
  virtual ~CidIssuer() = default;
  /// A new, unused ID that is routed to the connection from now on.
  virtual ConnectionId issue() = 0;
  /// The ID without length is routed to the connection from now on.
  virtual ConnectionId issue_zero_length() = 0;
  /// The ID is no longer ours; packets to it are unknown from now on.
  virtual void retire(const ConnectionId& id) = 0;
  virtual StatelessResetToken reset_token(const ConnectionId& id) = 0;
  /// The token of the peer's ID in use: a datagram that ends in it resets the connection. §10.3.
  virtual void watch_reset_token(const StatelessResetToken& token) = 0;
  virtual void unwatch_reset_token(const StatelessResetToken& token) = 0;
};

class LocalCids {
 public:
  /// We never have more than this many in use, whatever the peer would store.
  static constexpr std::size_t kMaxActive = 4;
  /// So many that the peer retired stay routed, for packets that its RETIRE_CONNECTION_ID frame
  /// overtook. As it never has more than these, they last for a round trip at least.
  static constexpr std::size_t kMaxRetired = 2 * kMaxActive;

  /// Issues the first one, sequence number 0, which travels as Source Connection ID.
  explicit LocalCids(CidIssuer& issuer, bool zero_length = false);
  ~LocalCids() { release(); }
  LocalCids(const LocalCids&) = delete;
  LocalCids& operator=(const LocalCids&) = delete;

  [[nodiscard]] const ConnectionId& initial() const { return initial_; }
  /// Gives all back: packets to them reach no connection from now on.
  void release();
  /// The next one, which travels in the preferred_address transport parameter: sequence number 1.
  /// The same each time, until the handshake is complete.
  ConnectionId issue_preferred();
  /// The handshake is complete: issue further ones as the peer's limit allows.
  void set_peer_limit(std::uint64_t active_connection_id_limit);
  /// Issues as many new IDs as the peer may have, and asks it to retire all others. False while it has
  /// not yet done so for the last time, or knows of no more than one. RFC 9000 §5.1.2.
  bool rotate();
  /// The same where the peer owes retirements, which it may be unable to send. False until the peer has
  /// acknowledged an ID of the last such rotation: before that it may still use the ones from before it,
  /// and they stay routed.
  bool rotate_again();
  /// `packet_destination` is the connection ID that the frame's own packet was sent to.
  Result on_retire(std::uint64_t sequence_number, const ConnectionId& packet_destination);

  [[nodiscard]] bool has_frames() const;
  void write_frames(PacketWriter& out);
  void on_fate(const SentFrame& frame, Fate fate);

  /// Whether numbers and IDs are each there once, and no more than the peer takes. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  enum class State : u8 { free, to_send, sent };
  struct Entry {
    State state = State::free;
    std::uint64_t sequence_number = 0;
    ConnectionId id;
  };
  void fill();
  void keep_for_stragglers(const ConnectionId& id);

  CidIssuer& issuer_;
  ConnectionId initial_;
  std::array<Entry, 2 * kMaxActive> entries_;      ///< Half of them replace the others in rotate().
  std::array<ConnectionId, kMaxRetired> retired_;  ///< The newest overwrite the oldest.
  std::size_t retired_count_ = 0;                  ///< Ever.
  std::size_t limit_ = 1;
  std::uint64_t next_sequence_number_ = 1;
  std::uint64_t first_unsent_ = 1;  ///< The peer knows of none from here on.
  std::uint64_t retire_prior_to_ = 0;
  bool unheard_ =
      false;  ///< IDs are given up of which the peer may not know that it is to retire them.
};

}  // namespace qpeer::transport
