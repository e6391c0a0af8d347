// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/interop/relay/relay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

namespace qpeer::relay {
namespace {

constexpr std::size_t kMostFlows = 1'000;
constexpr io::UdpOptions kSocket{.packet_info = false};

// 127.0.0.1 -> 127.0.0.2 and so on; for other addresses there is only the port.
SocketAddress source_towards(const SocketAddress& server, unsigned host) {
  if (!server.is_ipv4()) return SocketAddress::parse("[::1]:0").value_or(SocketAddress{});
  return SocketAddress::ipv4({127, 0, 0, static_cast<u8>(1 + host % 200)}, 0);
}

std::string describe(const LineStats& stats, const std::string& prefix) {
  return fmt::format(
      "{0}datagrams {1}\n{0}bytes {2}\n{0}lost {3}\n{0}overflowed {4}\n"
      "{0}oversized {5}\n{0}corrupted {6}\n{0}duplicated {7}\n",
      prefix, stats.datagrams, stats.bytes, stats.lost, stats.overflowed, stats.oversized,
      stats.corrupted, stats.duplicated);
}

void add(LineStats& sum, const LineStats& more) {
  sum.datagrams += more.datagrams;
  sum.bytes += more.bytes;
  sum.lost += more.lost;
  sum.overflowed += more.overflowed;
  sum.oversized += more.oversized;
  sum.corrupted += more.corrupted;
  sum.duplicated += more.duplicated;
}

}  // namespace

Relay::Relay(io::EventLoop& loop, RelayConfig config, io::UdpSocket door)
    : loop_(loop),
      config_(std::move(config)),
      door_(std::move(door)),
      slab_(io::UdpSocket::kRegionSize * 4),
      timer_(loop, [this](Instant) { deliver(io::now()); }) {}

std::expected<std::unique_ptr<Relay>, std::error_code> Relay::start(io::EventLoop& loop,
                                                                    RelayConfig config) {
  auto door = io::UdpSocket::bind(config.listen, kSocket);
  if (!door) return std::unexpected(door.error());
  std::unique_ptr<Relay> relay{new Relay(loop, std::move(config), std::move(*door))};
  auto watch = loop.watch(relay->door_.fd(), io::Interest::read,
                          [self = relay.get()](io::Ready, Instant) { self->on_client_ready(); });
  if (!watch) return std::unexpected(watch.error());
  relay->door_watch_ = std::move(*watch);
  return relay;
}

std::error_code Relay::open_towards_server(Flow& flow) {
  const unsigned host = config_.rebind == Rebind::address ? flow.rebinds : 0;
  auto socket = io::UdpSocket::bind(source_towards(config_.server, host), kSocket);
  if (!socket) return socket.error();
  flow.watch.reset();
  flow.socket.emplace(std::move(*socket));
  auto watch = loop_.watch(flow.socket->fd(), io::Interest::read,
                           [this, at = &flow](io::Ready, Instant) { on_server_ready(*at); });
  if (!watch) return watch.error();
  flow.watch = std::move(*watch);
  flow.proof = {};
  // A path that is not the first has rules of its own: RFC 9000 §9.3.
  flow.proof.proved = flow.rebinds != 0;
  flow.used = flow.answered = false;
  return {};
}

Relay::Flow* Relay::flow_of(const SocketAddress& client) {
  if (const auto at = flows_.find(client); at != flows_.end()) return at->second.get();
  if (flows_.size() == kMostFlows) return nullptr;
  auto flow = std::make_unique<Flow>();
  flow->number = flows_.size();
  flow->client = client;
  const std::uint64_t seed = config_.seed * 1'000'003 + flow->number * 2;
  flow->to_server = std::make_unique<Line>(config_.to_server, seed, up_);
  flow->to_client = std::make_unique<Line>(config_.to_client, seed + 1, down_);
  if (open_towards_server(*flow)) return nullptr;
  if (config_.rebind != Rebind::never && flows_.empty()) {
    next_rebind_ = io::now() + config_.first_rebind;
  }
  return flows_.emplace(client, std::move(flow)).first->second.get();
}

template <class F>
void Relay::receive(io::UdpSocket& socket, F&& on_datagram) {
  for (;;) {
    const auto received = socket.receive(slab_, on_datagram);
    if (!received || *received == 0) return;
  }
}

void Relay::on_client_ready() {
  receive(door_, [&](const ReceivedDatagram& datagram) {
    Flow* const flow = flow_of(datagram.path.remote);
    if (flow == nullptr) return;
    if (flow->rebinds != 0 && !flow->used) ++rebinds_;
    flow->used = true;
    tap_.from_client(flow->number, datagram.payload, datagram.ecn);
    const bool carried = flow->to_server->push(io::now(), datagram.payload, datagram.ecn);
    trace(*flow, true, datagram.payload, carried);
  });
  deliver(io::now());
}

void Relay::on_server_ready(Flow& flow) {
  receive(*flow.socket, [&](const ReceivedDatagram& datagram) {
    if (datagram.path.remote != config_.server) return;
    tap_.from_server(flow.proof, datagram.payload, datagram.ecn);
    if (flow.rebinds != 0 && !flow.answered) ++answered_rebinds_;
    flow.answered = true;
    const bool carried = flow.to_client->push(io::now(), datagram.payload, datagram.ecn);
    trace(flow, false, datagram.payload, carried);
  });
  deliver(io::now());
}

void Relay::send(io::UdpSocket& socket, const SocketAddress& to, const Parcel& parcel) {
  Transmit transmit{.path = {.local = {}, .remote = to},
                    .ecn = parcel.ecn,
                    .size = parcel.bytes.size(),
                    .segment_size = parcel.bytes.size()};
  // A full socket loses it, as any router would.
  (void)socket.send(transmit, parcel.bytes);
}

Relay::Flow* Relay::next_flow(std::unique_ptr<Line> Flow::* line) const {
  const auto next = std::ranges::min_element(
      flows_, {}, [&](const auto& entry) { return (entry.second.get()->*line)->next_deadline(); });
  return next == flows_.end() ? nullptr : next->second.get();
}

// What left the bottleneck first arrives first, whoever sent it.
void Relay::deliver(Instant now) {
  if (next_rebind_ <= now) rebind(now);
  while (Flow* const flow = next_flow(&Flow::to_server)) {
    auto parcel = flow->to_server->pop(now);
    if (!parcel) break;
    if (config_.mark_ce && parcel->ecn != Ecn::not_ect) parcel->ecn = Ecn::ce;
    tap_.at_server(flow->proof, parcel->bytes);
    send(*flow->socket, config_.server, *parcel);
  }
  while (Flow* const flow = next_flow(&Flow::to_client)) {
    auto parcel = flow->to_client->pop(now);
    if (!parcel) break;
    if (config_.mark_ce && parcel->ecn != Ecn::not_ect) parcel->ecn = Ecn::ce;
    send(door_, flow->client, *parcel);
  }
  arm();
}

void Relay::rebind(Instant now) {
  next_rebind_ = now + config_.rebind_every;
  for (const auto& [client, flow] : flows_) {
    ++flow->rebinds;
    // Without a new socket the flow keeps its old one, and answered_rebinds tells.
    if (open_towards_server(*flow)) --flow->rebinds;
  }
}

void Relay::arm() {
  Instant next = next_rebind_;
  for (const auto& [client, flow] : flows_) {
    next = std::min({next, flow->to_server->next_deadline(), flow->to_client->next_deadline()});
  }
  timer_.set(next);
}

// Columns: seconds, the client, which way, bytes, packets.
void Relay::trace(const Flow& flow, bool from_client, Bytes datagram, bool carried) const {
  if (!config_.trace) return;
  fmt::print(stderr, "{:.3f} {}.{} {} {} {}{}\n",
             std::chrono::duration<double>(io::now() - begin_).count(), flow.number, flow.rebinds,
             from_client ? "->" : "<-", datagram.size(), outline(datagram),
             carried ? "" : " (lost)");
}

std::string Relay::report() const {
  LineStats to_server;
  LineStats to_client;
  for (const auto& [client, flow] : flows_) {
    add(to_server, flow->to_server->stats());
    add(to_client, flow->to_client->stats());
  }
  std::string out = fmt::format(
      "flows {}\nconnections {}\nrebinds {}\nanswered_rebinds {}\namplification {}\n",
      flows_.size(), tap_.connections(), rebinds_, answered_rebinds_, tap_.amplification());
  out += describe(to_server, "client_") + relay::describe(tap_.client(), "client_");
  out += describe(to_client, "server_") + relay::describe(tap_.server(), "server_");
  return out;
}

}  // namespace qpeer::relay
