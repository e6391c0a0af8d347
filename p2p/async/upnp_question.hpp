// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whether the router maps a port by UPnP, asked beside the rest of a look at the network. Internal to
// network_examination.cpp.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "qpeer/p2p/async/upnp_gateway.hpp"
#include "qpeer/p2p/nat/network_report.hpp"
#include "qpeer/p2p/nat/port_mapper.hpp"
#include "qpeer/transport/async/combinators.hpp"
#include "qpeer/transport/async/event.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/io/background.hpp"
#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/system_clock.hpp"
#include "qpeer/transport/io/udp_socket.hpp"

namespace qpeer::p2p::detail {

/// To map the port of a socket that only this is for; it is given back.
class UpnpQuestion {
 public:
  /// `way` is the router and our own address, which is that of `socket`; not valid() where nobody is asked.
  UpnpQuestion(io::EventLoop& loop, std::optional<io::UdpSocket> socket, const Path& way)
      : socket_(std::move(socket)), way_(way), answered_(loop) {
    if (!way_.remote.valid() || !upnp_is_built()) return;
    UpnpConfig config;
    config.search_time = kSearch;
    config.request.time = kRequest;
    gateway_ = std::make_shared<UpnpGateway>(way_.remote, way_.local, config);
    call_ = io::Background(
        loop,
        [gateway = gateway_, result = result_] {
          *result = gateway->map();
          gateway->remove();
        },
        [this] { answered_.set(); });
  }
  UpnpQuestion(const UpnpQuestion&) = delete;
  UpnpQuestion& operator=(const UpnpQuestion&) = delete;
  ~UpnpQuestion() = default;

  /// Waits for the answer, and adds it to a report that has no mapping.
  async::Task<void> add_to(io::EventLoop& loop, NetworkReport& report, Instant end) {
    if (gateway_ == nullptr) {
      if (way_.remote.valid()) report.gateway.upnp_failure = "UPnP is not built in";
      co_return;
    }
    auto answered = answered_.wait();
    const auto is_known =
        co_await async::with_timeout(loop, std::max(Duration{}, end - io::now()), answered);
    if (!is_known) gateway_->stop();
    if (report.gateway.mapping) co_return;
    if (!is_known) {
      report.gateway.upnp_failure = "its UPnP does not answer in time";
    } else if (!*result_) {
      report.gateway.upnp_failure = result_->error();
    } else {
      report.set_mapping({.external = (*result_)->external,
                          .protocol = MappingProtocol::upnp,
                          .lifetime = (*result_)->lifetime,
                          .double_nat = is_behind_nat((*result_)->external)});
    }
  }

 private:
  /// A router that speaks UPnP answers a search within a second.
  static constexpr Duration kSearch = 1'500ms;
  static constexpr Duration kRequest = 1s;

  std::optional<io::UdpSocket> socket_;
  Path way_;
  std::shared_ptr<UpnpGateway> gateway_;
  std::shared_ptr<UpnpGateway::Result> result_ = std::make_shared<UpnpGateway::Result>();
  async::Event answered_;
  io::Background call_;
};

}  // namespace qpeer::p2p::detail
