// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Makes packets of what the frame sources write, and datagrams and trains of packets.
// RFC 9000 §12.2, §13, §14.1, §17; RFC 9001 §5.
//
//   train      [ datagram ][ datagram ][ ... ]         equal sizes, one path, one ECN mark
//   datagram   [ Initial ][ 0-RTT ][ Handshake ][ 1-RTT ]   what has something to say, in this order
//   packet     [ header | number | frames | tag ]
//
// 1-RTT header protection waits until the train is complete: its masks are cheap only in bulk.
//
// Invariant: packet numbers of a space rise, and the one to be skipped was not passed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/connection/frame_sources.hpp"
#include "qpeer/transport/connection/handshake.hpp"
#include "qpeer/transport/connection/key_phases.hpp"
#include "qpeer/transport/connection/lifetime.hpp"
#include "qpeer/transport/connection/number_space.hpp"
#include "qpeer/transport/log/event_log.hpp"
#include "qpeer/transport/recovery/recovery.hpp"

namespace qpeer::transport {

class PacketAssembler {
 public:
  /// What it works with. All must outlive it.
  struct Parts {
    FrameSources& sources;
    Handshake& handshake;
    KeyPhases& key_phases;
    NumberSpaces& spaces;
    Recovery& recovery;
    Lifetime& lifetime;
    const log::EventLog* log = nullptr;  ///< Null without an observer.
  };
  /// `local_cid_size`: of the connection IDs by which the peer reaches us.
  PacketAssembler(const Parts& parts, std::size_t local_cid_size, Random& random);

  class Train;

  /// Appends one datagram, of all `storage` at most, to `destination`. Its size; 0 when there is
  /// nothing to send now.
  std::size_t add_datagram(Instant now, const ConnectionId& destination, MutableBytes storage,
                           Train& train);
  /// The same, of one 1-RTT packet with the frames of a probe, that fills `storage`. False when it
  /// has no room.
  bool add_probe(Instant now, const ConnectionId& destination, const Paths::Probe& probe,
                 MutableBytes storage, Train& train);
  /// Adds what all packets of a train lack. To be called once it is complete.
  void protect_headers(const Train& train);

  [[nodiscard]] std::uint64_t packets_sent() const { return packets_sent_; }

  /// Whether the invariant holds. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  struct PlainPacket;

  bool begin_packet(EncryptionLevel level, const ConnectionId& destination, MutableBytes storage,
                    std::size_t at, PlainPacket& packet);
  void skip_packet_number();
  [[nodiscard]] std::size_t least_payload(const PlainPacket& packet) const;
  void finish_packet(Instant now, PlainPacket& packet, std::span<const SentFrame> frames,
                     MutableBytes storage, Train& train);
  void log_packet(const PlainPacket& packet, Bytes storage) const;

  Parts parts_;
  std::size_t local_cid_size_;
  Random& random_;
  PacketNumber skipped_packet_number_;  ///< The next one that will never be sent.
  std::uint64_t packets_sent_ = 0;
};

/// What is known of the datagrams built so far.
class PacketAssembler::Train {
 public:
  explicit Train(Ecn ecn) : ecn_(ecn) {}
  [[nodiscard]] Ecn ecn() const { return ecn_; }
  /// A datagram of it is larger than what it has to say.
  [[nodiscard]] bool is_padded() const { return padded_; }

 private:
  friend PacketAssembler;

  /// A 1-RTT packet without header protection. Nothing clears the places that are not in use.
  struct Unmasked {
    u8* packet;
    std::size_t size;
    std::uint32_t packet_number_offset;
    std::uint32_t packet_number_length;
  };
  Ecn ecn_;
  bool padded_ = false;
  std::size_t count_ = 0;
  std::array<Unmasked, kMaxTransmitSegments> unmasked_;
};

}  // namespace qpeer::transport
