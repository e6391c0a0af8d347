// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/links/requirements.hpp"

#include <algorithm>

namespace qpeer::links {
namespace {

using enum Metric;

constexpr Requirement least(std::string_view link, std::string_view flows, Metric metric,
                            double bound) {
  return {.link = link, .flows = flows, .metric = metric, .at_least = true, .bound = bound};
}
constexpr Requirement most(std::string_view link, std::string_view flows, Metric metric,
                           double bound, bool median_only = false) {
  return {.link = link,
          .flows = flows,
          .metric = metric,
          .at_least = false,
          .bound = bound,
          .median_only = median_only};
}

constexpr std::array kRequirements{
    least("cable", "newreno", utilisation, 0.90),
    least("cable", "cubic", utilisation, 0.90),
    least("cable", "bbr", utilisation, 0.90),
    least("long-fat", "cubic", utilisation_all, 0.80),
    least("long-fat", "cubic", utilisation, 0.90),
    least("long-fat", "bbr", utilisation_all, 0.80),
    least("long-fat", "bbr", utilisation, 0.90),
    least("lossy", "bbr", utilisation, 0.80),
    least("satellite", "bbr", utilisation, 0.70),
    least("reordering", "newreno", utilisation, 0.80),
    most("reordering", "newreno", spurious, 0.01),
    least("reordering", "cubic", utilisation, 0.80),
    most("reordering", "cubic", spurious, 0.01),
    least("reordering", "bbr", utilisation, 0.80),
    most("reordering", "bbr", spurious, 0.01),
    least("ce-random", "cubic", utilisation, 0.62),
    least("ce-random", "bbr", utilisation, 0.80),
    least("bufferbloat", "bbr", utilisation, 0.85),
    most("bufferbloat", "bbr", queue_median_ms, 50),
    most("short-30", "cubic", seconds, 4, true),
    most("short-30", "cubic", redundant, 0.05, true),
    most("short-30", "bbr", seconds, 2, true),
    most("short-30", "bbr", redundant, 0.05, true),
    most("short-10", "cubic", seconds, 1.1, true),
    most("short-10", "bbr", seconds, 0.5, true),
    most("outage", "newreno", resumed_s, 5),
    most("outage", "cubic", resumed_s, 5),
    most("outage", "bbr", resumed_s, 5),
    most("outage-touched", "newreno", resumed_s, 1),
    most("outage-touched", "cubic", resumed_s, 1),
    most("outage-touched", "bbr", resumed_s, 1),
    least("shared", "2xnewreno", jain, 0.95),
    least("shared", "2xcubic", jain, 0.95),
    least("shared", "2xbbr", jain, 0.95),
};

}  // namespace

std::span<const Requirement> requirements() { return kRequirements; }

std::optional<Spread> spread(const Results& results, Metric metric, bool at_least) {
  std::vector<double> values;
  for (const CellResult& result : results) {
    if (!at(result, metric)) return std::nullopt;
    values.push_back(*at(result, metric));
  }
  if (values.empty()) return std::nullopt;
  std::ranges::sort(values);
  if (!at_least) std::ranges::reverse(values);  // The worst first.
  const std::size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return Spread{.median = median, .worse = values[values.size() / 20]};
}

bool holds(const Requirement& requirement, const Results& results) {
  const auto values = spread(results, requirement.metric, requirement.at_least);
  if (!values) return false;
  constexpr double kWorse = 0.8;
  const double bound = requirement.bound;
  if (requirement.at_least) {
    return values->median >= bound &&
           (requirement.median_only || values->worse >= kWorse * values->median);
  }
  return values->median <= bound && (requirement.median_only || values->worse <= bound / kWorse);
}

}  // namespace qpeer::links
