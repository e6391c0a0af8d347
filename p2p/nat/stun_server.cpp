// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/nat/stun_server.hpp"

#include <algorithm>
#include <functional>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {
namespace {

/// A bucket that lets at most `per_second` through in any second: a quarter at once, and three quarters a
/// second.
struct Rate {
  explicit Rate(std::uint32_t per_second)
      : burst(std::max<std::uint32_t>(per_second / 4, 1)),
        interval(Duration{1s} /
                 std::max<std::uint32_t>(per_second - std::min(burst, per_second), 1)) {}

  [[nodiscard]] bool allows(Instant now, Instant full_at) const {
    return std::max(full_at, now) + interval <= now + burst * interval;
  }
  [[nodiscard]] Instant after_one(Instant now, Instant full_at) const {
    return std::max(full_at, now) + interval;
  }

  std::uint32_t burst;
  Duration interval;
};

}  // namespace

void StunServer::on_datagram(Instant now, ReceivedDatagram datagram) {
  if (const auto message = StunMessage::decode(datagram.payload)) {
    on_message(now, datagram.path, *message);
  }
}

void StunServer::on_message(Instant now, const Path& path, const StunMessage& message) {
  if (message.message_class != StunClass::request) return;
  ++stats_.requests;
  if (pending_.size() >= kMaxPending || !take_tokens(now, path.remote)) {
    ++stats_.rate_limited;
    return;
  }
  ++stats_.answers;
  // RFC 8489 §5 [rfc8489-5-7]: the ID is that of the request. §6.3.1.1 [rfc8489-6.3.1.1-5]: no SOFTWARE, so
  // that an answer stays small against a request.
  StunMessage answer{.message_class = StunClass::success, .transaction_id = message.transaction_id};
  if (message.not_understood.empty()) {
    answer.mapped_address = path.remote;
  } else {
    // RFC 8489 §6.3.1, §6.3.1.1 [rfc8489-6.3.1.1-1] [rfc8489-6.3.1.1-3] [rfc8489-14.8-10].
    answer.message_class = StunClass::error;
    answer.error_code = kStunUnknownAttribute;
    answer.unknown_attributes = message.not_understood;
  }
  // A retransmission gets the same answer again, from the address that it came to: §6.3.1 [rfc8489-6.3.1-1],
  // §6.3.1.2.
  pending_.push_back({.path = path, .message = answer});
}

// The total counts only what the site's limit lets through: a site that floods leaves it to the others.
bool StunServer::take_tokens(Instant now, const SocketAddress& remote) {
  if (config_.per_second == 0 || config_.per_second_of_site == 0) return false;
  if (sites_.empty()) sites_.resize(kSites);
  Bucket& site = sites_[std::hash<SocketAddress>{}(site_of(remote)) % kSites];
  const Rate of_site{config_.per_second_of_site};
  const Rate of_all{config_.per_second};
  if (!of_site.allows(now, site) || !of_all.allows(now, all_)) return false;
  site = of_site.after_one(now, site);
  all_ = of_all.after_one(now, all_);
  return true;
}

std::optional<Transmit> StunServer::poll_transmit(Instant /*now*/, TransmitBuffer& out) {
  if (pending_.empty()) return std::nullopt;
  const Answer& answer = pending_.front();
  Writer writer{out.storage};
  answer.message.encode(writer);
  const Transmit transmit{
      .path = answer.path, .size = writer.size(), .segment_size = writer.size()};
  pending_.pop_front();
  return transmit;
}

bool StunServer::consistent() const {
  return stats_.answers + stats_.rate_limited == stats_.requests &&
         pending_.size() <= kMaxPending && pending_.size() <= stats_.answers;
}

}  // namespace qpeer::p2p
