// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/sim/network.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "qpeer/transport/base/assert.hpp"

namespace qpeer::sim {
namespace {

/// A machine that wants to act this often without time going on is stuck.
constexpr std::uint32_t kMaxSpins = 100'000;
/// Datagrams that arrive at one instant are given at once, as a batch of recvmmsg would be.
constexpr std::size_t kMaxBatch = 64;
bool environment_says_yes(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && std::strcmp(value, "") != 0 && std::strcmp(value, "0") != 0;
}

}  // namespace

/// Orders the heap: the earliest first, of equals the one made first.
struct Network::Later {
  bool operator()(const Event& a, const Event& b) const {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }
};

Network::Network(std::uint64_t seed)
    : seed_(seed),
      random_(seed),
      link_random_(random_.split()),
      transmit_storage_(kMaxTransmitSize) {
  trace_ = environment_says_yes("QPEER_TRACE");
  heap_.reserve(1'024);
}

Network::~Network() = default;

// --- machines ----------------------------------------------------------------------------------

Host& Network::new_host() {
  hosts_.push_back(std::make_unique<Host>());
  Host& host = *hosts_.back();
  host.index_ = static_cast<std::uint32_t>(hosts_.size() - 1);
  host.realm_ = &internet_;
  return host;
}

Host& Network::add_host(std::unique_ptr<Node> node, SocketAddress address) {
  Host& host = new_host();
  host.node_ = std::move(node);
  add_address(host, address.valid() ? address : new_address());
  wake(host);
  return host;
}

void Network::detach(Host& host) {
  host.node_.reset();
  host.armed_ = kNever;
}

void Network::replace(Host& host, std::unique_ptr<Node> node) {
  detach(host);
  host.node_ = std::move(node);
  wake(host);
}

void Network::add_address(Host& host, const SocketAddress& address) {
  publish(host, address);
  host.addresses_.push_back(address);
}

void Network::change_address(Host& host, const SocketAddress& from, const SocketAddress& to) {
  const auto found = std::ranges::find(host.addresses_, from);
  if (found == host.addresses_.end()) die(host, "gives up an address that it does not have");
  publish(host, to);
  const SocketAddress gone = std::exchange(*found, to);  // `from` may be that element.
  withdraw(host, gone);
  on_address_gone(host, gone);
}

void Network::remove_address(Host& host, const SocketAddress& address) {
  const SocketAddress gone = address;  // May be one of those that move up.
  if (std::erase(host.addresses_, gone) == 0) die(host, "has no such address");
  withdraw(host, gone);
  on_address_gone(host, gone);
}

void Network::on_address_gone(Host& host, const SocketAddress& address) {
  if (!host.reports_gone_addresses || !host.node_) return;
  host.node_->on_local_address_gone(now_, address);
  check(host);
  wake(host);
}

void Network::rebind(Host& host, const SocketAddress& inside, const SocketAddress& outside) {
  const auto known = outside_.find(inside);
  const SocketAddress before = known == outside_.end() ? inside : known->second;
  if (host.realm_->find(before) != &host) die(host, "is behind a NAT that is not its own");
  publish(host, outside);
  withdraw(host, before);
  inside_.erase(before);
  outside_[inside] = outside;
  inside_[outside] = inside;
}

SocketAddress Network::new_address() {
  const std::uint32_t n = ++addresses_made_;
  return SocketAddress::ipv4(
      {10, static_cast<u8>(n >> 16), static_cast<u8>(n >> 8), static_cast<u8>(n)}, 4433);
}

SocketAddress Network::new_address6() {
  std::array<u8, 16> octets{0x20, 0x01, 0x0d, 0xb8};
  Writer(MutableBytes(octets).subspan(12)).u32(++addresses_made_);
  return SocketAddress::ipv6(octets, 4433);
}

void Network::wake(Host& host) {
  if (host.woken_) return;
  host.woken_ = true;
  push(now_, EventKind::wake, host.index_);
}

// --- time --------------------------------------------------------------------------------------

void Network::push(Instant at, EventKind kind, std::uint32_t index) {
  heap_.push_back({.at = at, .order = order_++, .index = index, .kind = kind});
  std::ranges::push_heap(heap_, Later{});
}

void Network::at(Instant time, Action action) {
  if (free_actions_.empty()) {
    free_actions_.push_back(static_cast<std::uint32_t>(actions_.size()));
    actions_.emplace_back();
  }
  const std::uint32_t index = free_actions_.back();
  free_actions_.pop_back();
  actions_[index] = std::move(action);
  push(std::max(time, now_), EventKind::action, index);
}

bool Network::step() {
  if (heap_.empty()) return false;
  std::ranges::pop_heap(heap_, Later{});
  const Event event = heap_.back();
  heap_.pop_back();
  now_ = std::max(now_, event.at);
  switch (event.kind) {
    case EventKind::deliver:
      deliver(event.index);
      break;
    case EventKind::timer:
      on_timer(*hosts_[event.index], event.at);
      break;
    case EventKind::wake:
      hosts_[event.index]->woken_ = false;
      pump(*hosts_[event.index]);
      break;
    case EventKind::action: {
      Action action = std::exchange(actions_[event.index], {});
      free_actions_.push_back(event.index);
      action();
      break;
    }
  }
  return true;
}

bool Network::run_until(const std::function<bool()>& predicate, Duration timeout) {
  const Instant end = now_ + timeout;
  for (const auto& host : hosts_) wake(*host);
  while (!predicate()) {
    if (heap_.empty() || heap_.front().at > end) {
      now_ = end;
      return predicate();
    }
    step();
  }
  return true;
}

void Network::run_for(Duration time) {
  run_until([] { return false; }, time);
}

// --- one machine -------------------------------------------------------------------------------

void Network::deliver(std::uint32_t index) {
  Host* const host = destination(*packets_[index]);
  if (host != nullptr && host->router_ != nullptr) {
    route(*host->router_, *packets_[index]);
    return free_packet(index);
  }
  for (std::size_t batch = 1;; ++batch) {
    Packet& packet = *packets_[index];
    if (host == nullptr || !host->node_) {
      ++stats_.unroutable;
    } else {
      ++stats_.delivered;
      Passing datagram{.now = now_,
                       .from = packet.from,
                       .to = packet.to,
                       .payload = MutableBytes(packet.storage).first(packet.size),
                       .ecn = packet.ecn};
      for (const Tap& tap : delivery_taps_) tap(datagram);
      const auto nat = inside_.find(packet.to);
      const SocketAddress& local = nat == inside_.end() ? packet.to : nat->second;
      host->node_->on_datagram(now_, {.path = {.local = local, .remote = packet.from},
                                      .ecn = packet.ecn,
                                      .payload = datagram.payload});
      check(*host);
    }
    free_packet(index);
    if (batch == kMaxBatch || heap_.empty()) break;
    const Event& next = heap_.front();
    if (next.kind != EventKind::deliver || next.at > now_) break;
    if (destination(*packets_[next.index]) != host) break;
    index = next.index;
    std::ranges::pop_heap(heap_, Later{});
    heap_.pop_back();
  }
  if (host != nullptr) pump(*host);
}

void Network::on_timer(Host& host, Instant armed) {
  if (armed != host.armed_) return;  // Stale: an earlier one took its place.
  host.armed_ = kNever;
  if (!host.node_) return;
  if (host.node_->next_deadline() <= now_) {
    host.spins_ = host.last_deadline_ == now_ ? host.spins_ + 1 : 0;
    host.last_deadline_ = now_;
    if (host.spins_ > kMaxSpins) die(host, "spins: its deadline passes and stays");
    host.node_->on_deadline(now_);
    check(host);
  }
  pump(host);
}

void Network::pump(Host& host) {
  if (!host.node_) return;
  std::uint32_t steps = 0;
  while (poll_event(host) || transmit(host)) {
    if (++steps > kMaxSpins) die(host, "spins: it sends or tells without end");
  }
  arm(host);
}

bool Network::poll_event(Host& host) {
  const bool handled = host.node_->poll_event();
  check(host);
  return handled;
}

void Network::arm(Host& host) {
  const Instant deadline = host.node_->next_deadline();
  if (deadline == kNever) return;
  const Instant at = std::max(deadline, now_);
  if (at >= host.armed_) return;
  host.armed_ = at;
  push(at, EventKind::timer, host.index_);
}

bool Network::transmit(Host& host) {
  TransmitBuffer out{.storage = transmit_storage_, .max_segments = host.max_segments};
  const auto train = host.node_->poll_transmit(now_, out);
  check(host);
  if (!train) return false;
  const std::size_t segment = train->segment_size;
  if (train->size == 0 || segment == 0 || train->size > out.storage.size() ||
      (train->size + segment - 1) / segment > host.max_segments) {
    die(host, "made an impossible train of datagrams");
  }
  const auto source = source_of(host, train->path);
  if (!source) {
    host.node_->on_refused(now_, *train, source.error());
    check(host);
    return true;
  }
  SocketAddress from = *source;
  if (const auto nat = outside_.find(from); nat != outside_.end()) from = nat->second;
  for (std::size_t position = 0; position < train->size; position += segment) {
    const std::size_t size = std::min(segment, train->size - position);
    send(host, from, train->path.remote, train->ecn,
         MutableBytes(transmit_storage_).subspan(position, size));
  }
  return true;
}

std::expected<SocketAddress, std::error_code> Network::source_of(const Host& host,
                                                                 const Path& path) const {
  const auto refuse = [](std::errc why) { return std::unexpected(std::make_error_code(why)); };
  const std::vector<SocketAddress>& own = host.addresses_;
  if (path.local.valid()) {
    const bool has_it = std::ranges::find(own, path.local) != own.end();
    if (host.checks_source && !has_it) return refuse(std::errc::invalid_argument);
    return path.local;
  }
  const auto chosen = std::ranges::find_if(
      own, [&](const SocketAddress& each) { return each.is_ipv4() == path.remote.is_ipv4(); });
  if (chosen != own.end()) return *chosen;
  if (host.checks_source) return refuse(std::errc::network_unreachable);
  return SocketAddress{};
}

// --- assertions ---------------------------------------------------------------------------------

void Network::check(Host& host) const {
  if constexpr (!kAssertions) return;
  if (!host.node_ || host.checks_++ % (1 + host.node_->weight() / 4) != 0) return;
  if (!host.node_->consistent()) die(host, "is not consistent");
}

void Network::die(const Host& host, const char* what) const {
  fmt::print(stderr, "simulation with seed {} at {} ns: machine {} {}\n", seed_,
             now_.time_since_epoch().count(), host.index_, what);
  std::abort();
}

}  // namespace qpeer::sim
