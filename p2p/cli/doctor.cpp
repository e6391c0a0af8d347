// SPDX-License-Identifier: MIT OR BSD-3-Clause
// qpeer doctor: what this network lets a peer be, and what to do about what stands in the way.
#include "qpeer/qpeer.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qpeer/p2p/async/async_node.hpp"
#include "qpeer/p2p/async/lookup.hpp"
#include "qpeer/p2p/async/network_examination.hpp"
#include "qpeer/p2p/cli/commands.hpp"
#include "qpeer/p2p/cli/common/arguments.hpp"
#include "qpeer/p2p/cli/common/peer_options.hpp"
#include "qpeer/p2p/cli/common/program.hpp"
#include "qpeer/p2p/cli/doctor_report.hpp"
#include "qpeer/p2p/nat/network_probe.hpp"

namespace qpeer::cli {
namespace {

using p2p::NatFiltering;

constexpr std::uint16_t kStunPort = 3478;
/// All ends in three seconds: names are looked up in the first one, and the rest is for the probe, which
/// leaves the gateway some time to take its mapping back. A node finds out whom the NAT lets in before the
/// other nodes are written to.
constexpr Duration kLookupPatience = 1s;
constexpr Duration kProbeEnd = 2'700ms;
constexpr Duration kLongestProbe = 2'500ms;
constexpr Duration kFilteringEnd = 1'900ms;

struct DoctorOptions {
  std::vector<PeerAddress> contacts{};
  std::vector<PeerAddress> servers{};
  bool no_port_mapping = false;
  bool json = false;
};

/// One address of each family, or none, which is reported.
Task<std::vector<SocketAddress>> look_up(EventLoop& loop, PeerAddress server) {
  const std::vector<PeerAddress> one{server};
  p2p::detail::Lookup lookup{loop, one, kLookupPatience};
  const auto found = co_await lookup;
  for (const auto& failure : found.failures) {
    complain("qpeer doctor: {}: {}", server.to_string(), failure.why);
  }
  std::vector<SocketAddress> out;
  for (const auto& candidate : found.candidates) {
    const bool is_known = std::ranges::any_of(out, [&](const SocketAddress& each) {
      return each.is_ipv4() == candidate.address.is_ipv4();
    });
    if (!is_known) out.push_back(candidate.address);
  }
  co_return out;
}

/// Whom we ask.
struct Asked {
  std::vector<SocketAddress> first{};  ///< The first contact, and the STUN servers.
  std::vector<SocketAddress> later{};  ///< Other contacts, which may find out whom the NAT lets in.
  std::vector<PeerAddress> node{};     ///< The first contact, by an address of each family.
};

void add_new(std::vector<SocketAddress>& list, const std::vector<SocketAddress>& addresses,
             const std::vector<SocketAddress>& others) {
  for (const SocketAddress& each : addresses) {
    const bool is_known = std::ranges::find(list, each) != list.end() ||
                          std::ranges::find(others, each) != others.end();
    if (!is_known) list.push_back(each);
  }
}

Task<Asked> look_up_all(EventLoop& loop, const DoctorOptions& options) {
  std::vector<Task<std::vector<SocketAddress>>> tasks;
  for (const auto* list : {&options.contacts, &options.servers}) {
    for (const PeerAddress& server : *list) tasks.push_back(look_up(loop, server));
  }
  Asked out;
  const auto found = co_await when_all(std::move(tasks));
  const std::size_t contacts = options.contacts.size();
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (i == 0 || i >= contacts) add_new(out.first, found[i], {});
  }
  for (std::size_t i = 1; i < contacts; ++i) add_new(out.later, found[i], out.first);
  if (contacts == 0) co_return out;
  for (const SocketAddress& each : found[0]) {
    const PeerAddress::Place place = PeerAddress::Place::at(each);
    out.node.push_back(
        {.id = options.contacts[0].id, .host = place.host, .port = place.port, .others = {}});
  }
  co_return out;
}

// --- whom the NAT or firewall lets in ------------------------------------------------------------

/// Links to the node as a client of no name.
Task<NatFiltering> find_filtering(EventLoop& loop, PeerAddress node) {
  p2p::NodeOptions settings;
  settings.identity = p2p::make_identity();
  settings.trust = node.id ? p2p::Trust::pinned() : p2p::Trust::encrypt_only();
  settings.config.target_links = 1;
  settings.config.exchange_peers = false;  // Nobody else may be written to.
  auto client = Client::start(loop, std::move(settings));
  if (!client) co_return NatFiltering::unknown;
  const auto server = co_await client->connect(node);
  if (!server) co_return NatFiltering::unknown;
  const auto found = co_await server->probe_filtering();
  co_return found ? p2p::detail::filtering_of(*found) : NatFiltering::unknown;
}

Task<p2p::FoundFiltering> find_filtering_of_all(EventLoop& loop, std::vector<PeerAddress> node) {
  std::vector<Task<NatFiltering>> tasks;
  tasks.reserve(node.size());
  for (const PeerAddress& each : node) tasks.push_back(find_filtering(loop, each));
  p2p::FoundFiltering out;
  const auto found = co_await when_all(std::move(tasks));
  for (std::size_t i = 0; i < node.size(); ++i) {
    const bool is_ipv6 = node[i].host.find(':') != std::string::npos;
    (is_ipv6 ? out.ipv6 : out.ipv4) = found[i];
  }
  co_return out;
}

Task<std::expected<DoctorReport, std::string>> examine(EventLoop& loop,
                                                       const DoctorOptions& options) {
  const Instant begin = io::now();
  const Asked asked = co_await look_up_all(loop, options);
  if (asked.first.empty() && asked.later.empty() &&
      options.contacts.size() + options.servers.size() > 0) {
    co_return std::unexpected("none of the names has an address");
  }
  p2p::detail::NetworkQuestions questions{
      .servers = asked.first,
      .later = asked.later,
      .filtering = {},
      .filtering_time = begin + kFilteringEnd - io::now(),
      .time_limit = std::min(kLongestProbe, begin + kProbeEnd - io::now()),
      .asks_router = !options.no_port_mapping};
  if (!asked.node.empty()) {
    questions.filtering = [&] { return find_filtering_of_all(loop, asked.node); };
  }
  const auto examined = co_await p2p::detail::examine_network(loop, std::move(questions));
  if (!examined) co_return std::unexpected("the socket failed: " + examined.error().message());
  co_return DoctorReport{.network = examined->report,
                         .socket = examined->socket,
                         .buffers_wanted = io::UdpOptions{}.buffer_size,
                         .clock = read_clock()};
}

Task<int> doctor(EventLoop& loop, const DoctorOptions& options) {
  const auto report = co_await examine(loop, options);
  if (!report) {
    complain("qpeer doctor: {}", report.error());
    co_return kFailure;
  }
  if (options.json) {
    print_json(*report);
  } else {
    print_text(*report);
  }
  co_return status_of(report->network);
}

Arguments::Setter add_server(std::vector<PeerAddress>& servers) {
  return [&servers](std::string_view text) -> std::expected<void, std::string> {
    auto server = PeerAddress::parse(text, kStunPort);
    if (!server) return std::unexpected("is no address of a server: " + server.error());
    if (server->id) return std::unexpected("has an id: give a node by --contact");
    servers.push_back(std::move(*server));
    return {};
  };
}

}  // namespace

