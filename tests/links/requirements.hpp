// SPDX-License-Identifier: MIT OR BSD-3-Clause
// What must hold on the links of the zoo: a bound of a metric, for a controller on a link, over seeds.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qpeer/tests/links/cell.hpp"

namespace qpeer::links {

struct Requirement {
  std::string_view link;
  std::string_view flows;
  Metric metric;
  bool at_least;  ///< Else at most.
  double bound;
  bool median_only = false;
};

/// All, in the order of the table.
std::span<const Requirement> requirements();

/// The results of a cell, one a seed.
using Results = std::vector<CellResult>;

/// The median and the worse end (the 5th percentile, or the 95th where less is better) of the seeds.
struct Spread {
  double median = 0;
  double worse = 0;
};
/// Nothing when a seed has no such metric.
std::optional<Spread> spread(const Results& results, Metric metric, bool at_least);

/// Whether the median keeps the bound, and the worse end is at least 80 % as good as the median has to be.
bool holds(const Requirement& requirement, const Results& results);

}  // namespace qpeer::links
