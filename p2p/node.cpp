// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/node.hpp"

#include <algorithm>
#include <utility>

#include "qpeer/p2p/node_state.hpp"

namespace qpeer::p2p {
namespace {

transport::EndpointConfig first_port(const NodeConfig& config, const PeerTls& tls) {
  transport::EndpointConfig out = config.endpoint;
  out.connection = config.connection;
  out.server_tls = config.role == Role::node ? tls.server : nullptr;
  return out;
}

transport::EndpointConfig probe_port(const NodeConfig& config) {
  transport::EndpointConfig out = config.endpoint;
  out.server_tls = nullptr;
  out.reset_key =
      {};  // RFC 9000 §21.11 [rfc9000-21.11-2]: what one port resets may live at the other.
  return out;
}

}  // namespace

std::string_view to_string(PeerError error) {
  switch (error) {
    case PeerError::not_linked:
      return "there is no link to that peer";
    case PeerError::wrong_role:
      return "not something that these two roles do";
    case PeerError::too_large:
      return "the message is too large";
    case PeerError::queue_full:
      return "too much waits to be sent already";
    case PeerError::refused:
      return "the peer refused it";
    case PeerError::link_lost:
      return "the link was lost before the peer had confirmed it";
    case PeerError::timed_out:
      return "it took too long";
    case PeerError::shut_down:
      return "we are shutting down";
    case PeerError::unknown:
      return "there is no such operation any more";
  }
  return "unknown";
}

Node::Implementation::Implementation(Instant begin, NodeConfig configuration, PeerTls peer_tls,
                                     crypto::KeyFactory& keys, Random& source)
    : config(std::move(configuration)),
      tls(std::move(peer_tls)),
      random(source),
      first(first_port(config, tls), keys, source),
      now(begin),
      cache(config.cache),
      limiter(config.dial_back_limits) {
  if (config.probe_address) probe.emplace(probe_port(config), keys, source);
  cache.merge(config.remembered);
  config.remembered = {};
  cache.forget(tls.id);
  cache_told = cache.revision();
}

Node::Node(Instant now, NodeConfig config, PeerTls tls, crypto::KeyFactory& keys, Random& random)
    : impl_(
          std::make_unique<Implementation>(now, std::move(config), std::move(tls), keys, random)) {}

Node::~Node() = default;

// --- machine -------------------------------------------------------------------------------------

void Node::on_datagram(Instant now, ReceivedDatagram datagram) {
  Implementation& node = *impl_;
  const bool probed = node.probe && datagram.path.local.port() == node.config.probe_address->port();
  (probed ? *node.probe : node.first).on_datagram(now, datagram);
  node.pump(now);
}

std::optional<Transmit> Node::poll_transmit(Instant now, TransmitBuffer& out) {
  Implementation& node = *impl_;
  if (auto transmit = node.first.poll_transmit(now, out)) return transmit;
  if (!node.probe) return std::nullopt;
  auto transmit = node.probe->poll_transmit(now, out);
  if (transmit) transmit->path.local = *node.config.probe_address;
  return transmit;
}

Instant Node::next_deadline() const {
  const Implementation& node = *impl_;
  Instant out = std::min(node.first.next_deadline(), node.deadlines.earliest());
  if (node.probe) out = std::min(out, node.probe->next_deadline());
  if (node.plan) out = std::min(out, node.plan->next_deadline());
  if (!node.unread.empty()) out = std::min(out, node.now);
  return std::min({out, node.limiter.next_start(), node.maintain_at, node.explore_at, node.sweep_at,
                   node.shut_down_at});
}

void Node::on_deadline(Instant now) {
  Implementation& node = *impl_;
  node.first.on_deadline(now);
  if (node.probe) node.probe->on_deadline(now);
  node.now = now;
  node.on_timers(now);
  node.pump(now);
}

std::optional<NodeEvent> Node::poll_event() {
  Implementation& node = *impl_;
  if (node.events.empty()) node.pump(node.now);  // What sending brought about.
  if (node.events.empty() && is_idle() && !std::exchange(node.drained_emitted, true)) {
    return Drained{};
  }
  if (node.events.empty()) return std::nullopt;
  NodeEvent out = std::move(node.events.front());
  node.events.pop_front();
  return out;
}

void Node::Implementation::pump(Instant time) {
  now = time;
  for (;;) {
    if (const auto event = first.poll_event()) {
      on_endpoint_event(Port::first, *event);
    } else if (auto probed = probe ? probe->poll_event() : std::nullopt) {
      on_endpoint_event(Port::probe, *probed);
    } else {
      break;
    }
  }
  if (plan) continue_bootstrap();
  if (shutting_down) continue_shut_down();
  if (cache.revision() != cache_told) {
    cache_told = cache.revision();
    tell(CacheChanged{});
  }
}

void Node::Implementation::on_endpoint_event(Port port, const transport::EndpointEvent& event) {
  using Kind = transport::ConnectionEvent::Kind;
  if (event.kind == transport::EndpointEvent::Kind::drained)
    return;  // Both ports count: is_idle().
  if (event.event.kind == Kind::connected) {
    return on_connected(port, event.connection, event.incoming);
  }
  const Slot slot = find_link(port, event.connection);
  if (slot == kNone) return;  // Of no use any more.
  switch (event.event.kind) {
    case Kind::stream:
      return on_stream_event(slot, event.event.stream);
    case Kind::pong:
      return on_pong(slot);
    case Kind::observed_address:
      return on_observed_address(slot, event.event.observed_address);
    case Kind::datagram:
      return on_datagram_event(slot);
    case Kind::closed:
      return on_closed(slot, event.event.close);
    case Kind::session_ticket:
      return on_session_ticket(links[slot], event.event.session_ticket);
    case Kind::new_token:
      return on_new_token(links[slot], event.event.address_token);
    case Kind::early_data_accepted:
    case Kind::early_data_rejected:
    case Kind::connected:
    case Kind::confirmed:
    case Kind::path_validated:
    case Kind::path_failed:
    case Kind::path_changed:
      return;
  }
}

void Node::Implementation::on_pong(Slot slot) {
  Link& link = links[slot];
  if (std::exchange(link.doubted, false)) set_deadline(link, kNever);
  if (link.pings.empty()) return;
  tell(Pong{.peer = link.peer, .round_trip = now - link.pings.front()});
  link.pings.pop_front();
}

void Node::Implementation::on_observed_address(Slot slot, const SocketAddress& observed) {
  const Link& link = links[slot];
  // What a NAT makes of the second port says nothing of the first.
  if (link.port != Port::first || link.owner == kNone) return;
  const auto before = own_address.current();
  if (!own_address.on_observed(now, link.peer, link.remote, observed)) return;
  tell(OwnAddressChanged{.address = own_address.current(), .before = before});
}

// --- time ----------------------------------------------------------------------------------------

void Node::Implementation::on_timers(Instant time) {
  while (deadlines.earliest() <= time) {
    const DeadlineHeap::Slot top = deadlines.top();
    deadlines.set(top, kNever);
    const Slot slot = top / 2;
    if (top % 2 == 0) {
      on_link_deadline(slot);
    } else {
      on_peer_deadline(slot);
    }
  }
  for (std::size_t left = unread.size(); left > 0; --left) {
    const auto [slot, serial] = unread.front();
    unread.pop_front();
    if (is_still(slot, serial)) read_control(slot);
  }
  start_waiting_dial_backs();
  if (maintain_at <= time) maintain();
  if (explore_at <= time) explore();
  if (sweep_at <= time) sweep_operations();
}

// --- the end -------------------------------------------------------------------------------------

void Node::shut_down(Instant now, Duration drain) {
  Implementation& node = *impl_;
  node.now = now;
  if (node.shutting_down) return;
  node.begin_shut_down(drain);
  node.pump(now);
}

void Node::Implementation::begin_shut_down(Duration drain) {
  shutting_down = true;
  shut_down_at = now + drain;
  keeps_links = false;
  maintain_at = kNever;
  explore_at = kNever;
  if (plan) end_bootstrap(std::nullopt);
}

// Waits for what is queued towards peers whose links are up.
void Node::Implementation::continue_shut_down() {
  if (closed) return;
  const bool busy = std::ranges::any_of(operations, [&](const auto& one) {
    const Operation& operation = one.second;
    const Peer* peer = find_peer(operation.peer);
    return operation.sending && peer != nullptr && peer->up;
  });
  if (busy && now < shut_down_at) return;
  closed = true;
  shut_down_at = kNever;
  // Nobody waits for what has not arrived by now.
  std::vector<OperationId> late;
  for (const auto& [id, operation] : operations) {
    if (operation.sending) late.push_back(id);
  }
  for (const OperationId id : late) fail_operation(id, PeerError::shut_down);
  first.shut_down(now, std::to_underlying(ErrorCode::shutting_down), "shutting down");
  if (probe) probe->shut_down(now, std::to_underlying(ErrorCode::shutting_down), "shutting down");
}

bool Node::is_idle() const {
  return impl_->closed && impl_->first.idle() && (!impl_->probe || impl_->probe->idle());
}

// --- figures -------------------------------------------------------------------------------------

const cache::BootstrapCache& Node::cache() const { return impl_->cache; }

std::optional<SocketAddress> Node::own_address() const { return impl_->own_address.current(); }

const PeerId& Node::id() const { return impl_->tls.id; }

Role Node::role() const { return impl_->config.role; }

NodeStats Node::stats() const {
  NodeStats out = impl_->stats;
  out.links = impl_->links_up_count;
  out.connections = impl_->links.size();
  out.inbox_bytes = impl_->inbox_total;
  out.candidates_learned = impl_->learned.size();
  return out;
}

std::expected<void, PeerError> Node::ping(Instant now, const PeerId& peer) {
  Implementation& node = *impl_;
  node.now = now;
  const auto slot = node.find_link_to(peer);
  if (slot == Implementation::kNone) return std::unexpected(PeerError::not_linked);
  if (node.links[slot].pings.size() >= Implementation::kMaxPings) {
    return std::unexpected(PeerError::queue_full);
  }
  if (!node.ping(peer)) return std::unexpected(PeerError::not_linked);
  return {};
}

bool Node::Implementation::ping(const PeerId& peer) {
  const Slot slot = find_link_to(peer);
  transport::Connection* connection = slot == kNone ? nullptr : transport_of(links[slot]);
  if (connection == nullptr) return false;
  connection->ping();
  links[slot].pings.push_back(now);
  return true;
}

}  // namespace qpeer::p2p
