// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include "qpeer/bench/perf/perf.hpp"

int main(int argc, char** argv) {
  using namespace qpeer;
  const std::span<char* const> words(argv, static_cast<std::size_t>(argc));
  if (words.size() < 2) {
    std::fprintf(stderr, "qpeer-perf: a command is missing (see --help)\n");
    return cli::kMisuse;
  }
  const std::string_view name = words[1];
  if (name == "--help" || name == "-h") {
    std::printf(
        "usage: qpeer-perf server|client [OPTION...]\n\n"
        "  server  answer clients\n"
        "  client  measure bulk transfer, requests or handshakes against a server\n\n"
        "'qpeer-perf COMMAND --help' tells more. To compare, pin each to a core of its own:\n"
        "  taskset -c 0 qpeer-perf server & taskset -c 1 qpeer-perf client --mode bulk\n");
    return cli::kSuccess;
  }
  if (name == "server") return perf::server_command(words.subspan(2));
  if (name == "client") return perf::client_command(words.subspan(2));
  return cli::Arguments{"qpeer-perf", "", ""}.misuse("unknown command '" + std::string(name) + "'");
}
