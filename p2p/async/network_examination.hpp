// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One look at the network, from ports of its own: a NetworkProbe with its sockets.
#pragma once

#include <expected>
#include <functional>
#include <system_error>
#include <vector>

#include "qpeer/p2p/nat/network_probe.hpp"
#include "qpeer/p2p/nat/network_report.hpp"
#include "qpeer/p2p/node_event.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::p2p::detail {

struct NetworkQuestions {
  std::vector<SocketAddress> servers{};  ///< Asked at once.
  std::vector<SocketAddress>
      later{};  ///< Asked once `filtering` is done: nobody writes to them before.
  /// Has nodes find out whom the NAT or firewall lets in. Empty: nobody does.
  std::function<async::Task<FoundFiltering>()> filtering{};
  Duration filtering_time = 1'900ms;  ///< `filtering` is cancelled then.
  Duration time_limit = 2'500ms;  ///< Of the report; giving back a mapping may take 250 ms more.
  bool asks_router = true;        ///< To map a port, which is given back.
};

struct NetworkExamination {
  NetworkReport report;
  io::UdpCapabilities socket;  ///< Of the socket that all was sent from.
};

/// What a node's knocks and those of others show.
[[nodiscard]] NatFiltering filtering_of(const FilteringFound& found);

/// Finds out what a NetworkReport says; the error is the socket's.
[[nodiscard]] async::Task<std::expected<NetworkExamination, std::error_code>> examine_network(
    io::EventLoop& loop, NetworkQuestions questions);

}  // namespace qpeer::p2p::detail
