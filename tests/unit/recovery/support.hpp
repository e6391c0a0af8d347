// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the tests of recovery share: ACK frames made of ranges, a record of fates, and a sender
// with its own packet numbers and virtual time.
#pragma once

#include <array>
#include <initializer_list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "qpeer/transport/recovery/new_reno.hpp"
#include "qpeer/transport/recovery/recovery.hpp"
#include "qpeer/transport/wire/ack_frame.hpp"

namespace qpeer::transport {

inline constexpr auto kInitial = PacketNumberSpace::initial;
inline constexpr auto kHandshake = PacketNumberSpace::handshake;
inline constexpr auto kApplication = PacketNumberSpace::application;

inline Instant at(Duration since_start) { return Instant{} + since_start; }

/// An ACK frame and the bytes that it looks into.
class Ack {
 public:
  /// Ranges from the largest down, each as {smallest, largest}.
  explicit Ack(std::vector<wire::PacketNumberRange> descending,
               std::optional<wire::EcnCounts> ecn = {})
      : bytes_(16 + 16 * descending.size() + 32) {
    Writer out{bytes_};
    encode_ack(out, 0, descending, ecn ? &*ecn : nullptr);
    Reader in{out.written()};
    const std::uint64_t type = in.varint();
    frame_ = wire::AckFrame::decode(type, in);
  }
  [[nodiscard]] const wire::AckFrame& frame() const { return frame_; }

 private:
  std::vector<u8> bytes_;
  wire::AckFrame frame_;
};

/// Remembers each fate; frames are told apart by their offset.
class FateRecord final : public FateHandler {
 public:
  struct Entry {
    PacketNumberSpace space;
    std::uint64_t offset;
    Fate fate;
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  void on_frame_fate(Instant /*now*/, PacketNumberSpace space, const SentFrame& frame,
                     Fate fate) override {
    entries.push_back({space, frame.offset, fate});
  }
  [[nodiscard]] std::vector<std::uint64_t> of(Fate fate) const {
    std::vector<std::uint64_t> out;
    for (const Entry& entry : entries) {
      if (entry.fate == fate) out.push_back(entry.offset);
    }
    return out;
  }
  void clear() { entries.clear(); }

  std::vector<Entry> entries;
};

using Offsets = std::vector<std::uint64_t>;

/// Has a window without end, and keeps the samples that it gets.
class RateRecorder final : public CongestionController {
 public:
  void on_ack(const AckSample& sample) override {
    ++acks;
    if (sample.rate != nullptr) last = *sample.rate;
  }
  void on_loss(const LossSample&) override {}
  [[nodiscard]] std::uint64_t window() const override { return 1 << 30; }
  [[nodiscard]] bool wants_rate_samples() const override { return true; }
  void on_packet_lost(const LostPacket& packet) override {
    ++losses;
    lost = packet;
  }
  void on_restart_from_idle(Instant) override { ++restarts; }

  RateSample last;
  LostPacket lost;
  int acks = 0;
  int losses = 0;
  int restarts = 0;
};

/// Sends packets of one frame each, whose offset is the packet's number.
class Sender {
 public:
  explicit Sender(Side side = Side::client, RecoveryConfig config = {})
      : Sender(side, config, make_new_reno(config.max_datagram_size)) {}
  Sender(Side side, RecoveryConfig config, std::unique_ptr<CongestionController> controller)
      : recovery(side, config, std::move(controller)) {}

  /// A client or server past its handshake.
  static Sender established(Side side = Side::client, RecoveryConfig config = {}) {
    Sender sender{side, config};
    sender.recovery.on_handshake_confirmed(sender.now);
    return sender;
  }

  PacketNumber send(PacketNumberSpace space = kApplication, std::uint16_t size = 1200) {
    return send_packet(space, {.size = size, .ack_eliciting = true, .in_flight = true});
  }
  PacketNumber send_ack_only(PacketNumberSpace space = kApplication) {
    return send_packet(space, {.size = 40});
  }
  PacketNumber send_packet(PacketNumberSpace space, SentPacketInfo info) {
    info.number = next[static_cast<std::size_t>(space)]++;
    const SentFrame frame{.owner = FrameOwner::stream_set,
                          .type = 8,
                          .length = 1,
                          .stream = {4},
                          .offset = info.number};
    recovery.on_packet_sent(now, space, info, std::span(&frame, 1));
    return info.number;
  }
  void skip(PacketNumberSpace space = kApplication) { ++next[static_cast<std::size_t>(space)]; }

  std::expected<AckOutcome, TransportError> ack(std::vector<wire::PacketNumberRange> descending,
                                                PacketNumberSpace space = kApplication,
                                                Duration ack_delay = {},
                                                std::optional<wire::EcnCounts> ecn = {}) {
    const Ack ack{std::move(descending), ecn};
    return recovery.on_ack(now, space, ack.frame(), ack_delay, fates);
  }
  /// Lets the timer run out, and time with it.
  void expire() {
    now = recovery.deadline();
    recovery.on_deadline(now, fates);
  }

  Instant now = at(1s);
  std::array<PacketNumber, kPacketNumberSpaces> next{};
  FateRecord fates;
  Recovery recovery;
};

}  // namespace qpeer::transport
