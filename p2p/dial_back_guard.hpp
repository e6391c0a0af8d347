// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Keeps peers from using dial-backs as an attack: which address a dial-back may go to, and how many there
// may be.
//
// A peer that says "node" makes us send packets to an address that it names. So the address is the
// host that we saw it from unless the application allows others, never one that is narrower in
// reach than the peer's own, and what one site can make us do is bounded in number and in rate.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <span>

#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::p2p {

/// Which hosts a dial-back may go to.
enum class DialBackTarget : u8 {
  observed_host,  ///< Only the host that the peer was seen from; the port is the peer's choice.
  any,            ///< Whatever the peer advertises, within the rules of choose_target.
};

/// The address to dial back to: the first advertised one that is allowed, with a wildcard host
/// replaced by that of `observed`, the validated address of the peer. nullopt when none is.
///
/// Never multicast, broadcast, reserved or documentation addresses, port 0, or one of `own` (of
/// which a wildcard stands for every address of this machine that we see as loopback). A peer seen
/// from the internet is dialled on the internet only; one seen from a narrower range (private,
/// link-local, loopback) in such ranges only, and not in one narrower than its own. When
/// `we_are_public`, private ranges are not dialled at all.
[[nodiscard]] std::optional<SocketAddress> choose_target(const SocketAddress& observed,
                                                         std::span<const SocketAddress> advertised,
                                                         DialBackTarget policy, bool we_are_public,
                                                         std::span<const SocketAddress> own = {});

/// How many dial-backs strangers can make us begin.
struct DialBackLimiterConfig {
  std::size_t max_in_flight = 32;  ///< At once.
  std::size_t max_queued = 256;    ///< Beyond, Admission::full.
  /// Of one prefix, a /24 or /48.
  std::size_t max_in_flight_of_prefix = 2;
  std::size_t max_queued_of_prefix = 8;  ///< The same of one prefix.
  /// A prefix may start one each `interval`, and `burst` at once when it was quiet.
  Duration interval = 1s;
  /// See `interval`.
  std::uint32_t burst = 4;
  /// How many prefixes are remembered. One is forgotten only when it is as good as new.
  std::size_t max_prefixes = 4096;
};

/// The answer to admit().
enum class Admission : u8 {
  admitted,  ///< It may start now.
  wait,      ///< It is queued: poll_start() gives its key when it may.
  full,      ///< There is no room, Verdict::try_again_later. Nothing is kept of it.
};

/// Says when a dial-back may start. Queued ones start in order, but none waits for another prefix's
/// rate. Memory is bounded by the limits.
class DialBackLimiter {
 public:
  /// The limits.
  using Config = DialBackLimiterConfig;
  /// The owner's name of a dial-back, such as a slot; unique from admit() to release().
  using Key = std::uint64_t;

  /// Nothing is in flight or queued.
  explicit DialBackLimiter(Config config = {}) : config_(config) {}
  DialBackLimiter(DialBackLimiter&&) = default;
  DialBackLimiter& operator=(DialBackLimiter&&) = default;
  DialBackLimiter(const DialBackLimiter&) = delete;
  DialBackLimiter& operator=(const DialBackLimiter&) = delete;
  ~DialBackLimiter() = default;

  /// Asks for a dial-back to `target`. `full` also for a key that is in flight or queued.
  [[nodiscard]] Admission admit(Instant now, const SocketAddress& target, Key key);
  /// Gives a queued one that may start now; call until nullopt.
  [[nodiscard]] std::optional<Key> poll_start(Instant now);
  /// Ends one that is in flight, or withdraws one that is queued; unknown keys are ignored.
  void release(Key key);

  /// When poll_start() may give one: kNever when nothing is queued, or when only a release helps.
  [[nodiscard]] Instant next_start() const { return next_start_; }
  /// How many were started and not released.
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }
  /// How many wait.
  [[nodiscard]] std::size_t queued() const { return queue_.size(); }
  /// How many prefixes are remembered.
  [[nodiscard]] std::size_t prefixes() const { return prefixes_.size(); }

 private:
  /// A bucket of `burst` tokens, told by the instant when it is full again.
  struct Prefix {
    Instant full_at = Instant::min();
    std::size_t in_flight = 0;
    std::size_t queued = 0;
  };
  using Prefixes = std::map<SocketAddress, Prefix>;
  struct Entry {
    Key key = 0;
    Prefixes::iterator prefix;
  };

  [[nodiscard]] Instant may_start_at(const Prefix& prefix) const;
  [[nodiscard]] bool make_room(Instant now);
  void begin(Instant now, const Entry& entry);
  void on_less(Prefixes::iterator at);
  void update_next_start();

  Config config_;
  Prefixes prefixes_;
  std::list<Entry> queue_;
  std::map<Key, Prefixes::iterator> in_flight_;
  Instant next_start_ = kNever;
  Instant next_sweep_ = Instant::min();
};

}  // namespace qpeer::p2p
