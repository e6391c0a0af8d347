// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One network path of a connection: two addresses, and all that holds for this pair alone.
// RFC 9000 §9.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/ids.hpp"
#include "qpeer/transport/base/inline_vector.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/connection/mtu_discovery.hpp"
#include "qpeer/transport/connection/path_validator.hpp"
#include "qpeer/transport/recovery/path_state.hpp"
#include "qpeer/transport/wire/frame.hpp"

namespace qpeer::transport {

struct NetworkPath {
  /// What becomes of it once it is validated.
  enum class Intent : u8 {
    none,     ///< It may serve as long as the peer uses it.
    probe,    ///< We asked whether it works.
    migrate,  ///< We go over to it.
    follow,   ///< The peer has gone over to it.
  };

  NetworkPath(const Path& addresses, std::uint64_t cid, const MtuDiscovery& discovery)
      : address(addresses), remote_cid(cid), mtu(discovery) {}

  /// How many bytes may be sent to it now. RFC 9000 §8.1 [rfc9000-8.1-2]: three times what came from
  /// there, until the peer is known to be there.
  [[nodiscard]] std::uint64_t allowance() const {
    if (address_validated) return std::numeric_limits<std::uint64_t>::max();
    return 3 * received > sent ? 3 * received - sent : 0;
  }
  void on_received(std::uint64_t size) {
    // RFC 9000 §8.1 [rfc9000-8.1-3]: what counts is what arrived, processed or not.
    if (!address_validated) received += size;
    silent = false;
  }
  void on_sent(std::uint64_t size) {
    if (!address_validated) sent += size;
  }

  Path address;
  std::uint64_t id = 0;          ///< Never that of another path of the connection.
  std::uint64_t remote_cid = 0;  ///< Sequence number of the ID that we send to here.
  ConnectionId local_cid;        ///< The ID that the peer's latest packet here was sent to.
  Intent intent = Intent::none;
  bool validated = false;          ///< It carries datagrams of the least size, to the peer.
  bool address_validated = false;  ///< The peer is at this address.
  std::uint64_t received = 0;      ///< Counted while the address is not validated.
  std::uint64_t sent = 0;
  bool chosen = false;      ///< The application chose our address.
  bool silent = false;      ///< We made it, and nothing has come from there yet.
  bool has_tokens = false;  ///< The peer was given address tokens for here.
  Instant idle_since{};     ///< When it last did anything, while another one is in use.
  Duration round_trip{};    ///< Of a challenge; 0 when unknown.
  Instant answers_at{};     ///< No answer leaves beyond the congestion window before.
  PathValidator validator;
  PathResponder responder;
  MtuDiscovery mtu;
  std::unique_ptr<PathState> state;  ///< While it is not in use; null if it never was.
};

/// What a datagram that is being read has to do with paths.
struct IncomingDatagram {
  Path address;  ///< Where it came to, and where from.
  std::size_t size = 0;
  /// NetworkPath::id of its path; nullopt while there is no such path.
  std::optional<std::uint64_t> path{};
};

/// The PATH_CHALLENGE frames of one packet; more than a responder keeps are of no use.
using PathChallenges = InlineVector<wire::PathChallengeFrame, PathResponder::kMaxPending>;

}  // namespace qpeer::transport
