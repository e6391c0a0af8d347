// SPDX-License-Identifier: MIT OR BSD-3-Clause
// How long a connection lives and how it ends. RFC 9000 §10.
//
//   open --closed by us----------------> closing  --three PTOs--> drained
//    | \--closed by the peer, or reset--> draining --three PTOs-->  ^
//    \--idle time-out, handshake time-out ------------------------- /
//
// Invariant: a connection that is not open has a reason, which never changes; only a closing one has
// a CONNECTION_CLOSE to send; the idle timers run both or not at all; keep-alive waits for the end of
// the handshake, which ends the handshake's own time-out.
//
// `pto` is everywhere the PTO of the path in use, without back-off.
#pragma once

#include <cstdint>
#include <optional>

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/connection/config.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/wire/connection_frames.hpp"

namespace qpeer::transport {

struct LifetimeConfig {
  Duration max_idle_timeout{};   ///< Ours; 0 is never.
  Duration keep_alive{};         ///< 0 is never.
  Duration handshake_timeout{};  ///< 0 is never.
};

class Lifetime {
 public:
  /// An open connection, whose handshake begins now.
  Lifetime(Instant now, const LifetimeConfig& config, Duration pto);

  [[nodiscard]] bool is_open() const { return phase_ == Phase::open; }
  [[nodiscard]] bool is_closing() const { return phase_ == Phase::closing; }
  /// Draining or drained: nothing is read and nothing is sent any more.
  [[nodiscard]] bool is_silent() const { return phase_ >= Phase::draining; }
  [[nodiscard]] bool is_draining() const { return phase_ == Phase::draining; }
  [[nodiscard]] bool is_drained() const { return phase_ == Phase::drained; }
  /// Set once the connection is not open.
  [[nodiscard]] const std::optional<CloseReason>& close_reason() const { return close_reason_; }

  // --- ends. Each returns whether the connection was open until now ------------------------------

  /// We close: a CONNECTION_CLOSE is to be sent.
  bool enter_closing(Instant now, CloseReason reason, Duration pto);
  /// The peer knows of the end: nothing is sent any more.
  bool enter_draining(Instant now, CloseReason reason, Duration pto);
  /// There is no peer to send a close to, and nothing to wait for.
  bool end_silently(CloseReason reason);

  /// While closing: a datagram came. Some are answered with another CONNECTION_CLOSE.
  void on_datagram();
  /// Whether a CONNECTION_CLOSE is to be sent.
  [[nodiscard]] bool has_close_to_send() const { return close_pending_; }
  void on_close_sent() { close_pending_ = false; }
  /// Writes the CONNECTION_CLOSE of a connection that is not open. Its fate does not matter.
  void write_close(EncryptionLevel level, PacketWriter& out) const;

  // --- time --------------------------------------------------------------------------------------

  /// max_idle_timeout of the peer; 0 is never. Counts from the next restart of the timer on.
  void set_peer_idle_timeout(Duration timeout) { peer_idle_timeout_ = timeout; }
  /// A packet of the peer's was processed.
  void restart_idle_timer(Instant now, Duration pto);
  void on_ack_eliciting_sent(Instant now, Duration pto);
  void on_handshake_complete(Instant now, Duration pto);

  /// `may_be_blocked`: the peer's limits hold data up, so that a frame must say so from time to time.
  [[nodiscard]] Instant deadline(bool may_be_blocked) const;

  /// What there is to do now that a deadline came.
  struct Due {
    bool closed = false;      ///< The connection was open until now.
    bool keep_alive = false;  ///< A PING keeps the connection alive.
    bool blocked = false;     ///< Who is held up by the peer's limits says so again.
  };
  Due on_deadline(Instant now, Duration pto);

  /// Whether the invariant holds. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  enum class Phase : u8 { open, closing, draining, drained };

  /// False when there was a reason already: that one stays.
  bool set_reason(CloseReason reason);
  [[nodiscard]] Duration idle_timeout(Duration pto) const;
  [[nodiscard]] Duration keep_alive_interval(Duration pto) const;

  LifetimeConfig config_;
  Duration peer_idle_timeout_{};
  bool handshake_complete_ = false;

  Phase phase_ = Phase::open;
  bool close_pending_ = false;
  std::optional<CloseReason> close_reason_;
  std::uint64_t datagrams_received_ = 0;  ///< While closing, to answer ever more rarely.
  Instant closing_ends_ = kNever;

  Instant idle_deadline_ = kNever;
  bool idle_restarted_by_send_ = false;  ///< Since the last packet of the peer.
  Instant keep_alive_deadline_ = kNever;
  Instant blocked_deadline_ = kNever;
  Instant handshake_deadline_ = kNever;
};

/// Why the peer closed.
[[nodiscard]] CloseReason close_reason_of(const wire::ConnectionCloseFrame& frame);
/// Why the application closes: `reason` is cut to what a packet has room for.
[[nodiscard]] CloseReason application_close(std::uint64_t error_code, std::string_view reason);

}  // namespace qpeer::transport
