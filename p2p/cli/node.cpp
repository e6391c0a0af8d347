// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer node: joins the network as a node, stores and gives files, answers requests.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "qpeer/p2p/cli/commands.hpp"
#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/files.hpp"
#include "qpeer/p2p/cli/common/operator_options.hpp"
#include "qpeer/p2p/cli/common/peer_options.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/common/protocol.hpp"
#include "qpeer/p2p/cli/node_service.hpp"

namespace qpeer::cli {
namespace {

struct NodeFlags {
  SocketAddress listen = SocketAddress::ipv6({}, kDefaultPort);
  std::vector<SocketAddress> advertise{};
  Duration dial_back_timeout = NodeConfig{}.dial_back_timeout;
  PeerOptions peer;
  OperatorOptions operation;
  ServiceOptions service;
  bool no_port_mapping = false;
  bool json = false;
  bool quiet = false;
};

// Problems of the store are found when the node starts, before a peer sends a file.
std::expected<void, std::string> prepare_store(const NodeFlags& flags) {
  const std::string& store = flags.service.receiver.store;
  if (store.empty()) return {};
  const auto failure = [&](const std::string& why) {
    return std::unexpected("cannot store in " + store + ": " + why);
  };
  if (::mkdir(store.c_str(), 0755) != 0 && errno != EEXIST) return failure(std::strerror(errno));
  const auto probe = AtomicFile::create(store);
  if (!probe) return failure(probe.error());
  const std::size_t stale = TemporaryFile::remove_stale(store);
  if (stale > 0) complain("removed {} unfinished files from {}", stale, store);
  return {};
}

int run_node(NodeFlags flags) {
  const auto failed = [](const std::string& why) {
    complain("qpeer node: {}", why);
    return kFailure;
  };
  // A peer that may link because of --allow may store too.
  auto& storers = flags.service.receiver.storers;
  storers.insert(storers.end(), flags.peer.allowed.begin(), flags.peer.allowed.end());
  if (const auto ready = prepare_store(flags); !ready) return failed(ready.error());
  auto options = flags.peer.make();
  if (!options) return failed(options.error());
  const auto log = flags.operation.open_log();
  if (!log) return failed(log.error());
  auto& observer = options->config.connection.observer;
  observer = logging_connections(*log, std::move(observer));
  flags.service.metrics = flags.operation.metrics;
  flags.service.as_client = *options;
  options->listen = flags.listen;
  options->advertise = flags.advertise;
  options->config.dial_back_timeout = flags.dial_back_timeout;
  options->config.port_mapping = !flags.no_port_mapping;
  EventLoop loop;
  auto node = Node::start(loop, std::move(*options));
  if (!node) return failed(to_string(node.error()));
  Reporter reporter{flags.json, flags.quiet, Role::node, *log};
  NodeService service{loop, std::move(*node), std::move(flags.service), reporter};
  return run_program(loop, service.run(), [&] { service.stop(); });
}

Arguments::Setter set_address(SocketAddress& value) {
  return [&value](std::string_view text) -> std::expected<void, std::string> {
    const auto address = parse_listen(text, kDefaultPort);
    if (!address) return std::unexpected("is no address: " + address.error());
    value = *address;
    return {};
  };
}

void declare_store(Arguments& arguments, ReceiverOptions& receiver) {
  arguments.text("--store", "DIR", receiver.store,
                 "a folder of files that anyone may get; made if it is missing");
  arguments.toggle("--allow-anyone", receiver.anyone_stores,
                   "let every peer put files there (default: none)");
  arguments.custom("--allow-store", "ID", "let this peer put files there; may be repeated",
                   [&receiver](std::string_view text) -> std::expected<void, std::string> {
                     const auto id = PeerId::parse(text);
                     if (!id) return std::unexpected("is no peer id: " + id.error());
                     receiver.storers.push_back(*id);
                     return {};
                   });
  StoreLimits& limits = receiver.limits;
  arguments.size("--max-size", "SIZE", limits.max_size, "largest file taken (default: 64GiB)");
  arguments.size("--quota", "SIZE", limits.quota, "what all files may take (default: 64GiB)");
  arguments.size("--peer-quota", "SIZE", limits.peer_quota,
                 "what the files of one peer may take (default: 16GiB)");
  arguments.custom("--max-files", "N", "how many, a quarter of them of one peer (default: 10000)",
                   [&limits](std::string_view text) -> std::expected<void, std::string> {
                     const auto number = parse_number(text);
                     if (!number || *number < 1 || *number > 1'000'000) {
                       return std::unexpected("is not a number from 1 to 1000000");
                     }
                     limits.max_files = static_cast<std::size_t>(*number);
                     limits.max_files_of_peer = std::max<std::size_t>(1, limits.max_files / 4);
                     return {};
                   });
}

void declare(Arguments& arguments, NodeFlags& flags) {
  ServiceOptions& service = flags.service;
  arguments.custom("--listen", "ADDR:PORT", "where to listen (default: any address, port 4477)",
                   set_address(flags.listen));
  arguments.custom("--advertise", "ADDR:PORT",
                   "where others reach us (default: where they see us); may be repeated",
                   [&](std::string_view text) -> std::expected<void, std::string> {
                     if (flags.advertise.size() >= 4) return std::unexpected("is one too many");
                     return set_address(flags.advertise.emplace_back())(text);
                   });
  arguments.custom("--contact", "PEER",
                   "a node to join through, a ticket or ID@HOST[:PORT]; may be repeated",
                   add_contact(service.contacts));
  declare_store(arguments, service.receiver);
  arguments.text("--say", "TEXT", service.greeting, "a message for each node we are linked to");
  flags.peer.declare(arguments);
  flags.peer.transport.declare_retry(arguments);
  arguments.seconds("--dial-back-timeout", "S", flags.dial_back_timeout,
                    "give up reaching a peer after this long (default: 5)");
  arguments.toggle("--no-port-mapping", flags.no_port_mapping,
                   "do not ask the router to let strangers through (PCP, NAT-PMP, UPnP)");
  arguments.toggle("--node-only", service.node_only, "end when nobody can reach us");
  arguments.toggle("--once", service.once, "end after one transfer; status 0 if it was stored");
  arguments.toggle("--json", flags.json, "print one JSON object a line");
  arguments.toggle("--quiet", flags.quiet, "tell only of failures");
  flags.operation.declare(arguments);
}

}  // namespace

int node_command(std::span<char* const> words) {
  NodeFlags flags;
  Arguments arguments{
      "qpeer node", "[--listen ADDR:PORT] [--contact PEER...] [--store DIR] [OPTION...]",
      "Joins the network as a node, or begins one. Prints 'listening on ADDR:PORT, as PEER', "
      "'ticket\nTICKET', which is a PEER that works elsewhere too, again when it is another one, "
      "and a "
      "line for\neach link, verdict, message, request and file. A node that nobody can reach goes "
      "on as "
      "a client.\nNo peer may put files into --store but those that --allow, --allow-store or "
      "--allow-anyone name.\nWhen the output is not read, lines are lost, and one says how many. "
      "SIGINT "
      "or SIGTERM ends it, with\nstatus 0."};
  declare(arguments, flags);
  if (const auto status = arguments.parse(words)) return *status;
  if (const std::string wrong = flags.peer.why_wrong(); !wrong.empty()) {
    return arguments.misuse(wrong);
  }
  if (const std::string wrong = flags.operation.why_wrong(); !wrong.empty()) {
    return arguments.misuse(wrong);
  }
  const ReceiverOptions& receiver = flags.service.receiver;
  if (receiver.store.empty() && (receiver.anyone_stores || !receiver.storers.empty())) {
    return arguments.misuse("--allow-anyone and --allow-store are for --store DIR");
  }
  for (const PeerAddress& contact : flags.service.contacts) {
    const std::string wrong = flags.peer.why_not_dialled(contact);
    if (!wrong.empty()) return arguments.misuse(wrong);
  }
  return run_node(std::move(flags));
}

}  // namespace qpeer::cli
