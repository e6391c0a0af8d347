// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Tells a machine what changes in the network of this computer, as far as it has members for that: see
// driver.hpp. Internal to the driver.
#pragma once

#include <optional>
#include <utility>

#include "qpeer/transport/io/event_loop.hpp"
#include "qpeer/transport/io/internet_path.hpp"
#include "qpeer/transport/io/network_changes.hpp"
#include "qpeer/transport/io/network_monitor.hpp"
#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::io {

/// Its owner has on_network_due(), which calls report(), and may end the owner's life.
template <class M, class Owner>
class NetworkReports {
 public:
  NetworkReports(EventLoop& loop, M& machine, Owner& owner)
      : loop_(loop),
        machine_(machine),
        owner_(owner),
        timer_(loop, [this](Instant now) { on_due(now); }) {}

  /// For a socket with this address. Where the system reports nothing, only refused datagrams show that an
  /// address is lost.
  void start(const SocketAddress& bound) {
    bound_ = bound;
    if constexpr (kMindsLosses || kMindsRoutes || kMindsGains || kMindsInternetPath) {
      monitor_ = NetworkMonitor::open();
      if (monitor_) {
        auto watch = loop_.watch(monitor_->fd(), Interest::read, [this](Ready, Instant now) {
          changes_.add(monitor_->take_changes());
          on_due(now);
        });
        if (watch) watch_ = std::move(*watch);
      }
    }
    report_internet_paths(io::now(), {});
  }
  void stop() {
    watch_.reset();
    timer_.cancel();
  }

  void report(Instant now) {
    const auto changes = changes_.take(now);
    if (!changes) return;
    if constexpr (kMindsLosses) {
      for (const SocketAddress& address : changes->gone) {
        machine_.on_local_address_gone(now, address);
      }
    }
    if constexpr (kMindsRoutes) {
      if (bound_.is_wildcard()) machine_.on_routes_changed(now, read_source_address);
    }
    if constexpr (kMindsGains) {
      if (changes->gained) machine_.on_network_changed(now);
    }
    report_internet_paths(now, *changes);
  }

 private:
  static constexpr bool kMindsLosses =
      requires(M& machine) { machine.on_local_address_gone(Instant{}, SocketAddress{}); };
  static constexpr bool kMindsRoutes =
      requires(M& machine) { machine.on_routes_changed(Instant{}, read_source_address); };
  static constexpr bool kMindsGains =
      requires(M& machine) { machine.on_network_changed(Instant{}); };
  static constexpr bool kMindsInternetPath =
      requires(M& machine) { machine.on_network(Instant{}, Path{}, Path{}); };

  void on_due(Instant now) {
    if (now < changes_.next()) return timer_.set(changes_.next());
    owner_.on_network_due();  // May destroy us.
  }

  // A path that was away is told as such, although it may be back, and the same, by now: routers forget.
  void report_internet_paths(Instant now, const NetworkChanges& changes) {
    if constexpr (kMindsInternetPath) {
      const auto ours = [this](const Path& path) {
        const bool is_any = bound_.is_wildcard() && (bound_.is_ipv6() || path.local.is_ipv4());
        return is_any || bound_.same_host(path.local) ? path : Path{};
      };
      const Path ipv4 = ours(read_ipv4_internet_path(bound_.port()));
      const Path ipv6 = ours(read_ipv6_internet_path(bound_.port()));
      const bool ipv4_was_away = changes.may_have_cut(ipv4.local);
      const bool ipv6_was_away = changes.may_have_cut(ipv6.local);
      if (ipv4_was_away || ipv6_was_away) {
        machine_.on_network(now, ipv4_was_away ? Path{} : ipv4, ipv6_was_away ? Path{} : ipv6);
      }
      machine_.on_network(now, ipv4, ipv6);
    }
  }

  EventLoop& loop_;
  M& machine_;
  Owner& owner_;
  SocketAddress bound_{};
  std::optional<NetworkMonitor> monitor_;
  PacedNetworkChanges changes_;
  Timer timer_;
  Watch watch_;
};

}  // namespace qpeer::io
