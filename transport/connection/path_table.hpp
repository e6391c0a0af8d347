// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The paths of a connection: the one in use, the last one that was validated, and those that are
// being looked at. RFC 9000 §9.
//
// Invariant: the path in use is one of them, and so is the fallback, which was validated and is there
// only while the path in use is not; their number is bounded, and no two have one name. Who spoofs
// addresses makes us forget his own paths, not the peer's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "qpeer/transport/connection/path.hpp"

namespace qpeer::transport {

class PathTable {
 public:
  /// A path that is not in use and has nothing to do is forgotten after this long.
  static constexpr Duration kIdleTime = 10s;

  PathTable(Side side, std::size_t limit, NetworkPath first);

  [[nodiscard]] NetworkPath& active() { return *active_; }
  [[nodiscard]] const NetworkPath& active() const { return *active_; }
  /// The path to go back to when the one in use fails; null while that is validated.
  [[nodiscard]] NetworkPath* fallback() const { return fallback_; }
  [[nodiscard]] std::span<const std::unique_ptr<NetworkPath>> all() const { return paths_; }
  [[nodiscard]] std::size_t size() const { return paths_.size(); }

  /// The path of a datagram; null when there is none such. A client knows the server by its address
  /// alone: which of our own addresses a datagram came to is the network's choice.
  [[nodiscard]] NetworkPath* find(const Path& address) const;
  /// The path with this name; null when it is gone.
  [[nodiscard]] NetworkPath* find(std::uint64_t id) const;
  /// The path that exactly these addresses name.
  [[nodiscard]] NetworkPath* find_exactly(const Path& address) const;
  [[nodiscard]] bool knows_remote(const SocketAddress& remote) const;
  /// Whether the peer is known to be at this address.
  [[nodiscard]] bool is_validated(const SocketAddress& remote) const;
  /// Whether another path sends to the same connection ID.
  [[nodiscard]] bool shares_cid(const NetworkPath& path) const;

  /// The path that has to go before another one can come; null when there is room, or when none
  /// can: then full() stays true.
  [[nodiscard]] NetworkPath* dispensable() const;
  [[nodiscard]] bool full() const { return paths_.size() >= limit_; }
  NetworkPath& add(NetworkPath path);
  /// Neither the path in use nor the fallback.
  void remove(const NetworkPath& path);
  /// The connection goes on over `path`.
  void activate(Instant now, NetworkPath& path);
  /// The path in use is validated.
  void forget_fallback() { fallback_ = nullptr; }

  [[nodiscard]] Instant deadline(Instant now) const;
  /// When a path is forgotten that is not kept. Not before the peer is heard on the path in use: as long as
  /// the peer does not know that one, it goes on over another.
  [[nodiscard]] Instant idle_end(const NetworkPath& path) const {
    const bool may_go = !path.validator.is_active() && !active_->silent;
    return may_go ? path.idle_since + kIdleTime : kNever;
  }
  /// A path other than the active one that has something to send now, and may.
  [[nodiscard]] NetworkPath* next_to_probe(Instant now) const;
  /// Less than this is not worth a datagram: a packet to the longest connection ID with some frames.
  static constexpr std::uint64_t kLeastAllowance = 80;

  /// In use, or the way back.
  [[nodiscard]] bool is_kept(const NetworkPath& path) const {
    return &path == active_ || &path == fallback_;
  }

  /// Whether the invariant holds. For assertions.
  [[nodiscard]] bool consistent() const;

 private:
  Side side_;
  std::size_t limit_;
  std::vector<std::unique_ptr<NetworkPath>> paths_;  ///< In the order in which they came.
  std::uint64_t next_id_ = 0;
  NetworkPath* active_ = nullptr;
  NetworkPath* fallback_ = nullptr;
};

}  // namespace qpeer::transport
