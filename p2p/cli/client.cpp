// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer client: joins as a client, stays, and sends each line of standard input as a request.
#include <unistd.h>

#include <string>
#include <utility>

#include "qpeer/p2p/cli/client_session.hpp"
#include "qpeer/p2p/cli/commands.hpp"
#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/operator_options.hpp"
#include "qpeer/p2p/cli/common/peer_options.hpp"
#include "qpeer/p2p/cli/common/program.hpp"

namespace qpeer::cli {

int client_command(std::span<char* const> words) {
  PeerOptions peer;
  OperatorOptions operation;
  std::vector<PeerAddress> contacts;
  bool json = false;
  bool quiet = false;
  Arguments arguments{
      "qpeer client", "[--contact PEER...] [--cache FILE] [OPTION...]",
      "Joins the network as a client and stays until standard input ends. Each "
      "line there is a\nrequest to a node it is linked to; the answers are printed."};
  arguments.custom("--contact", "PEER",
                   "a node to join through, a ticket or ID@HOST[:PORT]; may be repeated",
                   add_contact(contacts));
  peer.declare(arguments);
  arguments.toggle("--json", json, "print one JSON object a line");
  arguments.toggle("--quiet", quiet, "print only answers and failures");
  operation.declare(arguments);
  if (const auto status = arguments.parse(words)) return *status;
  if (const std::string wrong = peer.why_wrong(); !wrong.empty()) return arguments.misuse(wrong);
  if (const std::string wrong = operation.why_wrong(); !wrong.empty()) {
    return arguments.misuse(wrong);
  }
  if (contacts.empty() && peer.cache.empty()) {
    return arguments.misuse("no node to dial: give a --contact, or a --cache FILE that holds some");
  }
  for (const PeerAddress& contact : contacts) {
    const std::string wrong = peer.why_not_dialled(contact);
    if (!wrong.empty()) return arguments.misuse(wrong);
  }
  EventLoop loop;
  auto options = peer.make();
  if (!options) {
    complain("qpeer client: {}", options.error());
    return kFailure;
  }
  const auto log = operation.open_log();
  if (!log) {
    complain("qpeer client: {}", log.error());
    return kFailure;
  }
  auto& observer = options->config.connection.observer;
  observer = logging_connections(*log, std::move(observer));
  auto client = Client::start(loop, std::move(*options));
  if (!client) {
    complain("qpeer client: {}", to_string(client.error()));
    return kFailure;
  }
  const Reporter reporter{json, quiet, Role::client, *log};
  ClientSession session{loop, std::move(*client), std::move(contacts), operation.metrics, reporter};
  return run_program(loop, session.run(STDIN_FILENO), [&] { session.stop(); });
}

}  // namespace qpeer::cli
