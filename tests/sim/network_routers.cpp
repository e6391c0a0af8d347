// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Routers in the network: who is found where, and what a router does with a datagram.
#include "qpeer/tests/sim/network.hpp"

#include <algorithm>

namespace qpeer::sim {
namespace {

/// The host of the router that the host is behind.
const Host* outer(const Realm& realm) {
  return realm.gateway == nullptr ? nullptr : &realm.gateway->host();
}

}  // namespace

// --- places --------------------------------------------------------------------------------------

Router& Network::add_router(const NatBoxConfig& config, SocketAddress outside) {
  Host& host = new_host();
  if (!outside.valid()) {
    const auto n = static_cast<std::uint32_t>(routers_.size());
    outside = SocketAddress::ipv4({150, static_cast<u8>(n >> 8), static_cast<u8>(n), 1}, 0);
  }
  routers_.push_back(std::make_unique<Router>(host, config, outside, random_.next()));
  host.router_ = routers_.back().get();
  add_address(host, host.router_->box.outside());
  return *host.router_;
}

void Network::behind(Router& router, Host& host) {
  for (const SocketAddress& address : host.addresses_) withdraw(host, address);
  host.realm_ = &router.inside_;
  for (const SocketAddress& address : host.addresses_) publish(host, address);
}

void Network::behind(Router& carrier, Router& router) {
  if (!router.inside_.endpoints.empty()) die(router.host_, "has hosts already");
  const auto n = static_cast<u8>(carrier.inside_.routers.size());
  behind(carrier, router.host_);
  if (!carrier.box.translates(router.box.outside())) return;
  change_address(router, SocketAddress::ipv4({100, 64, n, 2}, 0));
}

void Network::change_address(Router& router, const SocketAddress& to) {
  change_address(router.host_, router.box.outside(), to.with_port(0));
  router.box.set_outside(to);
}

void Network::add_gateway(Router& router, const NatGatewayConfig& config) {
  router.gateway.emplace(config, now_);
}

void Network::reboot(Router& router) {
  constexpr int kTimes = 10;  // RFC 6886 §3.2.1, RFC 6887 §14.1.3.
  router.box.reboot();
  if (!router.gateway) return;
  router.gateway->restart(now_);
  announce(router, kTimes, 250ms);
}

// --- who is found where --------------------------------------------------------------------------

void Network::publish(Host& host, const SocketAddress& address) {
  auto& known = host.router_ == nullptr ? host.realm_->endpoints : host.realm_->routers;
  if (!known.emplace(address, &host).second) die(host, "two hosts have one address");
  publish_outside(host, address);
}

void Network::withdraw(Host& host, const SocketAddress& address) {
  auto& known = host.router_ == nullptr ? host.realm_->endpoints : host.realm_->routers;
  known.erase(address);
  withdraw_outside(host, address);
  for (const SocketAddress& other : host.addresses_) {
    const bool stays = known.contains(other) && other.same_host(address);
    if (stays) publish_outside(host, other);  // The same address with another port.
  }
}

void Network::publish_outside(const Host& host, const SocketAddress& address) {
  for (const Router* router = host.realm_->gateway;
       router != nullptr && !router->box.translates(address);
       router = router->host_.realm_->gateway) {
    router->host_.realm_->routers.insert_or_assign(address.with_port(0), &router->host_);
  }
}

void Network::withdraw_outside(const Host& host, const SocketAddress& address) {
  for (const Router* router = host.realm_->gateway;
       router != nullptr && !router->box.translates(address);
       router = router->host_.realm_->gateway) {
    router->host_.realm_->routers.erase(address.with_port(0));
  }
}

// --- datagrams -----------------------------------------------------------------------------------

void Network::route(Router& router, Packet& packet) {
  const bool outward = packet.realm == &router.inside_;
  if (outward && router.gateway && (packet.to == kGateway4 || packet.to == kGateway6)) {
    return answer(router, packet);
  }
  const Translation result = outward ? router.box.from_inside(now_, packet.from, packet.to)
                                     : router.box.from_outside(now_, packet.from, packet.to);
  Passing datagram{.now = now_,
                   .from = packet.from,
                   .to = packet.to,
                   .payload = MutableBytes(packet.storage).first(packet.size),
                   .ecn = packet.ecn};
  if (!result.passes()) {
    ++stats_.filtered;
    return trace(datagram, to_string(result.fate));
  }
  datagram.from = result.from;
  datagram.to = result.to;
  const bool leaves = outward && result.fate == NatFate::forwarded;
  hop(router.host_, leaves ? *router.host_.realm_ : router.inside_, datagram);
}

void Network::answer(Router& router, Packet& packet) {
  std::vector<u8> out = router.gateway->answer(now_, router.box, packet.from,
                                               Bytes(packet.storage).first(packet.size));
  if (out.empty()) return;
  Ecn ecn = Ecn::not_ect;
  Passing datagram{.now = now_, .from = packet.to, .to = packet.from, .payload = out, .ecn = ecn};
  hop(router.host_, router.inside_, datagram);
}

void Network::announce(Router& router, int times, Duration interval) {
  for (const auto& host : hosts_) {
    if (host->realm_ != &router.inside_ || host->router_ != nullptr) continue;
    if (std::ranges::any_of(host->addresses_, &SocketAddress::is_ipv4)) {
      announce_to(router, *host, kGateway4, kAnnouncements4);
    }
    if (std::ranges::any_of(host->addresses_, &SocketAddress::is_ipv6)) {
      announce_to(router, *host, kGateway6, kAnnouncements6);
    }
  }
  if (times == 1) return;
  after(interval, [this, &router, times, interval] { announce(router, times - 1, 2 * interval); });
}

void Network::announce_to(Router& router, Host& host, const SocketAddress& from,
                          const SocketAddress& group) {
  Ecn ecn = Ecn::not_ect;
  for (auto& message : router.gateway->announcements(now_, router.box, from.is_ipv4())) {
    const Passing datagram{.now = now_, .from = from, .to = group, .payload = message, .ecn = ecn};
    deliver_at(now_ + kLocalLink.delay, router.inside_, &host, datagram);
  }
}

std::pair<const Host*, const Host*> Network::ends_between(const Host& a, const Host& b) {
  const Host* inner_a = &a;
  for (const Host* x = &a; x != nullptr; inner_a = x, x = outer(*x->realm_)) {
    const Host* inner_b = &b;
    for (const Host* y = &b; y != nullptr; inner_b = y, y = outer(*y->realm_)) {
      if (x == y) return {inner_a, inner_b};  // One is behind the other.
      if (x->realm_ == y->realm_) return {x, y};
    }
  }
  return {&a, &b};
}

}  // namespace qpeer::sim
