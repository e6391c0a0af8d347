// SPDX-License-Identifier: MIT OR BSD-3-Clause
// network_report(): a look at the network of a peer that runs.
#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "qpeer/p2p/async/network_examination.hpp"
#include "qpeer/p2p/async/state.hpp"
#include "qpeer/transport/io/internet_path.hpp"

namespace qpeer::p2p::detail {
namespace {

using Shared = std::shared_ptr<NodeState>;

FoundFiltering of_family(const SocketAddress& address, NatFiltering filtering) {
  FoundFiltering out;
  (address.is_ipv4() ? out.ipv4 : out.ipv6) = filtering;
  return out;
}

// A node that is bound to loopback, say, needs no router.
bool is_our_way_out(const SocketAddress& bound) {
  return bound.is_wildcard() || bound.same_host(io::read_internet_path(0).local);
}

async::Task<FoundFiltering> ask_node(Shared self, LinkInfo link) {
  const auto found = co_await NodeState::probe_filtering(self, link.peer);
  if (!found) co_return FoundFiltering{};
  co_return of_family(link.address, filtering_of(*found));
}

async::Task<FoundFiltering> recall_verdicts(Shared self) { co_return self->filtering_of_verdicts; }

}  // namespace

async::Task<std::expected<NetworkReport, std::error_code>> NodeState::network_report(
    std::shared_ptr<NodeState> self, std::vector<SocketAddress> servers) {
  NetworkQuestions questions;
  questions.asks_router = self->maps_port && is_our_way_out(self->local_address);
  std::optional<LinkInfo> first;
  for (LinkInfo& link : self->machine.links()) {
    if (!link.up || link.role != Role::node) continue;
    if (std::ranges::find(servers, link.address) == servers.end()) servers.push_back(link.address);
    if (!first) first = std::move(link);
  }
  questions.servers = std::move(servers);
  if (self->machine.role() == Role::node) {
    questions.filtering = [self] { return recall_verdicts(self); };
  } else if (first) {
    questions.filtering = [self, link = *first] { return ask_node(self, link); };
  }
  auto examined = co_await examine_network(self->loop, std::move(questions));
  if (!examined) co_return std::unexpected(examined.error());
  co_return std::move(examined->report);
}

}  // namespace qpeer::p2p::detail
