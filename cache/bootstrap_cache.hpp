// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The nodes that we can rejoin through, the most recently reached ones. A container: it knows no
// clock and no file, and does the same in the same order for the same calls.
//
// What it holds is never trusted, an entry is only a candidate. But whoever fills it decides whom
// we meet next, so no network may fill it alone. With C the capacity and S = C / prefix_share:
//
//   entries   0 ............ C/2 .................................. C
//   newcomer    is taken      |  is taken, but a prefix that has S   | takes the place of the worst
//                             |  replaces its own worst              | of the prefix most over S, or,
//                             |                                      | when none is, of the worst of all
//
// A prefix is a /16 of IPv4 or a /32 of IPv6. Worst: most failures, then longest not reached. So
// prefixes that together may have n entries never push out more than n others, and one that is
// over its share pushes out nobody.
//
// What is newer is decided by CacheEntry::order, a number that grows with each node that is reached: the
// wall clocks of two runs are not compared. Only where no number is known, as in a file of an earlier
// version or in a text, the times decide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "qpeer/crypto/peer_id.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/bytes.hpp"

namespace qpeer::cache {

/// How we know that a node can be reached, each time by a connection that we dialled without help.
enum class Evidence : u8 {
  dialled,       ///< We chose to.
  dialled_back,  ///< It had come to us, and we proved its address.
};

/// A node that we reached. Times are Unix seconds, for people: a clock may have been wrong, so that nothing
/// follows from them, and 0 is a time that is not known. See docs/peers.md.
struct CacheEntry {
  PeerId id{};                     ///< The node's name; each entry of a cache has another.
  SocketAddress address{};         ///< Where it was reached.
  std::vector<u8> certificate{};   ///< DER; may be empty.
  std::int64_t first_reached = 0;  ///< Stays when it is reached again.
  std::int64_t last_reached = 0;   ///< Of the latest success.
  /// The later it was reached, the larger: in the order of all runs that share a file. 0: not known.
  std::uint64_t order = 0;
  Evidence evidence = Evidence::dialled;  ///< How it was reached then.
  std::uint32_t failures = 0;             ///< Since it was last reached.
  std::vector<u8> ticket{};               ///< TLS resumption, opaque. A secret, for one connection.
  std::vector<u8> spare_ticket{};   ///< For the one after, should that connection not come about.
  std::vector<u8> address_token{};  ///< Of NEW_TOKEN, opaque. A secret, for one connection.

  friend bool operator==(const CacheEntry&, const CacheEntry&) = default;
};

/// The limits of a BootstrapCache.
struct CacheConfig {
  std::size_t capacity = 200;    ///< Entries; 0 keeps none.
  std::size_t prefix_share = 8;  ///< A prefix may have capacity / prefix_share; 1 is no limit.
  // A larger blob is not kept; its entry is. Together they bound the memory: about 7 MiB.
  std::size_t max_certificate = 16 << 10;   ///< Bytes.
  std::size_t max_ticket = 8 << 10;         ///< Each of the two.
  std::size_t max_address_token = 1 << 10;  ///< Bytes.
};

/// What makes one connection faster: of each nothing when there is none.
struct Resumption {
  std::vector<u8> ticket{};         ///< For transport::ConnectOptions::session_ticket.
  std::vector<u8> address_token{};  ///< For transport::ConnectOptions::address_token.
};

/// At most CacheConfig::capacity entries; each id once, each address once.
class BootstrapCache {
 public:
  /// An empty cache with these limits.
  explicit BootstrapCache(CacheConfig config = {}) : config_(config) {}

  /// We reached a node: inserts it, or refreshes what is known of it. An `order` of 0 becomes one after
  /// all others. Failures count from zero; first_reached stays, so do both times when the new ones are 0, and so do tickets that there is room for, and a token when the new one is
  /// empty. Another entry at this address goes. Returns false for what cannot be a candidate: no id, no address,
  /// port 0, 0.0.0.0 or [::], or no capacity.
  bool on_reached(CacheEntry entry);
  /// We did not reach it. Does nothing for an unknown id.
  void on_failed(const PeerId& id);
  /// Takes it out, and keeps merge() from bringing it back until it is reached again.
  void forget(const PeerId& id);
  /// Keeps what makes a later connection faster: the two newest tickets, the newest token. Each does
  /// nothing for an unknown id.
  void add_ticket(const PeerId& id, std::vector<u8> ticket);
  /// Keeps the newest NEW_TOKEN token of a node. Does nothing for an unknown id.
  void set_address_token(const PeerId& id, std::vector<u8> address_token);
  /// For one connection: what it shows is not shown again.
  Resumption take_resumption(const PeerId& id);

  /// Takes in what somebody else knows, an earlier run or another process. Of one id, and of one
  /// address, the entry that was reached last is kept; ours when both are as old, with the larger
  /// count of failures. A newcomer that would be the next to go is not taken.
  void merge(std::span<const CacheEntry> entries);
  /// The same with all entries of another cache.
  void merge(const BootstrapCache& other) { merge(other.entries_); }
  /// Gives each entry another `order`, from the oldest to the newest; those where it is not known keep 0.
  void renumber(const std::function<std::uint64_t(const CacheEntry&)>& order_of);

  /// Null when unknown. Valid until the next change.
  [[nodiscard]] const CacheEntry* find(const PeerId& id) const;
  /// All entries in the order in which to try them: fewest failures first, of those the newest.
  /// Valid until the next change.
  [[nodiscard]] std::vector<const CacheEntry*> candidates() const;
  /// Newest first.
  [[nodiscard]] const std::vector<CacheEntry>& entries() const { return entries_; }
  /// How many entries there are.
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  /// The limits that it was made with.
  [[nodiscard]] const CacheConfig& config() const { return config_; }
  /// Another number after each change, so that its owner knows when to save.
  [[nodiscard]] std::uint64_t revision() const { return revision_; }
  /// Whether each entry is a candidate within the limits, there once, and in its place. It compares all
  /// with all: for tests and assertions.
  [[nodiscard]] bool consistent() const;

 private:
  using Iterator = std::vector<CacheEntry>::iterator;

  [[nodiscard]] Iterator at(const PeerId& id);
  [[nodiscard]] Iterator at(const SocketAddress& address);
  /// Whose place a newcomer at `address` takes; end() when there is room. Never with no capacity.
  [[nodiscard]] Iterator victim_for(const SocketAddress& address);
  void limit(CacheEntry& entry) const;
  void place(CacheEntry entry);
  void merge_one(const CacheEntry& entry);

  CacheConfig config_;
  std::vector<CacheEntry> entries_;  ///< Newest first, then by id.
  std::vector<PeerId> forgotten_;    ///< At most as many as the capacity, the oldest first.
  std::uint64_t latest_ = 0;         ///< No `order` is larger.
  std::uint64_t revision_ = 0;
};

}  // namespace qpeer::cache
