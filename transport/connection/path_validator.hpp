// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whether a path leads to the peer and back: our challenges, and the answers to the peer's.
// RFC 9000 §8.2.
//
//   idle --start--> challenge, again after one and three PTOs --response--> done
//                          \___________ three PTOs ______________________> failed
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/recovery/packet_writer.hpp"
#include "qpeer/transport/wire/frame.hpp"

namespace qpeer::transport {

/// Holds the challenges that are not answered yet: few, the newest win, each answered once.
class PathResponder {
 public:
  static constexpr std::size_t kMaxPending = 4;

  void on_challenge(const wire::PathChallengeFrame& frame) {
    if (count_ == kMaxPending) {
      for (std::size_t i = 1; i < count_; ++i) pending_[i - 1] = pending_[i];
      --count_;
    }
    pending_[count_++] = {.data = frame.data};
  }
  [[nodiscard]] bool has_frames() const { return count_ > 0; }
  /// RFC 9000 §8.2.2 [rfc9000-8.2.2-1], [rfc9000-8.2.2-7], §13.3: sent once and never again.
  void write_frames(PacketWriter& out) {
    const SentFrame sent{.owner = FrameOwner::path_validator, .stream = {}};
    while (count_ > 0 && out.write(pending_[count_ - 1], sent)) --count_;
  }

 private:
  std::array<wire::PathResponseFrame, kMaxPending> pending_{};
  std::size_t count_ = 0;
};

/// Challenges one path. A challenge that went out in a small datagram proves the address only, not
/// that the path carries datagrams of the least size: another one, expanded, must follow.
class PathValidator {
 public:
  using Data = std::array<u8, 8>;
  /// What a response proved, and how long it took.
  struct Proof {
    bool expanded = false;
    Duration round_trip{};
  };
  /// Challenges of one validation that a response may still come for.
  static constexpr std::size_t kMaxChallenges = 4;

  /// Begins, or begins anew; `pto` is the longer of that of the path in use and of a new path.
  void start(Instant now, Duration pto) {
    count_ = 0;
    interval_ = pto;
    next_ = now;
    // RFC 9000 §8.2.4 [rfc9000-8.2.4-1], [rfc9000-8.2.4-2].
    ends_ = now + 3 * pto;
  }
  void stop() { *this = {}; }
  [[nodiscard]] bool is_active() const { return ends_ != kNever; }
  [[nodiscard]] bool is_due(Instant now) const { return now >= next_; }
  [[nodiscard]] bool has_failed(Instant now) const { return now >= ends_; }
  /// When something is to be done. A challenge that is due but cannot leave yet waits quietly.
  [[nodiscard]] Instant deadline(Instant now) const {
    return next_ > now ? std::min(next_, ends_) : ends_;
  }

  /// Writes a challenge if one is due. `expanded`: its datagram will have the least size.
  bool write_frames(Instant now, Random& random, PacketWriter& out, bool expanded);
  /// Whether the response is to one of ours. RFC 9000 §8.2.3.
  std::optional<Proof> on_response(Instant now, const Data& data) const;

 private:
  struct Challenge {
    Data data{};
    Instant sent_at;
    bool expanded = false;
  };
  std::array<Challenge, kMaxChallenges> challenges_{};
  std::size_t count_ = 0;  ///< Sent in this validation.
  Duration interval_{};
  Instant next_ = kNever;
  Instant ends_ = kNever;
};

}  // namespace qpeer::transport
