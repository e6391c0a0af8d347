// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/nat/knock_sender.hpp"

#include <algorithm>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {

bool KnockSender::send(Instant now, const Path& path, const KnockToken& token,
                       const StunTransactionId& id) {
  std::erase_if(recent_, [now](const Recent& one) { return one.at + kSiteInterval <= now; });
  const SocketAddress site = site_of(path.remote);
  if (recent_.size() >= config_.per_second || waiting_.size() >= kMaxWaiting) return false;
  if (std::ranges::find(recent_, site, &Recent::site) != recent_.end()) return false;
  recent_.push_back({.site = site, .at = now});
  waiting_.push_back(
      {.path = path,
       .message = {
           .message_class = StunClass::indication, .transaction_id = id, .knock_token = token}});
  ++sent_;
  return true;
}

std::optional<Transmit> KnockSender::poll_transmit(TransmitBuffer& out) {
  if (waiting_.empty()) return std::nullopt;
  const Waiting& knock = waiting_.front();
  Writer writer{out.storage};
  knock.message.encode(writer);
  const Transmit transmit{.path = knock.path, .size = writer.size(), .segment_size = writer.size()};
  waiting_.pop_front();
  return transmit;
}

bool KnockSender::consistent() const {
  return recent_.size() <= config_.per_second && waiting_.size() <= kMaxWaiting &&
         std::ranges::is_sorted(recent_, {}, &Recent::at);
}

}  // namespace qpeer::p2p
