// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer-links: runs cells of the link zoo, and makes the page of what they gave.
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "qpeer/tests/links/report.hpp"
#include "qpeer/transport/log/qlog.hpp"

namespace {

using namespace qpeer::links;

constexpr const char* kHelp = R"(usage: qpeer-links cells [--link NAME] [--cc NAME]
       qpeer-links run LINK FLOWS [--seeds N] [--first SEED] [--speed]
       qpeer-links record LINK FLOWS DIRECTORY
       qpeer-links report FILE [--part]
cells    the cells of the table, one a line: LINK FLOWS; with a name, only its own
run      runs a cell and prints a line for each seed: LINK FLOWS SEED METRIC=VALUE...
           LINK     a name of `cells`
           FLOWS    the controllers of the flows: cubic, 2xcubic, bbr+cubic
           --seeds N     so many (30)
           --first SEED  the first of them (1)
           --speed       prints simulated packets a second of CPU time to standard error
record   runs a cell for a few seconds and writes a qlog file for each sender
report   makes docs/congestion.md of such lines, on standard output; --part: of these cells alone
)";

[[noreturn]] void misuse(const std::string& what) {
  fmt::print(stderr, "qpeer-links: {}\n{}", what, kHelp);
  std::exit(2);
}

std::uint64_t number(const std::string& text) {
  char* end = nullptr;
  const auto value = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || text[0] == '-') misuse("'" + text + "' is no number");
  return value;
}

/// What follows an option.
std::string value_of(const std::vector<std::string>& arguments, std::size_t& at) {
  if (at + 1 >= arguments.size()) misuse(arguments[at] + " needs a value");
  return arguments[++at];
}

int list_cells(const std::vector<std::string>& arguments) {
  std::string link;
  std::string controller;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--link") {
      link = value_of(arguments, i);
      if (find_link(link) == nullptr) misuse("there is no link '" + link + "'");
    } else if (arguments[i] == "--cc") {
      controller = value_of(arguments, i);
      if (parse_flows(controller).empty()) misuse("there is no controller '" + controller + "'");
    } else {
      misuse("unknown argument '" + arguments[i] + "'");
    }
  }
  for (const CellName& cell : cells()) {
    if (!link.empty() && cell.link != link) continue;
    if (!controller.empty() && cell.flows.find(controller) == std::string::npos) continue;
    fmt::print("{} {}\n", cell.link, cell.flows);
  }
  return 0;
}

/// The link and the flows that the first two arguments name.
struct Cell {
  const ZooLink& link;
  std::vector<std::string> flows;
};
Cell cell_of(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) misuse("a link and flows are needed");
  const ZooLink* link = find_link(arguments[0]);
  if (link == nullptr) misuse("there is no link '" + arguments[0] + "'");
  auto flows = parse_flows(arguments[1]);
  if (flows.empty()) misuse("there are no such flows: '" + arguments[1] + "'");
  return {*link, std::move(flows)};
}

int record(const std::vector<std::string>& arguments) {
  const Cell cell = cell_of(arguments);
  if (arguments.size() != 3) misuse("record needs a directory");
  bool failed = false;
  CellOptions options{.brief = true};
  options.observer = qpeer::transport::log::qlog_files(
      {.directory = arguments[2], .on_error = [&failed](const std::string& what) {
         fmt::print(stderr, "qpeer-links: {}\n", what);
         failed = true;
       }});
  run_cell(cell.link, cell.flows, 1, options);
  return failed ? 1 : 0;
}

int run(const std::vector<std::string>& arguments) {
  const auto [link, flows] = cell_of(arguments);
  std::uint64_t seeds = 30;
  std::uint64_t first = 1;
  bool speed = false;
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    if (arguments[i] == "--seeds") {
      seeds = number(value_of(arguments, i));
    } else if (arguments[i] == "--first") {
      first = number(value_of(arguments, i));
    } else if (arguments[i] == "--speed") {
      speed = true;
    } else {
      misuse("unknown argument '" + arguments[i] + "'");
    }
  }
  if (seeds == 0) misuse("--seeds needs at least one");
  std::uint64_t packets = 0;
  const std::clock_t start = std::clock();
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const CellRun cell = run_cell(link, flows, seed);
    packets += cell.packets;
    if (!cell.trouble.empty()) fmt::print(stderr, "seed {} did not end: {}", seed, cell.trouble);
    fmt::print("{}\n", to_line({arguments[0], arguments[1]}, seed, cell.result));
    std::fflush(stdout);
  }
  if (speed) {
    const double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    fmt::print(stderr, "{} packets in {:.2f} s of CPU time: {:.0f} a second\n", packets, took,
               static_cast<double>(packets) / took);
  }
  return 0;
}

int report(const std::vector<std::string>& arguments) {
  const bool part = arguments.size() == 2 && arguments[1] == "--part";
  if (arguments.empty() || (arguments.size() != 1 && !part)) misuse("report needs a file");
  std::ifstream file(arguments[0]);
  if (!file) misuse("cannot read " + arguments[0]);
  ResultTable table;
  for (std::string line; std::getline(file, line);) {
    if (!add_line(table, line)) misuse("not a line of results: " + line);
  }
  fmt::print("{}", make_page(table, part));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) misuse("what shall be done?");
  const std::string command = arguments.front();
  arguments.erase(arguments.begin());
  if (command == "--help" || command == "-h") {
    fmt::print("{}", kHelp);
    return 0;
  }
  if (command == "cells") return list_cells(arguments);
  if (command == "run") return run(arguments);
  if (command == "record") return record(arguments);
  if (command == "report") return report(arguments);
  misuse("unknown command '" + command + "'");
}
