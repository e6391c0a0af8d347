// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A router that maps ports by UPnP (an Internet Gateway Device): found by SSDP, commanded by SOAP. UPnP Device
// Architecture 1.1 §1.3, §2, §3; WANIPConnection:1 §2.4.
//
//   SSDP --where its description is--> description --where it takes commands--> GetExternalIPAddress, AddPortMapping
//
// Whoever is in the local network can answer, so only what the router itself says is taken: answers from its address,
// a description and commands at its address. Redirects are not followed.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "qpeer/p2p/async/http_message.hpp"
#include "qpeer/p2p/async/upnp_parser.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/io/blocking_exchange.hpp"

namespace qpeer::p2p::detail {

/// The defaults are UPnP's, and ours.
struct UpnpConfig {
  SocketAddress group = SocketAddress::ipv4({239, 255, 255, 250}, 1900);  ///< Of all devices.
  std::uint16_t search_port = 1900;    ///< Of the router itself, where some answer too.
  Duration search_time = 2s;           ///< Devices answer within a second of the question.
  io::ExchangeLimits request{};        ///< Of the description, and of each command.
  std::chrono::seconds lifetime = 1h;  ///< What is asked for.
  std::array<std::uint16_t, 3>
      other_ports{};  ///< Tried in turn when another host has ours; 0 for none.
};

/// What the router has mapped.
struct UpnpMapping {
  SocketAddress external;
  std::chrono::seconds lifetime{};  ///< 0: for ever, as some routers cannot do otherwise.
  bool is_new = false;              ///< It was made or renewed just now.
};

/// One mapping of one router. Its functions block, for a few times UpnpConfig::request at most; they are called
/// in one thread at a time.
class UpnpGateway {
 public:
  /// Why there is no mapping: what is wrong with the router, for people.
  using Result = std::expected<UpnpMapping, std::string>;

  /// Maps a port of `router` to `internal`.
  UpnpGateway(const SocketAddress& router, const SocketAddress& internal, const UpnpConfig& config)
      : router_(router), internal_(internal), config_(config) {}

  /// Has the port mapped, and looks for the router first where it is not known.
  Result map();
  /// Has the mapping made anew where the router has it no more, or where `renews`.
  Result keep(bool renews);
  /// Has it removed.
  void remove();

  /// Any thread: nothing is mapped any more; what map() or keep() has mapped in spite of it, it removes before it
  /// returns. False when the router has no mapping and will have none, so that nothing must be waited for.
  bool stop();

 private:
  Result do_map();
  Result do_keep(bool renews);
  Result unless_stopped(Result result);
  std::expected<void, std::string> find();
  [[nodiscard]] std::optional<HttpUrl> search() const;
  [[nodiscard]] std::expected<std::string, std::string> fetch(const HttpUrl& url) const;
  std::expected<void, std::string> learn_external_host();
  std::expected<std::uint16_t, std::string> add_any();
  int add(std::uint16_t port, std::chrono::seconds lifetime);
  [[nodiscard]] bool has_mapping() const;

  /// The result of a command: its answer, or the number of UPnP's error, or what else is wrong.
  struct Reply {
    UpnpReply values{""};
    int error = 0;  ///< 0: none.
  };
  [[nodiscard]] Reply command(std::string_view action, std::string_view arguments) const;
  static std::string words_for(int error);

  SocketAddress router_;
  SocketAddress internal_;
  UpnpConfig config_;
  std::optional<UpnpService> service_;  ///< Where it takes commands.
  SocketAddress external_;              ///< What it said last; its port once something is mapped.
  std::chrono::seconds lifetime_{};     ///< Of the mapping.
  std::atomic<bool> is_stopped_ = false;
  std::atomic<bool> may_be_mapped_ = false;
};

}  // namespace qpeer::p2p::detail
