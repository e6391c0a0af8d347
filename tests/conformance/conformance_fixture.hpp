// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The stage of conformance: one peer of ours, the victim, and an adversary that breaks a rule. Cases
// are rows of tables: what is sent, and what must come of it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include <gtest/gtest.h>

#include "qpeer/tests/sim/adversary.hpp"
#include "qpeer/tests/sim/peer_network.hpp"
#include "qpeer/transport/wire/frame_type.hpp"

namespace qpeer::sim {

using enum TransportErrorCode;

inline constexpr EncryptionLevel kInitial = EncryptionLevel::initial;
inline constexpr EncryptionLevel kHandshake = EncryptionLevel::handshake;
inline constexpr EncryptionLevel kOneRtt = EncryptionLevel::one_rtt;
/// A frame of one byte that asks for an acknowledgement.
inline const Octets kPing{0x01};

/// Tests that have both sides as their victim: VICTIMS(Suite) and then TEST_P(Suite, Name).
#define VICTIMS(Suite)                                            \
  class Suite : public testing::TestWithParam<Side> {};           \
  INSTANTIATE_TEST_SUITE_P(                                       \
      Victim, Suite, testing::Values(Side::client, Side::server), \
      [](const auto& each) { return each.param == Side::client ? "client" : "server"; })

/// The code of a TLS alert.
constexpr TransportErrorCode alert(u8 description) { return qpeer::crypto_error(description); }

/// What must come of a case.
struct Expected {
  bool closes = false;
  TransportErrorCode code = no_error;
  std::uint64_t frame_type = 0;
  std::optional<DropReason> drop{};
};

/// The victim closes with this error, and names this frame type.
constexpr Expected closes(TransportErrorCode code, std::uint64_t frame_type = 0) {
  return {.closes = true, .code = code, .frame_type = frame_type};
}
/// The victim drops it, counts that, and goes on.
constexpr Expected drops(DropReason reason) { return {.drop = reason}; }
/// The victim takes it and goes on.
constexpr Expected goes_on() { return {}; }

/// A victim whose limits are small: 4 streams of each kind, 1000 bytes each, 2000 in all, DATAGRAM
/// frames of 500 bytes. It takes no packets without the QUIC Bit.
PeerConfig small_limits();

struct ConformanceFixture {
  /// `victim` says which end ours is.
  explicit ConformanceFixture(Side victim, AdversaryConfig config = {},
                              PeerConfig ours = small_limits());

  /// Both begin, and go as far as the adversary's stage.
  void begin();
  void run(Duration time = 100ms) { network.run_for(time); }
  /// Sends in a packet of its own, and runs for a while.
  void send(EncryptionLevel level, const Octets& frames, const PacketOptions& options = {});
  /// Looks at what came of it; `dropped_before` is from the victim's counters.
  void expect(EncryptionLevel level, const Expected& expected, std::uint64_t dropped_before = 0);
  [[nodiscard]] std::uint64_t dropped(DropReason reason) const;
  /// Still open, and answers a PING at this level.
  [[nodiscard]] bool alive(EncryptionLevel level);

  PeerNetwork network{1};
  Side side;
  Peer& victim;
  Adversary adversary;
};

/// The connection was closed as expected, and the adversary told so.
void expect_closed(const Session& session, const Adversary& adversary, const Expected& expected);

/// One row: frames in one packet of this level, sent as soon as the level is reached.
struct FrameCase {
  std::string_view ids;
  std::string_view what;
  EncryptionLevel level = EncryptionLevel::one_rtt;
  Octets frames;
  Expected expected;
  PacketOptions options{};
};

/// Each row in a fixture of its own.
void run_cases(Side victim, std::span<const FrameCase> cases, const AdversaryConfig& config = {},
               const PeerConfig& ours = small_limits());

/// Stream IDs as the adversary sees them, when ours is at `victim`.
struct Ids {
  explicit Ids(Side victim) : victim_bit(victim == Side::server ? 1 : 0) {}
  [[nodiscard]] std::uint64_t bidi(std::uint64_t index = 0) const {
    return index * 4 + 1 - victim_bit;
  }
  [[nodiscard]] std::uint64_t uni(std::uint64_t index = 0) const { return bidi(index) + 2; }
  [[nodiscard]] std::uint64_t victim_bidi(std::uint64_t index = 0) const {
    return index * 4 + victim_bit;
  }
  [[nodiscard]] std::uint64_t victim_uni(std::uint64_t index = 0) const {
    return victim_bidi(index) + 2;
  }
  std::uint64_t victim_bit;
};

}  // namespace qpeer::sim
