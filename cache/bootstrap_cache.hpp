// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The nodes that we can rejoin through, the most recently reached ones. A container: it has no clock
// and no file, and the same calls in the same order give the same contents.
//
// An entry is only a candidate, and never trusted. But whoever fills the cache decides which nodes we
// dial next, so no single network may fill it. With C the capacity and S = C / prefix_share:
//
//   entries   0 ............ C/2 .................................. C
//   newcomer    is taken      |  is taken, but a prefix that has S   | takes the place of the worst
//                             |  replaces its own worst              | of the prefix most over S, or,
//                             |                                      | when none is, of the worst of all
//
// A prefix is a /16 of IPv4 or a /32 of IPv6. Worst: most failures, then longest not reached. So
// prefixes that together may have n entries never replace more than n others, and a prefix that is
// over its share replaces only its own.
//
// CacheEntry::order decides which of two entries is newer. It is a number that grows with each node
// that is reached, so that the wall clocks of two runs are not compared. The times decide only when
// a number is not known, as in a file of an earlier version or in a text.
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

/// Which connection showed that a node can be reached. We dialled it without help.
enum class Evidence : u8 {
  dialled,  ///< We dialled the node because we wanted a connection.
  dialled_back,  ///< The node had connected to us, we dialled its address, and strangers get through too.
  unproved,  ///< The same, but whether strangers get through is not known: no other peer is told of it.
};

/// A node that we reached. Times are Unix seconds, for people to read only, since a clock may have
/// been wrong; 0 is a time that is not known. See docs/peers.md.
struct CacheEntry {
  PeerId id{};                     ///< The node's name; no two entries of a cache have the same.
  SocketAddress address{};         ///< Where it was reached.
  std::vector<u8> certificate{};   ///< DER; may be empty.
  std::int64_t first_reached = 0;  ///< Of the first success.
  std::int64_t last_reached = 0;   ///< Of the latest success.
  /// Larger for a node that was reached later, over all runs that share a file. 0: not known.
  std::uint64_t order = 0;
  Evidence evidence = Evidence::dialled;  ///< Of the latest success.
  std::uint32_t failures = 0;             ///< Failed attempts since the latest success.
  std::vector<u8> ticket{};               ///< TLS resumption, opaque. A secret, for one connection.
  std::vector<u8> spare_ticket{};   ///< For a second attempt, when the first gets no connection.
  std::vector<u8> address_token{};  ///< From NEW_TOKEN, opaque. A secret, for one connection.

  friend bool operator==(const CacheEntry&, const CacheEntry&) = default;
};

/// The limits of a BootstrapCache.
struct CacheConfig {
  std::size_t capacity = 200;    ///< Entries; 0 keeps none.
  std::size_t prefix_share = 8;  ///< A prefix may have capacity / prefix_share; 1 is no limit.
  // A larger blob is dropped; the entry is kept without it. Together they bound the memory: 7 MiB.
  std::size_t max_certificate = 16 << 10;   ///< Bytes.
  std::size_t max_ticket = 8 << 10;         ///< Bytes, for each of the two tickets.
  std::size_t max_address_token = 1 << 10;  ///< Bytes.
};

/// What makes one connection faster. A member is empty when there is none.
struct Resumption {
  std::vector<u8> ticket{};         ///< For transport::ConnectOptions::session_ticket.
  std::vector<u8> address_token{};  ///< For transport::ConnectOptions::address_token.
};

/// At most CacheConfig::capacity entries; each id once, each address once. Single-threaded.
class BootstrapCache {
 public:
  /// An empty cache with these limits.
  explicit BootstrapCache(CacheConfig config = {}) : config_(config) {}

  /// We reached a node: inserts its entry, or updates the one that is there. An `order` of 0 becomes
  /// the largest of all. The count of failures starts at zero again. Of an existing entry stay:
  /// first_reached; both times, when the new ones are 0; the tickets, as far as there is room; the
  /// certificate and the token, when the new ones are empty. Another entry at the same address is
  /// removed. Evidence::unproved takes nothing back that was proved of the same address. Returns false, and changes nothing, when the entry cannot be a candidate (no id, no
  /// address, port 0, 0.0.0.0 or [::]), or the capacity is 0.
  bool on_reached(CacheEntry entry);
  /// An attempt to reach the node failed: counts it. Does nothing for an unknown id.
  void on_failed(const PeerId& id);
  /// Strangers get through to the node, too. Does nothing for an unknown id.
  void on_proved(const PeerId& id);
  /// Removes a node, and keeps merge() from bringing it back until it is reached again.
  void forget(const PeerId& id);
  /// Adds a ticket for a later connection to the node; the two newest are kept. Does nothing for an
  /// unknown id.
  void add_ticket(const PeerId& id, std::vector<u8> ticket);
  /// Keeps the newest NEW_TOKEN token of a node. Does nothing for an unknown id.
  void set_address_token(const PeerId& id, std::vector<u8> address_token);
  /// Moves a ticket and the token out of the cache, for one connection: neither may be used twice.
  Resumption take_resumption(const PeerId& id);

  /// Adds the entries of an earlier run or of another process. Of two entries with one id, or with
  /// one address, the newer is kept; ours when neither is newer, with the larger count of failures.
  /// A new entry is not added when it would be the next to be replaced.
  void merge(std::span<const CacheEntry> entries);
  /// The same with all entries of another cache.
  void merge(const BootstrapCache& other) { merge(other.entries_); }
  /// Sets the `order` of each entry to `order_of(entry)`, called from the oldest entry to the newest.
  /// An order of 0 (not known) stays 0.
  void renumber(const std::function<std::uint64_t(const CacheEntry&)>& order_of);

  /// Null when unknown. Valid until the next change.
  [[nodiscard]] const CacheEntry* find(const PeerId& id) const;
  /// All entries in the order in which to try them: fewest failures first, of those the proved ones, of
  /// those the newest.
  /// Valid until the next change.
  [[nodiscard]] std::vector<const CacheEntry*> candidates() const;
  /// Newest first.
  [[nodiscard]] const std::vector<CacheEntry>& entries() const { return entries_; }
  /// How many entries there are.
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  /// The limits that this cache was made with.
  [[nodiscard]] const CacheConfig& config() const { return config_; }
  /// Grows with each change, so that the owner knows when to save.
  [[nodiscard]] std::uint64_t revision() const { return revision_; }
  /// Whether each entry is a candidate within the limits, unique, and in its place. Takes quadratic
  /// time: for tests and assertions.
  [[nodiscard]] bool consistent() const;

 private:
  using Iterator = std::vector<CacheEntry>::iterator;

  [[nodiscard]] Iterator at(const PeerId& id);
  [[nodiscard]] Iterator at(const SocketAddress& address);
  /// The entry that a new one at `address` replaces; end() when there is room. Not to be called when
  /// the capacity is 0.
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
