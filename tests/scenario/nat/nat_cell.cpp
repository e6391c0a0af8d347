// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/scenario/nat/nat_cell.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

namespace qpeer::sim {
namespace {

double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

/// The least of the sorted times that this share of them does not exceed.
Duration percentile(const std::vector<Duration>& times, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(times.size())));
  return times[std::max<std::size_t>(rank, 1) - 1];
}

}  // namespace

bool NatCell::is_good(const NatRun& seen) const {
  if (!seen.holds || (within && (!seen.took || *seen.took > *within))) return false;
  if (seen.figures.size() != bounds.size()) return false;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    if (seen.figures[i] > bounds[i].most) return false;
  }
  return true;
}

bool NatResult::holds(const NatCell& cell) const {
  const auto good = static_cast<double>(runs - failed.size());
  return runs > 0 && good >= cell.share * static_cast<double>(runs);
}

std::string NatResult::seen(const NatCell& cell) const {
  std::string out = fmt::format("so in {} of {}", runs - failed.size(), runs);
  if (!times.empty()) {
    out += fmt::format("; {:.2f} s / {:.2f} s", seconds(percentile(times, 0.5)),
                       seconds(percentile(times, 0.99)));
  }
  for (std::size_t i = 0; i < worst.size(); ++i) {
    out += fmt::format("; {}: {:.3g}", cell.bounds[i].what, worst[i]);
  }
  return out;
}

NatResult measure(const NatCell& cell, std::uint64_t first, std::size_t runs) {
  NatResult out;
  for (std::uint64_t seed = first; out.runs < std::min(runs, cell.runs); ++seed, ++out.runs) {
    const NatRun run = cell.run(seed);
    if (!cell.is_good(run)) out.failed.push_back(seed);
    if (run.took) out.times.push_back(*run.took);
    out.worst.resize(std::max(out.worst.size(), run.figures.size()));
    for (std::size_t i = 0; i < run.figures.size(); ++i) {
      out.worst[i] = std::max(out.worst[i], run.figures[i]);
    }
  }
  std::ranges::sort(out.times);
  return out;
}

std::string row(const NatCell& cell, const NatResult& result) {
  std::string verdict = result.holds(cell) ? "holds" : "**falls short**";
  if (!result.holds(cell) && !cell.lacking.empty()) verdict += fmt::format(": {}", cell.lacking);
  return fmt::format("| {} | {} | {} | {} | {} |", cell.name, cell.what, cell.needed,
                     result.seen(cell), verdict);
}

}  // namespace qpeer::sim
