// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/remote_cids.hpp"

#include <algorithm>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer::transport {
namespace {

constexpr auto kNewConnectionId = static_cast<std::uint64_t>(wire::FrameType::new_connection_id);

}  // namespace

RemoteCids::RemoteCids(CidIssuer& issuer, const ConnectionId& initial, std::uint64_t limit)
    : issuer_(issuer), limit_(limit) {
  active_.push_back(
      {.sequence_number = 0, .id = initial, .reset_token = std::nullopt, .in_use = true});
}

void RemoteCids::release_tokens() {
  for (Entry& entry : active_) {
    forget(entry);
    entry.reset_token.reset();
  }
}

void RemoteCids::replace_initial(const ConnectionId& id) {
  log_change(current(), id);
  active_.front().id = id;
}

void RemoteCids::log_change(const ConnectionId& from, const ConnectionId& to) const {
  log::emit(log_, [&] {
    return log::ConnectionIdUpdated{
        .initiator = log::Initiator::remote, .old_id = from, .new_id = to};
  });
}

void RemoteCids::set_initial_reset_token(const StatelessResetToken& token) {
  active_.front().reset_token = token;
  set_in_use(active_.front());
}

void RemoteCids::add_preferred(const ConnectionId& id, const StatelessResetToken& token) {
  active_.push_back({.sequence_number = 1, .id = id, .reset_token = token});
  was_seen(1);
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
  // Else it was used, and retired by us, and this is a late copy.
  if (!was_seen(frame.sequence_number)) add(frame);
  // RFC 9000 §5.1.1 [rfc9000-5.1.1-6], §5.1.2 [rfc9000-5.1.2-7]: more than we said we keep, or more
  // retirements owed than a peer that plays fair can cause; [rfc9000-5.1.2-6] that is far more than
  // twice the limit.
  if (active_.size() > limit_ || retirements_.size() > 4 * limit_) {
    return fail(TransportErrorCode::connection_id_limit_error, "too many connection IDs",
                kNewConnectionId);
  }
  return {};
}

void RemoteCids::add(const wire::NewConnectionIdFrame& frame) {
  // RFC 9000 §19.15 [rfc9000-19.15-9]: too old already: retire at once, unless that was done.
  if (frame.sequence_number < retire_prior_to_) {
    retire(frame.sequence_number);
  } else {
    active_.push_back({.sequence_number = frame.sequence_number,
                       .id = frame.connection_id,
                       .reset_token = frame.stateless_reset_token});
  }
  // RFC 9000 §19.15 [rfc9000-19.15-8], §5.1.2 [rfc9000-5.1.2-4].
  if (frame.retire_prior_to > retire_prior_to_) {
    retire_prior_to_ = frame.retire_prior_to;
    const bool replace = current_sequence_number() < retire_prior_to_;
    if (replace) {
      // The new one is not in use yet: there always is a successor.
      const auto successor = oldest_unused();
      QPEER_INVARIANT(successor != active_.end(), return);
      use(successor->sequence_number);
    }
    std::erase_if(active_, [this](const Entry& entry) {
      if (entry.sequence_number >= retire_prior_to_) return false;
      forget(entry);
      retire(entry.sequence_number);
      return true;
    });
  }
}

// RFC 9000 §10.3.1 [rfc9000-10.3.1-3]: tokens of IDs not used yet, or no more, end nothing.
void RemoteCids::set_in_use(Entry& entry) {
  entry.in_use = true;
  if (entry.reset_token) issuer_.watch_reset_token(*entry.reset_token);
}

void RemoteCids::forget(const Entry& entry) {
  if (entry.in_use && entry.reset_token) issuer_.unwatch_reset_token(*entry.reset_token);
}

bool RemoteCids::was_seen(std::uint64_t sequence_number) {
  constexpr std::uint64_t kWindow = 64;
  if (sequence_number > largest_seen_) {
    const std::uint64_t ahead = sequence_number - largest_seen_;
    seen_ = (ahead < kWindow ? seen_ << ahead : 0) | 1;
    largest_seen_ = sequence_number;
    return false;
  }
  const std::uint64_t behind = largest_seen_ - sequence_number;
  if (behind >= kWindow) {
    retire(sequence_number);
    return true;
  }
  const std::uint64_t bit = std::uint64_t{1} << behind;
  const bool seen = (seen_ & bit) != 0;
  seen_ |= bit;
  return seen;
}

std::vector<RemoteCids::Entry>::iterator RemoteCids::oldest_unused() {
  auto oldest = active_.end();
  for (auto at = active_.begin(); at != active_.end(); ++at) {
    if (at->in_use || at->sequence_number < retire_prior_to_) continue;
    if (oldest == active_.end() || at->sequence_number < oldest->sequence_number) oldest = at;
  }
  return oldest;
}

// RFC 9000 §9.5 [rfc9000-9.5-2], [rfc9000-9.5-3]: no ID serves two paths.
std::optional<std::uint64_t> RemoteCids::take() {
  if (current().empty()) return current_sequence_number();
  const auto unused = oldest_unused();
  if (unused == active_.end()) return std::nullopt;
  set_in_use(*unused);
  return unused->sequence_number;
}

std::size_t RemoteCids::unused() const {
  return static_cast<std::size_t>(std::ranges::count(active_, false, &Entry::in_use));
}

const ConnectionId* RemoteCids::find(std::uint64_t sequence_number) const {
  const auto found = std::ranges::find(active_, sequence_number, &Entry::sequence_number);
  return found == active_.end() ? nullptr : &found->id;
}

void RemoteCids::use(std::uint64_t sequence_number) {
  const auto found = std::ranges::find(active_, sequence_number, &Entry::sequence_number);
  if (found == active_.end() || found == active_.begin()) return;
  if (!found->in_use) set_in_use(*found);
  log_change(current(), found->id);
  std::swap(*found, active_.front());
}

// RFC 9000 §5.1.2 [rfc9000-5.1.2-1], [rfc9000-5.1.2-7].
void RemoteCids::release(std::uint64_t sequence_number) {
  const auto found = std::ranges::find(active_, sequence_number, &Entry::sequence_number);
  if (found == active_.end() || found == active_.begin()) return;
  forget(*found);
  retire(sequence_number);
  active_.erase(found);
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
    const SentFrame sent{
        .owner = FrameOwner::remote_cids, .stream = {}, .offset = each.sequence_number};
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

bool RemoteCids::consistent() const {
  if (active_.empty() || !active_.front().in_use || active_.size() > limit_) return false;
  for (const Entry& entry : active_) {
    const auto same = [&entry](const Entry& e) {
      return e.sequence_number == entry.sequence_number || e.id == entry.id;
    };
    if (std::ranges::count_if(active_, same) != 1) return false;
    if (entry.sequence_number < retire_prior_to_ || entry.sequence_number > largest_seen_) {
      return false;
    }
    if (std::ranges::count(retirements_, entry.sequence_number, &Retirement::sequence_number) !=
        0) {
      return false;
    }
  }
  return !current().empty() || active_.size() == 1;
}

}  // namespace qpeer::transport
