// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/connection/local_cids.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/transport/base/assert.hpp"
#include "qpeer/transport/wire/frame.hpp"

namespace qpeer::transport {
namespace {

/// What every STUN message has after its first four bytes: RFC 8489 §5. A short header has one byte before
/// the ID, so they are the ID's bytes 3 to 6.
constexpr std::array<u8, 4> kStunCookie{0x21, 0x12, 0xa4, 0x42};
constexpr std::size_t kStunCookieAt = 3;

bool looks_like_stun(const ConnectionId& id) {
  const Bytes octets = id.bytes();
  return octets.size() >= kStunCookieAt + kStunCookie.size() &&
         equal(octets.subspan(kStunCookieAt, kStunCookie.size()), kStunCookie);
}

/// A new ID, with which no packet can be taken for STUN. RFC 9287 lets the peer clear the QUIC Bit, so that
/// packets to us may begin as STUN does; they differ from it in the cookie then, and who shares our port
/// with STUN need not look further.
ConnectionId issue_from(CidIssuer& issuer) {
  for (;;) {
    const ConnectionId id = issuer.issue();
    if (!looks_like_stun(id)) return id;
    issuer.retire(id);
  }
}

}  // namespace

LocalCids::LocalCids(CidIssuer& issuer, bool zero_length)
    : issuer_(issuer), initial_(zero_length ? issuer.issue_zero_length() : issue_from(issuer)) {
  entries_[0] = {.state = State::sent, .sequence_number = 0, .id = initial_};
}

void LocalCids::release() {
  for (Entry& entry : entries_) {
    if (std::exchange(entry.state, State::free) != State::free) issuer_.retire(entry.id);
  }
  for (std::size_t i = 0; i < std::min(retired_count_, kMaxRetired); ++i) {
    issuer_.retire(retired_[i]);
  }
  retired_count_ = 0;
}

ConnectionId LocalCids::issue_preferred() {
  if (entries_[1].sequence_number == 1) return entries_[1].id;
  entries_[1] = {
      .state = State::sent, .sequence_number = next_sequence_number_++, .id = issue_from(issuer_)};
  first_unsent_ = next_sequence_number_;
  return entries_[1].id;
}

void LocalCids::set_peer_limit(std::uint64_t active_connection_id_limit) {
  // RFC 9000 §19.15 [rfc9000-19.15-2]: whom the peer reaches without an ID gives none.
  if (initial_.empty()) return;
  limit_ =
      static_cast<std::size_t>(std::min<std::uint64_t>(active_connection_id_limit, kMaxActive));
  fill();
}

// RFC 9000 §5.1.1 [rfc9000-5.1.1-4]: never more active IDs than the peer agreed to keep. Those that
// it was asked to retire do not count [rfc9000-5.1.1-5].
void LocalCids::fill() {
  auto active = static_cast<std::size_t>(std::ranges::count_if(entries_, [this](const Entry& e) {
    return e.state != State::free && e.sequence_number >= retire_prior_to_;
  }));
  for (Entry& entry : entries_) {
    if (active >= limit_) return;
    if (entry.state != State::free) continue;
    ++active;
    const ConnectionId id = issue_from(issuer_);
    // One ID for two numbers: the peer would close for it. RFC 9000 §19.15.
    QPEER_INVARIANT(
        std::ranges::none_of(
            entries_, [&id](const Entry& e) { return e.state != State::free && e.id == id; }),
        return);
    entry = {.state = State::to_send, .sequence_number = next_sequence_number_++, .id = id};
  }
}

bool LocalCids::rotate() {
  // RFC 9000 §5.1.2 [rfc9000-5.1.2-8].
  const bool owed = std::ranges::any_of(entries_, [this](const Entry& e) {
    return e.state != State::free && e.sequence_number < retire_prior_to_;
  });
  if (owed || limit_ < 2) return false;
  // What was not sent yet never needs to be.
  for (Entry& entry : entries_) {
    if (entry.state != State::to_send || entry.sequence_number < first_unsent_) continue;
    issuer_.retire(entry.id);
    entry.state = State::free;
  }
  retire_prior_to_ = next_sequence_number_ = first_unsent_;
  fill();
  return true;
}

bool LocalCids::rotate_again() {
  if (unheard_) return false;
  for (Entry& entry : entries_) {
    if (entry.state == State::free || entry.sequence_number >= retire_prior_to_) continue;
    keep_for_stragglers(entry.id);
    entry.state = State::free;
    unheard_ = true;
  }
  return rotate();
}

Result LocalCids::on_retire(std::uint64_t sequence_number, const ConnectionId& packet_destination) {
  constexpr auto kType = static_cast<std::uint64_t>(wire::FrameType::retire_connection_id);
  // RFC 9000 §19.16 [rfc9000-19.16-4].
  if (initial_.empty()) {
    return fail(TransportErrorCode::protocol_violation, "retired a zero-length connection ID",
                kType);
  }
  // RFC 9000 §19.16 [rfc9000-19.16-1]: an ID that was never sent cannot be retired ...
  if (sequence_number >= first_unsent_) {
    return fail(TransportErrorCode::protocol_violation, "retired an unknown connection ID", kType);
  }
  for (Entry& entry : entries_) {
    if (entry.state == State::free || entry.sequence_number != sequence_number) continue;
    // ... nor the one that carried the wish [rfc9000-19.16-2].
    if (entry.id == packet_destination) {
      return fail(TransportErrorCode::protocol_violation, "retired the connection ID in use",
                  kType);
    }
    keep_for_stragglers(entry.id);
    entry.state = State::free;
    fill();
    break;
  }
  return {};
}

void LocalCids::keep_for_stragglers(const ConnectionId& id) {
  ConnectionId& oldest = retired_[retired_count_ % kMaxRetired];
  if (retired_count_ >= kMaxRetired) issuer_.retire(oldest);
  oldest = id;
  ++retired_count_;
}

bool LocalCids::has_frames() const {
  return std::ranges::any_of(entries_, [](const Entry& e) { return e.state == State::to_send; });
}

void LocalCids::write_frames(PacketWriter& out) {
  for (Entry& entry : entries_) {
    if (entry.state != State::to_send) continue;
    const wire::NewConnectionIdFrame frame{
        .sequence_number = entry.sequence_number,
        .retire_prior_to = std::min(retire_prior_to_, entry.sequence_number),
        .connection_id = entry.id,
        .stateless_reset_token = issuer_.reset_token(entry.id)};
    const SentFrame sent{
        .owner = FrameOwner::local_cids, .stream = {}, .offset = entry.sequence_number};
    if (!out.write(frame, sent)) return;
    entry.state = State::sent;
    first_unsent_ = std::max(first_unsent_, entry.sequence_number + 1);
  }
}

void LocalCids::on_fate(const SentFrame& frame, Fate fate) {
  if (fate == Fate::acked && frame.offset >= retire_prior_to_) unheard_ = false;
  if (fate != Fate::lost) return;
  for (Entry& entry : entries_) {
    if (entry.state == State::sent && entry.sequence_number == frame.offset) {
      entry.state = State::to_send;
    }
  }
}

bool LocalCids::consistent() const {
  std::size_t active = 0;
  for (const Entry& entry : entries_) {
    if (entry.state == State::free) continue;
    if (entry.sequence_number >= next_sequence_number_) return false;
    if (entry.state == State::sent && entry.sequence_number >= first_unsent_) return false;
    const auto same = [&entry](const Entry& e) {
      return e.state != State::free &&
             (e.sequence_number == entry.sequence_number || e.id == entry.id);
    };
    if (std::ranges::count_if(entries_, same) != 1) return false;
    if (entry.sequence_number >= retire_prior_to_) ++active;
  }
  // A client gets the preferred address's before its limit is known, which is two at least.
  return active <= std::max<std::size_t>(limit_, 2) && first_unsent_ <= next_sequence_number_ &&
         retire_prior_to_ <= next_sequence_number_;
}

}  // namespace qpeer::transport
