// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whether the path and the peer carry ECN marks faithfully. RFC 9000 §13.4.2, §A.4.
//
//   testing --10 packets marked--> unknown --ACK confirms a mark--> capable
//      \____________ACK confirms a mark____________________________/   |
//       counts contradict, or every marked packet lost --> failed <----+
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/wire/ack_frame.hpp"

namespace qpeer::transport {

class EcnValidator {
 public:
  enum class State : u8 { testing, unknown, capable, failed };
  /// RFC 9000 §A.4.
  static constexpr std::uint64_t kTestingPackets = 10;

  explicit EcnValidator(bool enabled) : state_(enabled ? State::testing : State::failed) {}

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] Ecn mark() const {
    return state_ == State::testing || state_ == State::capable ? Ecn::ect0 : Ecn::not_ect;
  }

  void on_sent(PacketNumberSpace space, Ecn ecn);
  /// Only for an ACK that raises the largest acknowledged number of the space. `newly_marked` is
  /// how many of the newly acknowledged packets left with ECT(0). Returns how many packets
  /// experienced congestion since the last such ACK.
  [[nodiscard]] std::uint64_t on_ack(PacketNumberSpace space, std::uint64_t newly_marked,
                                     const std::optional<wire::EcnCounts>& counts);
  /// A path comes into use after another one: the peer counts marks over both. RFC 9000 §13.4.2.1.
  void continue_counts_of(const EcnValidator& other) { spaces_ = other.spaces_; }
  /// Marked packets that were lost.
  void on_lost(std::uint64_t marked);

  /// Whether no more marked packets were lost than were sent, and tests have an end. For assertions.
  [[nodiscard]] bool consistent() const {
    return marked_lost_ <= marked_ && (state_ != State::testing || marked_ < kTestingPackets);
  }

 private:
  struct Space {
    std::uint64_t sent_ect0 = 0;
    std::uint64_t sent_ect1 = 0;
    wire::EcnCounts counts;  ///< As of the last ACK that we looked at.
  };
  [[nodiscard]] static bool plausible(const Space& space, std::uint64_t newly_marked,
                                      const wire::EcnCounts& counts);

  std::array<Space, kPacketNumberSpaces> spaces_{};
  State state_;
  std::uint64_t marked_ = 0;
  std::uint64_t marked_lost_ = 0;
};

}  // namespace qpeer::transport
