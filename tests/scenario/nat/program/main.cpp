// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer-natsim: runs the cells of nodes behind NATs in the simulator, and prints a table in Markdown.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "qpeer/tests/scenario/nat/nat_cell.hpp"

namespace {

using namespace qpeer::sim;

constexpr const char* kHelp = R"(usage: qpeer-natsim [--runs N] [--first SEED] [--list] [CELL...]
Prints a row for each cell, and to standard error the seeds that fail, with the line
"simulator: H hold, F fall short of N" at the end.
  --runs N      seeds for each cell (200); cells that take long have fewer
  --first SEED  the first of them (1)
  --list        the names of the cells, one a line
  CELL...       only these
Exit status: 0 all hold, 1 some fall short, 2 wrong usage.
)";

[[noreturn]] void misuse(const std::string& what) {
  fmt::print(stderr, "qpeer-natsim: {}\n{}", what, kHelp);
  std::exit(2);
}

std::uint64_t number(const std::string& text) {
  char* end = nullptr;
  const auto value = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || text[0] == '-') misuse("'" + text + "' is no number");
  return value;
}

struct Options {
  std::uint64_t runs = 200;
  std::uint64_t first = 1;
  bool lists = false;
  std::vector<std::string> cells{};
};

Options parse(const std::vector<std::string>& arguments) {
  Options out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& each = arguments[i];
    if (each == "--runs" || each == "--first") {
      if (++i == arguments.size()) misuse(each + " needs a value");
      (each == "--runs" ? out.runs : out.first) = number(arguments[i]);
    } else if (each == "--list") {
      out.lists = true;
    } else if (each == "--help") {
      fmt::print("{}", kHelp);
      std::exit(0);
    } else if (each.starts_with("-")) {
      misuse("unknown option '" + each + "'");
    } else {
      out.cells.push_back(each);
    }
  }
  if (out.runs == 0) misuse("no runs, no table");
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  GTEST_FLAG_SET(throw_on_failure, true);  // The simulator's own expectations.
  const Options options = parse({argv + 1, argv + argc});
  std::vector<NatCell> cells = node_cells();
  for (NatCell& each : attack_cells()) cells.push_back(std::move(each));
  for (const std::string& name : options.cells) {
    if (std::ranges::find(cells, name, &NatCell::name) == cells.end())
      misuse("no cell '" + name + "'");
  }
  if (!options.cells.empty()) {
    std::erase_if(cells, [&](const NatCell& cell) {
      return std::ranges::find(options.cells, cell.name) == options.cells.end();
    });
  }
  if (options.lists) {
    for (const NatCell& cell : cells) fmt::print("{}\n", cell.name);
    return 0;
  }
  std::size_t good = 0;
  fmt::print("| cell | what | needed | seen | |\n|---|---|---|---|---|\n");
  for (const NatCell& cell : cells) {
    const NatResult result = measure(cell, options.first, options.runs);
    fmt::print("{}\n", row(cell, result));
    std::cout.flush();
    if (!result.failed.empty()) fmt::print(stderr, "{}: not so with the seeds", cell.name);
    for (const std::uint64_t seed : result.failed) fmt::print(stderr, " {}", seed);
    if (!result.failed.empty()) fmt::print(stderr, "\n");
    good += static_cast<std::size_t>(result.holds(cell));
  }
  fmt::print(stderr, "simulator: {} hold, {} fall short of {}\n", good, cells.size() - good,
             cells.size());
  return good == cells.size() ? 0 : 1;
}
