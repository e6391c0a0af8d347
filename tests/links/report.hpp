// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The cells of the table, the lines in which their results are kept, and the page that is made of them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qpeer/tests/links/cell.hpp"
#include "qpeer/tests/links/requirements.hpp"

namespace qpeer::links {

struct CellName {
  std::string link;
  std::string flows;
  friend auto operator<=>(const CellName&, const CellName&) = default;
};

/// All of the table, in its order: each link with each controller, and flows that share a link.
std::vector<CellName> cells();

using ResultTable = std::map<CellName, Results>;

/// "LINK FLOWS SEED METRIC=VALUE...", without those that have no value.
std::string to_line(const CellName& cell, std::uint64_t seed, const CellResult& result);
/// False when it is not such a line.
bool add_line(ResultTable& table, std::string_view line);

/// docs/congestion.md; with `part`, only of the cells that the table has.
std::string make_page(const ResultTable& table, bool part = false);

}  // namespace qpeer::links
