// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/links/report.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <sstream>

#include <fmt/format.h>

namespace qpeer::links {
namespace {

constexpr std::string_view kHead = R"(<!-- SPDX-License-Identifier: MIT OR BSD-3-Clause -->
# Congestion control on simulated links

Made by `scripts/congestion.sh`; do not edit. Each cell is a link of `tests/links/zoo.cpp` with one or more flows,
run in the simulator in virtual time. Shown are medians over the seeds.

## How to read the tables

- **link**: the rate of the bottleneck, the round trip without queues, what else the link does. A flow sends as
  much as it can, or the size that is said; what it has written when time is over must arrive too.
- **used**: goodput (stream bytes that the receiver's application read) over what the link can carry, of UDP payload,
  from the 5th second on (satellite: the 15th; long-fat: the 3rd; lan and datacenter: the 1st). A packet of 1,472
  bytes carries 1,440 to 1,450 of a stream, so 98 % is the most.
- **queue**: how long datagrams waited at the bottleneck, median and 95th percentile.
- **again sent / arrived**: the share of stream bytes that were sent, or had arrived, before. What a link
  duplicates counts as arrived again.
- **spurious**: packets declared lost less those that the link dropped, over those sent; 0 when fewer were declared
  lost than dropped.
- **done**: until all had arrived, where a size is moved, from the confirmed handshake on.
- **resumed**: from the end of the outage until data arrived again.
- **Jain**: (sum of goodputs)² / (flows × sum of their squares); 1 is equal, 1/flows is one that takes all.
- Pictures of window, round trips, rates and losses over time: `scripts/congestion.sh --plots`, drawn from our own qlog of a run
  of a few seconds.
- **ends**: all that was written arrived as it was written and was acknowledged, in every run. Bytes that differ, or
  a machine that is not consistent, end the run.

A requirement holds when the median over the seeds keeps its bound, and the 5th percentile is at least 80 % of the
median (where less is better: the 95th percentile is at most the bound / 0.8). Where a size of 300 kB is moved, only the
median counts.
)";

std::string percent(const std::optional<Spread>& values) {
  return values ? fmt::format("{:.1f} %", 100 * values->median) : "";
}

std::string figure(const Results& results, Metric metric) {
  const auto values = spread(results, metric, true);
  if (!values) return "";
  switch (metric) {
    case Metric::queue_median_ms:
    case Metric::queue_p95_ms:
      return fmt::format("{:.1f}", values->median);
    case Metric::seconds:
    case Metric::resumed_s:
      return fmt::format("{:.2f} s", values->median);
    case Metric::jain:
      return fmt::format("{:.3f}", values->median);
    default:
      return percent(values);
  }
}

bool ends(const Results& results) {
  return !results.empty() && std::ranges::all_of(results, [](const CellResult& result) {
    return at(result, Metric::finished) == 1.0;
  });
}

std::string queue(const Results& results) {
  const auto median = figure(results, Metric::queue_median_ms);
  return median.empty() ? "" : median + " / " + figure(results, Metric::queue_p95_ms) + " ms";
}

std::string with_unit(Metric metric, double value) {
  switch (metric) {
    case Metric::queue_median_ms:
    case Metric::queue_p95_ms:
      return fmt::format("{:.1f} ms", value);
    case Metric::seconds:
    case Metric::resumed_s:
      return fmt::format("{:.2f} s", value);
    case Metric::jain:
      return fmt::format("{:.3f}", value);
    default:
      return fmt::format("{:.1f} %", 100 * value);
  }
}

std::string_view words(Metric metric) {
  switch (metric) {
    case Metric::utilisation:
      return "used";
    case Metric::utilisation_all:
      return "used from the beginning";
    case Metric::queue_median_ms:
      return "queue, median";
    case Metric::redundant:
      return "arrived again";
    case Metric::spurious:
      return "spurious";
    case Metric::seconds:
      return "done";
    case Metric::resumed_s:
      return "resumed";
    case Metric::jain:
      return "Jain";
    default:
      return to_string(metric);
  }
}

/// Counts what holds.
struct Score {
  std::size_t hold = 0;
  std::size_t short_of = 0;
  std::string_view add(bool held) {
    ++(held ? hold : short_of);
    return held ? "holds" : "**falls short**";
  }
};

std::string requirements_part(const ResultTable& table, bool part, Score& score) {
  std::string out =
      "\n## What must hold\n\n"
      "| link | controller | what | bound | median | worst twentieth | "
      "|\n|---|---|---|---|---|---|---|\n";
  for (const Requirement& each : requirements()) {
    const auto found = table.find({std::string(each.link), std::string(each.flows)});
    if (part && found == table.end()) continue;
    const Results results = found == table.end() ? Results{} : found->second;
    const auto values = spread(results, each.metric, each.at_least);
    out += fmt::format(
        "| {} | {} | {} | {} {} | {} | {} | {} |\n", each.link, each.flows, words(each.metric),
        each.at_least ? "at least" : "at most", with_unit(each.metric, each.bound),
        values ? with_unit(each.metric, values->median) : "not measured",
        values ? with_unit(each.metric, values->worse) : "", score.add(holds(each, results)));
  }
  std::size_t ended = 0;
  std::size_t all = 0;
  for (const auto& [cell, results] : table) {
    ++all;
    if (ends(results)) ++ended;
  }
  const std::size_t wanted = part ? all : cells().size();
  out += fmt::format("| all | all | ends | every run | {} of {} cells | | {} |\n", ended, wanted,
                     score.add(ended == wanted));
  return out;
}

std::string cells_part(const ResultTable& table) {
  std::string out =
      "\n## All cells\n\n"
      "| link | flows | used | queue | again sent | arrived | spurious | done | resumed | Jain | "
      "ends |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (const CellName& cell : cells()) {
    const auto found = table.find(cell);
    if (found == table.end()) continue;
    const Results& results = found->second;
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", cell.link,
                       cell.flows, figure(results, Metric::utilisation), queue(results),
                       figure(results, Metric::retransmitted), figure(results, Metric::redundant),
                       figure(results, Metric::spurious), figure(results, Metric::seconds),
                       figure(results, Metric::resumed_s), figure(results, Metric::jain),
                       ends(results) ? "yes" : "**no**");
  }
  return out;
}

}  // namespace

