// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer request: sends one request to a node and prints the answer.
#include <string>

#include "qpeer/p2p/cli/commands.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/common/reporter.hpp"
#include "qpeer/p2p/cli/dial.hpp"

namespace qpeer::cli {
namespace {

Task<int> request(Dialled& dialled, const std::string& text, const Reporter& reporter) {
  const Instant begin = io::now();
  const auto answer = co_await dialled.server.request(as_bytes(text));
  if (!answer) {
    complain("qpeer request: {}: {}", dialled.name(), to_string(answer.error()));
    co_return kFailure;
  }
  reporter.reply(dialled.server.id(), *answer, io::now() - begin);
  co_return kSuccess;
}

}  // namespace

int request_command(std::span<char* const> words) {
  DialOptions options;
  std::string text;
  bool json = false;
  Arguments arguments{"qpeer request", "TEXT --to PEER [OPTION...]",
                      "Asks a node and prints its answer. A node of 'qpeer node' answers 'echo "
                      "TEXT', 'id',\n'peers' and 'files'."};
  arguments.positional("TEXT", text);
  arguments.custom("--to", "PEER", "the node, a ticket or ID@HOST[:PORT] (default: one of --cache)",
                   add_contact(options.contacts));
  options.declare(arguments);
  arguments.toggle("--json", json, "print a JSON object");
  if (const auto status = options.parse(arguments, words)) return *status;
  const Reporter reporter{json, false, Role::client};
  return with_link("qpeer request", options,
                   [&](Dialled& dialled) { return request(dialled, text, reporter); });
}

}  // namespace qpeer::cli
