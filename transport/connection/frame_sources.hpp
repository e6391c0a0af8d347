// SPDX-License-Identifier: MIT OR BSD-3-Clause
// All that a connection may have to send, in the order in which it goes into a packet.
// RFC 9000 §12.4, §12.5, §13.2, §13.3; RFC 9221 §5.
//
//   all but 0-RTT   ACK, CRYPTO
//   1-RTT           path challenges and answers, HANDSHAKE_DONE, OBSERVED_ADDRESS, NEW_TOKEN,
//                   NEW_CONNECTION_ID, RETIRE_CONNECTION_ID: what lets the peer go on, before data
//   0-RTT, 1-RTT    streams and DATAGRAM in turns
//   all             PING, where one was asked for or nothing else asks for an acknowledgement
//   closing         CONNECTION_CLOSE and nothing else
//
// Invariant: the count of packets that only acknowledge ends where a PING is due.
#pragma once

#include <cstdint>
#include <tuple>

#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/connection/ack_frequency.hpp"
#include "qpeer/transport/connection/handshake.hpp"
#include "qpeer/transport/connection/lifetime.hpp"
#include "qpeer/transport/connection/local_cids.hpp"
#include "qpeer/transport/connection/new_tokens.hpp"
#include "qpeer/transport/connection/number_space.hpp"
#include "qpeer/transport/connection/observed_addresses.hpp"
#include "qpeer/transport/connection/paths.hpp"
#include "qpeer/transport/connection/pings.hpp"
#include "qpeer/transport/connection/remote_cids.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/recovery/recovery.hpp"
#include "qpeer/transport/stream/datagram_queue.hpp"
#include "qpeer/transport/stream/stream_set.hpp"

namespace qpeer::transport {

/// Of the datagram that is being built, to the least size. RFC 9000 §8.2.1, §8.2.2.
struct Expansion {
  bool possible = false;  ///< There is room.
  bool wanted = false;    ///< A frame asks for it.
};

class FrameSources {
 public:
  /// Who writes frames. All must outlive this.
  struct Owners {
    Lifetime& lifetime;
    Handshake& handshake;
    NumberSpaces& spaces;
    Recovery& recovery;
    Paths& paths;
    Pings& pings;
    AckFrequency& ack_frequency;
    ObservedAddresses& observed_addresses;
    NewTokens& new_tokens;
    LocalCids& local_cids;
    RemoteCids& remote_cids;
    StreamSet& streams;
    DatagramQueue& datagrams;
  };
  /// After so many packets that only acknowledge, one asks to be acknowledged itself, so that the
  /// ranges it repeats can be forgotten. RFC 9000 §13.2.4.
  static constexpr std::uint64_t kAcksBeforePing = 64;
  /// Where the peer's data gets lost, or flows for the first time, an ACK a round trip asks to be
  /// acknowledged, so many times. If nothing comes any more, both ends probe: each packet that arrives
  /// makes the other's back-off start anew. RFC 9000 §13.2.4.
  static constexpr unsigned kPings = 16;

  FrameSources(const Owners& owners, Random& random) : owners_(owners), random_(random) {}

  /// Whether packets of the level can be sent at all.
  [[nodiscard]] bool can_send(EncryptionLevel level) const {
    // RFC 9000 §10.2.3: the server may have no keys for a close that comes in 0-RTT.
    if (level == EncryptionLevel::zero_rtt && !owners_.lifetime.is_open()) return false;
    return owners_.handshake.can_send(level);
  }
  /// Whether there is something for a packet of the level. `may_elicit`: it may ask for an
  /// acknowledgement.
  [[nodiscard]] bool wants_to_send(Instant now, EncryptionLevel level, bool may_elicit) const;
  /// Whether anything waits that only the window or the pacer can hold back.
  [[nodiscard]] bool has_frames(Instant now) const;
  /// Whether anything waits for 1-RTT packets.
  [[nodiscard]] bool has_application_frames(Instant now) const;

  void write_frames(Instant now, EncryptionLevel level, PacketWriter& out, bool may_elicit,
                    Expansion& expansion);
  /// Writes the frames of a datagram apart from the flow of data.
  SentPacketInfo write_probe(Instant now, const Paths::Probe& probe, PacketWriter& out) {
    return owners_.paths.write_probe(now, probe, random_, out);
  }

  /// The peer sent data, so that more may follow.
  void on_data_received() { data_arrived_ = true; }
  /// An ACK of the peer acknowledged what asked for that.
  void on_acknowledged();

  /// How many bytes of frames the largest 1-RTT packet takes, whatever its number.
  [[nodiscard]] std::size_t packet_room() const;

  /// Whether the invariant holds. For assertions.
  [[nodiscard]] bool consistent() const {
    return unanswered_acks_ <= kAcksBeforePing && pings_left_ <= kPings;
  }

 private:
  /// Those of 1-RTT packets that want nothing but room, in their order.
  [[nodiscard]] auto housekeeping() const {
    return std::tie(owners_.handshake.done(), owners_.ack_frequency, owners_.observed_addresses,
                    owners_.new_tokens, owners_.local_cids, owners_.remote_cids);
  }
  [[nodiscard]] bool has_early_frames() const;
  static void write_ack(Instant now, NumberSpace& space, PacketWriter& out);
  void watch_for_losses(const AckTracker& acks);
  void write_data(PacketWriter& out);
  void write_ping(EncryptionLevel level, PacketWriter& out, bool acknowledges);
  /// Whether the peer's next packets could get lost without our noticing. It counts as done then.
  bool take_watch();

  Owners owners_;
  Random& random_;
  std::uint64_t unanswered_acks_ = 0;  ///< Packets that only acknowledge, since the last other one.
  unsigned pings_left_ = 0;            ///< So many may go along with ACKs of data.
  bool data_arrived_ = false;          ///< Since the last of them.
  bool data_flowed_ = false;     ///< One ACK was of several packets with data, or after a loss.
  bool datagrams_first_ = true;  ///< Where streams have data too.
};

}  // namespace qpeer::transport