std::vector<CellName> cells() {
  std::vector<CellName> out;
  const auto add = [&out](std::string_view link, const std::string& flows) {
    if (!parse_flows(flows).empty()) out.push_back({std::string(link), flows});
  };
  for (const ZooLink& link : zoo()) {
    for (const std::string_view name : controllers()) {
      if (link.name == "shared") {
        add(link.name, "2x" + std::string(name));
        add(link.name, "8x" + std::string(name));
      } else {
        add(link.name, std::string(name));
      }
    }
    if (link.name == "shared") {
      add(link.name, "cubic+newreno");
      add(link.name, "bbr+cubic");
    }
  }
  return out;
}

std::string to_line(const CellName& cell, std::uint64_t seed, const CellResult& result) {
  std::string out = fmt::format("{} {} {}", cell.link, cell.flows, seed);
  for (std::size_t i = 0; i < kMetrics; ++i) {
    const auto metric = static_cast<Metric>(i);
    if (at(result, metric))
      out += fmt::format(" {}={:.6g}", to_string(metric), *at(result, metric));
  }
  return out;
}

bool add_line(ResultTable& table, std::string_view line) {
  std::istringstream in{std::string(line)};
  CellName cell;
  std::uint64_t seed = 0;
  if (!(in >> cell.link >> cell.flows >> seed)) return false;
  CellResult result{};
  for (std::string item; in >> item;) {
    const std::size_t equals = item.find('=');
    if (equals == std::string::npos) return false;
    bool known = false;
    for (std::size_t i = 0; i < kMetrics; ++i) {
      const auto metric = static_cast<Metric>(i);
      if (to_string(metric) != std::string_view(item).substr(0, equals)) continue;
      std::istringstream number(item.substr(equals + 1));
      double value = 0;
      known = static_cast<bool>(number >> value);
      at(result, metric) = value;
    }
    if (!known) return false;
  }
  table[cell].push_back(result);
  return true;
}

std::string make_page(const ResultTable& table, bool part) {
  std::size_t seeds = 0;
  for (const auto& [cell, results] : table) seeds = std::max(seeds, results.size());
  Score score;
  std::string out(kHead);
  out += "\nThe links:\n\n| link | |\n|---|---|\n";
  for (const ZooLink& link : zoo()) out += fmt::format("| {} | {} |\n", link.name, link.about);
  out += fmt::format("\nThis page: `scripts/congestion.sh --seeds {}`.\n", seeds);
  out += requirements_part(table, part, score);
  out += cells_part(table);
  out += fmt::format("\nlinks: {} hold, {} fall short\n", score.hold, score.short_of);
  return out;
}

}  // namespace qpeer::links
