// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/port_members.hpp"

#include <array>

#include "qpeer/transport/endpoint/handshake_counts.hpp"

namespace qpeer::async::detail {

using Use = transport::UsedTokens::Use;

PortMembers::PortMembers(std::size_t count, const transport::EndpointConfig& config, Random& random)
    : new_clients_(random),
      used_tokens_(config.new_token_lifetime, config.used_token_memory / 2 * count) {
  for (std::size_t i = 0; i < count; ++i) {
    std::array<u8, 8> seed{};
    random.fill_private(seed);
    queues_.push_back(std::make_unique<io::HandoverQueue>(Reader(seed).u64()));
  }
}

bool PortMembers::hand_over(std::size_t member, const ReceivedDatagram& datagram) {
  return member < queues_.size() &&
         queues_[member]->add(datagram,
                              transport::HandshakeCounts::prefix_of(datagram.path.remote));
}

std::optional<std::size_t> PortMembers::find(const ConnectionId& id) {
  const std::scoped_lock lock(mutex_);
  return new_clients_.find(id.bytes());
}

std::size_t PortMembers::claim(const ConnectionId& id, std::size_t member) {
  const std::scoped_lock lock(mutex_);
  new_clients_.add(id, static_cast<transport::CidRouter::Slot>(member));
  return *new_clients_.find(id.bytes());
}

void PortMembers::release(const ConnectionId& id, std::size_t member) {
  const std::scoped_lock lock(mutex_);
  new_clients_.remove(id, static_cast<transport::CidRouter::Slot>(member));
}

bool PortMembers::is_unused_token(Instant now, std::uint64_t id) {
  const std::scoped_lock lock(mutex_);
  return used_tokens_.look(now, id) == Use::first;
}

bool PortMembers::use_token(Instant now, std::uint64_t id) {
  const std::scoped_lock lock(mutex_);
  return used_tokens_.use(now, id) == Use::first;
}

}  // namespace qpeer::async::detail
