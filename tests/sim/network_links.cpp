// SPDX-License-Identifier: MIT OR BSD-3-Clause
// The way of a datagram between two machines: its link, and the pool that holds it on its way.
#include "qpeer/tests/sim/network.hpp"

#include <fmt/format.h>

#include "qpeer/tests/sim/packets.hpp"

namespace qpeer::sim {
namespace {

/// The buffer of a pooled datagram, and what is given back rather than kept.
constexpr std::size_t kUsualSize = 1'536;
constexpr std::size_t kKeptSize = 16'384;

constexpr std::uint64_t pair_key(std::uint32_t from, std::uint32_t to) {
  return std::uint64_t{from} << 32 | to;
}

}  // namespace

void Network::connect(const Host& a, const Host& b, const Link& forward, const Link& back) {
  pipe(a, b).link = forward;
  pipe(b, a).link = back;
}

Pipe& Network::pipe(const Host& from, const Host& to) {
  const auto [near, far] = ends_between(from, to);
  return pipe_between(*near, *far);
}

Pipe& Network::pipe_between(const Host& from, const Host& to) {
  auto& slot = pipes_[pair_key(from.index_, to.index_)];
  const bool local = from.realm_ != &internet_ || to.realm_ != &internet_;
  if (!slot) {
    slot = std::make_unique<Pipe>(local ? kLocalLink : default_link_, link_random_.split());
  }
  return *slot;
}

void Network::inject(const SocketAddress& from, const SocketAddress& to, Bytes payload, Ecn ecn) {
  std::vector<u8> copied(payload.begin(), payload.end());
  const Passing datagram{.now = now_, .from = from, .to = to, .payload = copied, .ecn = ecn};
  trace(datagram, "injected");
  deliver_at(now_, internet_, nullptr, datagram);
}

Host* Network::destination(const Packet& packet) {
  return packet.next != nullptr ? packet.next : packet.realm->find(packet.to);
}

void Network::send(Host& host, const SocketAddress& from, const SocketAddress& to, Ecn ecn,
                   MutableBytes payload) {
  ++stats_.sent;
  Passing datagram{.now = now_, .from = from, .to = to, .payload = payload, .ecn = ecn};
  for (const Tap& tap : taps_) tap(datagram);
  if (host.realm_->find(from) != &host) {
    ++stats_.unroutable;
    return trace(datagram, "unroutable");
  }
  hop(host, *host.realm_, datagram);
}

void Network::hop(Host& sender, const Realm& realm, Passing& datagram) {
  Host* next = realm.find(datagram.to);
  const Router* const gateway = realm.gateway;
  const bool from_gateway = gateway != nullptr && &gateway->host() == &sender;
  const bool leaves = next == nullptr && gateway != nullptr && !from_gateway;
  if (leaves) next = &gateway->host();
  if (next == nullptr || (next == &sender && sender.router_ != nullptr)) {
    ++stats_.unroutable;
    return trace(datagram, "unroutable");
  }
  if (gateway != nullptr && gateway->isolates_hosts && !leaves && !from_gateway) {
    ++stats_.filtered;
    return trace(datagram, "isolated");
  }
  const auto outcome = pipe_between(sender, *next).enter(datagram);
  trace(datagram, outcome.fate);
  Host* const router = leaves ? next : nullptr;
  if (outcome.arrival != kNever) deliver_at(outcome.arrival, realm, router, datagram);
  if (outcome.copy_arrival != kNever) deliver_at(outcome.copy_arrival, realm, router, datagram);
}

void Network::deliver_at(Instant at, const Realm& realm, Host* next, const Passing& datagram) {
  const std::uint32_t index = take_packet(datagram.payload.size());
  Packet& packet = *packets_[index];
  packet.from = datagram.from;
  packet.to = datagram.to;
  packet.ecn = datagram.ecn;
  packet.realm = &realm;
  packet.next = next;
  copy(datagram.payload, packet.storage);
  push(at, EventKind::deliver, index);
}

void Network::reserve_packets(std::size_t count) {
  free_packets_.reserve(count);
  heap_.reserve(2 * count);
  while (packets_.size() < count) {
    free_packets_.push_back(static_cast<std::uint32_t>(packets_.size()));
    packets_.push_back(std::make_unique<Packet>());
    packets_.back()->storage.resize(kUsualSize);
  }
}

void Network::free_packet(std::uint32_t index) {
  Packet& packet = *packets_[index];
  if (packet.storage.size() > kKeptSize) packet.storage = std::vector<u8>(kUsualSize);
  free_packets_.push_back(index);
}

std::uint32_t Network::take_packet(std::size_t size) {
  if (free_packets_.empty()) reserve_packets(2 * packets_.size() + 64);
  const std::uint32_t index = free_packets_.back();
  free_packets_.pop_back();
  Packet& packet = *packets_[index];
  if (packet.storage.size() < size) packet.storage.resize(size);
  packet.size = size;
  return index;
}

void Network::trace(const Passing& datagram, std::string_view fate) const {
  if (!trace_) return;
  constexpr const char* kMarks[] = {"", " ect1", " ect0", " ce"};
  const double time = static_cast<double>(now_.time_since_epoch().count()) * 1e-9;
  fmt::print(stderr, "[{:12.6f}] {} > {} {:5} {}{} {}\n", time, datagram.from.to_string(),
             datagram.to.to_string(), datagram.payload.size(), packet_kinds(datagram.payload),
             kMarks[static_cast<std::size_t>(datagram.ecn)], fate);
}

}  // namespace qpeer::sim