int doctor_command(std::span<char* const> words) {
  DoctorOptions options;
  Arguments arguments{
      "qpeer doctor", "[--contact PEER...] [--stun HOST[:PORT]...] [OPTION...]",
      "Finds out, in three seconds at most, what a peer in this network can be: whether UDP and "
      "IPv6 work,\nhow nodes and STUN servers see us, what the NAT or firewall does, whether the "
      "router maps ports;\nand says what to do about what stands in the way. Two servers on "
      "different hosts show how the NAT\nmaps. Whom it lets in is shown by a first node that is "
      "linked to another one, to which this machine has\nnot written lately, or by a STUN server "
      "with two addresses (RFC 5780). With nobody to ask, only this\nmachine and its router are "
      "examined."};
  arguments.custom("--contact", "PEER", "a node to ask, ID@HOST[:PORT]; may be repeated",
                   add_contact(options.contacts));
  arguments.custom("--stun", "HOST[:PORT]", "a STUN server to ask (port: 3478); may be repeated",
                   add_server(options.servers));
  arguments.toggle("--no-port-mapping", options.no_port_mapping,
                   "do not ask the router to map a port (PCP, NAT-PMP, UPnP)");
  arguments.toggle("--json", options.json, "print the report as one line of JSON");
  arguments.note(
      "Exit status: 0 could be a node, 3 a client, 4 a client that only a relay could "
      "call, 1 no UDP\nor failed, 2 wrong usage.");
  if (const auto status = arguments.parse(words)) return *status;
  if (options.contacts.size() + options.servers.size() > p2p::NetworkProbe::kMaxServers) {
    return arguments.misuse("too many servers: 8 are enough");
  }
  EventLoop loop;
  return run_program(loop, doctor(loop, options));
}

}  // namespace qpeer::cli
