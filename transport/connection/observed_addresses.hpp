// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The peer's address as we see it, for the peer to know; and ours, as the peer says it is.
// draft-ietf-quic-address-discovery.
//
// Both ways have a measure: an address goes on at once, the next a second later at the earliest, and
// of those that come meanwhile only the newest. So neither spoofed source addresses nor a peer that
// likes to talk make us work. What the peer says is a claim: who uses it asks several.
#pragma once

#include <cstdint>
#include <optional>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/error.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/recovery/sent_frame.hpp"
#include "qpeer/transport/wire/frame.hpp"
#include "qpeer/transport/wire/transport_parameters.hpp"

namespace qpeer::transport {

class ObservedAddresses {
 public:
  static constexpr Duration kInterval = 1s;

  explicit ObservedAddresses(wire::AddressDiscovery ours) : ours_(ours) {}

  void set_peer(wire::AddressDiscovery theirs) { theirs_ = theirs; }
  /// The peer is seen at `address`: with the handshake, and whenever that changes.
  void on_remote_address(Instant now, const SocketAddress& address);
  Result on_frame(Instant now, const wire::ObservedAddressFrame& frame);
  /// Our own address, each time that the peer tells another one.
  std::optional<SocketAddress> poll_event();

  [[nodiscard]] Instant deadline() const;
  void on_deadline(Instant now);

  [[nodiscard]] bool has_frames() const { return to_send_; }
  void write_frames(PacketWriter& out);
  void on_fate(const SentFrame& frame, Fate fate);

  /// Whether only a provider has something to report, and in its order. For assertions.
  [[nodiscard]] bool consistent() const {
    return (!to_send_ || (ours_.provide && next_sequence_number_ != 0)) &&
           (!to_send_ || !acknowledged_);
  }

 private:
  /// Lets addresses through, at their measure.
  class Gate {
   public:
    void offer(Instant now, const SocketAddress& address) {
      waiting_.reset();
      if (address != last_) waiting_ = address;
      release(now);
    }
    void release(Instant now) {
      if (!waiting_ || now < opens_) return;
      last_ = *waiting_;
      passed_ = true;
      waiting_.reset();
      opens_ = now + kInterval;
    }
    /// The address that passed, once.
    std::optional<SocketAddress> take() {
      if (!passed_) return std::nullopt;
      passed_ = false;
      return last_;
    }
    [[nodiscard]] Instant deadline() const { return waiting_ ? opens_ : kNever; }

   private:
    std::optional<SocketAddress> waiting_;
    SocketAddress last_;
    bool passed_ = false;
    Instant opens_{};
  };

  void queue_frame();

  wire::AddressDiscovery ours_;
  wire::AddressDiscovery theirs_;
  Gate outgoing_;
  Gate incoming_;

  SocketAddress address_;  ///< Of the latest frame that we made.
  std::uint64_t next_sequence_number_ = 0;
  bool to_send_ = false;
  bool acknowledged_ = false;
  std::optional<std::uint64_t> largest_received_;
};

}  // namespace qpeer::transport
