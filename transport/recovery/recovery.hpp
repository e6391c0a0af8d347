// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Loss recovery of one connection: sent packets of all three spaces, loss detection, PTO; and over
// the path in use RTT, congestion, pacing, ECN. RFC 9002; RFC 9000 §9.4.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>

#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/congestion.hpp"
#include "qpeer/transport/recovery/loss_detector.hpp"
#include "qpeer/transport/recovery/lost_packets.hpp"
#include "qpeer/transport/recovery/pacer.hpp"
#include "qpeer/transport/recovery/path_state.hpp"
#include "qpeer/transport/recovery/pto.hpp"
#include "qpeer/transport/recovery/recovery_log.hpp"
#include "qpeer/transport/recovery/rtt.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"
#include "qpeer/transport/recovery/sent_packets.hpp"
#include "qpeer/transport/wire/ack_frame.hpp"

namespace qpeer::transport {

inline constexpr std::array kAllPacketNumberSpaces{
    PacketNumberSpace::initial, PacketNumberSpace::handshake, PacketNumberSpace::application};

/// What is kept of a packet when it leaves.
struct SentPacketInfo {
  PacketNumber number = 0;
  std::uint16_t size = 0;  ///< On the wire, header and tag included.
  bool ack_eliciting = false;
  bool in_flight = false;   ///< Counts against the window: ack-eliciting or padded. RFC 9002 §2.
  bool mtu_probe = false;   ///< Its loss says nothing of congestion. RFC 9000 §14.4.
  bool other_path = false;  ///< Left over a path that is not in use: neither in flight nor timed.
  Ecn ecn = Ecn::not_ect;
};

/// What an ACK told.
struct AckOutcome {
  bool newly_acknowledged = false;
  bool ack_eliciting = false;  ///< One of the newly acknowledged was ack-eliciting.
};

class Recovery {
 public:
  Recovery(Side side, const RecoveryConfig& config,
           std::unique_ptr<CongestionController> controller);
  ~Recovery();
  Recovery(Recovery&&) noexcept;
  Recovery& operator=(Recovery&&) noexcept;

  // --- sending ---------------------------------------------------------------------------------

  /// How many bytes in flight the window and the pacer allow to be added now. At least one full
  /// datagram or 0. Probes, ACK-only packets and CONNECTION_CLOSE need not ask.
  [[nodiscard]] std::uint64_t send_allowance(Instant now) const;
  /// When the pacer alone holds us back, the time it lets go; else kNever.
  [[nodiscard]] Instant pacing_deadline(Instant now) const;
  /// `frames` is copied. Packet numbers of a space must increase; gaps are allowed (skipped
  /// numbers, an ACK for which is a PROTOCOL_VIOLATION). A sent probe is counted off here.
  void on_packet_sent(Instant now, PacketNumberSpace space, const SentPacketInfo& packet,
                      std::span<const SentFrame> frames);
  /// The mark for the next datagram. RFC 9000 §13.4.2.
  [[nodiscard]] Ecn ecn_mark() const;
  /// Told after each transmit: there was nothing more to send though the window had room.
  void set_application_limited(bool limited);

  // --- receiving -------------------------------------------------------------------------------

  /// Handles an ACK frame: fates of the newly acknowledged and of those thereby lost, RTT sample,
  /// congestion, timers. `ack_delay` is decoded to time. PROTOCOL_VIOLATION for a packet never
  /// sent. RFC 9002 §A.7; RFC 9000 §13.1.
  std::expected<AckOutcome, TransportError> on_ack(Instant now, PacketNumberSpace space,
                                                   const wire::AckFrame& ack, Duration ack_delay,
                                                   FateHandler& fates);

  // --- time ------------------------------------------------------------------------------------

