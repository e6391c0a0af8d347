// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A router that speaks UPnP on the loopback interface, in threads of its own, and that misbehaves as it is told.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "qpeer/p2p/async/upnp_gateway.hpp"
#include "qpeer/transport/base/address.hpp"

namespace qpeer::p2p::detail::test {

/// An answer over HTTP.
std::string http_answer(int status, std::string_view body, std::string_view headers = {});
/// The answer to a command that failed.
std::string upnp_error(int code);

/// Functions and members that are not const may be used while nobody asks it, but for those that say otherwise.
class FakeUpnpRouter {
 public:
  struct Mapping {
    std::string client;
    std::string port;
    std::string lifetime;
    friend bool operator==(const Mapping&, const Mapping&) = default;
  };

  FakeUpnpRouter();
  ~FakeUpnpRouter();
  FakeUpnpRouter(const FakeUpnpRouter&) = delete;
  FakeUpnpRouter& operator=(const FakeUpnpRouter&) = delete;

  // --- what it does ------------------------------------------------------------------------------

  std::string external = "8.8.4.4";
  std::string location;  ///< What SSDP says; at first its own description.
  std::string control_url = "/control";
  std::string url_base{};
  bool answers_search = true;
  bool answers_from_elsewhere = false;  ///< From 127.0.0.2.
  std::map<std::string, int> errors{};  ///< By command.
  bool only_permanent = false;
  int conflicts = 0;  ///< So many AddPortMapping are refused by 718.
  /// Instead of all that, by the request's first line: what is sent. An empty answer is none: it is silent.
  std::function<std::string(std::string_view line)> instead{};
  bool trickles = false;       ///< What it sends comes a byte each 20 ms.
  std::size_t sends_more = 0;  ///< So many bytes behind each answer.
  std::function<void(std::string_view command)> on_command{};  ///< In its thread.

  /// It takes requests at another port from now on, and has forgotten all mappings.
  void restart();

  // --- what came of it, at any time --------------------------------------------------------------

  [[nodiscard]] std::map<std::uint16_t, Mapping> mappings() const;
  /// The first lines of requests for pages, and the names of commands.
  [[nodiscard]] std::vector<std::string> requests() const;
  [[nodiscard]] std::size_t count(std::string_view request) const;
  [[nodiscard]] std::size_t bytes_sent() const { return bytes_sent_; }
  void forget_mappings();

  /// For a gateway that looks for it here.
  [[nodiscard]] UpnpConfig config() const;
  [[nodiscard]] std::string description() const;

 private:
  void listen();
  void serve_searches();
  void serve_requests();
  void serve(int connection);
  std::string answer(const std::string& request);
  std::string answer_command(const std::string& command, const std::string& body);
  void send_all(int connection, const std::string& bytes);

  int udp_ = -1;
  int elsewhere_ = -1;
  std::atomic<int> tcp_ = -1;
  std::uint16_t udp_port_ = 0;
  std::uint16_t tcp_port_ = 0;
  std::atomic<bool> is_over_ = false;
  std::atomic<std::size_t> bytes_sent_ = 0;
  mutable std::mutex mutex_;
  std::map<std::uint16_t, Mapping> mappings_;
  std::vector<std::string> requests_;
  std::thread searches_;
  std::thread commands_;
};

}  // namespace qpeer::p2p::detail::test
