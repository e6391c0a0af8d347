// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/nat/stun_client.hpp"

#include <algorithm>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {

std::expected<StunQuery, StunQueryError> StunClient::ask(Instant now, const Path& path,
                                                         const StunDetour& detour) {
  const SocketAddress& server = path.remote;
  if (!server.valid() || server.port() == 0 || server.is_wildcard() || is_multicast(server)) {
    return std::unexpected(StunQueryError::bad_address);
  }
  const auto of_server = std::ranges::count_if(
      transactions_, [&](const Transaction& each) { return each.path.remote == server; });
  if (transactions_.size() >= kMaxTransactions ||
      static_cast<std::size_t>(of_server) >= kMaxOfServer) {
    return std::unexpected(StunQueryError::too_many);
  }
  Transaction transaction{.query = next_query_++, .path = path, .detour = detour, .started = now};
  transaction.deadline = give_up_at(transaction);
  // RFC 8489 §5 [rfc8489-5-4] [rfc8489-5-5] [rfc8489-5-6]: each transaction draws an ID of its own, which
  // all of its requests carry.
  random_.fill_public(transaction.id);
  transactions_.push_back(transaction);
  return transaction.query;
}

std::optional<StunQuery> StunClient::sent_by_us(const StunMessage& message) const {
  if (message.message_class != StunClass::request) return std::nullopt;
  const auto found = std::ranges::find_if(transactions_, [&](const Transaction& each) {
    return each.sent > 0 && each.id == message.transaction_id;
  });
  return found == transactions_.end() ? std::nullopt : std::optional(found->query);
}

void StunClient::cancel(StunQuery query) {
  std::erase_if(transactions_, [query](const Transaction& each) { return each.query == query; });
}

void StunClient::on_datagram(Instant now, ReceivedDatagram datagram) {
  if (const auto message = StunMessage::decode(datagram.payload)) {
    on_message(now, datagram.path, *message);
  }
}

bool StunClient::on_message(Instant now, const Path& path, const StunMessage& message) {
  if (message.message_class != StunClass::success && message.message_class != StunClass::error) {
    return false;
  }
  const auto found = std::ranges::find_if(transactions_, [&](const Transaction& each) {
    return each.sent > 0 && each.id == message.transaction_id &&
           (each.path.remote == path.remote || each.detour.answers_from == path.remote);
  });
  if (found == transactions_.end()) return false;
  using Outcome = StunResult::Outcome;
  StunResult result{
      .query = found->query, .server = found->path.remote, .outcome = Outcome::malformed};
  if (found->sent == 1) result.round_trip = now - found->sent_at;
  // RFC 8489 §6.3.3, §6.3.4: what we do not understand, or lacks what it must have, ends it as a failure.
  // So does every error, also one that points elsewhere or allows another try [rfc8489-6.3.4-1].
  if (message.not_understood.empty()) {
    if (message.message_class == StunClass::error && message.error_code) {
      result.outcome = Outcome::refused;
      result.error_code = *message.error_code;
    } else if (message.message_class == StunClass::success && message.mapped_address &&
               path.remote == found->detour.answers_from) {
      result.outcome = Outcome::answered;
      result.mapped_address = message.mapped_address;
      result.other_address = message.other_address;
    }
  }
  transactions_.erase(found);
  events_.push_back(result);
  return true;
}

std::optional<Transmit> StunClient::poll_transmit(Instant now, TransmitBuffer& out) {
  const auto found = std::ranges::find_if(transactions_, &Transaction::due);
  if (found == transactions_.end()) return std::nullopt;
  Transaction& transaction = *found;
  Writer writer{out.storage};
  // RFC 8489 §6.1 [rfc8489-6.1-3]: no SOFTWARE, which would show a stranger our software [rfc8489-16.1.2-1].
  StunMessage{.transaction_id = transaction.id, .change = transaction.detour.change}.encode(writer);
  transaction.due = false;
  // RFC 8489 §6.2.1 [rfc8489-6.2.1-1] [rfc8489-6.2.1-10] [rfc8489-6.2.1-11] [rfc8489-6.2.1-12]: intervals
  // double, and the last request is waited for longer.
  const auto rto = config_.retransmission_timeout;
  const unsigned doublings = std::min(transaction.sent, 16U);
  const bool is_last = ++transaction.sent >= config_.max_requests;
  const Duration wait = is_last ? rto * config_.last_wait : rto * (1U << doublings);
  transaction.sent_at = now;
  transaction.deadline = std::min(now + wait, give_up_at(transaction));
  return Transmit{.path = transaction.path, .size = writer.size(), .segment_size = writer.size()};
}

Instant StunClient::next_deadline() const {
  Instant out = kNever;
  for (const Transaction& each : transactions_) out = std::min(out, each.deadline);
  return out;
}

void StunClient::on_deadline(Instant now) {
  for (Transaction& each : transactions_) {
    if (each.deadline > now) continue;
    if (each.sent < config_.max_requests && now < give_up_at(each)) {
      each.due = true;
      each.deadline = give_up_at(each);
      continue;
    }
    events_.push_back({.query = each.query, .server = each.path.remote});
    each.query = 0;
  }
  cancel(0);
}

std::optional<StunResult> StunClient::poll_event() {
  if (events_.empty()) return std::nullopt;
  const StunResult out = events_.front();
  events_.pop_front();
  return out;
}

bool StunClient::consistent() const {
  return transactions_.size() <= kMaxTransactions &&
         std::ranges::all_of(transactions_, [this](const Transaction& each) {
           return each.query != 0 && each.query < next_query_ &&
                  each.sent <= config_.max_requests && (each.due || each.sent > 0) &&
                  each.deadline <= give_up_at(each);
         });
}

}  // namespace qpeer::p2p
