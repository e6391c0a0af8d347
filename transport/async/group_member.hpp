// SPDX-License-Identifier: MIT OR BSD-3-Clause
// One thread of an EndpointGroup, with its loop and its endpoint. Internal to async.
//
//   the group's thread                      the member's thread
//   start()  --------------------------->   run(): makes the loop and the endpoint
//            <---------------------------   the addresses, or the error
//   go()     --------------------------->   calls `serve`, until shut_down() or until it returns
//   shut_down(), stats()  --post()------>   closes all connections; figures
//   on_end() <---------------------------   the endpoint is destroyed, then the loop
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <expected>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "qpeer/transport/async/async_endpoint.hpp"
#include "qpeer/transport/async/event.hpp"
#include "qpeer/transport/async/port_members.hpp"
#include "qpeer/transport/async/task.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::async::detail {

/// How a group ends.
struct GroupEnd {
  std::uint64_t error_code = 0;
  std::string reason{};
  Duration limit{};
};

/// shut_down() and stats() may be called from any thread, all else in the thread of the owner.
class GroupMember {
 public:
  using Addresses = std::vector<SocketAddress>;
  /// Called in the member's thread, at its end, when the loop is gone; `error` is what left `serve`.
  using OnEnd = std::move_only_function<void(std::exception_ptr error)>;

  /// `serve`, and `port` where there is one, are kept until the end.
  GroupMember(std::size_t index, std::shared_ptr<PortMembers> port, EndpointGroup::Serve serve)
      : index_(index), port_(std::move(port)), serve_(std::move(serve)) {}
  GroupMember(const GroupMember&) = delete;
  GroupMember& operator=(const GroupMember&) = delete;
  /// Without go() the thread ends at once; else it waits for its end.
  ~GroupMember();

  /// Starts the thread, and binds the sockets. Returns their addresses.
  [[nodiscard]] std::expected<Addresses, std::error_code> start(
      const AsyncEndpointOptions& options);
  /// After start(), once: lets the thread serve. It calls `on_served` when `serve` has returned.
  void go(std::move_only_function<void()> on_served, OnEnd on_end);
  /// Closes all; the first call after go() counts.
  void shut_down(const GroupEnd& end);
  [[nodiscard]] transport::EndpointStats stats();
  void join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct Go {
    std::move_only_function<void()> on_served{};  ///< Null: do not serve.
    OnEnd on_end{};
  };
  /// What there is while the loop turns; of the member's thread.
  struct Running {
    io::EventLoop& loop;
    AsyncEndpoint& endpoint;
    Event stopping;
    Duration limit{};
  };
  using Opened = std::promise<std::expected<Addresses, std::error_code>>;

  void run(const AsyncEndpointOptions& options, Opened opened);
  void serve_in(io::EventLoop& loop, AsyncEndpoint& endpoint, Go& go);
  Task<void> serve_until_stopped(Running& running, Go& go);
  void publish(Running* running);
  static void close_all(Running& running, const GroupEnd& end);

  std::size_t index_;
  std::shared_ptr<PortMembers> port_;  ///< Null for one that is alone.
  EndpointGroup::Serve serve_;
  std::promise<Go> go_;
  bool has_gone_ = false;
  std::mutex mutex_;             ///< Guards the next three.
  Running* running_ = nullptr;   ///< Null before and after.
  std::optional<GroupEnd> end_;  ///< Of shut_down().
  transport::EndpointStats last_stats_;
  std::thread thread_;
};

}  // namespace qpeer::async::detail
