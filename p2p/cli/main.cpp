// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer: peers of the network, and what is needed to reach them.
#include <array>
#include <cstdio>
#include <span>
#include <string_view>

#include "qpeer/p2p/cli/commands.hpp"
#include "qpeer/p2p/cli/common/arguments.hpp"

namespace {

using qpeer::cli::kMisuse;
using qpeer::cli::kSuccess;

struct Command {
  std::string_view name;
  std::string_view purpose;
  int (*run)(std::span<char* const> words);
};

constexpr std::array kCommands{
    Command{"node", "join as a node: store files, answer requests", qpeer::cli::node_command},
    Command{"client", "join as a client: ask nodes", qpeer::cli::client_command},
    Command{"send", "send a file to a node", qpeer::cli::send_command},
    Command{"get", "fetch a file from a node", qpeer::cli::get_command},
    Command{"request", "ask a node one thing", qpeer::cli::request_command},
    Command{"ping", "measure round trips to a node", qpeer::cli::ping_command},
    Command{"doctor", "find out what this network lets a peer be", qpeer::cli::doctor_command},
    Command{"id", "print the id of this peer, or what is in a ticket", qpeer::cli::id_command},
    Command{"cache", "show and edit a file of known nodes", qpeer::cli::cache_command},
    Command{"ca", "make an authority, and certificates for peers", qpeer::cli::ca_command},
};

void print_help() {
  std::printf("usage: qpeer COMMAND [ARGUMENT...]\n\n");
  for (const Command& command : kCommands) {
    std::printf("  %-8.*s%.*s\n", static_cast<int>(command.name.size()), command.name.data(),
                static_cast<int>(command.purpose.size()), command.purpose.data());
  }
  std::printf(
      "\n'qpeer COMMAND --help' tells more; 'qpeer --version' the version.\n"
      "Exit status: 0 done, 1 failed, 2 wrong usage, 128+N ended by signal N.\n"
      "SSLKEYLOGFILE=FILE makes every command write its TLS secrets there,\n"
      "QLOGDIR=DIR/ a qlog file for each connection.\n");
}

}  // namespace

int main(int argc, char** argv) {
  const std::span<char* const> words(argv, static_cast<std::size_t>(argc));
  if (words.size() < 2) {
    std::fprintf(stderr, "qpeer: a command is missing (see --help)\n");
    return kMisuse;
  }
  const std::string_view name = words[1];
  if (name == "--help" || name == "-h" || name == "help") {
    print_help();
    return kSuccess;
  }
  if (name == "--version") {
    std::printf("qpeer 0.1.0\n");
    return kSuccess;
  }
  for (const Command& command : kCommands) {
    if (command.name == name) return command.run(words.subspan(2));
  }
  return qpeer::cli::Arguments{"qpeer", "", ""}.misuse(
      name.starts_with('-') ? "unknown flag '" + std::string(name) + "'"
                            : "unknown command '" + std::string(name) + "'");
}
