// Answers to the peer's path challenges. RFC 9000 §8.2.2.
#pragma once

#include <array>
#include <cstddef>

#include "transport/recovery/packet_writer.hpp"
#include "transport/wire/frame.hpp"

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
  /// RFC 9000 §13.3: a response is sent once and never again.
  void write_frames(PacketWriter& out) {
    const SentFrame sent{.kind = static_cast<u8>(wire::FrameType::path_response), .stream = {}};
    while (count_ > 0 && out.write(pending_[count_ - 1], sent)) --count_;
  }

 private:
  std::array<wire::PathResponseFrame, kMaxPending> pending_{};
  std::size_t count_ = 0;
};

}  // namespace qpeer::transport
