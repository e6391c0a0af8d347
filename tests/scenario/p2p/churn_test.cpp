// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Whole networks: people come and go, everybody restarts at once.
//
// QPEER_FULL=1 runs the full sizes: 2,000 peers for an hour of virtual time, and 2,000 restarts.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "qpeer/tests/scenario/p2p/world.hpp"

namespace qpeer::sim {
namespace {

using p2p::Role;

/// How long a peer may be without a link, from when it joined or lost its last one.
constexpr Duration kLongestUnlinked = 10s;
/// And when nobody has any link, because all restarted.
constexpr Duration kLongestRestart = 30s;
/// Each minute so large a part leaves, and as large a part joins.
constexpr double kChurnPerMinute = 0.05;

struct Size {
  std::size_t peers;
  Duration time;
};
Size size() { return full_size() ? Size{2'000, 60min} : Size{150, 5min}; }

double in_seconds(Duration time) { return static_cast<double>(time.count()) * 1e-9; }

/// Peers of a network, most of them nodes that can be reached, some clients, some whose port is
/// closed whatever they say.
class Crowd {
 public:
  explicit Crowd(PeerWorld& world) : world_(world) {}

  /// So many that can be reached, within `time`.
  void gathers(std::size_t count, Duration time) {
    for (std::size_t i = 0; i < count; ++i) {
      world_.after(time * static_cast<std::int64_t>(i) / static_cast<std::int64_t>(count),
                   [this] { joins(Kind::node); });
    }
    world_.run_for(time + kLongestUnlinked);
  }

  void churns(Duration time) {
    const double each_second = kChurnPerMinute * static_cast<double>(running_.size()) / 60;
    double due = 0;
    for (Duration at{}; at < time; at += 1s) {
      for (due += each_second; due >= 1; due -= 1) {
        world_.after(at, [this] { one_leaves(); });
        world_.after(at + 500ms, [this] { joins(draw_kind()); });
      }
      if (at % 60s == Duration{}) world_.after(at, [this] { checks_caches(); });
    }
    world_.run_for(time);
    checks_caches();
  }

  /// The longest that anybody who could have a link wanted one and had none.
  [[nodiscard]] Duration longest_unlinked() const {
    Duration out{};
    for (const auto& peer : world_.peers()) {
      if (!closed_.contains(peer->id())) out = std::max(out, peer->unlinked_for());
    }
    return out;
  }
  /// Tells of those who were without a link for longer.
  void expect_unlinked_at_most(Duration limit) const {
    for (const auto& peer : world_.peers()) {
      if (closed_.contains(peer->id()) || peer->unlinked_for() <= limit) continue;
      ADD_FAILURE() << peer->address().to_string() << " had no link for "
                    << in_seconds(peer->unlinked_for()) << " s, lost the last of "
                    << peer->losses.size()
                    << (peer->is_running() ? fmt::format(", {} in its cache", peer->cache().size())
                                           : ", left since");
    }
  }
  [[nodiscard]] bool all_linked() const {
    return std::ranges::all_of(running_, [](const SimPeer* peer) { return peer->is_linked(); });
  }
  [[nodiscard]] const std::vector<SimPeer*>& running() const { return running_; }
  [[nodiscard]] std::size_t cached() const { return cached_; }
  std::size_t strangers_in_caches = 0;

 private:
  enum class Kind : u8 { node, client, closed };

  Kind draw_kind() {
    const std::uint64_t draw = world_.random().uniform(10);
    return draw == 0 ? Kind::client : draw == 1 ? Kind::closed : Kind::node;
  }

  void joins(Kind kind) {
    SimPeerConfig config;
    config.address = world_.spread_address();
    if (kind == Kind::closed) config.node.advertised = {config.address.with_port(9)};
    SimPeer& peer = kind == Kind::client ? world_.client(config) : world_.node(config);
    peer.keeps_events = false;
    std::vector<p2p::Candidate> contacts;
    for (int i = 0; i < 3 && !nodes_.empty(); ++i) {
      contacts.push_back(nodes_[world_.random().uniform(nodes_.size())]->candidate());
    }
    if (kind == Kind::closed) closed_.insert(peer.id());
    if (kind == Kind::node) {
      reachable_.insert(peer.id());
      nodes_.push_back(&peer);
    }
    running_.push_back(&peer);
    if (contacts.empty()) {
      // The very first asks when others have come.
      world_.after(1s, [this, &peer] { peer.bootstraps({nodes_.back()->candidate()}); });
    } else {
      peer.bootstraps(contacts);
    }
  }

  // Half of them without a word.
  void one_leaves() {
    const std::size_t index = world_.random().uniform(running_.size());
    SimPeer& peer = *running_[index];
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
    std::erase(nodes_, &peer);
    world_.random().chance(0.5) ? peer.crashes() : peer.leaves();
  }

  void checks_caches() {
    cached_ = 0;
    for (const SimPeer* peer : running_) {
      for (const auto& entry : peer->cache().entries()) {
        ++cached_;
        if (!reachable_.contains(entry.id)) ++strangers_in_caches;
      }
    }
  }

  PeerWorld& world_;
  std::vector<SimPeer*> running_;
  std::vector<SimPeer*> nodes_;  ///< Of those, the ones that can be reached.
  std::set<PeerId> reachable_;   ///< Ever.
  std::set<PeerId> closed_;
  std::size_t cached_ = 0;
};

SIMULATE_PEERS(Churn, EverybodyHasALinkWithinTenSeconds) {
  Crowd crowd(network);
  crowd.gathers(size().peers, 60s);
  EXPECT_TRUE(crowd.all_linked());
  crowd.churns(size().time);
  crowd.expect_unlinked_at_most(kLongestUnlinked);
  EXPECT_EQ(crowd.strangers_in_caches, 0U);
  EXPECT_GT(crowd.cached(), 10 * crowd.running().size()) << "caches do not fill";
  fmt::print("{} peers of {} left at the end; the longest without a link: {:.1f} s; {} datagrams\n",
             crowd.running().size(), network.peers().size(), in_seconds(crowd.longest_unlinked()),
             network.stats().sent);
}

SIMULATE_PEERS(Churn, ANetworkThatRestartsAtOnceIsBackWithinThirtySeconds) {
  Crowd crowd(network);
  crowd.gathers(size().peers, 30s);
  run_for(60s);
  ASSERT_TRUE(crowd.all_linked());
  for (SimPeer* peer : crowd.running()) peer->crashes();
  run_for(1s);
  for (SimPeer* peer : crowd.running()) {
    peer->restarts();
    peer->bootstraps({});
  }
  const Instant began = network.now();
  bool all = false;
  while (!all && network.now() < began + kLongestRestart) {
    run_for(500ms);
    all = crowd.all_linked();
  }
  EXPECT_TRUE(all);
  fmt::print("{} peers were back after {:.1f} s\n", crowd.running().size(),
             in_seconds(network.now() - began));
}

}  // namespace
}  // namespace qpeer::sim
