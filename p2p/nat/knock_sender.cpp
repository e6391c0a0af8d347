// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/nat/knock_sender.hpp"

#include <algorithm>
#include <cstddef>

#include "qpeer/transport/base/address_kind.hpp"

namespace qpeer::p2p {

bool KnockSender::admit(Instant now, const SocketAddress& asker, const SocketAddress& target) {
  std::erase_if(recent_, [now](const Recent& one) { return one.at + kSiteInterval <= now; });
  const Recent wanted{.asker = site_of(asker), .target = site_of(target), .at = now};
  if (recent_.size() >= config_.per_second || waiting_.size() >= kMaxWaiting) return false;
  if (std::ranges::find(recent_, wanted.target, &Recent::target) != recent_.end()) return false;
  const auto share = std::max<std::ptrdiff_t>(config_.per_second / 2, 1);
  if (std::ranges::count(recent_, wanted.asker, &Recent::asker) >= share) return false;
  recent_.push_back(wanted);
  return true;
}

void KnockSender::send(const Path& path, const KnockToken& token, const StunTransactionId& id) {
  waiting_.push_back(
      {.path = path,
       .message = {
           .message_class = StunClass::indication, .transaction_id = id, .knock_token = token}});
  ++sent_;
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
