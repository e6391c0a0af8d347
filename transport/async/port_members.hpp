// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What the endpoints of one port share, each endpoint in a thread of its own: the queues by which datagrams
// are handed over, which endpoint serves which new client, whose stateless resets are whose, and which tokens
// were used. Internal to async.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/endpoint/cid_router.hpp"
#include "qpeer/transport/endpoint/endpoint.hpp"
#include "qpeer/transport/endpoint/used_tokens.hpp"
#include "qpeer/transport/io/handover_queue.hpp"

namespace qpeer::async::detail {

class PortMembers final : public transport::SharedPort {
 public:
  /// Of `count` endpoints with that configuration.
  PortMembers(std::size_t count, const transport::EndpointConfig& config, Random& random);

  /// The queue of the datagrams that other endpoints received for `member`.
  [[nodiscard]] io::HandoverQueue& queue(std::size_t member) { return *queues_[member]; }

  bool hand_over(std::size_t member, const ReceivedDatagram& datagram) override;
  std::optional<std::size_t> find(const ConnectionId& id) override;
  std::size_t claim(const ConnectionId& id, std::size_t member) override;
  void release(const ConnectionId& id, std::size_t member) override;
  void watch_reset(const StatelessResetToken& token, std::size_t member) override;
  void unwatch_reset(const StatelessResetToken& token, std::size_t member) override;
  std::optional<std::size_t> find_reset(const StatelessResetToken& token) override;
  bool is_unused_token(Instant now, std::uint64_t id) override;
  bool use_token(Instant now, std::uint64_t id) override;

 private:
  std::vector<std::unique_ptr<io::HandoverQueue>> queues_;
  std::mutex mutex_;  ///< Guards the rest. Taken for no datagram of a connection of its thread.
  /// From the ID that a client chose, and from its stateless reset tokens, to a member.
  transport::CidRouter router_;
  transport::UsedTokens used_tokens_;
};

}  // namespace qpeer::async::detail
