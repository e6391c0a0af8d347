#include "transport/connection/remote_cids.hpp"

#include <algorithm>

namespace qpeer::transport {
namespace {

constexpr auto kNewConnectionId = static_cast<std::uint64_t>(wire::FrameType::new_connection_id);

}  // namespace

RemoteCids::RemoteCids(CidIssuer& issuer, const ConnectionId& initial, std::uint64_t limit)
    : issuer_(issuer), limit_(limit) {
  active_.push_back({.sequence_number = 0, .id = initial, .reset_token = std::nullopt});
}

RemoteCids::~RemoteCids() {
  if (watched_) issuer_.unwatch_reset_token(*watched_);
}

void RemoteCids::set_initial_reset_token(const StatelessResetToken& token) {
  active_.front().reset_token = token;
  watch_current();
}

Result RemoteCids::on_frame(const wire::NewConnectionIdFrame& frame) {
  // RFC 9000 §19.15 [rfc9000-19.15-3]: a peer that wants no IDs gets none.
  if (current().empty()) {
    return fail(TransportErrorCode::protocol_violation, "connection IDs for a zero-length one",
                kNewConnectionId);
  }
  for (const Entry& entry : active_) {
    const bool same_number = entry.sequence_number == frame.sequence_number;
    const bool same_id = entry.id == frame.connection_id;
    // RFC 9000 §19.15 [rfc9000-19.15-4], [rfc9000-19.15-5]: a repeat is the same in every field, or a fault.
    if (same_number && same_id &&
        (!entry.reset_token || *entry.reset_token == frame.stateless_reset_token)) {
      return {};
    }
    if (same_number || same_id) {
      return fail(TransportErrorCode::protocol_violation, "connection ID changed its meaning",
                  kNewConnectionId);
    }
  }
  // RFC 9000 §19.15 [rfc9000-19.15-9]: too old already: retire at once, unless that was done.
  if (frame.sequence_number < retire_prior_to_) {
    if (std::ranges::find(to_retire_, frame.sequence_number) == to_retire_.end()) {
      to_retire_.push_back(frame.sequence_number);
    }
  } else {
    active_.push_back({.sequence_number = frame.sequence_number,
                       .id = frame.connection_id,
                       .reset_token = frame.stateless_reset_token});
  }
  if (frame.retire_prior_to > retire_prior_to_) {
    retire_prior_to_ = frame.retire_prior_to;
    std::erase_if(active_, [this](const Entry& entry) {
      if (entry.sequence_number >= retire_prior_to_) return false;
      to_retire_.push_back(entry.sequence_number);
      return true;
    });
    watch_current();
  }
  // RFC 9000 §5.1.1 [rfc9000-5.1.1-6], §5.1.2 [rfc9000-5.1.2-7]: more than we said we keep, or more retirements owed
  // than a peer that plays fair can cause.
  if (active_.size() > limit_ || to_retire_.size() + retiring_ > 4 * limit_) {
    return fail(TransportErrorCode::connection_id_limit_error, "too many connection IDs",
                kNewConnectionId);
  }
  return {};
}

// RFC 9000 §10.3.1 [rfc9000-10.3.1-3]: tokens of IDs not used yet, or no more, end nothing.
void RemoteCids::watch_current() {
  const auto& token = active_.front().reset_token;
  if (token == watched_) return;
  if (watched_) issuer_.unwatch_reset_token(*watched_);
  watched_ = token;
  if (watched_) issuer_.watch_reset_token(*watched_);
}

void RemoteCids::write_frames(PacketWriter& out) {
  while (!to_retire_.empty()) {
    const std::uint64_t number = to_retire_.back();
    const SentFrame sent{.kind = static_cast<u8>(wire::FrameType::retire_connection_id),
                         .stream = {},
                         .offset = number};
    if (!out.write(wire::RetireConnectionIdFrame{.sequence_number = number}, sent)) return;
    to_retire_.pop_back();
    ++retiring_;
  }
}

void RemoteCids::on_fate(const SentFrame& frame, Fate fate) {
  if (retiring_ > 0) --retiring_;
  if (fate == Fate::lost && std::ranges::find(to_retire_, frame.offset) == to_retire_.end()) {
    to_retire_.push_back(frame.offset);
  }
}

}  // namespace qpeer::transport
