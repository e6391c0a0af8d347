// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/p2p/node.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "qpeer/p2p/node_state.hpp"

namespace qpeer::p2p {

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
      now(begin),
      ports(config, tls, keys, source),
      connections(ports),
      peers(config, random, connections, queue),
      known(config, tls.id),
      dialler(config, tls, random, ports, connections, known),
      knocks(random, queue, connections, peers, own_address),
      reachability(config, queue, connections, peers, known, dialler, knocks),
      discovery(config, random, queue, connections, peers, known, dialler),
      inbox_budget(config),
      raw_streams(connections, queue, streams, inbox_budget),
      mailbox(config, queue, connections, peers, streams, inbox_budget, raw_streams),
      stun_server({.per_second = config.max_stun_answers,
                   .per_second_of_site = config.max_stun_answers_network}),
      knock_sender({.per_second = config.max_knocks}),
      router_ports(config, queue, known, dialler, random) {}

Node::Node(Instant now, NodeConfig config, PeerTls tls, crypto::KeyFactory& keys, Random& random)
    : impl_(
          std::make_unique<Implementation>(now, std::move(config), std::move(tls), keys, random)) {}

Node::~Node() = default;

// --- machine -------------------------------------------------------------------------------------

void Node::on_datagram(Instant now, ReceivedDatagram datagram) {
  if (looks_like_stun(datagram.payload) && impl_->on_stun(now, datagram)) return;
  if (datagram.path.remote.port() == kGatewayPort &&
      impl_->router_ports.on_datagram(now, datagram)) {
    return;
  }
  impl_->ports.on_datagram(now, datagram);
  impl_->pump(now);
}

void Node::on_refused(Instant now, const Transmit& transmit, std::error_code error) {
  if (!impl_->last_transmit_is_quic) return;  // Of no connection.
  impl_->now = now;
  impl_->ports.on_refused(now, transmit, error);
  impl_->pump(now);
}

void Node::on_local_address_gone(Instant now, const SocketAddress& local) {
  impl_->now = now;
  impl_->network_changed = true;
  impl_->ports.on_local_address_gone(now, local);
  impl_->pump(now);
}

void Node::on_routes_changed(Instant now, const transport::Endpoint::SourceOf& source_of) {
  impl_->now = now;
  impl_->ports.on_routes_changed(now, source_of);
}

void Node::on_network_changed(Instant now) {
  impl_->now = now;
  impl_->network_changed = true;
  impl_->known.resume_all();
  impl_->ports.on_network_changed(now);
}

void Node::on_network(Instant now, const Path& ipv4, const Path& ipv6) {
  impl_->now = now;
  const std::array internet{ipv4, ipv6};
  if (impl_->internet && *impl_->internet != internet) impl_->network_changed = true;
  impl_->internet = internet;
  impl_->router_ports.on_network(now, ipv4, ipv6);
}

const std::optional<Path>& Node::wanted_mapping() const { return impl_->router_ports.wanted(); }

void Node::on_mapped(Instant now, const SocketAddress& external, Duration lifetime) {
  impl_->now = now;
  impl_->router_ports.on_mapped(now, external, lifetime);
  impl_->pump(now);
}

void Node::on_mapping_failed(Instant now, std::string_view why) {
  impl_->now = now;
  impl_->router_ports.on_mapping_failed(now, why);
  impl_->pump(now);
}

void Node::on_port_closed(Instant now, const SocketAddress& remote, Bytes quoted) {
  impl_->now = now;
  impl_->ports.on_port_closed(now, remote, quoted);
  impl_->pump(now);
}

std::optional<Transmit> Node::poll_transmit(Instant now, TransmitBuffer& out) {
  Implementation& node = *impl_;
  while (node.mailbox.is_owing_receipts()) {
    node.now = now;
    node.mailbox.send_receipts();
    node.work_off();
  }
  return node.poll_transmit(now, out);
}

Instant Node::next_deadline() const {
  const Implementation& node = *impl_;
  const bool has_drained = node.shutting_down && !node.closed && !node.must_drain();
  const Instant out = node.unread.empty() && !has_drained ? kNever : node.now;
  return std::min({out, node.ports.next_deadline(), node.connections.next_deadline(),
                   node.peers.next_deadline(), node.reachability.next_recheck(),
                   node.reachability.next_start(), node.knocks.next_deadline(),
                   node.filtering_probe.next_deadline(), node.discovery.next_deadline(),
                   node.router_ports.next_deadline(), node.mailbox.next_deadline(),
                   std::max(node.now, node.raw_streams.next_sweep()), node.shut_down_at});
}

void Node::on_deadline(Instant now) {
  Implementation& node = *impl_;
  node.ports.on_deadline(now);
  node.on_timers(now);
  node.pump(now);
}

std::optional<NodeEvent> Node::poll_event() {
  Implementation& node = *impl_;
  if (!node.queue.has_emitted()) node.pump(node.now);  // What sending brought about.
  // Once for all that one turn brings, of which the way to the internet is the last.
  if (!node.queue.has_emitted() && !node.drained_emitted &&
      std::exchange(node.network_changed, false)) {
    const auto [ipv4, ipv6] = node.internet.value_or(std::array<Path, 2>{});
    return NetworkChanged{.local = ipv4.local.valid() ? ipv4.local : ipv6.local};
  }
  if (!node.queue.has_emitted() && is_idle() && !std::exchange(node.drained_emitted, true)) {
    return Drained{};
  }
  return node.queue.take_emitted();
}

void Node::Implementation::pump(Instant time) {
  now = time;
  // That a port has drained is no event here, for both count: see Node::is_idle().
  const auto on_event = [this](Port port, const transport::EndpointEvent& event) {
    const auto* const activity = std::get_if<transport::ConnectionActivity>(&event);
    if (activity != nullptr) on_connection_activity(port, *activity);
    work_off();
  };
  while (ports.poll_event(on_event)) continue;
  if (discovery.is_bootstrapping()) discovery.continue_bootstrap(now);
  work_off();
  if (shutting_down) continue_shut_down();
  if (known.take_change()) queue.emit(CacheChanged{});
}

void Node::Implementation::work_off_events() {
  while (has_work()) {
    if (const auto event = queue.take_posted()) {
      std::visit([this](const auto& one) { on_owner_event(one); }, *event);
    } else {
      mailbox.resume_paused(now);
    }
  }
}

void Node::Implementation::on_timers(Instant time) {
  now = time;
  for (;;) {
    if (const auto slot = connections.take_due(now)) {
      on_connection_deadline(connections[*slot]);
    } else if (peers.next_deadline() <= now) {
      peers.on_deadline(now);
    } else if (reachability.next_recheck() <= now) {
      reachability.on_recheck(now);
    } else if (knocks.next_deadline() <= now) {
      knocks.on_deadline(now);
    } else {
      break;
    }
    work_off();
  }
  for (std::size_t left = unread.size(); left > 0 && !unread.empty(); --left) {
    PeerConnection& connection = connections[unread.front()];
    unread.pop_front();
    read_control(connection);
    work_off();
  }
  reachability.start_waiting(now);
  work_off();
  discovery.on_deadline(now);
  router_ports.on_deadline(now);
  emit_filtering();
  mailbox.on_deadline(now);
  if (raw_streams.next_sweep() <= now) raw_streams.sweep(now, config.raw_stream_timeout);
  work_off();
}

// --- links ---------------------------------------------------------------------------------------

void Node::bootstrap(Instant now, std::vector<Candidate> contacts) {
  Implementation& node = *impl_;
  node.now = now;
  if (node.shutting_down) return node.queue.emit(BootstrapFailed{});
  node.discovery.bootstrap(now, std::move(contacts));
  node.work_off();
  node.pump(now);
}

void Node::cancel_bootstrap(Instant now) {
  impl_->now = now;
  impl_->discovery.cancel_bootstrap(now);
  impl_->work_off();
}

void Node::connect(Instant now, const Candidate& candidate) {
  Implementation& node = *impl_;
  node.now = now;
  if (const Peer* peer = candidate.id ? node.peers.find(*candidate.id) : nullptr;
      peer != nullptr && peer->up) {
    return node.queue.emit(LinkUp{.peer = peer->id, .role = peer->role, .address = peer->address});
  }
  const auto dialled = node.dialler.dial(now, candidate, Purpose::link, Port::first);
  if (!dialled) {
    return node.queue.emit(
        LinkFailed{.candidate = {.candidate = candidate, .why = dialled.error()}});
  }
  node.connections[*dialled].requested.push_back(candidate);
  node.pump(now);
}

void Node::cancel_connect(Instant now, const Candidate& candidate) {
  Implementation& node = *impl_;
  node.now = now;
  const auto is_it = [&](const Candidate& each) {
    return each.address == candidate.address && each.id == candidate.id;
  };
  bool found = false;
  node.connections.for_each([&](PeerConnection& connection) {
    const auto at = std::ranges::find_if(connection.requested, is_it);
    if (found || at == connection.requested.end()) return;
    found = true;
    connection.requested.erase(at);
    if (!connection.requested.empty() || connection.owner != kNoSlot) return;
    node.peers.close(now, connection, ErrorCode::not_needed, "");
  });
  node.work_off();
}

void Node::update_contacts(Instant now, std::vector<Candidate> contacts) {
  impl_->now = now;
  impl_->discovery.update_contacts(now, std::move(contacts));
  impl_->pump(now);
}

bool Node::lacks_links() const { return impl_->discovery.lacks_links(); }

void Node::disconnect(Instant now, const PeerId& id) {
  Implementation& node = *impl_;
  node.now = now;
  const std::vector<PeerSlot> instances = node.peers.instances(id);
  if (instances.empty()) return;
  for (const PeerSlot slot : instances) {
    node.reachability.cancel(now, node.peers[slot]);
    node.peers.close_directions(now, node.peers[slot], ErrorCode::not_needed, "");
  }
  node.connections.for_each([&](PeerConnection& connection) {
    if (!connection.dialled || connection.owner != kNoSlot || connection.candidate.id != id) return;
    node.peers.close(now, connection, ErrorCode::not_needed, "");
  });
  for (const PeerSlot slot : instances) node.peers.give_up(node.peers[slot]);
  node.work_off();
}

std::vector<LinkInfo> Node::links() const {
  std::vector<LinkInfo> out;
  for (const Peer* peer : impl_->peers.all()) out.push_back(impl_->info_of(*peer));
  return out;
}

std::optional<LinkInfo> Node::link(const PeerId& id) const {
  const Peer* peer = impl_->peers.find(id);
  if (peer == nullptr) return std::nullopt;
  return impl_->info_of(*peer);
}

LinkInfo Node::Implementation::info_of(const Peer& peer) {
  LinkInfo out{.peer = peer.id,
               .role = peer.role,
               .address = peer.address,
               .up = peer.up,
               .we_dialled = peer.we_dialled,
               .up_since = peer.up_since};
  out.further = !peers.is_named(peer);
  const ConnectionSlot slot = peers.best_connection(peer);
  if (slot == kNoSlot) return out;
  if (const auto* connection = std::as_const(connections).transport(connections[slot])) {
    out.cipher_suite = connection->cipher_suite();
    out.key_exchange_group = connection->key_exchange_group();
    out.stats = connection->stats();
  }
  return out;
}

// --- the end -------------------------------------------------------------------------------------

void Node::shut_down(Instant now, Duration drain) {
  Implementation& node = *impl_;
  node.now = now;
  if (node.shutting_down) return;
  node.begin_shut_down(drain);
  node.work_off();
  node.pump(now);
}

void Node::Implementation::begin_shut_down(Duration drain) {
  shutting_down = true;
  shut_down_at = now + std::min(drain, kNever - now);
  dialler.shut_down();
  peers.shut_down();
  discovery.shut_down(now);
  router_ports.shut_down(now);
}

// Waits for what is queued towards peers whose links are up, and until they can know what we have.
void Node::Implementation::continue_shut_down() {
  if (closed || (must_drain() && now < shut_down_at)) return;
  closed = true;
  shut_down_at = kNever;
  mailbox.shut_down();  // What has not arrived by now is not waited for.
  work_off();
  ports.shut_down(now, ErrorCode::shutting_down, "shutting down");
}

bool Node::is_idle() const { return impl_->closed && impl_->ports.is_idle(); }

// --- figures -------------------------------------------------------------------------------------

const cache::BootstrapCache& Node::cache() const { return impl_->known.cache(); }

std::optional<SocketAddress> Node::own_address() const { return impl_->own_address.current(); }

std::optional<SocketAddress> Node::mapped_address() const { return impl_->router_ports.external(); }

const PeerId& Node::id() const { return impl_->tls.id; }
Role Node::role() const { return impl_->config.role; }

NodeStats Node::stats() const {
  const Implementation& node = *impl_;
  return {.links = node.peers.links_up(),
          .connections = node.connections.size(),
          .dial_backs = node.reachability.stats().dial_backs,
          .dial_backs_failed = node.reachability.stats().failed,
          .violations = node.violations,
          .refused = node.refusals.counts(),
          .inbox_bytes = node.mailbox.inbox_bytes(),
          .outbox_bytes = node.mailbox.outbox_bytes(),
          .candidates_learned = node.known.learned(),
          .stun_answers = node.stun_server.stats().answers,
          .stun_rate_limited = node.stun_server.stats().rate_limited,
          .stun_ignored = node.stun_ignored,
          .knocks_sent = node.knock_sender.sent()};
}

transport::EndpointStats Node::endpoint_stats() const { return impl_->ports.stats(); }

bool Node::consistent() const { return impl_->consistent(); }

bool Node::Implementation::consistent() const {
  const auto is_alive = [this](ConnectionSlot slot) { return connections.has(slot); };
  return !has_work() && connections.has_only_alive() && std::ranges::all_of(unread, is_alive) &&
         connections.consistent() && peers.consistent() && visitors.consistent() &&
         refusals.consistent() && known.consistent() && knocks.consistent() &&
         filtering_probe.consistent() && reachability.consistent() && knock_sender.consistent() &&
         stun_visitors.consistent() && discovery.consistent() && mailbox.consistent() &&
         ports.consistent() && stun_server.consistent() && router_ports.consistent();
}

}  // namespace qpeer::p2p
