// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/async/upnp_mapper.hpp"

#include <algorithm>
#include <string>

#include "qpeer/transport/io/system_clock.hpp"

namespace qpeer::p2p::detail {
namespace {

/// Ports that are asked for when our own is another host's: none that a well-known service might have.
constexpr std::uint16_t kLowestPort = 10'000;

}  // namespace

UpnpMapper::UpnpMapper(io::EventLoop& loop, Random& random, Callbacks callbacks,
                       const Config& config)
    : loop_(loop),
      random_(random),
      callbacks_(std::move(callbacks)),
      config_(config),
      timer_(loop, [this](Instant) { work(); }) {}

UpnpMapper::~UpnpMapper() {
  if (gateway_) leave();  // The removal goes on in its thread.
}

void UpnpMapper::want(const std::optional<Path>& way) {
  if (wanted_ == way) return;
  wanted_ = way;
  if (gateway_) leave();
  if (wanted_ && !leaving_) begin();
}

void UpnpMapper::begin() {
  UpnpConfig config = config_.gateway;
  for (std::uint16_t& port : config.other_ports) {
    port = static_cast<std::uint16_t>(kLowestPort + random_.uniform(65'536 - kLowestPort));
  }
  gateway_ = std::make_shared<UpnpGateway>(wanted_->remote, wanted_->local, config);
  is_mapped_ = false;
  renew_at_ = kNever;
  pause_ = {};
  timer_.fire_soon();
}

void UpnpMapper::work() {
  if (!upnp_is_built()) return callbacks_.on_failed("UPnP is not built in");
  is_working_ = true;
  const auto result = std::make_shared<UpnpGateway::Result>(UpnpMapping{});
  const bool keeps = is_mapped_;
  const bool renews = renew_at_ <= io::now();
  call_ = io::Background(
      loop_,
      [result, gateway = gateway_, keeps, renews] {
        *result = keeps ? gateway->keep(renews) : gateway->map();
      },
      [this, result, gateway = gateway_] { on_worked(gateway, *result); });
}

void UpnpMapper::on_worked(const Gateway& gateway, const UpnpGateway::Result& result) {
  is_working_ = false;
  if (gateway != gateway_) return remove();
  const Instant now = io::now();
  is_mapped_ = result.has_value();
  if (!result) {
    pause_ = std::clamp<Duration>(2 * pause_, config_.first_pause, config_.longest_pause);
    timer_.set(now + pause_);
    return callbacks_.on_failed(result.error());
  }
  pause_ = {};
  if (result->is_new) renew_at_ = result->lifetime == 0s ? kNever : now + result->lifetime / 2;
  timer_.set(std::min(now + config_.look, renew_at_));
  callbacks_.on_mapped(result->external, result->lifetime);
}

// The mapping of gateway_ is not wanted any more. What cannot have mapped anything is left to itself.
void UpnpMapper::leave() {
  timer_.cancel();
  const bool may_be_mapped = gateway_->stop();
  leaving_ = may_be_mapped ? gateway_ : nullptr;
  gateway_.reset();
  if (!may_be_mapped) {
    call_ = {};
    is_working_ = false;
  } else if (!is_working_) {
    remove();
  }
}

void UpnpMapper::remove() {
  call_ = io::Background(
      loop_, [gateway = leaving_] { gateway->remove(); },
      [this] {
        leaving_.reset();
        if (wanted_) begin();
        callbacks_.on_idle();
      });
}

}  // namespace qpeer::p2p::detail
