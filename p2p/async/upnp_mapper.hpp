// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Keeps a mapping by UPnP for as long as it is wanted. The router is asked in another thread, so that the loop never
// waits for it.
//
//   want(way) --> map --mapped--> rest, look after 20 s --> keep --> ...
//                     --failed--> rest 10 s, 20 s, ... 15 min --> map
//   want(nothing, or another way) --> remove, where there may be a mapping
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "qpeer/p2p/async/upnp_gateway.hpp"
#include "qpeer/transport/async/waiting.hpp"
#include "qpeer/transport/base/address.hpp"
#include "qpeer/transport/base/random.hpp"
#include "qpeer/transport/base/time.hpp"
#include "qpeer/transport/io/background.hpp"
#include "qpeer/transport/io/event_loop.hpp"

namespace qpeer::p2p::detail {

/// Of the loop's thread.
class UpnpMapper {
 public:
  struct Config {
    UpnpConfig gateway{};
    Duration look = 20s;  ///< Until the router is asked whether it still has the mapping.
    Duration first_pause = 10s;
    Duration longest_pause = 15min;
  };
  /// What comes of it, each time that the router was asked.
  struct Callbacks {
    std::function<void(const SocketAddress& external, Duration lifetime)> on_mapped;
    std::function<void(std::string_view why)> on_failed;
    std::function<void()> on_idle;
  };

  /// `random` must outlive it.
  UpnpMapper(io::EventLoop& loop, Random& random, Callbacks callbacks)
      : UpnpMapper(loop, random, std::move(callbacks), Config{}) {}
  UpnpMapper(io::EventLoop& loop, Random& random, Callbacks callbacks, const Config& config);
  UpnpMapper(const UpnpMapper&) = delete;
  UpnpMapper& operator=(const UpnpMapper&) = delete;
  ~UpnpMapper();

  /// The port of `way->local` is to be mapped at the router `way->remote`; without, none is. Failures are
  /// reported in the loop's next turn or later.
  void want(const std::optional<Path>& way);
  /// Whether no mapping is left to be removed, and none is being made.
  [[nodiscard]] bool is_idle() const { return !wanted_ && leaving_ == nullptr; }

  async::WaitList idle;

 private:
  using Gateway = std::shared_ptr<UpnpGateway>;

  void begin();
  void work();
  void on_worked(const Gateway& gateway, const UpnpGateway::Result& result);
  void leave();
  void remove();

  io::EventLoop& loop_;
  Random& random_;
  Callbacks callbacks_;
  Config config_;
  std::optional<Path> wanted_;
  Gateway gateway_;  ///< Of what is wanted. Used by one thread at a time, but for stop().
  Gateway leaving_;  ///< The one before, until its mapping is removed; the next one waits for that.
  bool is_working_ = false;  ///< Whether call_ is under way.
  bool is_mapped_ = false;
  Instant renew_at_ = kNever;
  Duration pause_{};
  io::Timer timer_;  ///< When the router is asked next.
  io::Background call_;
};

}  // namespace qpeer::p2p::detail
