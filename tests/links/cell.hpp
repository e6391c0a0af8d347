// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A cell of the table: a link of the zoo, the controllers of its flows, and a seed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qpeer/tests/links/zoo.hpp"
#include "qpeer/transport/log/observer.hpp"

namespace qpeer::links {

/// The names of the controllers that a connection can have, as `--cc` takes them.
std::vector<std::string_view> controllers();
/// "cubic", "2xcubic" or "bbr+cubic": the controller of each flow. Empty when that is not understood.
std::vector<std::string> parse_flows(std::string_view text);

enum class Metric : u8 {
  utilisation,      ///< Goodput over capacity, from ZooLink::from on.
  utilisation_all,  ///< The same from the beginning.
  queue_median_ms,  ///< How long datagrams wait at the bottleneck.
  queue_p95_ms,
  retransmitted,  ///< Share of the stream bytes sent that were sent before.
  redundant,      ///< Share of the stream bytes arrived that had arrived before.
  spurious,   ///< Share of the packets sent that were declared lost and not dropped by the link.
  seconds,    ///< Until all had arrived, where a size is moved.
  resumed_s,  ///< From the end of the outage until data arrived again.
  jain,       ///< Jain's index of the flows' goodput.
  finished,   ///< 1 when all that was written arrived as it was written, and was acknowledged.
  count_
};
constexpr std::size_t kMetrics = static_cast<std::size_t>(Metric::count_);
std::string_view to_string(Metric metric);

/// Nothing where a metric has no meaning.
using CellResult = std::array<std::optional<double>, kMetrics>;
inline std::optional<double>& at(CellResult& result, Metric metric) {
  return result[static_cast<std::size_t>(metric)];
}
inline const std::optional<double>& at(const CellResult& result, Metric metric) {
  return result[static_cast<std::size_t>(metric)];
}

struct CellOptions {
  bool brief = false;  ///< For ZooLink::short_time, and at most 32 MiB: only the end matters.
  transport::log::ObserverFactory observer{};  ///< Of the senders.
};

struct CellRun {
  CellResult result;
  std::uint64_t packets = 0;  ///< Datagrams that the network delivered.
  std::string trouble{};      ///< Where it did not finish: how the flows stood.
};

/// Runs one. Bytes that arrive altered end the process.
CellRun run_cell(const ZooLink& link, std::span<const std::string> flows, std::uint64_t seed,
                 const CellOptions& options = {});

}  // namespace qpeer::links
