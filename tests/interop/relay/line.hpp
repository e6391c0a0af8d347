// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One direction of a bad line, in virtual time: a bottleneck with a queue, a delay, and accidents.
//
//   push --> [list, loss, black hole] --> [queue, rate] --> [delay] --> [corruption] --> pop
//
// The order of datagrams is kept; the same seed and times give the same accidents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "qpeer/transport/base/bytes.hpp"
#include "qpeer/transport/base/datagram.hpp"
#include "qpeer/transport/base/time.hpp"

namespace qpeer::relay {

struct LineConfig {
  Duration delay{};          ///< One way.
  std::uint64_t rate = 0;    ///< Bits a second, of UDP payload; 0 is without a limit.
  std::size_t queue = 25;    ///< Datagrams that wait for the bottleneck; more are lost.
  std::size_t mtu = 65'535;  ///< UDP payload; a larger datagram is lost.
  unsigned loss = 0;         ///< Percent, like the next two.
  unsigned corruption = 0;   ///< One byte is changed.
  unsigned duplication = 0;  ///< A copy follows at once.
  unsigned burst = 0;        ///< At most so many lost or corrupted in a row; 0 is any number.
  std::vector<std::uint64_t> lost{};  ///< These are lost; the first datagram is 1.
  /// The line works for `on`, then loses all for `off`, and so on; `off` 0 is never.
  Duration on{};
  Duration off{};
};

struct LineStats {
  std::uint64_t datagrams = 0;  ///< Pushed.
  std::uint64_t bytes = 0;
  std::uint64_t lost = 0;  ///< By the list, by chance, in the black hole.
  std::uint64_t overflowed = 0;
  std::uint64_t oversized = 0;
  std::uint64_t corrupted = 0;
  std::uint64_t duplicated = 0;
};

struct Parcel {
  std::vector<u8> bytes;
  Ecn ecn = Ecn::not_ect;
};

/// What the lines of several clients have in common: one sends after the other.
struct Bottleneck {
  Instant free_at{};
};

class Line {
 public:
  Line(LineConfig config, std::uint64_t seed,
       std::shared_ptr<Bottleneck> bottleneck = std::make_shared<Bottleneck>())
      : config_(std::move(config)), random_(seed), bottleneck_(std::move(bottleneck)) {}

  /// False when it is lost at once.
  bool push(Instant now, Bytes datagram, Ecn ecn);
  /// The next that has arrived by now.
  std::optional<Parcel> pop(Instant now);
  /// When the next arrives.
  [[nodiscard]] Instant next_deadline() const {
    return travelling_.empty() ? kNever : travelling_.front().arrival;
  }
  [[nodiscard]] const LineStats& stats() const { return stats_; }

 private:
  struct Traveller {
    Instant departure;
    Instant arrival;
    Parcel parcel;
  };

  bool chance(unsigned percent) {
    return std::uniform_int_distribution<unsigned>(0, 99)(random_) < percent;
  }
  bool is_lost(Instant now);
  bool enqueue(Instant now, Bytes datagram, Ecn ecn);

  LineConfig config_;
  std::mt19937_64 random_;
  LineStats stats_;
  std::optional<Instant> begin_;  // Of the first datagram.
  std::shared_ptr<Bottleneck> bottleneck_;
  unsigned losses_in_a_row_ = 0;
  unsigned corruptions_in_a_row_ = 0;
  std::deque<Traveller> travelling_;
};

}  // namespace qpeer::relay
