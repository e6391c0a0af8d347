// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include "qpeer/tests/scenario/p2p/world.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "qpeer/p2p/trust.hpp"

namespace qpeer::sim {
namespace {

constexpr std::uint16_t kProbeOffset = 1;

std::vector<u8> bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

SocketAddress probe_of(const SocketAddress& address) {
  return address.with_port(static_cast<std::uint16_t>(address.port() + kProbeOffset));
}

}  // namespace

SimPeer::SimPeer(PeerWorld& world, SimPeerConfig configuration)
    : config(std::move(configuration)),
      world_(world),
      address_(config.address.valid() ? config.address : world.new_address()),
      random_(world.random().split()) {
  if (config.identity.empty()) config.identity = "peer at " + address_.to_string();
  id_ = PeerId{test_certificate(config.identity).spki_sha256};
  if (config.real_tls) {
    real_identity_ = p2p::make_identity();
    id_ = real_identity_.id;
  }
  start();
}

void SimPeer::start() {
  TestTlsConfig tls{.alpn = {std::string(p2p::kAlpn)},
                    .identity = config.identity,
                    .tickets = 0,
                    .verify_peer = config.verify_peer};
  if (!config.allowed.empty()) {
    tls.verify_peer = [allowed = config.allowed](const crypto::PeerCertificate& certificate) {
      return std::ranges::find(allowed, PeerId{certificate.spki_sha256}) != allowed.end();
    };
  }
  const auto context = make_test_tls(random_, tls);
  p2p::PeerTls peer_tls{.client = context,
                        .server = context,
                        .id = id_,
                        .mode = p2p::TrustMode::encrypt_only,
                        .allowed = config.allowed};
  if (config.real_tls) peer_tls = p2p::make_peer_tls(real_identity_, p2p::Trust::pinned()).value();
  crypto::KeyFactory& keys = config.real_tls ? crypto::openssl_keys() : keys_;
  p2p::NodeConfig node = config.node;
  node.listen_port = address_.port();
  if (config.probes) node.probe_address = probe_of(address_);
  node.unix_time_at_zero = config.unix_start;
  node.remembered = remembered_;
  node_ = std::make_unique<p2p::Node>(world_.now(), std::move(node), std::move(peer_tls), keys,
                                      random_);
  auto handler = [this](p2p::NodeEvent& event) { on_event(event); };
  auto machine = std::make_unique<MachineNode<p2p::Node, decltype(handler)>>(*node_, handler);
  if (host_ == nullptr) {
    host_ = &world_.add_host(std::move(machine), address_);
    world_.add_address(*host_, probe_of(address_));
  } else {
    world_.replace(*host_, std::move(machine));
  }
}

void SimPeer::wake() { world_.wake(*host_); }

void SimPeer::bootstraps(const std::vector<p2p::Candidate>& contacts) {
  if (!is_linked() && !unlinked_since) unlinked_since = world_.now();
  node_->bootstrap(world_.now(), contacts);
  wake();
}

void SimPeer::bootstraps(std::initializer_list<std::reference_wrapper<const SimPeer>> contacts) {
  std::vector<p2p::Candidate> all;
  for (const SimPeer& contact : contacts) all.push_back(contact.candidate());
  bootstraps(all);
}

p2p::OperationId SimPeer::sends(const SimPeer& to, std::string_view text) {
  const auto id = node_->send(world_.now(), to.id(), bytes_of(text));
  wake();
  if (!id) {
    failed.push_back({.id = {}, .error = id.error()});
    return {};
  }
  return *id;
}

p2p::OperationId SimPeer::requests(const SimPeer& of, std::string_view text) {
  const auto id = node_->request(world_.now(), of.id(), bytes_of(text));
  wake();
  if (!id) {
    failed.push_back({.id = {}, .error = id.error()});
    return {};
  }
  return *id;
}

void SimPeer::shuts_down() {
  node_->shut_down(world_.now());
  wake();
}

void SimPeer::takes_all_messages() {
  takes_messages = true;
  while (auto message = node_->next_message(world_.now())) messages.push_back(std::move(*message));
  wake();
}

void SimPeer::crashes() {
  remembered_ = node_->cache().entries();
  world_.detach(*host_);
  node_.reset();
  links_up = 0;
  unlinked_since.reset();
}

void SimPeer::leaves() {
  shuts_down();
  world_.after(5s, [this] {
    if (node_) crashes();
  });
}

Duration SimPeer::unlinked_for() const {
  return std::max(longest_unlinked, unlinked_since ? world_.now() - *unlinked_since : Duration{});
}

void SimPeer::on_link_change() {
  if (is_linked()) {
    longest_unlinked = unlinked_for();
    unlinked_since.reset();
  } else if (!unlinked_since) {
    unlinked_since = world_.now();
  }
}

void SimPeer::restarts() {
  if (node_) crashes();
  bootstrapped_at.reset();
  start();
}

bool SimPeer::is_linked_to(const SimPeer& other) const {
  if (!node_) return false;
  const auto link = node_->link(other.id());
  return link && link->up;
}

void SimPeer::on_event(p2p::NodeEvent& event) {
  if (observes) observes(event);
  if (std::holds_alternative<p2p::LinkUp>(event)) {
    links_up = node_->stats().links;
    on_link_change();
  }
  if (const auto* down = std::get_if<p2p::LinkDown>(&event)) {
    losses.push_back(*down);
    links_up = node_->stats().links;
    on_link_change();
  }
  if (std::holds_alternative<p2p::Bootstrapped>(event)) bootstrapped_at = world_.now();
  if (auto* failure = std::get_if<p2p::BootstrapFailed>(&event))
    bootstrap_failures.push_back(*failure);
  if (const auto* verdict = std::get_if<p2p::ReachabilityVerdict>(&event))
    verdicts_on_us.push_back(*verdict);
  if (const auto* verdict = std::get_if<p2p::PeerVerdict>(&event)) verdicts.push_back(*verdict);
  if (const auto* done = std::get_if<p2p::Sent>(&event)) sent.push_back(done->id);
  if (const auto* done = std::get_if<p2p::Failed>(&event)) failed.push_back(*done);
  if (const auto* done = std::get_if<p2p::Response>(&event)) responses.push_back(*done);
  if (const auto* incoming = std::get_if<p2p::Incoming>(&event)) {
    if (incoming->kind == p2p::Incoming::Kind::message && takes_messages) {
      while (auto message = node_->next_message(world_.now()))
        messages.push_back(std::move(*message));
    }
    if (incoming->kind == p2p::Incoming::Kind::request && answers) {
      while (auto request = node_->next_request(world_.now())) {
        (void)node_->reply(world_.now(), request->id, std::vector<u8>(request->data));
        asked.push_back(std::move(*request));
      }
    }
    wake();
  }
  if (keeps_events) events.push_back(std::move(event));
}

bool full_size() {
  const char* wanted = std::getenv("QPEER_FULL");
  return wanted != nullptr && std::string_view(wanted) == "1";
}

bool PeerWorld::links(SimPeer& a, SimPeer& b) {
  a.bootstraps({b});
  return run_until([&] { return a.is_linked_to(b) && b.is_linked_to(a); }, 10s);
}

void PeerWorld::shuts_out(SimPeer& by, SimPeer& to) {
  constexpr u8 kLongHeader = 0x80;
  pipe(by.host(), to.host()).filter =
      drop_if([from = probe_of(by.address())](const Passing& passing) {
        return passing.from == from && (passing.payload[0] & kLongHeader) != 0;
      });
}

SimPeer& PeerWorld::peer(SimPeerConfig config) {
  peers_.push_back(std::make_unique<SimPeer>(*this, std::move(config)));
  return *peers_.back();
}

SocketAddress PeerWorld::spread_address() {
  const std::uint32_t n = spread_++;
  const auto high = static_cast<u8>(11 + n / 256 % 100);
  return SocketAddress::ipv4({high, static_cast<u8>(n % 256), 1, static_cast<u8>(1 + n / 25'600)},
                             4433);
}

}  // namespace qpeer::sim