  /// The loss detection timer: time-threshold loss or PTO. RFC 9002 §6.2, §A.8.
  [[nodiscard]] Instant deadline() const;
  /// To be called when deadline() has come. Reports losses, or arms probes.
  void on_deadline(Instant now, FateHandler& fates);
  /// The operating system refused datagrams, whose packets were reported as sent: arms probes as
  /// on_deadline() does, at once and without back-off.
  void on_refused(Instant now);
  /// How many ack-eliciting probe packets must still be sent in this space, ignoring the window.
  [[nodiscard]] unsigned probes(PacketNumberSpace space) const;
  /// For a probe when there is nothing new that it could carry: reports the frames of the oldest
  /// unacknowledged packet of the space `lost`, so that they are sent again, while the packet stays
  /// outstanding. Each packet is replaced once. False when there is none. RFC 9002 §6.2.4.
  bool replace_oldest(Instant now, PacketNumberSpace space, FateHandler& fates);
  /// An authentic packet of the peer arrived. The first after a silence starts the back-off anew.
  void on_packet_received(Instant now);
  /// The network below is another, or is back: the back-off starts anew, and what is outstanding is
  /// probed at once.
  void on_network_changed(Instant now);

  // --- progress of the handshake ---------------------------------------------------------------

  /// Server: while blocked by the anti-amplification limit no timer runs. RFC 9002 §6.2.2.1.
  void set_amplification_blocked(Instant now, bool blocked);
  /// Client: the server has validated our address (Handshake ACK received or handshake confirmed);
  /// until then a PTO runs even with nothing in flight. RFC 9002 §6.2.2.1.
  void on_address_validated_by_peer(Instant now);
  /// Handshake keys exist, so a probe for which nothing is outstanding goes in a Handshake packet.
  void on_handshake_keys();
  /// From here application data has a PTO, and `max_ack_delay` of the peer counts. RFC 9002 §6.2.1,
  /// §5.3.
  void on_handshake_confirmed(Instant now);
  void set_peer_max_ack_delay(Duration max_ack_delay);
  /// Keys of Initial or Handshake are gone: its packets leave the flight, fates `discarded`, PTO
  /// back-off is reset. RFC 9002 §6.4.
  void discard_space(Instant now, PacketNumberSpace space, FateHandler& fates);
  /// Client, on Retry: everything that was sent in the space is `lost`, without congestion.
  void reset_space(Instant now, PacketNumberSpace space, FateHandler& fates);

  void set_max_datagram_size(std::uint16_t size);

  // --- paths -----------------------------------------------------------------------------------

  /// A state as new for a path that may come into use.
  std::unique_ptr<PathState> make_path(const RecoveryConfig& config,
                                       std::unique_ptr<CongestionController> controller);
  /// From now on packets leave over the path with this state; gives back that of the path used
  /// until now. What is on its way there still gets its fate, but counts for it no more, nor for the
  /// new one. RFC 9000 §9.4.
  std::unique_ptr<PathState> change_path(Instant now, std::unique_ptr<PathState> path);
  /// Expirations of the PTO in a row.
  [[nodiscard]] unsigned pto_count() const { return pto_.count(); }
  /// Full-size packets of the path in use fail while smaller ones arrive. RFC 8899 §4.3.
  [[nodiscard]] bool black_hole_found() const { return path_->black_hole.found(); }
  /// The most probes that wait in a space. RFC 9002 §6.2.4.
  static constexpr unsigned kMaxProbes = 2;

  // --- figures ---------------------------------------------------------------------------------

  [[nodiscard]] const RttEstimator& rtt() const;
  /// One PTO without back-off, for application data: also the unit of closing and idle timeouts.
  [[nodiscard]] Duration pto() const;
  [[nodiscard]] std::uint64_t bytes_in_flight() const;
  /// A packet that so many others overtook is lost.
  [[nodiscard]] PacketNumber packet_threshold() const {
    return path_->reordering.packet_threshold();
  }
  [[nodiscard]] std::uint64_t congestion_window() const;
  /// The most bytes that were in flight at once on the path, within its last two round trips with data.
  [[nodiscard]] std::uint64_t peak_in_flight() const { return path_->window_use.peak(); }
  [[nodiscard]] std::uint64_t packets_lost() const;
  /// How many of these were acknowledged later, as far as is known.
  [[nodiscard]] std::uint64_t spurious_losses() const { return spurious_losses_; }
  [[nodiscard]] bool ack_eliciting_in_flight() const;  ///< In any space.
  [[nodiscard]] std::optional<PacketNumber> largest_acknowledged(PacketNumberSpace space) const;
  /// Of all spaces: those without fate, and some settled ones among them.
  [[nodiscard]] std::size_t tracked_packets() const;

