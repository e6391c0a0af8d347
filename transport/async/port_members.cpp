// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/transport/async/port_members.hpp"

#include <array>

#include "qpeer/transport/endpoint/handshake_counts.hpp"

namespace qpeer::async::detail {

using Use = transport::UsedTokens::Use;

PortMembers::PortMembers(std::size_t count, const transport::EndpointConfig& config, Random& random)
    : router_(random),
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
  return router_.find(id.bytes());
}

std::size_t PortMembers::claim(const ConnectionId& id, std::size_t member) {
  const std::scoped_lock lock(mutex_);
  router_.add(id, static_cast<transport::CidRouter::Slot>(member));
  return *router_.find(id.bytes());
}

void PortMembers::release(const ConnectionId& id, std::size_t member) {
  const std::scoped_lock lock(mutex_);
  router_.remove(id, static_cast<transport::CidRouter::Slot>(member));
}

void PortMembers::watch_reset(const StatelessResetToken& token, std::size_t member) {
  const std::scoped_lock lock(mutex_);
  router_.add_reset(token, static_cast<transport::CidRouter::Slot>(member));
}

void PortMembers::unwatch_reset(const StatelessResetToken& token, std::size_t member) {
  const std::scoped_lock lock(mutex_);
  router_.remove_reset(token, static_cast<transport::CidRouter::Slot>(member));
}

std::optional<std::size_t> PortMembers::find_reset(const StatelessResetToken& token) {
  const std::scoped_lock lock(mutex_);
  return router_.find_reset(token);
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
