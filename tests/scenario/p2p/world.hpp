// SPDX-License-Identifier: MIT OR BSD-3-Clause
// A network of p2p::Nodes under virtual time, and SIMULATE_PEERS, in which a scenario reads like a
// sentence:
//
//   SIMULATE_PEERS(Bootstrap, OneContactIsEnough) {
//     auto& contact = network.node();
//     auto& newcomer = network.node();
//     newcomer.bootstraps({contact});
//     EXPECT_TRUE(run_until(newcomer.linked(contact), 5s));
//   }
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "qpeer/p2p/identity.hpp"
#include "qpeer/p2p/node.hpp"
#include "qpeer/tests/sim/network.hpp"
#include "qpeer/tests/sim/null_keys.hpp"
#include "qpeer/tests/sim/simulate.hpp"
#include "qpeer/tests/sim/test_tls.hpp"

namespace qpeer::sim {

using Predicate = std::function<bool()>;

/// Whether QPEER_FULL=1 asks for the sizes that take minutes.
bool full_size();

/// The wall clock at the beginning of virtual time.
inline constexpr UnixSeconds kUnixStart{std::chrono::seconds{1'800'000'000}};

struct SimPeerConfig {
  p2p::NodeConfig node{};
  SocketAddress address{};              ///< Unset: the next free one.
  std::string identity{};               ///< Unset: one of its own. Decides key and PeerId.
  bool real_tls = false;                ///< OpenSSL's, with a key of its own instead of `identity`.
  bool probes = true;                   ///< Dials back from a second port.
  UnixSeconds unix_start = kUnixStart;  ///< What its wall clock says at the beginning of time.
  std::function<bool(const crypto::PeerCertificate&)> verify_peer{};
  std::vector<PeerId> allowed{};  ///< Nobody else, unless it is empty.
};

class PeerWorld;

/// A p2p::Node with an application that takes whatever comes.
class SimPeer {
 public:
  SimPeer(PeerWorld& world, SimPeerConfig config);

  // --- doing -----------------------------------------------------------------------------------

  void bootstraps(const std::vector<p2p::Candidate>& contacts);
  void bootstraps(std::initializer_list<std::reference_wrapper<const SimPeer>> contacts);
  /// The id of the message; what becomes of it is in `sent` or `failed`.
  p2p::OperationId sends(const SimPeer& to, std::string_view text);
  p2p::OperationId requests(const SimPeer& of, std::string_view text);
  void shuts_down();
  /// What waits because takes_messages was off.
  void takes_all_messages();
  /// Ends without a word, keeping what its cache file would hold.
  void crashes();
  /// Comes back with the cache of before and nothing else.
  void restarts();
  /// Shuts down, and is gone once its peers had time to learn of it.
  void leaves();
  void wake();

  // --- what happened ---------------------------------------------------------------------------

  std::vector<p2p::NodeEvent> events;
  std::vector<p2p::Message> messages;
  std::vector<p2p::Request> asked;
  std::vector<p2p::OperationId> sent;
  std::vector<p2p::Failed> failed;
  std::vector<p2p::Response> responses;
  std::optional<Instant> bootstrapped_at;
  std::vector<p2p::BootstrapFailed> bootstrap_failures;
  std::vector<p2p::ReachabilityVerdict> verdicts_on_us;
  std::vector<p2p::PeerVerdict> verdicts;
  std::vector<p2p::LinkDown> losses;
  std::optional<Instant> unlinked_since;  ///< Set while it wants a link and has none.
  Duration longest_unlinked{};
  bool keeps_events = true;  ///< Off for large worlds.
  bool takes_messages = true;
  bool answers = true;  ///< Requests, with the same bytes.
  /// Called with each event before anything is sent that follows from it.
  std::function<void(const p2p::NodeEvent&)> observes{};

  template <class E>
  [[nodiscard]] std::vector<E> all() const {
    std::vector<E> out;
    for (const auto& event : events) {
      if (const E* found = std::get_if<E>(&event)) out.push_back(*found);
    }
    return out;
  }

  [[nodiscard]] bool is_linked() const { return links_up > 0; }
  [[nodiscard]] bool is_linked_to(const SimPeer& other) const;
  [[nodiscard]] Predicate linked() const {
    return [this] { return is_linked(); };
  }
  [[nodiscard]] Predicate linked(const SimPeer& other) const {
    return [this, &other] { return is_linked_to(other); };
  }
  [[nodiscard]] bool is_running() const { return node_ != nullptr; }
  [[nodiscard]] const PeerId& id() const { return id_; }
  [[nodiscard]] const SocketAddress& address() const { return address_; }
  [[nodiscard]] p2p::Candidate candidate() const {
    return {.address = address_, .id = id_, .server_name = {}};
  }
  [[nodiscard]] p2p::Node& node() const { return *node_; }
  [[nodiscard]] Host& host() const { return *host_; }
  [[nodiscard]] const cache::BootstrapCache& cache() const { return node_->cache(); }
  /// The longest time that it wanted a link and had none, until now.
  [[nodiscard]] Duration unlinked_for() const;
  std::size_t links_up = 0;
  SimPeerConfig config;

 private:
  void start();
  void on_event(p2p::NodeEvent& event);
  void on_link_change();

  PeerWorld& world_;
  SocketAddress address_;
  PeerId id_;
  SeededRandom random_;
  NullKeys keys_;
  p2p::Identity real_identity_;
  std::unique_ptr<p2p::Node> node_;
  Host* host_ = nullptr;
  std::vector<cache::CacheEntry> remembered_;
};

class PeerWorld : public Network {
 public:
  using Network::Network;

  SimPeer& peer(SimPeerConfig config);
  SimPeer& node(SimPeerConfig config = {}) {
    config.node.role = p2p::Role::node;
    return peer(std::move(config));
  }
  SimPeer& client(SimPeerConfig config = {}) {
    config.node.role = p2p::Role::client;
    return peer(std::move(config));
  }
  [[nodiscard]] const std::vector<std::unique_ptr<SimPeer>>& peers() const { return peers_; }
  /// An address in another /16 each time.
  SocketAddress spread_address();

  using Network::behind;
  /// Puts a peer behind a router ...
  void behind(Router& router, const SimPeer& peer) { behind(router, peer.host()); }
  /// ... or behind one of its own.
  Router& behind(const NatBoxConfig& config, const SimPeer& peer) {
    Router& router = add_router(config);
    behind(router, peer);
    return router;
  }

  /// `a` bootstraps through `b`, and both believe it.
  bool links(SimPeer& a, SimPeer& b);
  /// Nothing passes in this direction, or in both, until it is mended.
  void cuts_direction(const Host& from, const Host& to) { pipe(from, to).link.blocked = true; }
  void cuts(const Host& a, const Host& b) { set_blocked(a, b, true); }
  /// As a firewall before `to`: what `by` dials from its second port is dropped, while connections
  /// that are there go on.
  void shuts_out(SimPeer& by, SimPeer& to);
  void mends(const Host& a, const Host& b) { set_blocked(a, b, false); }

 private:
  void set_blocked(const Host& a, const Host& b, bool blocked) {
    pipe(a, b).link.blocked = pipe(b, a).link.blocked = blocked;
  }

  std::vector<std::unique_ptr<SimPeer>> peers_;
  std::uint32_t spread_ = 0;
};

}  // namespace qpeer::sim

#define SIMULATE_PEERS(Suite, Name) SIMULATE_IN(::qpeer::sim::PeerWorld, Suite, Name)