  /// From now on an observer learns what changes here. `log` must outlive this object.
  void set_log(const log::EventLog& log);

  /// Whether the sums of sent packets are right, a time is set only where something can be lost by
  /// then, and the path in use is the one whose packets are in flight. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  struct Space {
    SentPackets sent;
    LostPackets lost;
    std::optional<PacketNumber> largest_acknowledged;
    Instant last_ack_eliciting_sent_at;
    Instant newest_acknowledged_sent_at = Instant::min();
    Instant loss_time = kNever;
    unsigned probes = 0;
    PacketNumber replaceable_below = 0;  ///< A probe replaces what was sent before the timeout.
  };
  /// What one ACK frame newly acknowledged.
  struct Acknowledged;

  [[nodiscard]] Space& at(PacketNumberSpace space);
  [[nodiscard]] const Space& at(PacketNumberSpace space) const;
  [[nodiscard]] Pto::Conditions pto_conditions(Instant now) const;
  /// What the controller says, but a datagram at least: with less nothing would ever come back.
  [[nodiscard]] std::uint64_t window() const;
  [[nodiscard]] Pacer::Rate pacing() const;
  /// What the window alone allows: a datagram at least, or 0.
  [[nodiscard]] std::uint64_t window_allowance() const;
  void acknowledge(Instant now, PacketNumberSpace space, PacketNumber smallest,
                   PacketNumber largest, Acknowledged& newly, FateHandler& fates);
  /// Of a packet that was just added, on a path whose controller wants rate samples.
  void sample_sent(Instant now, PacketNumberSpace space, std::uint16_t size);
  void acknowledge_late(Instant now, PacketNumberSpace space, const wire::AckFrame& ack,
                        PacketNumber largest_before, FateHandler& fates);
  void on_spurious_loss(Instant now, const LostPackets::Record& packet,
                        PacketNumber largest_before);
  void update_rtt(Instant now, PacketNumberSpace space, Instant sent_at, Duration ack_delay);
  void detect_losses(Instant now, PacketNumberSpace space, FateHandler& fates);
  void arm_probes(PacketNumberSpace space, unsigned count);
  void on_pto(Instant now);
  void drop_outstanding(Instant now, PacketNumberSpace space, Fate fate, FateHandler& fates);
  /// Something changed at this time; deadline() works it out when it is asked, once for a train.
  void set_timer(Instant now);
  [[nodiscard]] Instant timer() const;

  // recovery_log.cpp
  [[nodiscard]] RecoveryLog::State logged_state() const;
  [[nodiscard]] RecoveryLog::Timer logged_timer() const;
  void log_changes() {
    if (log_ != nullptr) [[unlikely]]
      log_->on_state(logged_state());
  }

  Side side_;
  bool pacing_enabled_;
  bool amplification_blocked_ = false;
  bool peer_validated_address_;
  bool has_handshake_keys_ = false;
  bool handshake_confirmed_ = false;
  std::uint16_t last_tag_ = PathState::kNoTag;
  Duration max_ack_delay_ = 25ms;  ///< The default of RFC 9000 §18.2.
  std::unique_ptr<PathState> path_;
  Pto pto_;
  std::array<Space, kPacketNumberSpaces> spaces_;
  Instant timer_set_at_;
  mutable bool timer_changed_ = false;
  mutable Instant deadline_ = kNever;
  Instant received_at_ = Instant::min();  ///< The newest packet of the peer.
  std::uint64_t packets_lost_ = 0;
  std::uint64_t spurious_losses_ = 0;
  std::unique_ptr<RecoveryLog> log_;  ///< Null without an observer.
};

}  // namespace qpeer::transport
