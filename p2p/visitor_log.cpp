// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/visitor_log.hpp"

#include <algorithm>

namespace qpeer::p2p {

void VisitorLog::on_visit(Instant now, const SocketAddress& from) {
  if (visits_.size() >= kMaxVisitors) {
    std::erase_if(visits_, [&](const auto& one) { return one.second.last + kVisitorTime <= now; });
    if (visits_.size() >= kMaxVisitors) visits_.erase(visits_.begin());
  }
  Visit& visit = visits_[from];
  if (visit.last == Instant::min() || visit.last + kVisitorTime <= now) visit.first = now;
  visit.last = now;
}

bool VisitorLog::came_before(Instant now, const SocketAddress& address, Instant when) const {
  const auto at = visits_.find(address);
  return at != visits_.end() && at->second.first <= when && now < at->second.last + kVisitorTime;
}

// Addresses of one host are neighbours in the order of addresses.
bool VisitorLog::came_from_host(Instant now, const SocketAddress& address) const {
  for (auto at = visits_.lower_bound(address.with_port(0));
       at != visits_.end() && at->first.same_host(address); ++at) {
    if (now < at->second.last + kVisitorTime) return true;
  }
  return false;
}

bool VisitorLog::consistent() const {
  return visits_.size() <= kMaxVisitors && std::ranges::all_of(visits_, [](const auto& one) {
           return one.second.first <= one.second.last;
         });
}

}  // namespace qpeer::p2p
