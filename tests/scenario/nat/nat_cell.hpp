// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What is measured of nodes behind NATs in the simulator: a cell says what is needed, runs once under a seed, and its
// runs together are a row of docs/connectivity.md. The tests run each cell a few times, scripts/natsim.sh many times.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/transport/base/time.hpp"

namespace qpeer::sim {

/// A figure of each run, and the most that it may be.
struct NatBound {
  std::string_view what{};
  double most = 0;
};

/// What one run saw.
struct NatRun {
  bool holds = false;              ///< The outcome is the right one.
  std::optional<Duration> took{};  ///< Until the outcome.
  std::vector<double> figures{};   ///< In the order of NatCell::bounds.
};

struct NatCell {
  std::string_view name{};
  std::string_view what{};
  std::string_view needed{};
  std::optional<Duration> within{};  ///< The most that NatRun::took may be.
  std::vector<NatBound> bounds{};
  double share = 1;            ///< Of the runs must be as needed.
  std::size_t runs = 200;      ///< Where more are asked for.
  std::string_view lacking{};  ///< Why it falls short today, if it does: by one in a figure.
  std::function<NatRun(std::uint64_t seed)> run{};

  [[nodiscard]] bool is_good(const NatRun& seen) const;
};

/// All runs of a cell.
struct NatResult {
  std::size_t runs = 0;
  std::vector<std::uint64_t> failed{};  ///< Seeds of the runs that are not as needed.
  std::vector<Duration> times{};        ///< In order.
  std::vector<double> worst{};          ///< Of each figure.

  [[nodiscard]] bool holds(const NatCell& cell) const;
  /// What the runs saw, in words.
  [[nodiscard]] std::string seen(const NatCell& cell) const;
};

/// Runs it with `runs` seeds, `first` and those that follow.
NatResult measure(const NatCell& cell, std::uint64_t first, std::size_t runs);
/// A row of a table in Markdown.
std::string row(const NatCell& cell, const NatResult& result);

/// Nodes behind boxes of each kind: what they are told, with and without a router that maps.
std::vector<NatCell> node_cells();
/// What STUN and knocks can be made to send, and what lies gain.
std::vector<NatCell> attack_cells();

}  // namespace qpeer::sim
