// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/datagram_inbox.hpp"

#include <algorithm>

namespace qpeer::p2p {

void DatagramInbox::push(const SocketAddress& network, Datagram datagram) {
  ++counts_[{network, datagram.from}];
  queue_.push_back({.network = network, .datagram = std::move(datagram)});
  if (queue_.size() <= kCapacity) return;
  const Sender most = sender_of_most();
  const auto oldest = std::ranges::find_if(queue_, [&most](const Entry& entry) {
    return entry.datagram.from == most.second && entry.network == most.first;
  });
  count_one_less(most);
  queue_.erase(oldest);
}

std::optional<Datagram> DatagramInbox::pop() {
  if (queue_.empty()) return std::nullopt;
  Entry out = std::move(queue_.front());
  queue_.pop_front();
  count_one_less({out.network, out.datagram.from});
  return std::move(out.datagram);
}

void DatagramInbox::count_one_less(const Sender& sender) {
  const auto at = counts_.find(sender);
  if (--at->second == 0) counts_.erase(at);
}

// There are no more senders than datagrams.
DatagramInbox::Sender DatagramInbox::sender_of_most() const {
  Sender out;
  std::size_t most_of_network = 0;
  for (auto at = counts_.begin(); at != counts_.end();) {
    const SocketAddress& network = at->first.first;
    auto most = at;
    std::size_t of_network = 0;
    for (; at != counts_.end() && at->first.first == network; ++at) {
      of_network += at->second;
      if (at->second > most->second) most = at;
    }
    if (of_network <= most_of_network) continue;
    most_of_network = of_network;
    out = most->first;
  }
  return out;
}

bool DatagramInbox::consistent() const {
  std::size_t sum = 0;
  for (const auto& [sender, count] : counts_) {
    if (count == 0) return false;
    sum += count;
  }
  return sum == queue_.size() && sum <= kCapacity;
}

}  // namespace qpeer::p2p
