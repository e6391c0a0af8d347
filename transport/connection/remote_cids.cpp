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
    retire(frame.sequence_number);
  } else {
    active_.push_back({.sequence_number = frame.sequence_number,
                       .id = frame.connection_id,
                       .reset_token = frame.stateless_reset_token});
  }
  if (frame.retire_prior_to > retire_prior_to_) {
    retire_prior_to_ = frame.retire_prior_to;
    std::erase_if(active_, [this](const Entry& entry) {
      if (entry.sequence_number >= retire_prior_to_) return false;
      retire(entry.sequence_number);
      return true;
    });
    watch_current();
  }
  // RFC 9000 §5.1.1 [rfc9000-5.1.1-6], §5.1.2 [rfc9000-5.1.2-7]: more than we said we keep, or more retirements owed
  // than a peer that plays fair can cause.
  if (active_.size() > limit_ || retirements_.size() > 4 * limit_) {
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

void RemoteCids::retire(std::uint64_t sequence_number) {
  if (std::ranges::find(retirements_, sequence_number, &Retirement::sequence_number) ==
      retirements_.end()) {
    retirements_.push_back({.sequence_number = sequence_number});
  }
}

bool RemoteCids::has_frames() const {
  return std::ranges::any_of(retirements_, &Retirement::to_send);
}

void RemoteCids::write_frames(PacketWriter& out) {
  for (Retirement& each : retirements_) {
    if (!each.to_send) continue;
    const SentFrame sent{.kind = static_cast<u8>(wire::FrameType::retire_connection_id),
                         .stream = {},
                         .offset = each.sequence_number};
    const wire::RetireConnectionIdFrame frame{.sequence_number = each.sequence_number};
    if (!out.write(frame, sent)) return;
    each.to_send = false;
  }
}

void RemoteCids::on_fate(const SentFrame& frame, Fate fate) {
  const auto found = std::ranges::find(retirements_, frame.offset, &Retirement::sequence_number);
  if (found == retirements_.end()) return;  // Another copy was acknowledged.
  if (fate == Fate::lost) {
    found->to_send = true;
  } else {
    retirements_.erase(found);
  }
}

}  // namespace qpeer::transport
