// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A link between two machines: what it does to the datagrams that enter it.
//
//   enter -> filter -> mtu -> stages -> queue (tail drop, CE) -> wire (loss, corruption, copies) -> delay
//
// Stages are models of what else a path does (bottleneck.hpp, link_models.hpp). One stage in several links
// is what they share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "qpeer/tests/sim/seeded_random.hpp"
#include "qpeer/tests/sim/units.hpp"
#include "qpeer/transport/base/datagram.hpp"

namespace qpeer::sim {

/// How a link behaves; each direction has its own. Probabilities are per datagram.
struct Link {
  Duration delay = 10ms;  ///< One way.
  Duration jitter{};      ///< Up to this much more, at random; order is kept.
  Rate rate{};
  std::size_t queue = 256 << 10;  ///< Bytes that wait at most where `rate` is limited.
  double loss = 0;
  double reorder = 0;           ///< Held back by `reorder_delay`, so that others overtake.
  Duration reorder_delay{};     ///< 0 stands for half of `delay` and one millisecond.
  bool reorder_evenly = false;  ///< Held back by a random time up to `reorder_delay` instead.
  double duplicate = 0;
  double corrupt = 0;  ///< Bits of one byte flip.
  double ce = 0;       ///< CE instead of ECT, at random ...
  std::size_t ce_above = std::numeric_limits<std::size_t>::max();  ///< ... or with a longer queue.
  bool bleach_ecn = false;  ///< Clears the ECN field, as some routers do.
  std::size_t mtu = 1'500;  ///< The largest UDP payload that passes.
  bool blocked = false;     ///< Nothing passes.
};

/// A datagram on its way, as filters and taps see it. Both may change the bytes and the mark.
struct Passing {
  Instant now;
  SocketAddress from;
  SocketAddress to;
  MutableBytes payload;
  Ecn& ecn;
  std::uint64_t ordinal = 0;  ///< From 0, in this direction of this link.
};

/// What a filter wants: nothing, an end, or a delay on top of the link's.
struct Verdict {
  bool drop = false;
  Duration delay{};
};

using Filter = std::function<Verdict(Passing&)>;

/// Drops these datagrams of a direction, counted from 0.
inline Filter drop_ordinals(std::set<std::uint64_t> ordinals) {
  return [ordinals = std::move(ordinals)](Passing& datagram) {
    return Verdict{.drop = ordinals.contains(datagram.ordinal)};
  };
}

/// Drops what this says yes to.
inline Filter drop_if(std::function<bool(const Passing&)> condition) {
  return [condition = std::move(condition)](Passing& datagram) {
    return Verdict{.drop = condition(datagram)};
  };
}

/// One thing that a path does to the datagrams that pass it.
class LinkStage {
 public:
  virtual ~LinkStage() = default;
  /// A datagram reaches the stage at `at`, which never goes back. Returns when it leaves, kNever when the
  /// stage drops it. May change the payload and the mark.
  virtual Instant pass(Instant at, Passing& datagram) = 0;
};

using LinkStages = std::vector<std::shared_ptr<LinkStage>>;

struct PipeStats {
  std::uint64_t entered = 0;
  std::uint64_t entered_bytes = 0;
  std::uint64_t delivered = 0;  ///< Copies included.
  std::uint64_t dropped_filter = 0;
  std::uint64_t dropped_blocked = 0;
  std::uint64_t dropped_mtu = 0;
  std::uint64_t dropped_stage = 0;
  std::uint64_t dropped_queue = 0;
  std::uint64_t dropped_loss = 0;
  std::uint64_t reordered = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t corrupted = 0;
  std::uint64_t ce_marked = 0;  ///< Without those that a stage marked.

  [[nodiscard]] std::uint64_t dropped() const {
    return dropped_filter + dropped_blocked + dropped_mtu + dropped_stage + dropped_queue +
           dropped_loss;
  }
};

/// One direction of a link.
class Pipe {
 public:
  Pipe(const Link& link, SeededRandom random) : link(link), random_(random) {}

  /// What became of a datagram: `fate` is "" when it arrives, else why not.
  struct Outcome {
    const char* fate = "";
    Instant arrival = kNever;
    Instant copy_arrival = kNever;  ///< Set when the link made a copy.
  };

  /// Takes a datagram in and says when it comes out. May change payload and mark.
  Outcome enter(Passing& datagram);

  Link link;  ///< May be changed at any time.
  LinkStages stages;
  Filter filter;  ///< Comes first; empty lets everything pass.
  PipeStats stats;

 private:
  [[nodiscard]] Instant arrival(Instant departure);
  [[nodiscard]] Duration up_to(Duration most);
  void corrupt(MutableBytes payload);
  void mark(Instant at, Ecn& ecn);

  SeededRandom random_;
  Instant busy_until_{};    ///< When the last datagram in the queue has left it.
  Instant last_arrival_{};  ///< Keeps the order.
};

}  // namespace qpeer::sim
