// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/path_validator.hpp"

namespace qpeer::transport {

bool PathValidator::write_frames(Instant now, Random& random, PacketWriter& out, bool expanded) {
  if (!is_due(now)) return false;
  Challenge& challenge = challenges_[count_ % kMaxChallenges];
  wire::PathChallengeFrame frame;
  if (frame.size() > out.remaining()) return false;
  // RFC 9000 §8.2.1 [rfc9000-8.2.1-4]: each its own, so that each response has its challenge.
  random.fill_private(frame.data);
  // RFC 9000 §8.2.1 [rfc9000-8.2.1-2]: one a packet.
  if (!out.write(frame, {.owner = FrameOwner::path_validator, .stream = {}})) {
    return false;
  }
  challenge = {.data = frame.data, .sent_at = now, .expanded = expanded};
  // RFC 9000 §8.2.1 [rfc9000-8.2.1-1], [rfc9000-8.2.1-3]: again, ever more rarely, as an Initial.
  next_ = now + interval_ * (std::int64_t{1} << std::min<std::size_t>(count_, 8));
  ++count_;
  return true;
}

std::optional<PathValidator::Proof> PathValidator::on_response(Instant now,
                                                               const Data& data) const {
  const std::size_t known = std::min(count_, kMaxChallenges);
  for (std::size_t i = 0; i < known; ++i) {
    const Challenge& each = challenges_[i];
    if (each.data == data) return Proof{each.expanded, now - each.sent_at};
  }
  return std::nullopt;
}

}  // namespace qpeer::transport
